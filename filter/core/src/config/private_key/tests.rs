#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// What every key of one format starts with; the numbers that follow do not matter here.
fn der(start: &[u8]) -> Vec<u8> {
    let mut content = start.to_vec();
    content.extend((0..=255).cycle().take(600));
    let [.., high, low] = content.len().to_be_bytes();
    [&[0x30, 0x82, high, low], content.as_slice()].concat()
}

fn pkcs1() -> Vec<u8> {
    der(&[0x02, 0x01, 0x00])
}

fn pkcs8() -> Vec<u8> {
    der(&[
        &[0x02, 0x01, 0x00, 0x30, 0x0d],
        RSA.as_slice(),
        &[0x05, 0x00],
    ]
    .concat())
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(LINE)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

#[test]
fn every_way_of_writing_a_key_comes_to_the_same() {
    for key in [pem(PKCS1, &pkcs1()), pem(PKCS8, &pkcs8())] {
        for written in [
            key.clone(),
            key.trim_end().to_owned(),
            key.replace('\n', "\\n"),
            key.replace('\n', "\\r\\n"),
            key.replace('\n', "\r\n"),
            key.replace('\n', "\r"),
            key.replace('\n', " \n  "),
            key.replace('\n', " "),
            format!("\u{feff}\n \"{key}\" \n"),
            format!("Bag Attributes\n  friendlyName: app\n{key}"),
        ] {
            assert_eq!(normal(&written), key, "{written}");
            assert_eq!(normal(&normal(&written)), key);
            assert_eq!(check(&written), Ok(()), "{written}");
        }
    }
}

#[test]
fn what_is_no_key_is_named_and_not_shown() {
    let good = STANDARD.encode(pkcs1());
    let block =
        |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
    for (text, found) in [
        (String::new(), "something else"),
        ("S3CR3T".to_owned(), "something else"),
        (good.clone(), "something else"),
        (format!("-----BEGIN {PKCS1}-----\n{good}"), "something else"),
        (
            format!("-----BEGIN {PKCS1}-----\n{good}\n-----END {PKCS8}-----"),
            "something else",
        ),
        (block("S3CR3T", &good), "something else"),
        (
            block("ENCRYPTED PRIVATE KEY", &good),
            "a key encrypted with a passphrase",
        ),
        (
            block(PKCS1, &format!("Proc-Type: 4,ENCRYPTED\n\n{good}")),
            "a key encrypted with a passphrase",
        ),
        (block("EC PRIVATE KEY", &good), "a key that is not RSA"),
        (
            pem(PKCS8, &der(&[0x02, 0x01, 0x00, 0x30, 0x13])),
            "a key that is not RSA",
        ),
        (block("OPENSSH PRIVATE KEY", &good), "a key of OpenSSH"),
        (block("PUBLIC KEY", &good), "a public key"),
        (block("RSA PUBLIC KEY", &good), "a public key"),
        (block("CERTIFICATE", &good), "a certificate"),
        (block(PKCS1, "S3CR3T!"), "what is not base64 in between"),
        (block(PKCS1, ""), "a key that is cut or damaged"),
        (block(PKCS1, &good[..80]), "a key that is cut or damaged"),
        (
            pem(PKCS1, &der(&[0x02, 0x01, 0x07])),
            "a key that is cut or damaged",
        ),
        (pem(PKCS1, &[0x30]), "a key that is cut or damaged"),
        (pem(PKCS1, &[0x30, 0x84, 1]), "a key that is cut or damaged"),
        (
            pem(PKCS1, &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
            "a key that is cut or damaged",
        ),
    ] {
        let fault = check(&text).expect_err(&text);
        assert!(
            fault.starts_with("expected an RSA private key in PEM"),
            "{fault}"
        );
        assert!(fault.ends_with(&format!(", found {found}")), "{fault}");
        assert!(!fault.contains("S3CR3T"), "{fault}");
    }
}

#[test]
fn what_is_no_pem_keeps_its_text() {
    assert_eq!(normal(" a\\nb\r\nc \n"), "a\nb\nc");
}
