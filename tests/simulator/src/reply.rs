//! What a route answers, before entity tags, encodings and rate-limit headers come to it.
//!
//! The error shapes of GitHub are made here and nowhere else.

use crate::stream::Generated;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{json, Value};

/// The page that GitHub's errors point at.
pub const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// A body before it is encoded.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// JSON, sent compact or laid out.
    Json(Value),
    /// Bytes of a media type.
    Bytes(String, Bytes),
    /// Any length, made while it is sent, of a media type.
    Generated(String, Generated),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields besides those that every response has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// When the resource last changed, in Unix seconds, where GitHub says so.
    pub modified: Option<u64>,
    /// An entity tag that is sent as it is, in place of a computed one.
    pub etag: Option<String>,
}

impl Reply {
    /// An answer with this status and body.
    pub fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            modified: None,
            etag: None,
        }
    }

    /// 200 with JSON.
    pub fn json(value: Value) -> Self {
        Self::new(200, Body::Json(value))
    }

    /// 201 with JSON and the `Location` of what was made.
    pub fn created(value: Value) -> Self {
        let location = value.get("url").and_then(Value::as_str).map(str::to_owned);
        let reply = Self::new(201, Body::Json(value));
        match location {
            Some(url) => reply.header("location", url),
            None => reply,
        }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::new(204, Body::Empty)
    }

    /// 200 with bytes of a media type.
    pub fn bytes(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(200, Body::Bytes(media_type.to_owned(), bytes.into()))
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the time of the last change.
    #[must_use]
    pub fn modified(mut self, seconds: u64) -> Self {
        self.modified = Some(seconds);
        self
    }

    /// An error in GitHub's shape.
    pub fn error(status: u16, message: &str) -> Self {
        Self::new(
            status,
            Body::Json(json!({
                "message": message,
                "documentation_url": DOCUMENTATION,
                "status": status.to_string(),
            })),
        )
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 401 for credentials that are wrong.
    pub fn bad_credentials() -> Self {
        Self::error(401, "Bad credentials")
    }

    /// 401 for a route that needs credentials.
    pub fn requires_authentication() -> Self {
        Self::error(401, "Requires authentication")
    }

    /// 400 for a body that is no JSON object.
    pub fn problems_parsing_json() -> Self {
        Self::error(400, "Problems parsing JSON")
    }

    /// 422 that names the resource, field and code, as GitHub's validations do.
    pub fn invalid(resource: &str, field: &str, code: &str) -> Self {
        Self::new(
            422,
            Body::Json(json!({
                "message": "Validation Failed",
                "errors": [{"resource": resource, "code": code, "field": field}],
                "documentation_url": DOCUMENTATION,
                "status": "422",
            })),
        )
    }

    /// 301 for reads, 307 for the rest, to `url`.
    pub fn moved(read: bool, url: String) -> Self {
        let (status, message) = match read {
            true => (StatusCode::MOVED_PERMANENTLY, "Moved Permanently"),
            false => (StatusCode::TEMPORARY_REDIRECT, "Temporary Redirect"),
        };
        let body = json!({
            "message": message,
            "url": url,
            "documentation_url": DOCUMENTATION,
        });
        Self::new(status.as_u16(), Body::Json(body)).header("location", url)
    }

    /// Whether the media type is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.body, Body::Json(_))
    }
}
