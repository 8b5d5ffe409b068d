//! The directives of `Cache-Control` that the cache heeds (RFC 9111 §5.2), of a request or of a
//! response. What it does not know says nothing.

use crate::header::Headers;

/// What a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `no-cache`, also one that names fields.
    pub no_cache: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `no-transform`.
    pub no_transform: bool,
    /// `max-age`, seconds. Of several, the least; what is no number is as good as 0.
    pub max_age: Option<u64>,
}

impl Directives {
    /// Reads the fields of a message.
    pub fn of(headers: &Headers) -> Self {
        let mut found = Self::default();
        let lists = headers.all("cache-control");
        for member in lists.flat_map(|list| list.split(|byte| *byte == b',')) {
            let mut parts = member.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let value = parts.next().unwrap_or_default();
            if name.eq_ignore_ascii_case(b"no-cache") {
                found.no_cache = true;
            } else if name.eq_ignore_ascii_case(b"no-store") {
                found.no_store = true;
            } else if name.eq_ignore_ascii_case(b"no-transform") {
                found.no_transform = true;
            } else if name.eq_ignore_ascii_case(b"max-age") {
                let seconds = seconds(value).unwrap_or_default();
                found.max_age = Some(found.max_age.map_or(seconds, |it| it.min(seconds)));
            }
        }
        found
    }

    /// Whether a stored response of this age, milliseconds, may answer a request that says this
    /// without anybody asking GitHub.
    pub fn allow(self, age: u64) -> bool {
        let longest = self.max_age.map(|seconds| seconds.saturating_mul(1_000));
        !self.no_cache && !self.no_store && longest.is_none_or(|longest| age < longest)
    }
}

fn seconds(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.trim().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn directives_are_read_in_any_form() {
        let none = Directives::default();
        let aged = |seconds| Directives {
            max_age: Some(seconds),
            ..none
        };
        let no_cache = Directives {
            no_cache: true,
            ..none
        };
        let no_store = Directives {
            no_store: true,
            ..none
        };
        for (values, expected) in [
            (&["private, must-revalidate"][..], none),
            (&["private, Max-Age = 7"], aged(7)),
            (&["max-age=\"9\", s-maxage=3"], aged(9)),
            (&["max-age=9", "max-age=3"], aged(3)),
            (&["max-age=soon"], aged(0)),
            (&["x-no-cache, NO-CACHE"], no_cache),
            (&["no-cache=\"set-cookie\""], no_cache),
            (&["x", "no-store"], no_store),
        ] {
            let fields = values.iter();
            let fields = fields.map(|it| ("cache-control".to_owned(), (*it).into()));
            let headers = Headers::new(fields.collect());
            assert_eq!(Directives::of(&headers), expected, "{values:?}");
        }
    }
}
