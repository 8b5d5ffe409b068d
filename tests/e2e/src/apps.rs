//! A GitHub App and its private key, in the forms in which operators have one.

use crate::proxy::Setup;
use base64::{engine::general_purpose::STANDARD, Engine};
use github_simulator::{App, Installation};

/// The App's id.
pub const ID: u64 = 4711;
/// Its client id, which may take the place of the id.
pub const CLIENT_ID: &str = "Iv23liE2eE2eE2eE2eE2";
/// The private key as GitHub hands it out: PKCS#1.
pub const KEY: &str = include_str!("../../simulator/testdata/app-private-key.pem");
/// What GitHub keeps of it.
const PUBLIC_KEY: &str = include_str!("../../simulator/testdata/app-public-key.pem");

/// The App, with an installation for each number, whose tokens live for so many seconds.
pub fn app(installations: &[u64], token_seconds: u64) -> App {
    let installation = |id: &u64| Installation {
        id: *id,
        account: "octo-org".to_owned(),
        suspended: false,
        token_seconds,
    };
    App {
        id: ID,
        client_id: Some(CLIENT_ID.to_owned()),
        slug: "e2e".to_owned(),
        public_key: Some(PUBLIC_KEY.to_owned()),
        installations: installations.iter().map(installation).collect(),
    }
}

/// Gives a proxy the App's installation as the credential `name`.
#[must_use]
pub fn with_app(setup: Setup, name: &str, installation: u64) -> Setup {
    setup
        .env(&format!("GITHUB_APP_{name}_ID"), &ID.to_string())
        .env(
            &format!("GITHUB_APP_{name}_INSTALLATION_ID"),
            &installation.to_string(),
        )
        .env(&format!("GITHUB_APP_{name}_PEM"), KEY)
}

/// The private key in PKCS#8 (RFC 5958 §2): the same key, with the algorithm's name before it.
pub fn pkcs8_key() -> String {
    let lines = KEY.lines().filter(|line| !line.starts_with('-'));
    let pkcs1 = STANDARD.decode(lines.collect::<String>());
    let pkcs1 = pkcs1.expect("a key in base64");
    // Version 0; rsaEncryption (1.2.840.113549.1.1.1) without parameters.
    let mut content =
        b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00".to_vec();
    content.extend(der(0x04, &pkcs1));
    let text = STANDARD.encode(der(0x30, &content));
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

/// Tag, length in two bytes, and content (X.690 §8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short key");
    let mut bytes = vec![tag, 0x82];
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}
