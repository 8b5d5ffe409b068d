//! One stored response, and its byte format.
//!
//! Layout: a summary of fixed size (so that a few bytes tell whether two entries hold the
//! same body), a length-prefixed head, then the body as it is. An entry keeps the bytes it
//! was read from, so a body is never copied to be served. An unknown format is a miss.
//! No entry holds a token: headers pass `policy::storable_headers` first.

use crate::cache::key::Key;
use crate::header::Headers;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Format tag; the last byte is the version.
const MAGIC: [u8; 4] = *b"GPE\x02";
/// Magic, body digest, confirmation time, length of the head.
const SUMMARY: usize = 4 + 32 + 8 + 4;
/// Last byte of the part that identifies a body: what a peek has to read.
pub const PEEK: usize = 4 + 32 + 8 - 1;

/// What an entry says about its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHead {
    /// The key it was stored under: a store that mixes entries up is a miss.
    pub key: [u8; 32],
    /// 200, or another final status that may be stored.
    pub status: u16,
    /// End-to-end fields, without what belongs to one request or one credential.
    pub headers: Headers,
    /// Request fields beyond the key's that `Vary` named, with their values then.
    pub varied: Vec<(String, Option<Vec<u8>>)>,
    /// The tag of the credential that fetched it.
    pub credential: u64,
    /// Whether the origin's ETag was the computed one.
    pub predictable: bool,
    /// Whether other credentials get something else, so that the one that fetched it is asked about
    /// it with.
    pub personal: bool,
    /// What was stored before, by another credential: the beginning of its body's digest.
    pub former: Option<[u8; 8]>,
}

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// All but the body.
    pub head: EntryHead,
    /// When GitHub last confirmed it, Unix milliseconds.
    pub confirmed_at: u64,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    raw: Vec<u8>,
    body_at: usize,
}

/// What the first bytes of an encoded entry tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// When GitHub last confirmed it, Unix milliseconds.
    pub confirmed_at: u64,
}

impl Peek {
    /// Reads the first `PEEK + 1` bytes of an encoded entry.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&MAGIC)?;
        let (digest, bytes) = bytes.split_first_chunk::<32>()?;
        let (confirmed_at, _) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            digest: *digest,
            confirmed_at: u64::from_be_bytes(*confirmed_at),
        })
    }
}

impl Entry {
    /// Puts an entry together from its parts.
    pub fn new(head: EntryHead, confirmed_at: u64, body: &[u8]) -> Self {
        let mut writer = EntryWriter::new();
        writer.append(body);
        writer.finish(head, confirmed_at)
    }

    /// Reads an encoded entry; `None` for another format, another key or a damaged one.
    pub fn decode(raw: Vec<u8>, key: &Key) -> Option<Self> {
        let peek = Peek::read(&raw)?;
        let (length, rest) = raw.get(SUMMARY - 4..)?.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let head: EntryHead = postcard::from_bytes(rest.get(..length)?).ok()?;
        (head.key == key.0).then(|| Self {
            head,
            confirmed_at: peek.confirmed_at,
            digest: peek.digest,
            body_at: SUMMARY + length,
            raw,
        })
    }

    /// The encoded form.
    pub fn encoded(&self) -> &[u8] {
        &self.raw
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.raw.get(self.body_at..).unwrap_or_default()
    }

    /// The same body under another head, confirmed at another time.
    pub fn with(&self, head: EntryHead, confirmed_at: u64) -> Self {
        encode(head, confirmed_at, self.digest, self.body())
    }

    /// Whether a request selects this representation by what `Vary` named (RFC 9111 §4.1).
    pub fn selected_by(&self, request: &Headers) -> bool {
        self.head
            .varied
            .iter()
            .all(|(name, value)| request.joined(name) == *value)
    }
}

fn encode(head: EntryHead, confirmed_at: u64, digest: [u8; 32], body: &[u8]) -> Entry {
    // Serialising into a growing vector has no failure of its own.
    let encoded = postcard::to_allocvec(&head).unwrap_or_default();
    let body_at = SUMMARY + encoded.len();
    let mut raw = Vec::with_capacity(body_at + body.len());
    raw.extend_from_slice(&MAGIC);
    raw.extend_from_slice(&digest);
    raw.extend_from_slice(&confirmed_at.to_be_bytes());
    raw.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
    raw.extend_from_slice(&encoded);
    raw.extend_from_slice(body);
    Entry {
        head,
        confirmed_at,
        digest,
        raw,
        body_at,
    }
}

/// Collects a body while it streams past.
#[derive(Debug, Default)]
pub struct EntryWriter {
    body: Vec<u8>,
}

impl EntryWriter {
    /// An empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a chunk.
    pub fn append(&mut self, chunk: &[u8]) {
        self.body.extend_from_slice(chunk);
    }

    /// What has been collected.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The entry, once the body is complete.
    pub fn finish(self, head: EntryHead, confirmed_at: u64) -> Entry {
        let digest = Sha256::digest(&self.body).into();
        encode(head, confirmed_at, digest, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> EntryHead {
        EntryHead {
            key: [7; 32],
            status: 200,
            headers: Headers::new(vec![("etag".into(), b"\"x\"".to_vec())]),
            varied: vec![("x-extra".into(), Some(b"1".to_vec()))],
            credential: 42,
            predictable: true,
            personal: true,
            former: Some([9; 8]),
        }
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn an_entry_survives_its_encoding() {
        let entry = Entry::new(head(), 1_700_000_000_000, b"body\0\xff");
        let read = Entry::decode(entry.encoded().to_vec(), &Key([7; 32])).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.body(), b"body\0\xff");
        let peek = Peek::read(&entry.encoded()[..=PEEK]).unwrap();
        assert_eq!(
            (peek.digest, peek.confirmed_at),
            (entry.digest, 1_700_000_000_000)
        );
    }

    #[test]
    fn another_key_version_or_a_cut_head_is_a_miss() {
        let raw = Entry::new(head(), 1, b"body").encoded().to_vec();
        assert_eq!(Entry::decode(raw.clone(), &Key([8; 32])), None);
        let mut other = raw.clone();
        other[3] = 1;
        assert_eq!(Entry::decode(other, &Key([7; 32])), None);
        assert_eq!(
            Entry::decode(raw[..SUMMARY + 3].to_vec(), &Key([7; 32])),
            None
        );
        assert_eq!(Peek::read(&raw[..10]), None);
    }

    #[test]
    fn vary_selects_by_the_values_of_then() {
        let entry = Entry::new(head(), 1, b"");
        let with = |value: &str| Headers::new(vec![("x-extra".into(), value.into())]);
        assert!(entry.selected_by(&with("1")));
        assert!(!entry.selected_by(&with("2")));
        assert!(!entry.selected_by(&Headers::default()));
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn any_entry_survives_its_encoding(
                fields in proptest::collection::vec(("[a-z-]{1,20}", proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
                body in proptest::collection::vec(any::<u8>(), 0..2000),
                status: u16, credential: u64, predictable: bool, confirmed_at: u64,
            ) {
                let head = EntryHead {
                    status, credential, predictable, headers: Headers::new(fields), ..head()
                };
                let entry = Entry::new(head, confirmed_at, &body);
                let read = Entry::decode(entry.encoded().to_vec(), &Key([7; 32]));
                prop_assert_eq!(read.as_ref(), Some(&entry));
                prop_assert_eq!(entry.body(), &body[..]);
            }

            #[test]
            fn no_bytes_make_the_reader_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300), keep in 0usize..300) {
                let _ = Entry::decode(bytes.clone(), &Key([7; 32]));
                let mut framed = MAGIC.to_vec();
                framed.extend(bytes);
                let _ = Entry::decode(framed, &Key([7; 32]));
                let mut cut = Entry::new(head(), 1, b"body").encoded().to_vec();
                cut.truncate(keep);
                let _ = Entry::decode(cut, &Key([7; 32]));
            }
        }
    }
}
