//! What the proxy says when it refuses a request: one reason, one status, one body in
//! GitHub's shape, one value of the `reason` label. No rule, token or internal is told.

use crate::header::Headers;
use serde_json::json;

/// Where GitHub's own errors point.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// Where its refusals for primary limits point.
const RATE_LIMITS: &str = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api";

/// Where those for secondary limits point. By its end, clients such as go-github tell them apart.
const SECONDARY_LIMITS: &str = "https://docs.github.com/rest/overview/\
rate-limits-for-the-rest-api#about-secondary-rate-limits";

/// What the API is asked with.
const METHODS: &str = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS";

/// How GitHub describes the JSON that it sends, in `X-GitHub-Media-Type`.
pub const MEDIA_TYPE: &str = "github.v3; format=json";

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No Authorization that could hold a token.
    NoToken,
    /// A token that no client has.
    BadToken,
    /// A token of this client that is past its date.
    ExpiredToken,
    /// The client's scopes do not allow it.
    Scope {
        /// Who asked.
        client: String,
        /// For what.
        method: String,
    },
    /// TRACE, whose answer would show the credential (RFC 9110 §9.3.8).
    Method,
    /// The path is ambiguous or malformed.
    Path,
    /// No credential of the pool can serve it.
    PoolExhausted {
        /// Unix seconds.
        reset: u64,
        /// Seconds from now, at least 1.
        retry_after: u64,
        /// The resource that ran out.
        resource: String,
        /// Requests per window of the whole pool.
        limit: u64,
    },
    /// The client's own budget is spent.
    Budget {
        /// Whose.
        client: String,
        /// When the hour ends, Unix seconds.
        reset: u64,
        /// Seconds from now, at least 1.
        retry_after: u64,
        /// The resource that ran out.
        resource: String,
        /// Requests per hour.
        limit: u64,
    },
    /// All credentials of the pool that could serve it are paused by secondary limits.
    PoolPaused {
        /// The end of the first pause, Unix seconds.
        reset: u64,
        /// Seconds from now, at least 1.
        retry_after: u64,
    },
    /// GitHub accepts no credential of the pool.
    NoCredential,
    /// GitHub could not be reached, or went away before it answered.
    Unreachable,
}

impl Refusal {
    /// The `reason` label; `None` for what is not a denial.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NoToken => Some("no_token"),
            Self::BadToken => Some("bad_token"),
            Self::ExpiredToken => Some("expired_token"),
            Self::Scope { .. } => Some("scope"),
            Self::Budget { .. } => Some("budget"),
            Self::Path => Some("path"),
            Self::PoolExhausted { .. } | Self::PoolPaused { .. } | Self::NoCredential => {
                Some("pool_exhausted")
            }
            Self::Method | Self::Unreachable => None,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoToken | Self::BadToken | Self::ExpiredToken => 401,
            Self::Scope { .. } | Self::Budget { .. } | Self::PoolExhausted { .. } => 403,
            Self::PoolPaused { .. } => 429,
            Self::Path => 400,
            Self::Method => 405,
            Self::Unreachable => 502,
            Self::NoCredential => 503,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoToken | Self::BadToken | Self::ExpiredToken => "Bad credentials".to_owned(),
            Self::Scope { client, method } => {
                format!("Client {client} is not allowed to {method} this resource")
            }
            Self::Path => "Problems parsing the request path".to_owned(),
            Self::Method => "Method Not Allowed".to_owned(),
            Self::PoolExhausted { .. } => "API rate limit exceeded for all credentials".to_owned(),
            Self::Budget { client, .. } => format!("API rate limit exceeded for client {client}"),
            Self::PoolPaused { .. } => {
                "You have exceeded a secondary rate limit on all credentials".to_owned()
            }
            Self::NoCredential => "No GitHub credential is available".to_owned(),
            Self::Unreachable => "GitHub cannot be reached".to_owned(),
        }
    }

    fn documentation(&self) -> &'static str {
        match self {
            Self::PoolExhausted { .. } | Self::Budget { .. } => RATE_LIMITS,
            Self::PoolPaused { .. } => SECONDARY_LIMITS,
            _ => DOCUMENTATION,
        }
    }

    /// The response's fields, without the status.
    pub fn headers(&self) -> Headers {
        let mut headers = Headers::default();
        headers.set("content-type", "application/json; charset=utf-8");
        headers.set("x-github-media-type", MEDIA_TYPE);
        match self {
            Self::NoToken | Self::BadToken | Self::ExpiredToken => {
                headers.set("www-authenticate", "Basic realm=\"GitHub\"");
            }
            Self::PoolExhausted {
                reset,
                retry_after,
                resource,
                limit,
            }
            | Self::Budget {
                reset,
                retry_after,
                resource,
                limit,
                ..
            } => {
                headers.set("retry-after", retry_after.to_string());
                headers.set("x-ratelimit-limit", limit.to_string());
                headers.set("x-ratelimit-remaining", "0");
                headers.set("x-ratelimit-used", limit.to_string());
                headers.set("x-ratelimit-reset", reset.to_string());
                headers.set("x-ratelimit-resource", resource.as_str());
            }
            Self::PoolPaused { reset, retry_after } => {
                headers.set("retry-after", retry_after.to_string());
                headers.set("x-ratelimit-remaining", "0");
                headers.set("x-ratelimit-reset", reset.to_string());
            }
            Self::NoCredential => headers.set("retry-after", "60"),
            Self::Method => headers.set("allow", METHODS),
            Self::Scope { .. } | Self::Path | Self::Unreachable => {}
        }
        headers
    }

    /// The JSON body in GitHub's shape.
    pub fn body(&self) -> String {
        json!({
            "message": self.message(),
            "documentation_url": self.documentation(),
            "status": self.status().to_string(),
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn bodies_have_the_shape_of_github() {
        let scope = Refusal::Scope {
            client: "ci".into(),
            method: "DELETE".into(),
        };
        let cases = [
            (Refusal::NoToken, 401, "Bad credentials"),
            (Refusal::BadToken, 401, "Bad credentials"),
            (
                scope,
                403,
                "Client ci is not allowed to DELETE this resource",
            ),
            (Refusal::Path, 400, "Problems parsing the request path"),
            (Refusal::Method, 405, "Method Not Allowed"),
        ];
        for (refusal, status, message) in cases {
            let body: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
            assert_eq!(refusal.status(), status);
            assert_eq!(body["message"], message);
            assert_eq!(body["status"], status.to_string());
            assert!(body["documentation_url"].is_string());
        }
        assert!(Refusal::NoToken.headers().has("www-authenticate"));
    }

    /// Octokit knows a secondary limit by the message, go-github by the end of the page's address.
    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn a_secondary_limit_is_known_by_its_page_too() {
        let paused = Refusal::PoolPaused {
            reset: 1_700_000_060,
            retry_after: 60,
        };
        let body: serde_json::Value = serde_json::from_str(&paused.body()).unwrap();
        let text = |member: &str| body[member].as_str().unwrap_or_default();
        assert!(text("documentation_url").ends_with("secondary-rate-limits"));
        assert!(text("message").contains("secondary rate limit"));
    }
}
