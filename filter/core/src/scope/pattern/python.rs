//! Where the syntax of Python's `re` means something else in `fancy-regex`.
//!
//! - `\d`, `\w`, `\s` and their negations become ASCII classes. Methods and
//!   normalised paths are ASCII, so nothing else is matched than in Python, and
//!   `[\w.-]{1,100}` takes kilobytes instead of the megabytes of Unicode's tables.
//! - Inside `[…]` Python takes `[`, `&&`, `--` and `~~` literally; here they nest
//!   and combine classes. Refused, so that no pattern allows more than it did.

/// The pattern for `fancy-regex`.
///
/// # Errors
/// What to write instead of what would silently change its meaning.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut translated = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            '[' if in_class => return Err("write [ inside of [...] as \\["),
            '[' => {
                in_class = true;
                opening(rest)
            }
            ']' => {
                in_class = false;
                1
            }
            '&' | '-' | '~' if in_class && rest.chars().nth(1) == Some(first) => {
                return Err("write &&, -- and ~~ inside of [...] with backslashes, as \\&\\&");
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        translated.push_str(ascii_class(token).unwrap_or(token));
        rest = after;
    }
    Ok(translated)
}

/// Whether the pattern starts with global flags (as Python demands) that hold `x`.
pub(super) fn starts_verbose(pattern: &str) -> bool {
    let flags = pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'));
    flags.is_some_and(|(flags, _)| {
        flags.bytes().all(|flag| flag.is_ascii_alphabetic()) && flags.contains('x')
    })
}

/// The length of what opens a class: a `]` right after it is literal.
fn opening(class: &str) -> usize {
    let opening = if class.starts_with("[^") { 2 } else { 1 };
    let literal = class
        .get(opening..)
        .is_some_and(|rest| rest.starts_with(']'));
    opening + usize::from(literal)
}

/// A class that may stand alone or, nested, inside of another one.
fn ascii_class(escape: &str) -> Option<&'static str> {
    match escape {
        r"\d" => Some("[0-9]"),
        r"\D" => Some("[^0-9]"),
        r"\w" => Some("[0-9A-Za-z_]"),
        r"\W" => Some("[^0-9A-Za-z_]"),
        r"\s" => Some(r"[\x09-\x0D\x20]"),
        r"\S" => Some(r"[^\x09-\x0D\x20]"),
        _ => None,
    }
}
