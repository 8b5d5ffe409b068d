//! Secrets that travel inside of a configuration: sealed, so that who reads the configuration
//! (a file, Envoy's `/config_dump`) learns nothing, and who changes it cannot put one secret in
//! the place of another.
//!
//! XChaCha20-Poly1305 under a key that is in Envoy's environment alone. Envoy reads its
//! environment once, a configuration at any time: that is how credentials change without a
//! restart. The nonce is a keyed digest of label and secret: the same secret is sealed to the
//! same text, so that a configuration that did not change reads as unchanged, and no nonce
//! meets two texts.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// The environment variable that holds the key, for the filter as for the command.
pub const KEY_VARIABLE: &str = "GITHUB_PROXY_SEAL_KEY";
/// What is expected of its value.
pub const KEY_FORM: &str = "expected 64 hexadecimal digits, such as `openssl rand -hex 32` prints";

const NONCE_BYTES: usize = 24;

/// The place of the personal access token of the credential `name`.
pub fn token_label(name: &str) -> String {
    format!("pat/{name}")
}

/// The place of the private key of the credential `name`.
pub fn key_label(name: &str) -> String {
    format!("pem/{name}")
}

/// A 256-bit key.
pub struct SealKey([u8; 32]);

impl SealKey {
    /// Takes random bytes as a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim_ascii(), &mut key).ok()?;
        Some(Self(key))
    }

    /// The value of [`KEY_VARIABLE`].
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex::encode(self.0))
    }

    /// Seals `secret` for the place that `label` names; hexadecimal. `None` only for secrets of
    /// many gigabytes.
    pub fn seal(&self, label: &str, secret: &Secret) -> Option<String> {
        let nonce = self.nonce(label, secret);
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: label.as_bytes(),
        };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload);
        Some(hex::encode([nonce.as_slice(), &sealed.ok()?].concat()))
    }

    /// Opens what was sealed under the same key for the same place.
    pub fn open(&self, label: &str, sealed: &str) -> Option<Secret> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let payload = Payload {
            msg: sealed,
            aad: label.as_bytes(),
        };
        let opened = self.cipher().decrypt(XNonce::from_slice(nonce), payload);
        String::from_utf8(opened.ok()?).ok().map(Secret::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.0).into())
    }

    fn nonce(&self, label: &str, secret: &Secret) -> [u8; NONCE_BYTES] {
        let mut hash = Sha256::new();
        hash.update(b"github-proxy nonce");
        hash.update(self.0);
        hash.update((label.len() as u64).to_be_bytes());
        hash.update(label);
        hash.update(secret.expose());
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn secret() -> Secret {
        Secret::new("ghp_hunter2".to_owned())
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_under_its_key_only() {
        let key = SealKey::new([7; 32]);
        let sealed = key.seal("pat/A", &secret()).unwrap();
        assert_eq!(key.open("pat/A", &sealed).unwrap().expose(), "ghp_hunter2");
        assert!(key.open("pat/B", &sealed).is_none());
        assert!(SealKey::new([8; 32]).open("pat/A", &sealed).is_none());
        let mut bytes = hex::decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(key.open("pat/A", &hex::encode(&bytes)).is_none());
            bytes[at] ^= 1;
        }
        for nonsense in ["", "0a0a", "not hex"] {
            assert!(key.open("pat/A", nonsense).is_none());
        }
    }

    #[test]
    fn equal_secrets_are_sealed_alike_in_one_place_and_differ_in_two() {
        let key = SealKey::new([7; 32]);
        let sealed = |label| key.seal(label, &secret()).unwrap();
        assert_eq!(sealed("pat/A"), sealed("pat/A"));
        let nonce = |label| sealed(label).chars().take(48).collect::<String>();
        assert_ne!(nonce("pat/A"), nonce("pat/B"));
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = SealKey::from_hex(&"0a".repeat(32)).unwrap();
        assert_eq!(key.to_hex().expose(), "0a".repeat(32));
        for wrong in ["", "0a", &"0g".repeat(32), &"0a".repeat(33)] {
            assert!(SealKey::from_hex(wrong).is_none());
        }
    }
}
