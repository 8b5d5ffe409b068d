//! URLs of the API, rewritten to where the client came in, as a GitHub Enterprise Server does.
//! A client follows the URLs that it is given and sends its token along, so none may lead to
//! GitHub itself. Stored responses keep GitHub's URLs; they are rewritten on their way out,
//! since each client may have come in elsewhere.
//!
//! What people wrote, and URLs of other hosts, stay as they are.

mod body;

pub use self::body::BodyRewriter;
use crate::config::{Place, Upstream};
use crate::header::Headers;
use crate::path::Mount;
use crate::upstream::Edit;
use std::rc::Rc;

/// Fields that hold URLs.
const FIELDS: [&str; 3] = ["link", "location", "content-location"];

/// Where the API may say that it is; made once per configuration. The longest URL comes first.
#[derive(Debug)]
pub struct Origins(Vec<Origin>);

/// The root of one of GitHub's services, at GitHub or at the configured upstream.
#[derive(Debug)]
struct Origin {
    url: String,
    /// The same as JSON may write it, with each slash after a backslash.
    escaped: String,
    service: Service,
}

/// What is found there.
#[derive(Clone, Copy, Debug)]
enum Service {
    Api,
    Uploads,
}

/// Where a client reaches them.
#[derive(Clone, Debug)]
struct Roots {
    api: String,
    uploads: String,
}

impl Roots {
    fn of(&self, service: Service) -> &str {
        match service {
            Service::Api => &self.api,
            Service::Uploads => &self.uploads,
        }
    }
}

/// A URL as JSON may write it.
fn escaped(url: &str) -> String {
    url.replace('/', "\\/")
}

impl Origins {
    /// The URLs that lead to `upstream`, and, whatever that is, to github.com's API: a stand-in
    /// may hand out those.
    pub fn new(upstream: &Upstream) -> Self {
        let mut api = vec!["https://api.github.com".to_owned()];
        let mut uploads = vec!["https://uploads.github.com".to_owned()];
        for scheme in ["https", "http"] {
            let root = |place: &Place| format!("{scheme}://{}{}", place.authority, place.base_path);
            let (at_api, at_uploads) = (root(&upstream.api), root(&upstream.uploads));
            // Where both are one place, what leads there leads to the API.
            if !api.contains(&at_uploads) && at_uploads != at_api && !uploads.contains(&at_uploads)
            {
                uploads.push(at_uploads);
            }
            if !api.contains(&at_api) {
                api.push(at_api);
            }
        }
        let origin = |service| {
            move |url: String| Origin {
                escaped: escaped(&url),
                url,
                service,
            }
        };
        let uploads = uploads.into_iter().map(origin(Service::Uploads));
        let mut origins: Vec<Origin> = uploads
            .chain(api.into_iter().map(origin(Service::Api)))
            .collect();
        origins.sort_by_key(|origin| std::cmp::Reverse(origin.url.len()));
        Self(origins)
    }
}

/// One client's view: what becomes of which URL.
#[derive(Clone, Debug)]
pub struct Rewrite {
    origins: Rc<Origins>,
    roots: Roots,
    /// The path that the client asked for, without its mount and query.
    path: String,
}

impl Rewrite {
    /// For a client that reached the API at `root` (scheme and authority) under `mount`.
    pub fn new(origins: &Rc<Origins>, root: &str, mount: Mount, path: &str) -> Self {
        let api = match mount {
            Mount::Root => root.to_owned(),
            Mount::ApiV3 | Mount::GraphQl | Mount::Uploads => format!("{root}/api/v3"),
        };
        let uploads = format!("{root}/api/uploads");
        Self {
            origins: Rc::clone(origins),
            roots: Roots { api, uploads },
            path: path.to_owned(),
        }
    }

    /// The URL as the client should see it; `None` when it does not lead to the API.
    fn url(&self, url: &str) -> Option<String> {
        self.origins.0.iter().find_map(|origin| {
            let rest = url.strip_prefix(origin.url.as_str())?;
            let ends = rest.is_empty() || rest.starts_with(['/', '?', '#', '{']);
            ends.then(|| format!("{}{rest}", self.roots.of(origin.service)))
        })
    }

    /// The changes that a header section needs.
    pub fn fields(&self, headers: &Headers) -> Vec<Edit> {
        let change = |name: &str| {
            let value = self.field(name, &headers.joined(name)?)?;
            Some((name.to_owned(), Some(value)))
        };
        FIELDS.into_iter().filter_map(change).collect()
    }

    /// A field of `FIELDS`, rewritten; `None` when nothing changes.
    fn field(&self, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let value = std::str::from_utf8(value).ok()?;
        let new = if name == "link" {
            self.link(value)
        } else {
            self.url(value)?
        };
        (new != value).then(|| new.into_bytes())
    }

    /// A `Link` field (RFC 8288 §3): each target in angle brackets.
    fn link(&self, value: &str) -> String {
        let mut out = String::with_capacity(value.len() + 64);
        let mut rest = value;
        while let Some((before, tail)) = rest.split_once('<') {
            let Some((target, after)) = tail.split_once('>') else {
                break;
            };
            out.push_str(before);
            out.push('<');
            let canonical = self.page(target);
            let target = canonical.as_deref().unwrap_or(target);
            out.push_str(&self.url(target).unwrap_or_else(|| target.to_owned()));
            out.push('>');
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// GitHub paginates under `/repositories/{id}`, `/organizations/{id}` and `/user/{id}`: the same
    /// list, under another name than the one that the client may use.
    fn page(&self, target: &str) -> Option<String> {
        let mut roots = self.origins.0.iter().map(|origin| origin.url.as_str());
        let root = roots.find(|root| target.starts_with(root))?;
        let rest = target.strip_prefix(root)?;
        let (path, query) = rest.split_once('?')?;
        let by_id = ["/repositories/", "/organizations/", "/user/"];
        let id = by_id.iter().find_map(|name| path.strip_prefix(name))?;
        let id = id.split('/').next().unwrap_or_default();
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then(|| format!("{root}{}?{query}", self.path))
    }

    /// Whether a body with these fields is rewritten: the whole of a JSON text of GitHub's own. A
    /// file's raw content is somebody else's, even if its type is called
    /// `application/vnd.github.raw+json`.
    pub fn applies_to(headers: &Headers) -> bool {
        let kind = kind(headers);
        let is_json = kind == "application/json" || kind.ends_with("+json");
        let is_raw = kind.contains(".raw");
        let is_part = headers.has("content-range");
        is_json && !is_raw && !is_part && !headers.has("content-encoding")
    }

    /// Rewrites a body with these fields part by part, if it is to be.
    pub fn body(&self, headers: &Headers) -> Option<BodyRewriter> {
        let is_scim = kind(headers) == "application/scim+json";
        Self::applies_to(headers)
            .then(|| BodyRewriter::new(Rc::clone(&self.origins), &self.roots, is_scim))
    }
}

/// The media type, without its parameters.
fn kind(headers: &Headers) -> &str {
    let kind = headers.text("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(mount: Mount) -> Rewrite {
        let upstream = Upstream::new(Place {
            authority: "ghes.example".into(),
            base_path: "/api/v3".into(),
            cluster: "github".into(),
        });
        Rewrite::new(
            &Rc::new(Origins::new(&upstream)),
            "http://proxy:8080",
            mount,
            "/repos/o/r/issues",
        )
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn urls_of_the_api_lead_to_the_mount() {
        let cases = [
            (
                "https://api.github.com/user",
                Some("http://proxy:8080/api/v3/user"),
            ),
            ("https://api.github.com", Some("http://proxy:8080/api/v3")),
            (
                "https://ghes.example/api/v3/user?a=1",
                Some("http://proxy:8080/api/v3/user?a=1"),
            ),
            (
                "https://ghes.example/api/uploads/x",
                Some("http://proxy:8080/api/uploads/x"),
            ),
            (
                "https://uploads.github.com/x{?name}",
                Some("http://proxy:8080/api/uploads/x{?name}"),
            ),
            ("https://api.github.community/user", None),
            ("https://ghes.example/o/r", None),
            ("https://github.com/o/r", None),
        ];
        for (url, expected) in cases {
            assert_eq!(rewrite(Mount::ApiV3).url(url).as_deref(), expected, "{url}");
        }
        let root = rewrite(Mount::Root).url("https://api.github.com/user");
        assert_eq!(root.as_deref(), Some("http://proxy:8080/user"));
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn pages_stay_on_the_path_that_was_asked_for() {
        let link = "<https://api.github.com/repositories/42/issues?page=2>; rel=\"next\", \
                    <https://api.github.com/organizations/7/repos?page=9>; rel=\"last\", \
                    <https://api.github.com/user/583231/repos?page=2>; rel=\"prev\", \
                    <https://docs.github.com/x?y>; rel=\"deprecation\"";
        let expected = "<http://proxy:8080/repos/o/r/issues?page=2>; rel=\"next\", \
                        <http://proxy:8080/repos/o/r/issues?page=9>; rel=\"last\", \
                        <http://proxy:8080/repos/o/r/issues?page=2>; rel=\"prev\", \
                        <https://docs.github.com/x?y>; rel=\"deprecation\"";
        let got = rewrite(Mount::Root).field("link", link.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), expected);
        assert_eq!(rewrite(Mount::Root).field("link", b"broken <"), None);
        let moved =
            rewrite(Mount::Root).field("location", b"https://api.github.com/repositories/42");
        assert_eq!(moved.unwrap(), b"http://proxy:8080/repositories/42");
    }

    #[test]
    fn only_json_is_rewritten() {
        let of = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
            Rewrite::applies_to(&Headers::new(fields.collect()))
        };
        assert!(of(&[("content-type", "application/json; charset=utf-8")]));
        assert!(of(&[("content-type", "application/vnd.github+json")]));
        assert!(!of(&[("content-type", "text/plain")]));
        assert!(!of(&[(
            "content-type",
            "application/vnd.github.raw+json; charset=utf-8"
        )]));
        assert!(!of(&[("content-type", "application/vnd.github.v3.raw")]));
        assert!(!of(&[
            ("content-type", "application/json"),
            ("content-range", "bytes 0-1/9")
        ]));
        assert!(!of(&[
            ("content-type", "application/json"),
            ("content-encoding", "br")
        ]));
        assert!(!of(&[]));
    }
}
