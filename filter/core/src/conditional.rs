//! A client's own preconditions, judged on a current stored response (RFC 9110 §13).
//!
//! If-None-Match goes before If-Modified-Since (§13.2.2). Both only turn a 200 into a 304.

use crate::etag::{members, opaque};
use crate::header::Headers;

/// What a client asked to be spared.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    /// If-None-Match, as one list.
    pub if_none_match: Option<Vec<u8>>,
    /// If-Modified-Since.
    pub if_modified_since: Option<Vec<u8>>,
}

impl Preconditions {
    /// Takes them from a request.
    pub fn of(request: &Headers) -> Self {
        Self {
            if_none_match: request.joined("if-none-match"),
            if_modified_since: request.get("if-modified-since").map(<[u8]>::to_vec),
        }
    }

    /// Whether a 304 answers them, given the response's fields. `also_known_as` says whether a
    /// tag is one that GitHub would have given to another credential for the same body.
    pub fn not_modified(
        &self,
        response: &Headers,
        mut also_known_as: impl FnMut(&[u8]) -> bool,
    ) -> bool {
        if let Some(list) = &self.if_none_match {
            let current = response.get("etag").and_then(opaque);
            let members = members(list);
            let plain = members
                .iter()
                .any(|member| member.is_none() || *member == current);
            return plain || members.into_iter().flatten().any(&mut also_known_as);
        }
        match (&self.if_modified_since, response.get("last-modified")) {
            (Some(since), Some(modified)) => {
                matches!((date(since), date(modified)), (Some(s), Some(m)) if m <= s)
            }
            _ => false,
        }
    }
}

/// An HTTP-date in any of its three forms (RFC 9110 §5.6.7).
fn date(value: &[u8]) -> Option<std::time::SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn preconditions_are_judged_as_rfc_9110_says() {
        let cases = [
            (Some("\"a\""), None, true),
            (Some("W/\"a\""), None, true),
            (Some("\"x\", W/\"a\""), None, true),
            (Some("*"), None, true),
            (Some("\"b\""), None, false),
            (Some("\"other\""), None, true),
            (None, Some(EARLIER), true),
            (None, Some(LATER), true),
            (None, Some("Sat, 05 Nov 1994 08:49:37 GMT"), false),
            (None, Some("nonsense"), false),
            // If-None-Match decides alone.
            (Some("\"b\""), Some(LATER), false),
            (None, None, false),
        ];
        let response = Headers::new(vec![
            ("etag".into(), b"W/\"a\"".to_vec()),
            ("last-modified".into(), EARLIER.into()),
        ]);
        for (tags, since, expected) in cases {
            let preconditions = Preconditions {
                if_none_match: tags.map(Into::into),
                if_modified_since: since.map(Into::into),
            };
            let got = preconditions.not_modified(&response, |tag| tag == b"other");
            assert_eq!(got, expected, "{tags:?} {since:?}");
        }
    }

    #[test]
    fn without_a_tag_no_list_matches() {
        let preconditions = Preconditions {
            if_none_match: Some(b"\"a\"".to_vec()),
            if_modified_since: None,
        };
        assert!(!preconditions.not_modified(&Headers::default(), |_| false));
    }
}
