//! URLs in a JSON body, rewritten while it streams. A value is taken for a URL of GitHub's by
//! the name of its member (`url`, `*_url`, `*Url`, `href`, …) and by how it begins, so what
//! people wrote (titles, bodies, messages, file contents) stays as it is, even where it is a URL
//! of the API and nothing else.
//!
//! The text is not parsed. In valid JSON `"http` stands at the beginning of a string unless a
//! backslash goes before it, and a member's name stands right before its value: so it is enough
//! to search for these five bytes and to look at what surrounds them. A part may end anywhere;
//! only what may still become a URL waits for the next one.

use super::{escaped, Origins, Roots};
use memchr::memmem::Finder;
use std::rc::Rc;

/// How the URL of a member begins, with the quote that opens the string.
const OPENING: &[u8] = b"\"http";
/// How names of members end whose value is a URL of GitHub's.
const SUFFIXES: [&[u8]; 4] = [b"url", b"Url", b"URL", b"_href"];
/// Their names that end otherwise. `git` and `self` are in `_links` of contents and branches.
const NAMES: [&[u8]; 3] = [b"href", b"self", b"git"];
/// Those in SCIM (RFC 7643 §3.1, §2.3.7), where people write nothing of the kind.
const NAMES_IN_SCIM: [&[u8]; 2] = [b"location", b"$ref"];
/// So many bytes before a string are looked at: a name's end, and a colon with some white space.
const LOOK_BEHIND: usize = 64;

/// Rewrites a JSON body that arrives in parts.
#[derive(Debug)]
pub struct BodyRewriter {
    /// What is replaced.
    origins: Rc<Origins>,
    /// By what.
    roots: Roots,
    /// The same where slashes are escaped.
    escaped: Roots,
    opening: Finder<'static>,
    is_scim: bool,
    /// The end of what came so far: first what has gone on and is only looked back at, then what
    /// may be the beginning of a URL. Of the latter there is none at the end of valid JSON.
    held: Vec<u8>,
    /// The length of the former.
    gone: usize,
}

/// What stands at the beginning of a string.
enum Found<'a> {
    Url {
        length: usize,
        new: &'a [u8],
    },
    Nothing,
    /// More is needed to tell.
    Cut,
}

impl BodyRewriter {
    /// Replaces `origins` by where the client reaches the same.
    pub(super) fn new(origins: Rc<Origins>, roots: &Roots, is_scim: bool) -> Self {
        Self {
            origins,
            roots: roots.clone(),
            escaped: Roots {
                api: escaped(&roots.api),
                uploads: escaped(&roots.uploads),
            },
            opening: Finder::new(OPENING),
            is_scim,
            held: Vec::new(),
            gone: 0,
        }
    }

    /// Takes a part and returns what may go on; `end` says that it is the last.
    pub fn push(&mut self, part: &[u8], end: bool) -> Vec<u8> {
        let joined;
        let text = if self.held.is_empty() {
            part
        } else {
            joined = [self.held.as_slice(), part].concat();
            joined.as_slice()
        };
        let mut out = Vec::with_capacity(text.len() + text.len() / 8);
        let mut done = self.gone;
        let mut from = self.gone;
        let mut keep = text.len();
        while let Some(quote) = self.next(text, from, end) {
            let (before, string) = text.split_at(quote);
            let string = string.get(1..).unwrap_or_default();
            from = quote + 1;
            match self.find(string, end) {
                Found::Url { length, new } if self.names_url(before) => {
                    out.extend_from_slice(text.get(done..from).unwrap_or_default());
                    out.extend_from_slice(new);
                    done = from + length;
                    from = done;
                }
                Found::Cut if self.names_url(before) => {
                    keep = quote;
                    break;
                }
                _ => {}
            }
        }
        out.extend_from_slice(text.get(done..keep).unwrap_or_default());
        let start = keep.saturating_sub(LOOK_BEHIND);
        let held = text.get(start..).unwrap_or_default().to_vec();
        self.gone = keep - start;
        self.held = held;
        out
    }

    /// The next quote after which a URL may begin.
    fn next(&self, text: &[u8], from: usize, end: bool) -> Option<usize> {
        let rest = text.get(from..)?;
        if let Some(at) = self.opening.find(rest) {
            return Some(from + at);
        }
        if end {
            return None;
        }
        let cut = (1..OPENING.len())
            .rev()
            .find(|length| OPENING.get(..*length).is_some_and(|it| rest.ends_with(it)))?;
        Some(text.len() - cut)
    }

    fn find(&self, string: &[u8], end: bool) -> Found<'_> {
        let mut slashes = string.iter().filter(|it| matches!(it, b'/' | b'\\'));
        let is_escaped = slashes.next() == Some(&b'\\');
        let roots = if is_escaped {
            &self.escaped
        } else {
            &self.roots
        };
        for origin in &self.origins.0 {
            let from = if is_escaped {
                &origin.escaped
            } else {
                &origin.url
            };
            let from = from.as_bytes();
            if let Some(rest) = string.strip_prefix(from) {
                match rest.first() {
                    Some(b'/' | b'\\' | b'?' | b'"' | b'{' | b'#') => {
                        return Found::Url {
                            length: from.len(),
                            new: roots.of(origin.service).as_bytes(),
                        };
                    }
                    None if !end => return Found::Cut,
                    _ => {}
                }
            } else if !end && from.starts_with(string) {
                return Found::Cut;
            }
        }
        Found::Nothing
    }

    /// Whether what goes before a string is the name of a member that holds a URL of GitHub's.
    fn names_url(&self, before: &[u8]) -> bool {
        let name = before
            .trim_ascii_end()
            .strip_suffix(b":")
            .and_then(|before| before.trim_ascii_end().strip_suffix(b"\""));
        let Some(name) = name else {
            return false;
        };
        let is = |known: &&[u8]| {
            let quote = name
                .strip_suffix(*known)
                .and_then(|it| it.strip_suffix(b"\""));
            quote.is_some_and(|before| !before.ends_with(b"\\"))
        };
        SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || NAMES.iter().any(is)
            || self.is_scim && NAMES_IN_SCIM.iter().any(is)
    }
}

#[cfg(test)]
mod tests;
