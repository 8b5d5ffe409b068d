//! Media types and codings: what the client accepts and how GitHub names what it got.

use crate::request::Request;

/// How a route shapes its answer after the media type that the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON.
    Json,
    /// The bytes themselves.
    Raw,
    /// Rendered to HTML.
    Html,
    /// JSON with HTML and text beside the source.
    Full,
    /// A unified diff.
    Diff,
    /// A mail patch.
    Patch,
    /// The object id alone.
    Sha,
    /// JSON with the text of matches (search).
    TextMatch,
}

/// Members of the Accept header without their parameters, lower case.
fn accepted(request: &Request) -> Vec<String> {
    request
        .header("accept")
        .split(',')
        .map(|member| {
            member
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        })
        .filter(|member| !member.is_empty())
        .collect()
}

/// Splits `application/vnd.github[.version][.param][+json]` into version and parameter.
fn github_parts(member: &str) -> Option<(&str, &str)> {
    let rest = member.strip_prefix("application/vnd.github")?;
    let rest = rest
        .strip_suffix("+json")
        .unwrap_or(rest)
        .trim_start_matches('.');
    let (first, second) = rest.split_once('.').unwrap_or((rest, ""));
    match first {
        "v3" => Some(("v3", second)),
        param => Some(("v3", param)),
    }
}

/// The shape that the first GitHub media type of the Accept header asks for.
pub fn shape(request: &Request) -> Shape {
    let accepted = accepted(request);
    let param = accepted
        .iter()
        .find_map(|member| github_parts(member))
        .map(|(_, param)| param);
    match param.unwrap_or_default() {
        "raw" => Shape::Raw,
        "html" => Shape::Html,
        "full" => Shape::Full,
        "diff" => Shape::Diff,
        "patch" => Shape::Patch,
        "sha" => Shape::Sha,
        "text-match" => Shape::TextMatch,
        _ => Shape::Json,
    }
}

/// The value of `X-GitHub-Media-Type`.
pub fn described(request: &Request) -> String {
    let accepted = accepted(request);
    let json = ["", "*/*", "application/*", "application/json"];
    if accepted.is_empty() {
        return "github.v3; format=json".to_owned();
    }
    accepted
        .iter()
        .find_map(|member| {
            if json.contains(&member.as_str()) {
                return Some("github.v3; format=json".to_owned());
            }
            let (version, param) = github_parts(member)?;
            let param = if param.is_empty() {
                String::new()
            } else {
                format!("; param={param}")
            };
            let format = if member.ends_with("+json") {
                "; format=json"
            } else {
                ""
            };
            Some(format!("github.{version}{param}{format}"))
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Whether the client takes what the API sends; GitHub answers 415 when not.
pub fn acceptable(request: &Request) -> bool {
    described(request) != "unknown"
        || accepted(request)
            .iter()
            .any(|member| member.starts_with("text/") || member == "application/octet-stream")
}

/// Whether a body of this type is worth a coding.
pub fn compressible(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || ["json", "xml", "javascript", "vnd.github"]
            .iter()
            .any(|part| media_type.contains(part))
}

/// Whether the client takes gzip (RFC 9110 §12.5.3).
pub fn takes_gzip(request: &Request) -> bool {
    let header = request.header("accept-encoding");
    let quality = |name: &str| {
        header.split(',').find_map(|member| {
            let (coding, rest) = member.split_once(';').unwrap_or((member, ""));
            if !coding.trim().eq_ignore_ascii_case(name) {
                return None;
            }
            let q = rest.trim().strip_prefix("q=").unwrap_or("1");
            Some(q.trim().parse::<f32>().unwrap_or(0.0))
        })
    };
    quality("gzip")
        .or_else(|| quality("*"))
        .is_some_and(|q| q > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    fn with(name: &'static str, value: &'static str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        Request::new("GET", "/", None, headers)
    }

    #[test]
    fn media_types_are_named_as_github_names_them() {
        let of = |accept| described(&with("accept", accept));
        assert_eq!(of("*/*"), "github.v3; format=json");
        assert_eq!(of("application/vnd.github+json"), "github.v3; format=json");
        assert_eq!(
            of("application/vnd.github.v3+json"),
            "github.v3; format=json"
        );
        assert_eq!(
            of("application/vnd.github.raw+json"),
            "github.v3; param=raw; format=json"
        );
        assert_eq!(
            of("application/vnd.github.v3.diff"),
            "github.v3; param=diff"
        );
        assert_eq!(
            shape(&with("accept", "application/vnd.github.v3.diff")),
            Shape::Diff
        );
    }

    #[test]
    fn gzip_is_used_for_clients_that_take_it() {
        let takes = |value| takes_gzip(&with("accept-encoding", value));
        assert!(takes("gzip, br"));
        assert!(takes("*"));
        assert!(!takes("gzip;q=0"));
        assert!(!takes("br"));
    }
}
