//! The proxy tokens of a client, as digests: a plain token is hashed as soon
//! as it is read and not kept.

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::Engine;
use sha2::{Digest, Sha256};

use super::expiry;
use super::reader::{Fields, Node};

/// The longest token that is accepted, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 1024;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A SHA-256 digest of a token.
pub(super) type TokenDigest = [u8; 32];

/// One token of a client and where the document has it.
pub(super) struct Token<'a> {
    pub(super) digest: TokenDigest,
    /// Unix seconds; from then on the token is refused.
    pub(super) expires: Option<u64>,
    pub(super) node: Node<'a>,
}

/// The SHA-256 digest of `token`, as `token_sha256` has it.
pub(super) fn digest(token: &[u8]) -> TokenDigest {
    Sha256::digest(token).into()
}

/// The tokens of the client in `node`: `token`, `token_sha256`, or a list `tokens` of either.
pub(super) fn read_of_client<'a>(node: &Node<'_>, fields: &Fields<'_, 'a>) -> Vec<Token<'a>> {
    let Some(tokens) = fields.optional("tokens") else {
        return read_one(node, fields, None).into_iter().collect();
    };
    if fields.optional("token").is_some() || fields.optional("token_sha256").is_some() {
        node.error("expected only one of token, token_sha256 and tokens");
    }
    let Some(items) = tokens.items() else {
        return Vec::new();
    };
    if items.is_empty() {
        tokens.error("expected at least one token");
    }
    items.iter().filter_map(read_item).collect()
}

fn read_item<'a>(node: &Node<'a>) -> Option<Token<'a>> {
    let fields = node.fields(&["token", "token_sha256", "expires"])?;
    let expires = match fields.optional("expires") {
        Some(expires) => Some(read_expiry(&expires)?),
        None => None,
    };
    read_one(node, &fields, expires)
}

fn read_one<'a>(
    node: &Node<'_>,
    fields: &Fields<'_, 'a>,
    expires: Option<u64>,
) -> Option<Token<'a>> {
    let (node, digest) = match (fields.optional("token"), fields.optional("token_sha256")) {
        (Some(token), None) => {
            let digest = plain(&token)?;
            (token, digest)
        }
        (None, Some(token_sha256)) => {
            let digest = hashed(&token_sha256)?;
            (token_sha256, digest)
        }
        (Some(_), Some(_)) => {
            node.error("expected only one of token and token_sha256");
            return None;
        }
        (None, None) => {
            node.error("missing token: expected token or token_sha256");
            return None;
        }
    };
    Some(Token {
        digest,
        expires,
        node,
    })
}

fn plain(node: &Node<'_>) -> Option<TokenDigest> {
    let token = node.string()?;
    let sendable = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !sendable {
        node.error(format!(
            "expected a token of 1 to {MAX_TOKEN_BYTES} visible ASCII characters without spaces"
        ));
        return None;
    }
    Some(digest(token.as_bytes()))
}

fn hashed(node: &Node<'_>) -> Option<TokenDigest> {
    let text = node.string()?;
    let bytes = match text.len() {
        64 => hex::decode(text).ok(),
        43 | 44 => BASE64.decode(text).ok(),
        _ => None,
    };
    let digest = bytes.and_then(|bytes| bytes.try_into().ok());
    if digest.is_none() {
        node.error("expected a SHA-256 digest: 64 hexadecimal digits, or 32 bytes in base64");
    }
    digest
}

fn read_expiry(node: &Node<'_>) -> Option<u64> {
    if node.is_number() {
        return node.integer(0..=LAST_SECOND);
    }
    let expires = expiry::unix_seconds(node.string()?);
    if expires.is_none() {
        node.error(
            "expected a time such as 2030-01-31T12:00:00Z, a date such as 2030-01-31, \
             or Unix seconds",
        );
    }
    expires
}
