//! Looks for secrets where none may be: as they are, in part, and in the usual encodings.

use base64::{engine::general_purpose::STANDARD_NO_PAD, Engine};

/// So many characters of a secret in a row are a leak.
const PART: usize = 12;

/// The first trace of `secret` in `place`: its surroundings, for a message.
pub fn find(secret: &str, place: &[u8]) -> Option<String> {
    let at = traces(secret)
        .iter()
        .find_map(|trace| position(trace, place))?;
    let around = &place[at.saturating_sub(80)..place.len().min(at + 80)];
    Some(String::from_utf8_lossy(around).into_owned())
}

/// Fails when one of `secrets` left a trace in `place`.
pub fn none_of<'a>(secrets: impl IntoIterator<Item = &'a str>, what: &str, place: &[u8]) {
    for secret in secrets {
        if let Some(around) = find(secret, place) {
            panic!("a secret is in {what}: …{around}…");
        }
    }
}

/// What gives a secret away.
fn traces(secret: &str) -> Vec<Vec<u8>> {
    let mut encoded = vec![secret.to_owned(), secret.chars().rev().collect()];
    encoded.push(hex::encode(secret));
    encoded.push(hex::encode_upper(secret));
    // Base64 depends on how many bytes precede it: the first characters then differ.
    for before in 0..3 {
        let text = STANDARD_NO_PAD.encode(format!("{}{secret}", "x".repeat(before)));
        encoded.push(text[4..].to_owned());
    }
    encoded
        .iter()
        .flat_map(|text| text.as_bytes().windows(PART).map(<[u8]>::to_vec))
        .collect()
}

fn position(needle: &[u8], place: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(found) = place[from..].iter().position(|byte| *byte == first) {
        let at = from + found;
        if place[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let secret = "ghp_0123456789abcdefXYZ";
        let basic = STANDARD.encode(format!("x-access-token:{secret}"));
        for place in [
            format!("Bearer {secret}"),
            format!("… {} …", &secret[3..16]),
            format!("Basic {basic}"),
            hex::encode(secret),
        ] {
            assert!(find(secret, place.as_bytes()).is_some(), "{place}");
        }
        assert_eq!(find(secret, b"ghp_0123456 and other things"), None);
    }
}
