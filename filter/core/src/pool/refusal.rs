//! What a response says about the credential that was used: nothing, that a rate limit is
//! used up, that GitHub wants a pause, or that it does not accept the credential.
//!
//! GitHub's docs ("Rate limits", "Best practices"): exhausted is 403 or 429 with
//! `x-ratelimit-remaining: 0`; a secondary limit is 403 or 429 with `retry-after` or a message
//! that names it; GraphQL may say RATE_LIMITED in a 200. A 403 for want of permission and a
//! 401 of an endpoint that wants another kind of credential look alike without their message.

use crate::header::Headers;
use serde_json::Value;

/// The longest body that is looked into; GitHub's own messages are far shorter.
pub const LONGEST_MESSAGE: usize = 16 * 1024;

/// Why GitHub refused a request before acting on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefusal {
    /// The resource's primary limit is used up.
    Primary,
    /// A secondary limit: pause, for so many seconds if GitHub said so.
    Secondary(Option<u64>),
    /// The credential is revoked, expired, or its installation suspended.
    Rejected,
}

impl CredentialRefusal {
    /// The `reason` label of `github_proxy_failovers`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "rate_limit",
            Self::Secondary(_) => "secondary_limit",
            Self::Rejected => "bad_credential",
        }
    }
}

/// What a header section alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing about the credential.
    Fine,
    /// A refusal.
    Refused(CredentialRefusal),
    /// The body decides.
    Unclear,
}

impl Reading {
    /// What it comes to once the body is there, too.
    pub fn with_body(
        self,
        status: u16,
        headers: &Headers,
        body: &[u8],
    ) -> Option<CredentialRefusal> {
        match self {
            Self::Fine => None,
            Self::Refused(refusal) => Some(refusal),
            Self::Unclear => read_body(status, headers, body),
        }
    }
}

/// Reads a header section. `graphql`: the response is one of POST /graphql.
pub fn read(status: u16, headers: &Headers, graphql: bool) -> Reading {
    let spent = headers.text("x-ratelimit-remaining").map(str::trim) == Some("0");
    match status {
        403 | 429 if spent => Reading::Refused(CredentialRefusal::Primary),
        403 | 429 if headers.has("retry-after") => {
            Reading::Refused(CredentialRefusal::Secondary(retry_after(headers)))
        }
        401 | 403 => Reading::Unclear,
        429 => Reading::Refused(CredentialRefusal::Secondary(None)),
        200 if graphql => Reading::Unclear,
        _ => Reading::Fine,
    }
}

/// Reads the body of an unclear response.
pub fn read_body(status: u16, headers: &Headers, body: &[u8]) -> Option<CredentialRefusal> {
    if status == 200 {
        return read_graphql(headers, body);
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    let message = answer.get("message")?.as_str()?.to_ascii_lowercase();
    match status {
        401 if message.contains("bad credentials") => Some(CredentialRefusal::Rejected),
        403 if message.contains("suspended") => Some(CredentialRefusal::Rejected),
        403 if message.contains("secondary rate limit") || message.contains("abuse detection") => {
            Some(CredentialRefusal::Secondary(None))
        }
        403 if message.contains("rate limit exceeded") => Some(CredentialRefusal::Primary),
        _ => None,
    }
}

/// RATE_LIMITED in a GraphQL answer without data.
fn read_graphql(headers: &Headers, body: &[u8]) -> Option<CredentialRefusal> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let has_data = answer.get("data").is_some_and(|data| !data.is_null());
    let errors = answer.get("errors")?.as_array()?;
    let limited = errors.iter().any(|error| {
        let kind = error.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("RATE_LIMITED"))
    });
    if has_data || !limited {
        return None;
    }
    let spent = headers.text("x-ratelimit-remaining").map(str::trim) == Some("0");
    Some(if spent {
        CredentialRefusal::Primary
    } else {
        CredentialRefusal::Secondary(retry_after(headers))
    })
}

/// `Retry-After` in its form of seconds, the only one GitHub sends (RFC 9110 §10.2.3); at most
/// a day.
fn retry_after(headers: &Headers) -> Option<u64> {
    seconds(headers.text("retry-after")?)
}

/// The value of a `Retry-After`, as above.
pub fn seconds(value: &str) -> Option<u64> {
    let seconds = value.trim().parse::<u64>().ok()?;
    Some(seconds.min(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let fields = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
        Headers::new(fields.collect())
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn refusals_are_told_apart() {
        use CredentialRefusal::*;
        let spent = [("x-ratelimit-remaining", "0")];
        let later = [("retry-after", "7"), ("x-ratelimit-remaining", "9")];
        let none: [(&str, &str); 0] = [];
        type Fields<'a> = &'a [(&'a str, &'a str)];
        type Case<'a> = (u16, Fields<'a>, bool, &'a str, Option<CredentialRefusal>);
        let cases: [Case<'_>; 13] = [
            (403, &spent, false, "", Some(Primary)),
            (429, &spent, false, "", Some(Primary)),
            (403, &later, false, "", Some(Secondary(Some(7)))),
            (429, &none, false, "", Some(Secondary(None))),
            (
                403,
                &none,
                false,
                r#"{"message":"You have exceeded a secondary rate limit."}"#,
                Some(Secondary(None)),
            ),
            (
                403,
                &none,
                false,
                r#"{"message":"Resource not accessible by integration"}"#,
                None,
            ),
            (
                403,
                &none,
                false,
                r#"{"message":"This installation has been suspended"}"#,
                Some(Rejected),
            ),
            (
                401,
                &none,
                false,
                r#"{"message":"Bad credentials"}"#,
                Some(Rejected),
            ),
            (
                401,
                &none,
                false,
                r#"{"message":"A JSON web token could not be decoded"}"#,
                None,
            ),
            (
                200,
                &spent,
                true,
                r#"{"data":null,"errors":[{"type":"RATE_LIMITED"}]}"#,
                Some(Primary),
            ),
            (
                200,
                &none,
                true,
                r#"{"errors":[{"type":"RATE_LIMITED"}]}"#,
                Some(Secondary(None)),
            ),
            (200, &spent, true, r#"{"data":{"viewer":{}}}"#, None),
            (404, &spent, false, "{}", None),
        ];
        for (status, fields, graphql, body, expected) in cases {
            let headers = headers(fields);
            let got = match read(status, &headers, graphql) {
                Reading::Fine => None,
                Reading::Refused(refusal) => Some(refusal),
                Reading::Unclear => read_body(status, &headers, body.as_bytes()),
            };
            assert_eq!(got, expected, "{status} {fields:?} {body}");
        }
    }
}
