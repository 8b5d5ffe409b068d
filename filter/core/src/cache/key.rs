//! The cache key: everything that selects a representation, and nothing else.
//!
//! Pools never share entries, since two pools may see different things. Authorization, Cookie
//! and Accept-Encoding are left out on purpose: a revalidation decides per credential, and
//! the filter sees identity bodies only. What else `Vary` names is checked on the entry.

use crate::header::Headers;
use sha2::{Digest, Sha256};

/// Changes with whatever changes the meaning of a key.
const VERSION: &[u8] = b"github-proxy/1";

/// Request fields that select a representation on every GitHub endpoint: of those that its Vary
/// names, the ones that clients send.
pub const SELECTING: [&str; 3] = ["accept", "x-github-api-version", X_REQUESTED_WITH];

/// Sent by some libraries in browsers, and by nothing else.
const X_REQUESTED_WITH: &str = "x-requested-with";

/// Request fields that turn features of GitHub's GraphQL on.
const DOCUMENT_SELECTING: [&str; 2] = ["graphql-features", "x-github-next-global-id"];

/// The request's Accept as far as it selects anything: `*/*` says as much as none at all
/// (RFC 9110 §12.5.1), so curl and a client that sends none share one representation.
pub fn accept(request: &Headers) -> Option<Vec<u8>> {
    request.joined("accept").filter(|accept| accept != b"*/*")
}

/// SHA-256 over what selects a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

/// What a key is made of, one after the other. Lengths keep one part from running into the next.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Adds a field's value. None of that length exists: absent is not the same as empty.
    fn add_value(&mut self, value: Option<Vec<u8>>) {
        self.add(value.as_deref().unwrap_or(b"\0absent"));
    }

    fn key(self) -> Key {
        Key(self.0.finalize().into())
    }
}

impl Key {
    /// The key of a GET (or HEAD) of `path_and_query`, normalised, at `authority`.
    pub fn of(pool: &str, authority: &str, path_and_query: &str, request: &Headers) -> Self {
        let mut parts = Parts::default();
        parts.add(VERSION);
        parts.add(pool.as_bytes());
        parts.add(authority.as_bytes());
        parts.add(path_and_query.as_bytes());
        parts.add_value(accept(request));
        parts.add_value(request.joined("x-github-api-version"));
        if let Some(library) = request.joined(X_REQUESTED_WITH) {
            parts.add(&library);
        }
        parts.key()
    }

    /// The key of a GraphQL query: that of its path, with its body (document, variables, name of
    /// the operation) and the fields that change what GitHub makes of it.
    pub fn with_document(&self, request: &Headers, body: &[u8]) -> Self {
        let mut parts = Parts::default();
        parts.add(b"graphql");
        parts.add(&self.0);
        for name in DOCUMENT_SELECTING {
            parts.add_value(request.joined(name));
        }
        parts.add(body);
        parts.key()
    }

    /// Where an answer is left that only those who waited for it may use: it must not take
    /// the place of an entry, which memory finds by the first half of its key.
    pub fn for_followers(&self) -> Self {
        let mut key = self.0;
        if let Some(byte) = key.get_mut(15) {
            *byte ^= 0xff;
        }
        Self(key)
    }

    /// Lower-case hex: the only form that is safe in a Webdis path.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first eight bytes as a number, to spread keys over a bounded number of places.
    pub fn spread(&self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pool: &str, path: &str, fields: &[(&str, &str)]) -> Key {
        let fields = fields
            .iter()
            .map(|(n, v)| (n.to_string(), v.as_bytes().to_vec()));
        Key::of(
            pool,
            "api.github.com",
            path,
            &Headers::new(fields.collect()),
        )
    }

    #[test]
    fn a_query_is_what_it_asks_and_how() {
        let path = key("default", "/graphql", &[]);
        let feature = Headers::new(vec![("graphql-features".into(), b"a".to_vec())]);
        let none = Headers::default();
        let keys = [
            path,
            path.with_document(&none, b"{a}"),
            path.with_document(&none, b"{b}"),
            path.with_document(&feature, b"{a}"),
            key("other", "/graphql", &[]).with_document(&none, b"{a}"),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
        assert_eq!(keys[1], path.with_document(&none, b"{a}"));
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn whatever_selects_a_representation_changes_the_key() {
        let base = key("default", "/user", &[("accept", "a")]);
        for other in [
            key("other", "/user", &[("accept", "a")]),
            key("default", "/user?a=1", &[("accept", "a")]),
            key("default", "/user", &[("accept", "b")]),
            key(
                "default",
                "/user",
                &[("accept", "a"), ("x-requested-with", "XMLHttpRequest")],
            ),
            key("default", "/user", &[]),
            key("default", "/user", &[("accept", "")]),
            key(
                "default",
                "/user",
                &[("accept", "a"), ("x-github-api-version", "2022-11-28")],
            ),
        ] {
            assert_ne!(base, other);
        }
        let any = key("default", "/user", &[("accept", "*/*")]);
        assert_eq!(any, key("default", "/user", &[]));
        assert_eq!(
            base,
            key(
                "default",
                "/user",
                &[
                    ("accept", "a"),
                    ("authorization", "x"),
                    ("cookie", "y"),
                    ("accept-encoding", "gzip")
                ]
            )
        );
    }
}
