//! A regular expression that must match the whole text.
//!
//! Registries were written for Python's `re`. `fancy-regex` has its look-around
//! and back references and most of its syntax; the module `python` settles the
//! rest. A pattern must be complete by itself: it is parsed alone before it is
//! anchored, so none can close the anchoring group.

mod python;

use fancy_regex::{Expr, Regex, RegexBuilder};

/// Steps of backtracking before a match counts as failed; ordinary patterns
/// with look-around need fewer than a hundred for each byte of the path. Reaching
/// it takes about a millisecond.
const BACKTRACK_LIMIT: usize = 100_000;

/// Bound of what the linear-time engine may build for one pattern, in bytes.
const SIZE_LIMIT: usize = 2 * 1024 * 1024;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern(Regex);

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
        self.0.is_match(text).unwrap_or(false)
    }

    fn compile(pattern: &str, any_case: bool) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("expected a regular expression, found nothing; .* matches all".to_owned());
        }
        let translated = python::translate(pattern).map_err(invalid)?;
        Expr::parse_tree(&translated).map_err(|error| explain(&error))?;
        // In verbose mode a comment at the end would swallow the closing group.
        let end = if python::starts_verbose(pattern) {
            "\n"
        } else {
            ""
        };
        RegexBuilder::new(&format!(r"\A(?:{translated}{end})\z"))
            .case_insensitive(any_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .build()
            .map(Self)
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
