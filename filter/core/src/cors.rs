//! Cross-origin requests: browsers ask for leave before they send a token, and read of an answer
//! only what it exposes. GitHub allows every origin, and so does the proxy, with the same fields.
//! A browser's question carries no token and gets no further than this.

use crate::header::Headers;

/// Fields that scripts may read of an answer.
const EXPOSED: &str = "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, \
    X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, \
    X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, \
    X-GitHub-Request-Id, Deprecation, Sunset";
/// Fields that scripts may send.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, If-Match, If-Modified-Since, \
    If-None-Match, If-Unmodified-Since, Accept-Encoding, X-GitHub-OTP, X-Requested-With, \
    User-Agent, GraphQL-Features, X-Github-Next-Global-ID, X-GitHub-Api-Version";
const ALLOWED_METHODS: &str = "GET, POST, PATCH, PUT, DELETE";
/// How long a browser remembers that, seconds.
const MAX_AGE: &str = "86400";

/// Whether this is a browser's question: OPTIONS with an origin, and without a token.
pub fn is_preflight(method: &str, request: &Headers) -> bool {
    method == "OPTIONS" && request.has("origin") && !request.has("authorization")
}

/// The fields of the answer to such a question.
pub fn preflight() -> Headers {
    let mut headers = Headers::default();
    headers.set("access-control-allow-headers", ALLOWED_HEADERS);
    headers.set("access-control-allow-methods", ALLOWED_METHODS);
    headers.set("access-control-max-age", MAX_AGE);
    headers
}

/// Lets scripts of every origin read an answer of the proxy's own, as they may GitHub's.
pub fn expose(headers: &mut Headers) {
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", EXPOSED),
    ] {
        if !headers.has(name) {
            headers.set(name, value);
        }
    }
}
