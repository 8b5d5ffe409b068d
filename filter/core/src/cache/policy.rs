//! What may be cached, what of it is kept, and how a 304 brings it up to date.
//!
//! RFC 9111 for a shared cache, with one difference that the product exists for: a stored
//! response is private to a pool of credentials, and served only after GitHub confirmed it
//! for a credential of that pool, so `Cache-Control: private` and `Authorization` do not
//! forbid storing it.

use crate::cache::directive::Directives;
use crate::cache::key::SELECTING;
use crate::header::Headers;

/// Fields of one exchange or one credential: passed on to whoever caused it, never stored.
const OF_ONE_EXCHANGE: [&str; 18] = [
    "age",
    "alt-svc",
    "cache-status",
    "content-length",
    "github-authentication-token-expiration",
    "retry-after",
    "server-timing",
    "set-cookie",
    "x-accepted-github-permissions",
    "x-accepted-oauth-scopes",
    "x-github-request-id",
    "x-oauth-client-id",
    "x-oauth-scopes",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-resource",
    "x-ratelimit-used",
];

/// `Vary` members that the proxy answers for itself: per credential, or by decoding.
const VARY_HANDLED: [&str; 3] = ["authorization", "cookie", "accept-encoding"];

/// How a request relates to the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cacheability {
    /// Looked up, coalesced, stored.
    Cacheable,
    /// A method other than GET or HEAD.
    Method,
    /// A GET that must reach GitHub as it is.
    Bypass,
    /// A question about the rate limit, which the proxy answers for the pool.
    RateLimit,
}

/// Classifies a request by its method, normalised path and fields.
pub fn classify(method: &str, path: &str, request: &Headers, has_body: bool) -> Cacheability {
    if !matches!(method, "GET" | "HEAD") {
        return Cacheability::Method;
    }
    if path == "/rate_limit" {
        return Cacheability::RateLimit;
    }
    // Preconditions other than If-None-Match and If-Modified-Since, and parts of a
    // representation, are GitHub's to judge (RFC 9110 §13, §14).
    let conditional = ["range", "if-range", "if-match", "if-unmodified-since"];
    // One-time passwords are used once.
    let personal = ["x-github-otp", "upgrade"];
    if conditional
        .into_iter()
        .chain(personal)
        .any(|name| request.has(name))
        || Directives::of(request).no_store
        || has_body
    {
        return Cacheability::Bypass;
    }
    Cacheability::Cacheable
}

/// Whether a complete response to a GET may be stored and revalidated later.
pub fn storable(status: u16, response: &Headers) -> bool {
    let revalidatable = response.has("etag") || response.has("last-modified");
    matches!(status, 200 | 301 | 404 | 410) && revalidatable && readable(response)
}

/// Whether a response to a GraphQL query may be kept for as long as its client allows: it needs
/// no validator. Whether it holds errors, its body tells.
pub fn storable_query(status: u16, response: &Headers) -> bool {
    status == 200 && readable(response) && !response.has("set-cookie")
}

/// Whether a complete response may be handed to equal requests that waited for it, and to
/// nobody else. Failures are not shared: each follower asks for itself.
pub fn shareable(status: u16, response: &Headers) -> bool {
    let definite = matches!(
        status,
        200..=299 | 301 | 302 | 303 | 307 | 308 | 404 | 410 | 422 | 451
    );
    definite && readable(response) && !response.has("set-cookie")
}

/// Only identity bodies are kept: the decompressor in front of the filter saw to that.
fn readable(response: &Headers) -> bool {
    !response.has("content-encoding")
        && !Directives::of(response).no_store
        && vary_members(response).all(|name| name != "*")
}

/// The fields of a response that an entry keeps.
pub fn storable_headers(response: &Headers) -> Headers {
    let mut kept = response.clone();
    kept.retain(|name| is_storable(name, response));
    kept
}

fn is_storable(name: &str, response: &Headers) -> bool {
    !name.starts_with(':') && !OF_ONE_EXCHANGE.contains(&name) && !response.is_hop_by_hop(name)
}

/// Request fields named by `Vary` that the key does not cover, with their values.
pub fn varied(request: &Headers, response: &Headers) -> Vec<(String, Option<Vec<u8>>)> {
    let mut names: Vec<String> = vary_members(response)
        .filter(|name| {
            !VARY_HANDLED.contains(&name.as_str()) && !SELECTING.contains(&name.as_str())
        })
        .collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let value = request.joined(&name);
            (name, value)
        })
        .collect()
}

fn vary_members(response: &Headers) -> impl Iterator<Item = String> + '_ {
    response.all("vary").flat_map(|list| {
        list.split(|byte| *byte == b',')
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect::<Vec<_>>()
    })
}

/// Brings stored fields up to date with those of a 304 (RFC 9111 §3.2, §4.3.4). The ETag stays: it
/// names the stored body for clients, while the 304's is that of another credential. Returns
/// whether more than the Date changed: only then is it worth writing the entry anew.
pub fn refresh(stored: &mut Headers, not_modified: &Headers) -> bool {
    const ABOUT_THE_BODY: [&str; 4] = ["etag", "content-type", "content-encoding", "content-range"];
    let mut changed = false;
    for (name, _) in not_modified.iter() {
        let stays = ABOUT_THE_BODY.contains(&name) || !is_storable(name, not_modified);
        if stays || stored.all(name).eq(not_modified.all(name)) {
            continue;
        }
        stored.remove(name);
        for value in not_modified.all(name) {
            stored.push(name, value);
        }
        changed |= name != "date";
    }
    changed
}

/// Whether what is behind a path is about the user, or the installation, whose credential asks.
pub fn is_personal(path: &str) -> bool {
    ["/user", "/notifications", "/issues", "/installation"]
        .iter()
        .filter_map(|own| path.strip_prefix(own))
        .any(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        Headers::new(
            fields
                .iter()
                .map(|(n, v)| (n.to_string(), v.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn requests_are_classified() {
        use Cacheability::*;
        let cases = [
            ("GET", "/user", vec![], Cacheable),
            ("HEAD", "/user", vec![], Cacheable),
            ("GET", "/user", vec![("if-none-match", "\"a\"")], Cacheable),
            (
                "GET",
                "/user",
                vec![("cache-control", "no-cache")],
                Cacheable,
            ),
            (
                "GET",
                "/user",
                vec![("cache-control", "max-age=0, No-Store")],
                Bypass,
            ),
            ("GET", "/user", vec![("range", "bytes=0-1")], Bypass),
            ("GET", "/user", vec![("if-match", "\"a\"")], Bypass),
            ("GET", "/rate_limit", vec![], RateLimit),
            ("POST", "/graphql", vec![], Method),
            ("DELETE", "/user", vec![], Method),
        ];
        for (method, path, fields, expected) in cases {
            assert_eq!(
                classify(method, path, &headers(&fields), false),
                expected,
                "{method} {path} {fields:?}"
            );
        }
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn responses_are_stored_only_when_they_can_be_revalidated() {
        let etag = [("etag", "\"a\"")];
        let cases = [
            (200, etag.to_vec(), true),
            (200, vec![("last-modified", "x")], true),
            (200, vec![], false),
            (404, etag.to_vec(), true),
            (404, vec![], false),
            (500, etag.to_vec(), false),
            (304, etag.to_vec(), false),
            (206, etag.to_vec(), false),
            (200, vec![("etag", "\"a\""), ("vary", "Accept, *")], false),
            (
                200,
                vec![("etag", "\"a\""), ("cache-control", "no-store")],
                false,
            ),
            (
                200,
                vec![("etag", "\"a\""), ("content-encoding", "br")],
                false,
            ),
            (
                200,
                vec![("etag", "\"a\""), ("cache-control", "private, max-age=60")],
                true,
            ),
        ];
        for (status, fields, expected) in cases {
            assert_eq!(
                storable(status, &headers(&fields)),
                expected,
                "{status} {fields:?}"
            );
        }
        assert!(shareable(404, &headers(&[])));
        assert!(!shareable(500, &headers(&[])));
        assert!(!shareable(403, &headers(&[])));
    }

    #[test]
    fn nothing_of_one_exchange_is_stored() {
        let kept = storable_headers(&headers(&[
            (":status", "200"),
            ("etag", "\"a\""),
            ("x-ratelimit-used", "1"),
            ("x-ratelimit-remaining", "1"),
            ("set-cookie", "a"),
            ("connection", "x-one"),
            ("x-one", "1"),
            ("link", "l"),
        ]));
        assert_eq!(kept, headers(&[("etag", "\"a\""), ("link", "l")]));
    }

    #[test]
    fn what_is_ones_own_is_known_by_its_path() {
        for path in ["/user", "/user/repos", "/notifications/threads/1"] {
            assert!(is_personal(path), "{path}");
        }
        for path in ["/users/octocat", "/repos/o/r/issues", "/"] {
            assert!(!is_personal(path), "{path}");
        }
    }

    #[test]
    fn vary_names_what_the_key_does_not_cover() {
        let request = headers(&[("x-own", "me"), ("accept", "a")]);
        let response = headers(&[
            ("vary", "Accept, Authorization, Cookie, X-Own"),
            ("vary", "Accept-Encoding, Accept, X-Other"),
        ]);
        assert_eq!(
            varied(&request, &response),
            vec![
                ("x-other".to_owned(), None),
                ("x-own".to_owned(), Some(b"me".to_vec()))
            ]
        );
    }

    #[test]
    fn a_304_brings_new_fields_but_not_another_tag() {
        let mut stored = headers(&[
            ("etag", "\"mine\""),
            ("date", "old"),
            ("link", "a"),
            ("content-type", "json"),
        ]);
        let fresh = headers(&[
            ("etag", "\"theirs\""),
            ("date", "new"),
            ("link", "b"),
            ("link", "c"),
            ("x-ratelimit-used", "4"),
        ]);
        assert!(refresh(&mut stored, &fresh));
        assert_eq!(
            stored,
            headers(&[
                ("etag", "\"mine\""),
                ("content-type", "json"),
                ("date", "new"),
                ("link", "b"),
                ("link", "c")
            ])
        );
        assert!(!refresh(&mut stored, &fresh));
        assert!(!refresh(&mut stored, &headers(&[("date", "newer")])));
        assert_eq!(stored.text("date"), Some("newer"));
    }
}
