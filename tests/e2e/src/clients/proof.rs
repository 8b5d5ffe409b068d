//! What the simulator's log proves about a run through the proxy.

use crate::clients::world;
use crate::{GitHub, TOKEN};
use base64::{engine::general_purpose::STANDARD, Engine};
use github_simulator::log::{Cost, Entry};

/// Each request that arrived was sent by the proxy: it carries a credential of the pool, which the
/// client does not have; and nothing of it contains the proxy token, which only the client has.
///
/// # Panics
/// When a request does not, or when there is none.
pub fn only_through_the_proxy(what: &str, github: &GitHub) {
    let entries = github.requests();
    assert!(!entries.is_empty(), "{what}: nothing reached the simulator");
    for entry in entries {
        let name = entry.token.as_deref().unwrap_or_default();
        let request = format!("{} {}", entry.method, entry.target);
        assert!(
            world::pool().contains(&name),
            "{what}: {request} came around the proxy: {entry:?}"
        );
    }
    no_proxy_token(what, github);
}

/// Nothing of any request that arrived contains the proxy token.
///
/// # Panics
/// When one does.
pub fn no_proxy_token(what: &str, github: &GitHub) {
    for entry in github.requests() {
        assert!(
            !said(&entry).iter().any(|text| tells_the_token(text)),
            "{what}: a request has the proxy token: {entry:?}"
        );
    }
}

/// The requests for something to read that were counted against a rate limit. What GitHub answers
/// with another status than 200 has no validator, and so cannot be confirmed free of charge.
pub fn paid_reads(github: &GitHub) -> Vec<String> {
    let entries = github.requests().into_iter();
    entries
        .filter(|entry| entry.cost == Cost::Counted)
        .filter(|entry| ["GET", "HEAD"].contains(&entry.method.as_str()))
        .filter(|entry| entry.status == Some(200))
        .map(|entry| format!("{} {}", entry.method, entry.target))
        .collect()
}

/// Everything that a request said, with Basic credentials decoded.
fn said(entry: &Entry) -> Vec<String> {
    let mut all = vec![entry.target.clone()];
    all.extend(entry.body_text.clone());
    for (name, value) in &entry.headers {
        let basic = value.split_once(' ').and_then(|(_, coded)| {
            let bytes = STANDARD.decode(coded).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        all.extend(basic);
        all.push(format!("{name}: {value}"));
    }
    all
}

/// As it is, as a client writes it in an URL, or in base64.
fn tells_the_token(text: &str) -> bool {
    let escaped = TOKEN
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let coded = STANDARD.encode(TOKEN);
    [TOKEN, &escaped, coded.trim_end_matches('=')]
        .iter()
        .any(|form| text.contains(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_each_form() {
        assert!(tells_the_token(&format!("authorization: token {TOKEN}")));
        assert!(tells_the_token(
            "/x?access_token=H%2BhYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ%3D"
        ));
        assert!(tells_the_token(&STANDARD.encode(TOKEN)));
        assert!(!tells_the_token("authorization: token ghp_x"));
    }
}
