//! An ordered list of HTTP fields, as the host hands them over.
//!
//! Names are lower-case (HTTP/2, RFC 9113 §8.2), values are bytes. Which fields may cross
//! the proxy is decided here too: hop-by-hop fields (RFC 9110 §7.6.1) and what only concerns
//! Envoy never do. Its `Debug` prints names alone, since values hold tokens.

use crate::upstream::Edit;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Fields of one connection, not of the message (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// HTTP fields in the order of their arrival; a name may stand more than once.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Takes fields as they came; names are expected in lower case.
    pub fn new(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// The first value of `name` when it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_slice())
    }

    /// All values of `name` as one list, joined as RFC 9110 §5.3 allows; `None` when absent.
    pub fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let mut values = self.all(name);
        let mut list = values.next()?.to_vec();
        for value in values {
            list.extend_from_slice(b", ");
            list.extend_from_slice(value);
        }
        Some(list)
    }

    /// What `content-length` says, bytes; `None` where it is absent or no number (RFC 9110 §8.6).
    pub fn content_length(&self) -> Option<usize> {
        self.text("content-length")?.trim().parse().ok()
    }

    /// Whether `name` is present.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Replaces every value of `name` by one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Adds a value.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes every value of `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name);
    }

    /// Keeps the fields whose name passes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// Carries out changes.
    pub fn apply(&mut self, edits: Vec<Edit>) {
        for (name, value) in edits {
            match value {
                Some(value) => self.set(&name, value),
                None => self.remove(&name),
            }
        }
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Whether `name` belongs to one hop: by the RFC, by being named in `Connection`, or
    /// because it steers Envoy (`x-envoy-*`, which a client must not be able to set).
    pub fn is_hop_by_hop(&self, name: &str) -> bool {
        HOP_BY_HOP.contains(&name) || name.starts_with("x-envoy-") || self.nominated(name)
    }

    fn nominated(&self, name: &str) -> bool {
        self.all("connection").any(|list| {
            list.split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        })
    }

    /// Drops what could smuggle a second field into a message (RFC 9110 §5.5): Envoy writes
    /// the values that a filter gives it as they are.
    pub fn sanitise(&mut self) {
        self.0.retain(|(name, value)| {
            let pseudo = name.strip_prefix(':').unwrap_or(name);
            !pseudo.is_empty()
                && pseudo.bytes().all(is_token_byte)
                && !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
        });
    }
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// As derived, but that a value is read at once and not byte by byte.
impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Vec::<(String, &[u8])>::deserialize(deserializer)?;
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name, value.to_vec()));
        Ok(Self(fields.collect()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(n, _)| n))
            .finish()
    }
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

    #[test]
    fn values_of_one_name_are_kept_apart_and_joined_on_request() {
        let list = headers(&[("accept", "a"), ("x", "1"), ("accept", "b")]);
        assert_eq!(list.all("accept").count(), 2);
        assert_eq!(list.joined("accept").unwrap(), b"a, b");
        assert_eq!(list.joined("absent"), None);
    }

    #[test]
    fn connection_nominates_fields_of_the_hop() {
        let list = headers(&[("connection", "close, X-Trace")]);
        assert!(list.is_hop_by_hop("x-trace"));
        assert!(list.is_hop_by_hop("upgrade"));
        assert!(list.is_hop_by_hop("x-envoy-retry-on"));
        assert!(!list.is_hop_by_hop("accept"));
    }

    #[test]
    fn a_line_break_in_a_value_or_a_name_drops_the_field() {
        let mut list = headers(&[
            ("a", "x\r\nset-cookie: y"),
            ("b c", "1"),
            ("ok", "1"),
            ("", "1"),
        ]);
        list.sanitise();
        assert_eq!(list, headers(&[("ok", "1")]));
    }

    #[test]
    fn debug_prints_no_value() {
        let list = headers(&[("authorization", "secret")]);
        assert!(!format!("{list:?}").contains("secret"));
    }
}
