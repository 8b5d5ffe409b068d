//! What a request looks like when it goes to GitHub: where to, as whom, with which validator,
//! and without what concerns the client, the proxy's hop or Envoy.

use crate::cache::key;
use crate::config::Upstream;
use crate::graphql;
use crate::header::Headers;
use crate::path::Target;

/// One change to a message's fields: a value to set, or `None` to remove the field.
pub type Edit = (String, Option<Vec<u8>>);

/// Sent when the client names none: GitHub refuses requests without a User-Agent.
const DEFAULT_USER_AGENT: &str = "github-proxy";

/// What a client's user agent may contain for GitHub to indent the JSON that it sends. The
/// ETag is that of the unindented body, so an indented one could not be revalidated for
/// another credential.
const INDENTED_FOR: [&str; 4] = ["curl", "wget", "safari", "firefox"];

/// Fields that say who the client is, or that only concern the way to the proxy. Envoy has no
/// route for a request without X-Forwarded-Proto, so its route removes that one. A method or a path
/// in a field would get around the scopes.
const OF_THE_CLIENT: [&str; 13] = [
    "accept-encoding",
    "cookie",
    "forwarded",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
];

/// Whether `name` is one of [`OF_THE_CLIENT`]. Servers that hand fields on as variables (CGI, WSGI,
/// Rack) take an underscore in a name for a hyphen.
fn is_of_the_client(name: &str) -> bool {
    let same = |it: &&str| {
        it.len() == name.len()
            && it
                .bytes()
                .zip(name.bytes())
                .all(|(a, b)| a == b || (a == b'-' && b == b'_'))
    };
    OF_THE_CLIENT.iter().any(same)
}

/// Preconditions that are the proxy's to send once it answers for the cache.
const PRECONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// The validator that goes upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validator {
    /// The client's own, as it came.
    Client,
    /// None at all.
    Absent,
    /// If-None-Match of a stored response.
    Tag(String),
    /// If-Modified-Since of a stored response.
    Date(Vec<u8>),
}

/// `:path` at the upstream. A GitHub Enterprise Server has GraphQL beside its REST root
/// `/api/v3`.
pub fn path(upstream: &Upstream, target: &Target) -> String {
    let base = upstream.at(target.mount).base_path.as_str();
    let base = match base.strip_suffix("/v3") {
        Some(beside) if target.path == graphql::PATH => beside,
        _ => base,
    };
    let mut path = format!("{base}{}", target.path);
    if let Some(query) = &target.query {
        path.push('?');
        path.push_str(query);
    }
    path
}

/// Whether a part of the representation is asked for: other methods have none (RFC 9110 §14.2).
fn wants_part(request: &Headers) -> bool {
    request.has("range") && matches!(request.text(":method"), Some("GET" | "HEAD"))
}

/// The edits that turn a client's request into the proxy's. The user agent of a `cacheable`
/// one is made harmless; any other request keeps its own. The same holds for the codings that the
/// client takes: of a part in another coding than it asked for, nobody could make anything.
pub fn edits(
    request: &Headers,
    authority: &str,
    path: &str,
    authorization: &[u8],
    validator: &Validator,
    cacheable: bool,
) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::with_capacity(8);
    let mut remove: Vec<&str> = Vec::new();
    let part = wants_part(request);
    for (name, _) in request.iter() {
        if part && name == "accept-encoding" {
            continue;
        }
        let replaced = *validator != Validator::Client && PRECONDITIONS.contains(&name)
            || cacheable && name == "accept" && key::accept(request).is_none();
        if is_of_the_client(name) || request.is_hop_by_hop(name) || replaced {
            remove.push(name);
        }
    }
    remove.dedup();
    edits.extend(remove.into_iter().map(|name| (name.to_owned(), None)));
    let mut set = |name: &str, value: &[u8]| edits.push((name.to_owned(), Some(value.to_vec())));
    set(":authority", authority.as_bytes());
    set(":path", path.as_bytes());
    set("authorization", authorization);
    if part && !request.has("accept-encoding") {
        set("accept-encoding", b"identity");
    }
    match validator {
        Validator::Tag(tag) => set("if-none-match", tag.as_bytes()),
        Validator::Date(date) => set("if-modified-since", date),
        Validator::Client | Validator::Absent => {}
    }
    match request.text("user-agent") {
        Some(agent) => {
            if let Some(harmless) = harmless(agent).filter(|_| cacheable) {
                set("user-agent", harmless.as_bytes());
            }
        }
        None => set("user-agent", DEFAULT_USER_AGENT.as_bytes()),
    }
    edits
}

/// The user agent with a hyphen inside each word that would make GitHub indent; `None` when
/// there is none.
fn harmless(agent: &str) -> Option<String> {
    let lower = agent.to_ascii_lowercase();
    let mut breaks: Vec<usize> = INDENTED_FOR
        .iter()
        .flat_map(|word| lower.match_indices(word).map(|(at, _)| at + 1))
        .collect();
    if breaks.is_empty() {
        return None;
    }
    breaks.sort_unstable();
    let mut out = String::with_capacity(agent.len() + breaks.len());
    for (at, character) in agent.char_indices() {
        if breaks.contains(&at) {
            out.push('-');
        }
        out.push(character);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn upstream(base_path: &str) -> Upstream {
        Upstream::new(Place {
            authority: "up.example".into(),
            base_path: base_path.into(),
            cluster: "github".into(),
        })
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn mounts_map_onto_both_kinds_of_upstream() {
        let cases = [
            ("", "/user?a=1", "/user?a=1"),
            ("", "/api/v3/user", "/user"),
            ("", "/api/graphql", "/graphql"),
            ("", "/api/uploads/repos/a/b?name=x", "/repos/a/b?name=x"),
            ("/api/v3", "/user", "/api/v3/user"),
            ("/api/v3", "/api/v3/user?x", "/api/v3/user?x"),
            ("/api/v3", "/graphql", "/api/graphql"),
            ("/api/v3", "/api/graphql", "/api/graphql"),
            (
                "/api/v3",
                "/api/uploads/repos/a/b",
                "/api/uploads/repos/a/b",
            ),
        ];
        for (base, target, expected) in cases {
            let target = Target::parse(target.as_bytes()).unwrap();
            assert_eq!(path(&upstream(base), &target), expected);
        }
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn user_agents_are_kept_and_made_harmless() {
        let cases = [
            ("curl/8.5.0", Some("c-url/8.5.0")),
            (
                "Mozilla/5.0 Firefox/1 Safari/2",
                Some("Mozilla/5.0 F-irefox/1 S-afari/2"),
            ),
            ("Wget/1", Some("W-get/1")),
            ("PyGithub/Python", None),
        ];
        for (agent, expected) in cases {
            assert_eq!(harmless(agent).as_deref(), expected);
        }
        assert_eq!(harmless("é curl").as_deref(), Some("é c-url"));
    }

    /// A range is one of the form that the client asked for, be it none at all.
    #[test]
    fn a_part_is_asked_for_in_the_codings_of_the_client() {
        let asked = |method: &str, fields: &[(&str, &str)]| {
            let fields = [&[(":method", method)], fields].concat();
            let owned = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
            let request = Headers::new(owned.collect());
            let mut sent = request.clone();
            let client = Validator::Client;
            sent.apply(edits(&request, "up.example", "/", b"", &client, false));
            sent.joined("accept-encoding")
                .map(|it| String::from_utf8(it).unwrap())
        };
        let range = ("range", "bytes=0-1");
        let codings = ("accept-encoding", "br, gzip");
        for method in ["GET", "HEAD"] {
            assert_eq!(asked(method, &[range, codings]).unwrap(), "br, gzip");
            assert_eq!(asked(method, &[range]).unwrap(), "identity");
            assert_eq!(asked(method, &[codings]), None);
        }
        assert_eq!(asked("POST", &[range, codings]), None);
    }

    #[test]
    fn what_is_the_clients_stays_with_the_proxy() {
        let names = [
            "authorization",
            "cookie",
            "x-forwarded-for",
            "te",
            "x-envoy-retry-on",
            "x_http_method-override",
            "x-original-url",
            "if-none-match",
            "accept",
            "accept-encoding",
            "user-agent",
        ];
        let request = Headers::new(
            names
                .iter()
                .map(|n| (n.to_string(), b"x".to_vec()))
                .collect(),
        );
        let validator = Validator::Tag("\"v\"".into());
        let edits = edits(
            &request,
            "up.example",
            "/user",
            b"Bearer t",
            &validator,
            true,
        );
        let removed: Vec<&str> = edits
            .iter()
            .filter(|(_, v)| v.is_none())
            .map(|(n, _)| n.as_str())
            .collect();
        assert_eq!(
            removed,
            [
                "cookie",
                "x-forwarded-for",
                "te",
                "x-envoy-retry-on",
                "x_http_method-override",
                "x-original-url",
                "if-none-match",
                "accept-encoding"
            ]
        );
        let set = |name: &str| {
            edits
                .iter()
                .rev()
                .find(|(n, _)| n == name)
                .and_then(|(_, v)| v.clone())
        };
        assert_eq!(set("authorization").unwrap(), b"Bearer t");
        assert_eq!(set("if-none-match").unwrap(), b"\"v\"");
        assert_eq!(set(":authority").unwrap(), b"up.example");
        assert_eq!(set("user-agent"), None);
    }
}
