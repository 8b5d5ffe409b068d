//! How long a client lets answers to its GraphQL queries be kept: what its request says
//! (`Cache-Control`, RFC 9111 §5.2.1), else what the registry says of it. Without either, nothing
//! is kept. It never looks at the document.

use crate::cache::directive::Directives;
use crate::header::Headers;

/// The longest time, seconds.
pub const LONGEST: u64 = 86_400;

/// What a client wants of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: it did not ask for caching.
    Nothing,
    /// It would be cached, but this request shall go to GitHub.
    Around,
    /// An answer that is younger than so many seconds will do.
    Within(u64),
}

impl Wish {
    /// The wish of a client with this registry entry and this request.
    pub fn of(request: &Headers, registered: Option<u64>) -> Self {
        let directives = Directives::of(request);
        let refuses = directives.no_cache || directives.no_store;
        match (refuses, directives.max_age, registered) {
            (false, Some(1..), _) | (false, None, Some(_)) => {
                let seconds = directives.max_age.or(registered).unwrap_or_default();
                Self::Within(seconds.min(LONGEST))
            }
            (_, _, Some(_)) => Self::Around,
            (_, _, None) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn the_request_goes_before_the_registry() {
        use Wish::*;
        let cases: [(&[&str], Option<u64>, Wish); 14] = [
            (&[], None, Nothing),
            (&[], Some(60), Within(60)),
            (&["max-age=5"], None, Within(5)),
            (&["max-age=5"], Some(60), Within(5)),
            (&["max-age=500"], Some(60), Within(500)),
            (&["private, Max-Age = 7"], None, Within(7)),
            (&["max-age=\"9\""], None, Within(9)),
            (&["max-age=9", "max-age=3"], None, Within(3)),
            (&["max-age=999999999"], None, Within(LONGEST)),
            (&["max-age=0"], None, Nothing),
            (&["max-age=0"], Some(60), Around),
            (&["max-age=soon"], Some(60), Around),
            (&["no-cache"], Some(60), Around),
            (&["max-age=5, no-store"], None, Nothing),
        ];
        for (values, registered, expected) in cases {
            let fields = values
                .iter()
                .map(|v| ("cache-control".to_owned(), (*v).into()));
            let request = Headers::new(fields.collect());
            assert_eq!(
                Wish::of(&request, registered),
                expected,
                "{values:?} {registered:?}"
            );
        }
    }
}
