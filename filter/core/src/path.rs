//! The request target in the one form in which it is matched, keyed and sent.
//!
//! A scope is only as good as the agreement between proxy and GitHub on what a
//! path means. So a target is normalised as RFC 3986 §6.2.2 says before
//! anything is decided, the normal form is what goes upstream, and a path that
//! a server which decodes once or twice more could read as another one is
//! refused. Nothing is guessed: what cannot be sent safely is a 400.
//!
//! - Unreserved characters are decoded, hexadecimal digits upper-cased, empty
//!   segments dropped, then `.` and `..` resolved; `..` above the root is
//!   refused, as it is an error or an attack. A slash at the end stays.
//! - Characters that a path may not hold raw (RFC 3986 §3.3: non-ASCII, space,
//!   `"<>^{|}` and the backtick) are sent percent-encoded; curl sends them raw.
//! - Raw backslashes and control characters, `%` without two hexadecimal digits
//!   and fragments are refused. Encoded reserved characters (`%2F`) stay.
//! - The query goes on verbatim, but for raw non-ASCII bytes, which are encoded;
//!   control characters and `#` in it are refused.
//! - Mounts are found in the normal form, once: `/api/v3/../x` is `/x`.

mod escape;

use self::escape::{decoded, is_pchar, is_unreserved, push_encoded, Escapes};

/// A request target, normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the client reached the API.
    pub mount: Mount,
    /// The normalised path below the mount; starts with a slash; ASCII.
    pub path: String,
    /// What follows the `?`, if there is one; ASCII.
    pub query: Option<String>,
}

/// The prefixes under which the API is served, as a GitHub Enterprise Server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// `/…`, as at api.github.com.
    Root,
    /// `/api/v3/…`.
    ApiV3,
    /// `/api/graphql`; its path is `/graphql`.
    GraphQl,
    /// `/api/uploads/…`, as at uploads.github.com.
    Uploads,
}

impl Mount {
    /// What goes before the path to get back to what the client asked for.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::ApiV3 => "/api/v3",
            Self::GraphQl => "/api",
            Self::Uploads => "/api/uploads",
        }
    }
}

/// Why a target is refused; the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not start with a slash (`*`, an empty target).
    NotAPath,
    /// It holds a fragment.
    Fragment,
    /// A `%` without two hexadecimal digits.
    InvalidEscape,
    /// A control character, raw, encoded or encoded more than once.
    ControlCharacter,
    /// A backslash, raw, encoded or encoded more than once.
    Backslash,
    /// `..` segments lead above the root.
    AboveRoot,
    /// A `.` or `..` segment hidden by encoding or by a `;` parameter.
    HiddenDotSegment,
}

impl Refused {
    /// The reason in words, for the client.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAPath => "the request target is not a path",
            Self::Fragment => "the request target has a fragment",
            Self::InvalidEscape => "the path has an invalid percent-encoding",
            Self::ControlCharacter => "the request target has a control character",
            Self::Backslash => "the path has a backslash",
            Self::AboveRoot => "the path leads above the root",
            Self::HiddenDotSegment => "the path has an encoded dot segment",
        }
    }
}

impl Target {
    /// Normalises `target`, the request target in origin form (RFC 9112 §3.2.1).
    ///
    /// # Errors
    /// Why the target is not safe to send.
    pub fn parse(target: &[u8]) -> Result<Self, Refused> {
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let path = normalise(parts.next().unwrap_or_default())?;
        let query = parts.next().map(checked_query).transpose()?;
        let (mount, path) = split_mount(path);
        Ok(Self { mount, path, query })
    }

    /// The path and the query as they are sent, without the mount.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// The normal form of a path with its mount.
fn normalise(path: &[u8]) -> Result<String, Refused> {
    if path.contains(&b'#') {
        return Err(Refused::Fragment);
    }
    let path = path.strip_prefix(b"/").ok_or(Refused::NotAPath)?;
    let mut segments = Vec::new();
    let mut ends_with_slash = true;
    for segment in path.split(|byte| *byte == b'/') {
        let segment = normal_segment(segment)?;
        ends_with_slash = matches!(segment.as_str(), "" | "." | "..");
        match segment.as_str() {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(Refused::AboveRoot)?;
            }
            _ => segments.push(segment),
        }
    }
    let mut normal = String::with_capacity(path.len() + 1);
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_with_slash {
        normal.push('/');
    }
    refuse_ambiguous(normal.as_bytes())?;
    Ok(normal)
}

fn normal_segment(segment: &[u8]) -> Result<String, Refused> {
    let mut normal = String::with_capacity(segment.len());
    for item in Escapes::of(segment) {
        match item.ok_or(Refused::InvalidEscape)? {
            (byte, true) if is_unreserved(byte) => normal.push(char::from(byte)),
            (byte, false) if is_pchar(byte) => normal.push(char::from(byte)),
            (b'\\', false) => return Err(Refused::Backslash),
            (byte, false) if byte.is_ascii_control() => return Err(Refused::ControlCharacter),
            (byte, _) => push_encoded(&mut normal, byte),
        }
    }
    Ok(normal)
}

/// Refuses what means something else when decoded once or twice more.
fn refuse_ambiguous(normal: &[u8]) -> Result<(), Refused> {
    refuse_unsafe(normal)?;
    let once = decoded(normal);
    refuse_unsafe(&once)?;
    refuse_unsafe(&decoded(&once))
}

fn refuse_unsafe(path: &[u8]) -> Result<(), Refused> {
    if path.contains(&b'\\') {
        return Err(Refused::Backslash);
    }
    if path.iter().any(u8::is_ascii_control) {
        return Err(Refused::ControlCharacter);
    }
    let is_dots = |segment: &[u8]| {
        let name = segment.split(|byte| *byte == b';').next();
        matches!(name, Some(b"." | b".."))
    };
    if path.split(|byte| *byte == b'/').any(is_dots) {
        return Err(Refused::HiddenDotSegment);
    }
    Ok(())
}

fn checked_query(query: &[u8]) -> Result<String, Refused> {
    let mut checked = String::with_capacity(query.len());
    for &byte in query {
        match byte {
            b'#' => return Err(Refused::Fragment),
            byte if byte.is_ascii_control() => return Err(Refused::ControlCharacter),
            byte if byte.is_ascii() => checked.push(char::from(byte)),
            byte => push_encoded(&mut checked, byte),
        }
    }
    Ok(checked)
}

fn split_mount(path: String) -> (Mount, String) {
    if matches!(path.as_str(), "/api/graphql" | "/api/graphql/") {
        return (Mount::GraphQl, "/graphql".to_owned());
    }
    for mount in [Mount::ApiV3, Mount::Uploads] {
        match path.strip_prefix(mount.prefix()) {
            Some("") => return (mount, "/".to_owned()),
            Some(below) if below.starts_with('/') => return (mount, below.to_owned()),
            _ => {}
        }
    }
    (Mount::Root, path)
}

#[cfg(test)]
mod tests;
