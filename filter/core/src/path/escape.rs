//! Percent-encoding (RFC 3986 §2.1), byte by byte.

/// RFC 3986 §2.3: these mean the same encoded or not.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986 §3.3: these may stand in a path segment as they are.
pub(super) fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

/// Appends `byte` as `%XX`, with upper-case digits (RFC 3986 §6.2.2.1).
pub(super) fn push_encoded(text: &mut String, byte: u8) {
    text.push('%');
    for digit in [byte >> 4, byte & 0x0f] {
        let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
        text.push(digit.to_ascii_uppercase());
    }
}

/// `text` with every valid escape decoded; an invalid one stays as it is.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    Escapes::of(text)
        .map(|item| item.map_or(b'%', |(byte, _)| byte))
        .collect()
}

/// The bytes that a text stands for, each with whether it was an escape.
/// `None` is a `%` without two hexadecimal digits; what follows it comes next.
pub(super) struct Escapes<'a>(&'a [u8]);

impl<'a> Escapes<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self(text)
    }
}

impl Iterator for Escapes<'_> {
    type Item = Option<(u8, bool)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        if byte != b'%' {
            return Some(Some((byte, false)));
        }
        let [high, low, after @ ..] = rest else {
            return Some(None);
        };
        let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) else {
            return Some(None);
        };
        self.0 = after;
        Some(Some((high << 4 | low, true)))
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
