//! A regular expression that must match the whole text.
//!
//! Registries were written for Python's `re`. `fancy-regex` has its look-around
//! and back references and most of its syntax; the module `python` translates the
//! rest, or refuses it. A pattern must be complete by itself: it is parsed alone before it is
//! anchored, so none can close the anchoring group.

mod plain;
mod python;

use self::plain::Plain;
use fancy_regex::{Expr, Regex, RegexBuilder};

/// Steps of backtracking before a match counts as failed; ordinary patterns
/// with look-around need fewer than a hundred for each byte of the path. Reaching
/// it takes about a millisecond.
const BACKTRACK_LIMIT: usize = 100_000;

/// Bound of what the linear-time engine may build for one pattern, in bytes.
const SIZE_LIMIT: usize = 2 * 1024 * 1024;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern(Matcher);

#[derive(Debug)]
enum Matcher {
    Plain(Plain),
    Regex(Regex),
}

impl Pattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// Why the pattern is not valid, in one line.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, false)
    }

    /// Compiles `pattern` to match text in any case.
    ///
    /// # Errors
    /// Why the pattern is not valid, in one line.
    pub fn any_case(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, true)
    }

    /// Whether it matches all of `text`. False when that cannot be decided in time.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Matcher::Plain(plain) => plain.matches(text),
            Matcher::Regex(regex) => regex.is_match(text).unwrap_or(false),
        }
    }

    fn compile(pattern: &str, any_case: bool) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("expected a regular expression, found nothing; .* matches all".to_owned());
        }
        if let Some(plain) = Plain::of(pattern, any_case) {
            return Ok(Self(Matcher::Plain(plain)));
        }
        Self::engine(pattern, any_case)
    }

    fn engine(pattern: &str, any_case: bool) -> Result<Self, String> {
        let translated = python::translate(pattern).map_err(|reason| invalid(&reason))?;
        Expr::parse_tree(&translated).map_err(|error| explain(&error))?;
        RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
            .case_insensitive(any_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .build()
            .map(|regex| Self(Matcher::Regex(regex)))
            .map_err(|error| explain(&error))
    }
}

/// The last line of an error: those of nested parsers draw the pattern above it.
fn explain(error: &fancy_regex::Error) -> String {
    let error = error.to_string();
    let reason = error.lines().last().unwrap_or_default();
    invalid(reason.strip_prefix("error: ").unwrap_or(reason))
}

fn invalid(reason: &str) -> String {
    format!("not a valid regular expression: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn only_what_is_text_does_without_the_engine() {
        for (pattern, is_plain) in [
            ("GET", true),
            ("GET|HEAD", true),
            (".*", true),
            ("/repos/acme/.*|/rate_limit", true),
            ("/user%2Fx", true),
            ("GET|", false),
            ("G.T", false),
            ("/a.*/b", false),
            ("^/user$", false),
            ("/é", false),
            ("(?x)a", false),
        ] {
            let plain = Plain::of(pattern, false).is_some();
            assert_eq!(plain, is_plain, "{pattern}");
        }
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn text_means_what_the_engine_takes_it_for(
                pattern in "[/aB%-]{0,3}(\\.\\*)?(\\|[/aB-]{0,3}(\\.\\*)?)?",
                text in "[/aAbBé\n%-]{0,6}",
                any_case: bool,
            ) {
                let (Ok(one), Ok(other)) = (
                    Pattern::compile(&pattern, any_case),
                    Pattern::engine(&pattern, any_case),
                ) else {
                    return Ok(());
                };
                prop_assert_eq!(one.matches(&text), other.matches(&text));
            }
        }
    }
}
