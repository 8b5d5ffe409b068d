//! GitHub Apps: the JSON Web Token that proves who the App is, and the installation token
//! that it is exchanged for (GitHub's docs, "Generating an installation access token").

use crate::config::unix_seconds;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

/// How far in the past a JWT is issued, seconds: GitHub's clock may be behind.
const ISSUED_AGO: u64 = 60;
/// How long a JWT is valid, seconds; GitHub allows ten minutes.
const VALID_FOR: u64 = 540;
/// Longer tokens than GitHub has ever made are nonsense.
const LONGEST_TOKEN: usize = 2_048;

/// An installation token. It never leaves the memory of Envoy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The Authorization value.
    pub authorization: String,
    /// When it ceases to be valid, Unix milliseconds.
    pub expires_at: u64,
    /// When it was got, Unix milliseconds.
    pub obtained_at: u64,
}

/// What an App's key has to sign: header and claims of a JWT (RFC 7515 §3.1, RS256).
pub fn signing_input(app_id: &str, now: u64) -> String {
    let seconds = now / 1_000;
    // A numeric App id or a client id: GitHub takes either as the issuer.
    let claims = json!({
        "iat": seconds.saturating_sub(ISSUED_AGO),
        "exp": seconds.saturating_add(VALID_FOR),
        "iss": app_id,
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

/// The JWT, once signed.
pub fn jwt(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", encode(signature))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the exchange takes place, below the API's root.
pub fn exchange_path(installation_id: &str) -> String {
    format!("/app/installations/{installation_id}/access_tokens")
}

/// Reads the answer to an exchange.
///
/// # Errors
/// What is wrong with it, in words without any secret.
pub fn read_token(status: u16, body: &[u8], now: u64) -> Result<Token, String> {
    if status != 201 {
        return Err(match status {
            0 => "GitHub did not answer in time".to_owned(),
            401 => "401: GitHub does not accept the App's id or key".to_owned(),
            403 => "403: the installation is suspended, or the App may not do this".to_owned(),
            404 => "404: there is no such installation of this App".to_owned(),
            other => format!("GitHub answered {other}"),
        });
    }
    let nonsense = || "GitHub's answer is no installation token".to_owned();
    let answer: Value = serde_json::from_slice(body).map_err(|_| nonsense())?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let token = text("token").ok_or_else(nonsense)?;
    let expires = text("expires_at")
        .and_then(unix_seconds)
        .ok_or_else(nonsense)?;
    let is_token = (1..=LONGEST_TOKEN).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(nonsense());
    }
    let expires_at = expires.saturating_mul(1_000);
    if expires_at <= now {
        return Err("the installation token has expired already: is the clock right?".to_owned());
    }
    Ok(Token {
        authorization: format!("Bearer {token}"),
        expires_at,
        obtained_at: now,
    })
}

/// When to exchange again: `padding` minutes before the end, but not before half of the life
/// that is left.
pub fn refresh_at(expires_at: u64, padding_minutes: u64, now: u64) -> u64 {
    let life = expires_at.saturating_sub(now);
    let padding = padding_minutes.saturating_mul(60_000).min(life / 2);
    expires_at.saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn a_jwt_names_its_app_for_ten_minutes_at_most() {
        let input = signing_input("Iv1.abc", 1_000_000_000);
        let claims = input.split_once('.').unwrap().1;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(claims)
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "Iv1.abc");
        assert_eq!(claims["iat"], 999_940);
        assert_eq!(claims["exp"], 1_000_540);
        assert_eq!(jwt("a.b", &[255]), "a.b._w");
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn answers_are_read_not_trusted() {
        let good = br#"{"token":"ghs_x","expires_at":"1970-01-01T01:00:00Z"}"#;
        let token = read_token(201, good, 1_000).unwrap();
        assert_eq!(
            (token.authorization.as_str(), token.expires_at),
            ("Bearer ghs_x", 3_600_000)
        );
        for (status, body) in [
            (401, &b""[..]),
            (0, b""),
            (201, b"<html>"),
            (201, br#"{"token":"","expires_at":"1970-01-01T01:00:00Z"}"#),
            (
                201,
                br#"{"token":"a\r\nb","expires_at":"1970-01-01T01:00:00Z"}"#,
            ),
            (201, br#"{"token":"x","expires_at":"soon"}"#),
            (201, br#"{"token":"x","expires_at":"1970-01-01T00:00:01Z"}"#),
        ] {
            assert!(
                read_token(status, body, 1_000).is_err(),
                "{status} {body:?}"
            );
        }
    }

    #[test]
    fn a_short_life_is_refreshed_at_its_half() {
        assert_eq!(refresh_at(3_600_000, 10, 0), 3_000_000);
        assert_eq!(refresh_at(8_000, 10, 0), 4_000);
        assert_eq!(refresh_at(8_000, 0, 0), 8_000);
    }
}
