//! What a response says about the credential that was used: nothing, that a rate limit is
//! used up, that GitHub wants a pause, or that it does not accept the credential.
//!
//! GitHub's docs ("Rate limits", "Best practices"): exhausted is 403 or 429 with
//! `x-ratelimit-remaining: 0`; a secondary limit is 403 or 429 with `retry-after` or a message
//! that names it; GraphQL may say either in a 200. A 403 for want of permission and a
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
    /// The body decides; what it is if that says nothing, or cannot be read.
    Unclear(Option<CredentialRefusal>),
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
            Self::Unclear(otherwise) => match read_body(status, headers, body) {
                Verdict::Refused(refusal) => Some(refusal),
                Verdict::Denied => None,
                Verdict::Silent => otherwise,
            },
        }
    }
}

/// Reads a header section. `graphql`: the response is one of POST /graphql.
pub fn read(status: u16, headers: &Headers, graphql: bool) -> Reading {
    let spent = headers.text("x-ratelimit-remaining").map(str::trim) == Some("0");
    match status {
        // It may be a secondary limit all the same, whose `retry-after` comes first, or want of
        // a permission, told with the last request of a window.
        403 | 429 if spent => Reading::Unclear(Some(CredentialRefusal::Primary)),
        403 | 429 if headers.has("retry-after") => {
            Reading::Refused(CredentialRefusal::Secondary(retry_after(headers)))
        }
        401 | 403 => Reading::Unclear(None),
        429 => Reading::Refused(CredentialRefusal::Secondary(None)),
        200 if graphql => Reading::Unclear(None),
        _ => Reading::Fine,
    }
}

/// What a body says.
enum Verdict {
    /// GitHub refused the credential.
    Refused(CredentialRefusal),
    /// The credential is good, but lacks a permission.
    Denied,
    /// Nothing about the credential.
    Silent,
}

/// Reads the body of an unclear response.
fn read_body(status: u16, headers: &Headers, body: &[u8]) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Verdict::Silent;
    };
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = text("message").to_ascii_lowercase();
    let says = |text: &str| message.contains(text);
    let page = text("documentation_url");
    let refusal = match status {
        200 | 403 | 429 if is_secondary(&message) || page.ends_with("secondary-rate-limits") => {
            CredentialRefusal::Secondary(retry_after(headers))
        }
        200 => return read_graphql(&answer, headers).map_or(Verdict::Silent, Verdict::Refused),
        401 if says("bad credentials") => CredentialRefusal::Rejected,
        // Not any text with the word, which may be part of a name.
        403 if message.starts_with("this installation has been suspended")
            || says("your account was suspended") =>
        {
            CredentialRefusal::Rejected
        }
        403 if says("rate limit exceeded") || says("rate limit already exceeded") => {
            CredentialRefusal::Primary
        }
        403 if says("resource not accessible") => return Verdict::Denied,
        _ => return Verdict::Silent,
    };
    Verdict::Refused(refusal)
}

/// Whether a message, in lower case, is about a secondary limit.
fn is_secondary(message: &str) -> bool {
    message.contains("secondary rate limit") || message.contains("abuse detection")
}

/// A limit in a GraphQL answer without data. Its type was RATE_LIMITED until 2025, and is
/// RATE_LIMIT since.
fn read_graphql(answer: &Value, headers: &Headers) -> Option<CredentialRefusal> {
    let has_data = answer.get("data").is_some_and(|data| !data.is_null());
    let errors = answer.get("errors")?.as_array()?;
    if has_data {
        return None;
    }
    let text = |error: &Value, key: &str| {
        let text = error.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_ascii_lowercase()
    };
    let secondary = errors
        .iter()
        .any(|error| is_secondary(&text(error, "message")));
    let limited = errors.iter().any(|error| {
        matches!(&*text(error, "type"), "rate_limit" | "rate_limited")
            || text(error, "code") == "graphql_rate_limit"
    });
    let spent = headers.text("x-ratelimit-remaining").map(str::trim) == Some("0");
    if limited && spent && !secondary {
        return Some(CredentialRefusal::Primary);
    }
    (limited || secondary).then(|| CredentialRefusal::Secondary(retry_after(headers)))
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
        let both = [("retry-after", "120"), ("x-ratelimit-remaining", "0")];
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let denied = r#"{"message":"Resource not accessible by personal access token"}"#;
        let listed = r#"{"message":"Although ... the `suspended-org` organization has ..."}"#;
        let cases: [Case<'_>; 24] = [
            (
                403,
                &none,
                false,
                r##"{"message":"Wait.","documentation_url":"https://d/x#about-secondary-rate-limits"}"##,
                Some(Secondary(None)),
            ),
            (403, &spent, false, denied, None),
            (403, &none, false, listed, None),
            (
                403,
                &none,
                false,
                r#"{"message":"Sorry. Your account was suspended."}"#,
                Some(Rejected),
            ),
            (403, &both, false, secondary, Some(Secondary(Some(120)))),
            (403, &both, false, "{}", Some(Primary)),
            (200, &later, true, secondary, Some(Secondary(Some(7)))),
            (
                200,
                &later,
                true,
                r#"{"errors":[{"message":"You have exceeded a secondary rate limit"}]}"#,
                Some(Secondary(Some(7))),
            ),
            (
                200,
                &spent,
                true,
                r#"{"errors":[{"type":"RATE_LIMIT","code":"graphql_rate_limit"}]}"#,
                Some(Primary),
            ),
            (
                403,
                &none,
                false,
                r#"{"message":"API rate limit already exceeded for user ID 1."}"#,
                Some(Primary),
            ),
            (
                200,
                &spent,
                true,
                r#"{"data":{"a":null},"errors":[{"type":"NOT_FOUND"}]}"#,
                None,
            ),
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
            let reading = read(status, &headers, graphql);
            let got = reading.with_body(status, &headers, body.as_bytes());
            assert_eq!(got, expected, "{status} {fields:?} {body}");
        }
    }
}
