//! The proxy token in an `Authorization` header, in every form in which GitHub
//! takes a token, so that clients need no change but the host name.
//!
//! - `token T` and `Bearer T`, with the scheme in any case (RFC 9110 §11.1).
//! - `Basic` (RFC 7617) with T as the password of any user, or as the user with
//!   an empty password or the password `x-oauth-basic`.
//!
//! Each header holds at most one token; whether it is a known one is not decided
//! here. A token in the query (`?access_token=`) is ignored, as GitHub does.

use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::Engine;

use crate::config::token::MAX_TOKEN_BYTES;
use crate::secret::Secret;

/// A longer header holds no token: base64 of a user name and the longest token fits.
const MAX_HEADER_BYTES: usize = 4096;

/// In the place of a password it says that the user name is the token.
const TOKEN_IS_USER: &[u8] = b"x-oauth-basic";

const BASE64_STANDARD: GeneralPurpose = lenient(&STANDARD);
const BASE64_URL_SAFE: GeneralPurpose = lenient(&URL_SAFE);

/// The token that the value of an `Authorization` header presents, if any.
pub fn presented_token(authorization: &[u8]) -> Option<Secret> {
    if authorization.len() > MAX_HEADER_BYTES {
        return None;
    }
    let header = authorization.trim_ascii();
    let end_of_scheme = header.iter().position(u8::is_ascii_whitespace)?;
    let (scheme, rest) = header.split_at_checked(end_of_scheme)?;
    let credentials = rest.trim_ascii_start();
    if scheme.eq_ignore_ascii_case(b"token") || scheme.eq_ignore_ascii_case(b"bearer") {
        token(credentials)
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        basic(credentials)
    } else {
        None
    }
}

fn basic(credentials: &[u8]) -> Option<Secret> {
    let decoded = BASE64_STANDARD
        .decode(credentials)
        .or_else(|_| BASE64_URL_SAFE.decode(credentials))
        .ok()?;
    // The user name ends at the first colon (RFC 7617 §2); a token may hold more.
    let mut parts = decoded.splitn(2, |byte| *byte == b':');
    let user = parts.next().unwrap_or_default();
    let password = parts.next().unwrap_or_default();
    if password.is_empty() || password == TOKEN_IS_USER {
        token(user)
    } else {
        token(password)
    }
}

/// `bytes` if they can be a token at all: what a registry accepts as one.
fn token(bytes: &[u8]) -> Option<Secret> {
    let sendable = bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || bytes.len() > MAX_TOKEN_BYTES || !sendable {
        return None;
    }
    let token = String::from_utf8(bytes.to_vec()).ok()?;
    Some(Secret::new(token))
}

/// Clients differ in padding, and some in the alphabet.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests;
