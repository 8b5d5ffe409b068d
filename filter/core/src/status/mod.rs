//! The status page: what a pool has left, who uses it, and what the cache saves, for people who
//! have no dashboards.
//!
//! It exists where the operator put it, on a filter chain of this name, and nowhere else: on a
//! listener for clients the same path is an ordinary one. It tells names and numbers, never a
//! token, a digest of one, or a key.

mod report;

use sha2::{Digest, Sha256};

use crate::header::Headers;
use crate::request::{Proxy, Reply, ReplyBody};
use crate::shared::SharedData;
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

/// The name of the filter chain that is for operators.
pub const FILTER_CHAIN: &str = "github_proxy_admin";
/// Where the page is.
const PREFIX: &str = "/-/github-proxy";
/// One document, style and script included.
const PAGE: &str = include_str!("page.html");

/// Whether a request is for the status page, if it came in where that is.
pub fn is_meant(headers: &Headers) -> bool {
    let path = headers.get(":path").unwrap_or_default();
    path.starts_with(PREFIX.as_bytes())
}

/// The answer to such a request. Of one to HEAD, Envoy leaves the body out.
pub fn answer(headers: &Headers, proxy: &Proxy, shared: &dyn SharedData, now: u64) -> Reply {
    let text = |name| headers.text(name).unwrap_or_default();
    let (method, target) = (text(":method"), text(":path"));
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let rest = path.strip_prefix(PREFIX).unwrap_or_default();
    let content = match rest {
        "" => return moved(),
        "/" if prefers_json(text("accept")) => Content::Report,
        "/" => Content::Page,
        "/status.json" => Content::Report,
        _ => return reply(404, "text/plain; charset=utf-8", "not found\n".to_owned()),
    };
    if method != "GET" && method != "HEAD" {
        let mut refused = reply(405, "text/plain; charset=utf-8", "GET or HEAD\n".to_owned());
        refused.headers.set("allow", b"GET, HEAD");
        return refused;
    }
    let mut reply = match content {
        Content::Page => {
            let mut page = reply(200, "text/html; charset=utf-8", PAGE.to_owned());
            let policy = policy();
            page.headers
                .set("content-security-policy", policy.as_bytes());
            page
        }
        Content::Report => {
            let report = report::report(proxy, shared, now);
            reply(200, "application/json", format!("{report:#}\n"))
        }
    };
    reply.headers.set("vary", b"accept");
    reply
}

enum Content {
    Page,
    Report,
}

/// Programs ask for JSON; browsers name HTML.
fn prefers_json(accept: &str) -> bool {
    let accept = accept.to_ascii_lowercase();
    accept.contains("json") && !accept.contains("text/html")
}

/// Relative URLs in the page need the slash.
fn moved() -> Reply {
    let mut moved = reply(308, "text/plain; charset=utf-8", String::new());
    let location = format!("{PREFIX}/");
    moved.headers.set("location", location.as_bytes());
    moved
}

fn reply(status: u16, content_type: &str, body: String) -> Reply {
    let mut headers = Headers::default();
    for (name, value) in [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        headers.set(name, value.as_bytes());
    }
    Reply {
        status,
        headers,
        body: ReplyBody::Text(body),
    }
}

/// The page may run its own script, use its own style, and ask where it came from. Nothing else.
fn policy() -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source("script"),
        source("style")
    )
}

/// The content of the page's one element of this name, as a source of a policy (CSP Level 3
/// §2.3.1, `hash-source`).
fn source(element: &str) -> String {
    let content = PAGE
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")))
        .map_or("", |(content, _)| content);
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests;
