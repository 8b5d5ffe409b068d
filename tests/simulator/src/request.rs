//! A received request in the form in which routes look at it.
//!
//! Paths are split before they are decoded, so that `%2F` stays inside its segment.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::Uri;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How much of a request body is kept, in bytes; of the rest only length and digest are known.
const KEPT: usize = 32 << 20;

/// A request, its mount prefix removed.
pub struct Request {
    /// Upper-case method.
    pub method: String,
    /// The path below the mount, as sent.
    pub path: String,
    /// The query as sent, without `?`.
    pub query: Option<String>,
    /// The decoded segments of the path.
    pub segments: Vec<String>,
    /// All header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Received,
}

/// A request body.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Its first 32 MiB.
    pub bytes: Bytes,
    /// Its whole length.
    pub length: u64,
    /// Hex SHA-256 of the whole.
    pub sha256: String,
}

impl Request {
    /// A request without its body; `path` is below the mount.
    pub fn new(method: &str, path: &str, query: Option<&str>, headers: HeaderMap) -> Self {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            segments: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(decoded)
                .collect(),
            headers,
            body: Received::default(),
        }
    }

    /// Path and query as sent.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Whether nothing changes by this request.
    pub fn is_read(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }

    /// The first value of a query parameter, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        query_pairs(self.query.as_deref().unwrap_or_default())
            .into_iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// A header's first value, empty when absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as a JSON object; an empty body is an empty object, anything else is `None`.
    pub fn json(&self) -> Option<Value> {
        if self.body.length == 0 {
            return Some(Value::Object(serde_json::Map::new()));
        }
        self.json_of_any_kind().filter(Value::is_object)
    }

    /// The body as JSON, for the few places that take an array too.
    pub fn json_of_any_kind(&self) -> Option<Value> {
        serde_json::from_slice(&self.body.bytes).ok()
    }
}

/// The pairs of a query, decoded.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

/// Path and query of a request line, below `mount`; `None` when it is not below it.
///
/// An Enterprise Server mounts REST at `/api/v3`, GraphQL at `/api/graphql` and uploads at
/// `/api/uploads`.
pub fn below_mount(uri: &Uri, enterprise: bool) -> Option<(String, Option<String>)> {
    let path = uri.path();
    let query = uri.query().map(str::to_owned);
    if !enterprise {
        return Some((path.to_owned(), query));
    }
    let below = ["/api/v3", "/api/uploads"]
        .iter()
        .find_map(|mount| path.strip_prefix(mount));
    let below = match below {
        Some("") => "/",
        Some(below) if below.starts_with('/') => below,
        _ if path == "/api/graphql" => "/graphql",
        _ => return None,
    };
    Some((below.to_owned(), query))
}

/// Reads a body to its end; an error of the connection ends it early with `None`.
pub async fn receive(mut body: Incoming) -> Option<Received> {
    let mut kept = BytesMut::new();
    let mut hash = Sha256::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        hash.update(&data);
        length += data.len() as u64;
        if kept.len() + data.len() <= KEPT {
            kept.extend_from_slice(&data);
        }
    }
    Some(Received {
        bytes: kept.freeze(),
        length,
        sha256: hex::encode(hash.finalize()),
    })
}
