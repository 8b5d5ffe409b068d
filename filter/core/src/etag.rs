//! Entity tags: comparing them, and computing the one that GitHub would send.
//!
//! GitHub's ETag of a JSON body is, as observed in public, the lower-case hex SHA-256 over
//! the request's Accept, Authorization and Cookie values, in this order, those present, each
//! followed by `:`, then the uncompressed body. So the proxy can ask on behalf of any
//! credential whether a body it holds is still current. This is undocumented: callers learn
//! from every 200 whether it holds and keep to the stored tag where it does not.

use crate::header::Headers;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The opaque part of an entity tag: without `W/` and quotes (RFC 9110 §8.8.3).
pub fn opaque(tag: &[u8]) -> Option<&[u8]> {
    let tag = tag.trim_ascii();
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    tag.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Whether a tag is weak.
pub fn is_weak(tag: &[u8]) -> bool {
    tag.trim_ascii().starts_with(b"W/")
}

/// The opaque parts of an If-None-Match list, `None` standing for `*` (RFC 9110 §13.1.2).
/// Malformed members are skipped: they match nothing.
pub fn members(list: &[u8]) -> Vec<Option<&[u8]>> {
    let mut found = Vec::new();
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return vec![None];
    }
    // An opaque tag may hold a comma, so the list cannot be split at commas.
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (_, tail) = rest.split_at(start + 1);
        let Some(end) = tail.iter().position(|byte| *byte == b'"') else {
            break;
        };
        let (tag, tail) = tail.split_at(end);
        found.push(Some(tag));
        rest = tail.split_first().map_or(&[], |(_, tail)| tail);
    }
    found
}

/// The opaque tag that GitHub computes for `body` when a request carries these values.
/// `accept` is the request's Accept, `authorization` the credential's. Cookie is never sent.
pub fn predict(accept: Option<&[u8]>, authorization: &[u8], body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for value in [accept, Some(authorization)].into_iter().flatten() {
        hash.update(value);
        hash.update(b":");
    }
    hash.update(body);
    hex::encode(hash.finalize())
}

/// The If-None-Match value for an opaque tag, weak when the stored one was: the same form
/// that the origin would send.
pub fn quoted(opaque: &str, weak: bool) -> String {
    let prefix = if weak { "W/" } else { "" };
    format!("{prefix}\"{opaque}\"")
}

/// The tag that a client gets for one of the origin's: a weak one if `weak`, that is where Envoy may
/// compress the body on its way, as GitHub does itself (RFC 9110 §8.8.1). Envoy drops a strong tag
/// of what it compresses. `None` when nothing changes.
pub fn weakened(tag: &[u8], weak: bool) -> Option<Vec<u8>> {
    (weak && !is_weak(tag)).then(|| [b"W/", tag.trim_ascii()].concat())
}

/// Whether a client says that it holds `tag` as a weak one: a 304 names what the client has
/// (RFC 9111 §4.3.4). `None` when it does not name it.
pub fn is_held_as_weak(tag: &[u8], request: &Headers) -> Option<bool> {
    let list = request.joined("if-none-match")?;
    let strong = [b"\"", opaque(tag)?, b"\""].concat();
    let at = list.windows(strong.len()).position(|it| it == strong)?;
    list.get(..at).map(|before| before.ends_with(b"W/"))
}

/// Whether the origin's tag in `response` is the predicted one.
pub fn prediction_holds(response: &Headers, predicted: &str) -> bool {
    response
        .get("etag")
        .and_then(opaque)
        .is_some_and(|tag| tag == predicted.as_bytes())
}

/// Predicted tags already computed by this worker: hashing a body costs 5 ms a MiB.
#[derive(Default)]
pub struct Memo {
    tags: HashMap<MemoKey, String>,
}

/// What a predicted tag depends on. `entry` covers Accept, as the cache key does.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MemoKey {
    /// The cache key of the representation.
    pub entry: [u8; 32],
    /// SHA-256 of the body.
    pub body: [u8; 32],
    /// The credential, by its tag.
    pub credential: u64,
}

impl Memo {
    /// About 1 MiB of keys and tags a worker; a full memo starts anew.
    const MOST: usize = 4096;

    /// The remembered tag, or what `compute` makes of it, remembered.
    pub fn get_or(&mut self, key: MemoKey, compute: impl FnOnce() -> String) -> String {
        if let Some(tag) = self.tags.get(&key) {
            return tag.clone();
        }
        if self.tags.len() >= Self::MOST {
            self.tags.clear();
        }
        let tag = compute();
        self.tags.insert(key, tag.clone());
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn the_observed_tags_are_predicted() {
        let body = include_bytes!("../testdata/user.json");
        let body = body.trim_ascii_end();
        let v3 = b"application/vnd.github.v3+json";
        assert_eq!(
            predict(Some(v3), b"Bearer hunter2", body),
            "2c3b29a72c9c09135a89fe51c46613393b445efabdf6f02105dc1561237093a4"
        );
        // The two observations without credentials, through the same hash.
        let mut hash = Sha256::new();
        hash.update(body);
        assert_eq!(
            hex::encode(hash.finalize()),
            "c5542e3ee32c0adf1128a79d80a296d03412415c924e522d9d1c75b17d7c3ef0"
        );
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn lists_are_read_tag_by_tag() {
        type Members = Vec<Option<&'static [u8]>>;
        let cases: [(&[u8], Members); 7] = [
            (b"\"a\"", vec![Some(b"a")]),
            (b"W/\"a\", \"b\"", vec![Some(b"a"), Some(b"b")]),
            (b" * ", vec![None]),
            (b"\"a,b\",\"c\"", vec![Some(b"a,b"), Some(b"c")]),
            (b"\"unclosed", vec![]),
            (b"bare", vec![]),
            (b"", vec![]),
        ];
        for (list, expected) in cases {
            assert_eq!(members(list), expected, "{list:?}");
        }
    }

    #[test]
    fn a_tag_is_made_weak_once() {
        assert_eq!(weakened(b"\"a\"", true).unwrap(), b"W/\"a\"");
        assert_eq!(weakened(b"W/\"a\"", true), None);
        assert_eq!(weakened(b"\"a\"", false), None);
    }

    #[test]
    fn a_client_names_the_form_that_it_holds() {
        for (list, expected) in [
            ("\"a\"", Some(false)),
            ("W/\"a\"", Some(true)),
            ("\"b\", W/\"a\"", Some(true)),
            ("W/\"b\", \"a\"", Some(false)),
            ("\"b\"", None),
            ("*", None),
        ] {
            let request = Headers::new(vec![("if-none-match".into(), list.into())]);
            assert_eq!(is_held_as_weak(b"\"a\"", &request), expected, "{list}");
        }
        assert_eq!(is_held_as_weak(b"\"a\"", &Headers::default()), None);
    }

    #[test]
    fn a_memo_computes_once() {
        let mut memo = Memo::default();
        let key = MemoKey {
            entry: [1; 32],
            body: [2; 32],
            credential: 3,
        };
        assert_eq!(memo.get_or(key.clone(), || "a".into()), "a");
        assert_eq!(memo.get_or(key, || unreachable!()), "a");
    }
}
