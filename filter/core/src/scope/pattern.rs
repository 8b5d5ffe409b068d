//! A regular expression that must match the whole text.
//!
//! Registries were written for Python's `re`. `fancy-regex` has its look-around
//! and back references and most of its syntax; what would silently mean
//! something else here is refused. A pattern must be complete by itself: it is
//! parsed alone before it is anchored, so none can close the anchoring group.

use fancy_regex::{Expr, Regex, RegexBuilder};

/// Steps of backtracking before a match counts as failed. A path of a few
/// hundred bytes needs some thousands; 100,000 take about a millisecond.
const BACKTRACK_LIMIT: usize = 100_000;

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
        if let Some(difference) = foreign_class_syntax(pattern) {
            return Err(format!("not a valid regular expression: {difference}"));
        }
        Expr::parse_tree(pattern).map_err(|error| explain(&error))?;
        // In verbose mode a comment at the end would swallow the closing group.
        let end = if starts_verbose(pattern) { "\n" } else { "" };
        RegexBuilder::new(&format!(r"\A(?:{pattern}{end})\z"))
            .case_insensitive(any_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map(Self)
            .map_err(|error| explain(&error))
    }
}

/// The last line of an error: those of nested parsers draw the pattern above it.
fn explain(error: &fancy_regex::Error) -> String {
    let error = error.to_string();
    let reason = error.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("not a valid regular expression: {reason}")
}

/// Whether the pattern starts with global flags (as Python demands) that hold `x`.
fn starts_verbose(pattern: &str) -> bool {
    let flags = pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'));
    flags.is_some_and(|(flags, _)| {
        flags.bytes().all(|flag| flag.is_ascii_alphabetic()) && flags.contains('x')
    })
}

/// Inside `[…]` Python takes `[`, `&&`, `--` and `~~` literally; here they nest
/// and combine classes. Refused, so that no pattern allows more than it did.
fn foreign_class_syntax(pattern: &str) -> Option<&'static str> {
    let mut rest = pattern;
    while let Some(at) = rest.find(['\\', '[']) {
        rest = rest.get(at..)?;
        if rest.starts_with('\\') {
            rest = after_escape(rest);
            continue;
        }
        // A `]` right after the opening is literal.
        rest = rest.strip_prefix("[^").unwrap_or(rest.get(1..)?);
        rest = rest.strip_prefix(']').unwrap_or(rest);
        loop {
            if rest.starts_with('\\') {
                rest = after_escape(rest);
                continue;
            }
            if rest.starts_with('[') {
                return Some("write [ inside of [...] as \\[");
            }
            if ["&&", "--", "~~"].iter().any(|set| rest.starts_with(set)) {
                return Some("write &&, -- and ~~ inside of [...] with backslashes, as \\&\\&");
            }
            let mut characters = rest.chars();
            match characters.next() {
                None | Some(']') => break,
                Some(_) => rest = characters.as_str(),
            }
        }
    }
    None
}

fn after_escape(rest: &str) -> &str {
    let mut characters = rest.chars();
    characters.nth(1);
    characters.as_str()
}
