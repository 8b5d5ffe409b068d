//! `github-proxy token`: mints a proxy token for a client.
//!
//! The token is 256 bits from the operating system, in base64. The registry
//! entry holds its digest alone, so the file is worth nothing to a thief. The
//! token itself is printed once and kept nowhere.

use anyhow::{bail, Context as _};
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use github_proxy_core::config::registry;
use github_proxy_core::secret::Secret;

/// A new token.
///
/// # Errors
/// The operating system has no random numbers.
pub fn mint() -> anyhow::Result<Secret> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).context("the operating system gave no random numbers")?;
    Ok(Secret::new(STANDARD.encode(bytes)))
}

/// The hex digest of `token` as a registry entry holds it.
pub fn digest(token: &Secret) -> String {
    hex::encode(registry::token_digest(token.expose().as_bytes()))
}

/// A new token for the client `name`, with its registry entry and how to use both.
///
/// # Errors
/// `name` is not the name of a client.
pub fn token(name: &str) -> anyhow::Result<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !begins_well || name.len() > 63 || !name.bytes().all(allowed) {
        bail!(
            "NAME: expected 1 to 63 letters, digits, '_', '.' or '-', starting with a letter or \
             digit"
        );
    }
    let token = mint()?;
    // In quotes, as `true` and `1` are names too.
    Ok(format!(
        "The token of {name}. It is shown this once and kept nowhere; give it to the client:\n\n  \
         {secret}\n\n\
         Its entry under `clients:` in the client registry file holds the digest alone:\n\n  \
         - name: \"{name}\"\n    token_sha256: {digest}\n\n\
         The client uses the token as it would use GitHub's own:\n\n  \
         curl -H 'Authorization: token {secret}' http://127.0.0.1:8080/rate_limit\n",
        secret = token.expose(),
        digest = digest(&token),
    ))
}
