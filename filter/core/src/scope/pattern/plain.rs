//! Patterns that need no engine: text, with or without `.*` after it, and several of these with
//! `|` between them. Most scopes are such, and an engine takes some 20 KB for each and each VM.

/// One alternative.
#[derive(Debug, PartialEq, Eq)]
struct Alternative {
    text: String,
    /// Whether anything but a line break may follow.
    open: bool,
}

/// What matches where one of its alternatives does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    alternatives: Vec<Alternative>,
    any_case: bool,
}

impl Plain {
    /// `pattern` as text; `None` where it takes an engine.
    pub(super) fn of(pattern: &str, any_case: bool) -> Option<Self> {
        let alternatives = pattern.split('|').map(alternative);
        Some(Self {
            alternatives: alternatives.collect::<Option<_>>()?,
            any_case,
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let equal = |a: &str, b: &str| match self.any_case {
            true => a.eq_ignore_ascii_case(b),
            false => a == b,
        };
        self.alternatives.iter().any(|it| {
            let begins = text.split_at_checked(it.text.len());
            begins.is_some_and(|(beginning, rest)| {
                equal(beginning, &it.text) && (rest.is_empty() || it.open && !rest.contains('\n'))
            })
        })
    }
}

/// ASCII without any character that means something in a regular expression. An alternative
/// without anything is left to the engine.
fn alternative(pattern: &str) -> Option<Alternative> {
    let (text, open) = match pattern.strip_suffix(".*") {
        Some(text) => (text, true),
        None => (pattern, false),
    };
    let is_text = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-~%:@,=".contains(&byte);
    (text.bytes().all(is_text) && !pattern.is_empty()).then(|| Alternative {
        text: text.to_owned(),
        open,
    })
}
