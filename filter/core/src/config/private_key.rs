//! The private key of a GitHub App, in whatever way it survived an environment variable.
//!
//! GitHub hands it out as PKCS#1 PEM; some keep it as PKCS#8. On its way through
//! YAML, shells and secret stores its line ends become `\n` in two characters,
//! CR LF or blanks. [`normal`] gives RFC 7468's strict form back. Whether it is a
//! key at all is a question of its own, [`check`]: one bad key must not keep the
//! other credentials from serving. No message shows anything of the key.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

/// PKCS#1 (RFC 8017 A.1.2), as GitHub generates it.
const PKCS1: &str = "RSA PRIVATE KEY";
/// PKCS#8 (RFC 5958).
const PKCS8: &str = "PRIVATE KEY";
/// What else is found in the place of a key, and what it is.
const OTHER: [(&str, &str); 6] = [
    ("ENCRYPTED PRIVATE KEY", "a key encrypted with a passphrase"),
    ("OPENSSH PRIVATE KEY", "a key of OpenSSH"),
    ("EC PRIVATE KEY", "a key that is not RSA"),
    ("RSA PUBLIC KEY", "a public key"),
    ("PUBLIC KEY", "a public key"),
    ("CERTIFICATE", "a certificate"),
];
/// rsaEncryption, 1.2.840.113549.1.1.1, in DER.
const RSA: [u8; 11] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
];
/// The line length of RFC 7468 §2.
const LINE: usize = 64;

/// The key with real line breaks. What is no PEM comes back with its line ends set right alone.
pub fn normal(text: &str) -> String {
    let text = with_line_breaks(text);
    let Some(pem) = Pem::find(&text) else {
        return text.trim_ascii().to_owned();
    };
    let mut lines = format!("-----BEGIN {}-----\n", pem.label);
    for (index, character) in pem.body.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push_str(&format!("\n-----END {}-----\n", pem.label));
    lines
}

/// Whether `text` has the shape of an RSA private key, in either format.
///
/// # Errors
/// What is there instead; never a part of it.
pub fn check(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected an RSA private key in PEM, from -----BEGIN RSA PRIVATE \
                            KEY----- to -----END RSA PRIVATE KEY----- (or BEGIN PRIVATE KEY)";
    let text = with_line_breaks(text);
    let wrong = |found: &str| Err(format!("{EXPECTED}, found {found}"));
    let Some(pem) = Pem::find(&text) else {
        return wrong("something else");
    };
    if let Some((_, found)) = OTHER.iter().find(|(label, _)| *label == pem.label) {
        return wrong(found);
    }
    if pem.label != PKCS1 && pem.label != PKCS8 {
        return wrong("something else");
    }
    if text.contains("Proc-Type:") {
        return wrong("a key encrypted with a passphrase");
    }
    let Ok(der) = STANDARD.decode(&pem.body) else {
        return wrong("what is not base64 in between");
    };
    let Some(content) = sequence(&der) else {
        return wrong("a key that is cut or damaged");
    };
    let version_is_zero = content.starts_with(&[0x02, 0x01, 0x00]);
    if !version_is_zero {
        return wrong("a key that is cut or damaged");
    }
    if pem.label == PKCS8 && !content.windows(RSA.len()).take(8).any(|at| at == RSA) {
        return wrong("a key that is not RSA");
    }
    Ok(())
}

/// One PEM block, without blanks.
struct Pem<'a> {
    label: &'a str,
    body: String,
}

impl<'a> Pem<'a> {
    fn find(text: &'a str) -> Option<Self> {
        let (_, rest) = text.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        Some(Self {
            label,
            body: body.split_ascii_whitespace().collect(),
        })
    }
}

fn with_line_breaks(text: &str) -> String {
    text.replace("\\r", "")
        .replace("\\n", "\n")
        .replace('\r', "")
}

/// The content of a DER SEQUENCE that is all of `der` (X.690 §8.1).
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let (&first, rest) = der.strip_prefix(&[0x30])?.split_first()?;
    let (length, content) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        let length = bytes
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        (length, content)
    };
    (content.len() == length).then_some(content)
}

#[cfg(test)]
mod tests;
