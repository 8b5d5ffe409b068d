//! Walks a document and knows the path of every value.
//!
//! All nodes share one list of faults, so reading goes on after the first one:
//! each method records what is wrong and returns `None`. Types are never
//! converted (a token that YAML reads as a number has lost its leading zeros
//! already), and a value is never quoted in a message, as it may be a secret.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::ConfigError;

/// The path of the document itself.
pub(super) const TOP_LEVEL: &str = "(top level)";

/// Up to here neighbouring integers are different `f64`s (2^53).
const MAX_EXACT: u64 = 9_007_199_254_740_992;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Errors(RefCell<Vec<ConfigError>>);

impl Errors {
    /// What was read if nothing was wrong, else all the faults.
    pub(super) fn into_result<T>(self, read: Option<T>) -> Result<T, Vec<ConfigError>> {
        let errors = self.0.into_inner();
        match read {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(errors),
        }
    }
}

/// One value and where it is.
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
    errors: &'a Errors,
}

impl<'a> Node<'a> {
    /// The document itself.
    pub(super) fn top(value: &'a Value, errors: &'a Errors) -> Self {
        Self {
            value,
            path: TOP_LEVEL.to_owned(),
            errors,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Records a fault of this value. `message` must not hold the value.
    pub(super) fn error(&self, message: impl Into<String>) {
        self.errors.0.borrow_mut().push(ConfigError {
            path: self.path.clone(),
            message: message.into(),
        });
    }

    /// `checked` as an option; its error is recorded.
    pub(super) fn check<T, E: Into<String>>(&self, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|message| self.error(message)).ok()
    }

    /// The fields of a mapping. Keys that are not `known` are recorded.
    pub(super) fn fields(&self, known: &[&str]) -> Option<Fields<'_, 'a>> {
        let Value::Object(map) = self.value else {
            return self.expected("a mapping", "");
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("{UNKNOWN_KEY}, expected one of: {}", known.join(", "));
            self.child(shown_key(key)).error(message);
        }
        Some(Fields { node: self, map })
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Node<'a>>> {
        let Value::Array(items) = self.value else {
            return self.expected("a list", "");
        };
        let node = |(index, value)| Node {
            value,
            path: format!("{}[{index}]", self.path),
            errors: self.errors,
        };
        Some(items.iter().enumerate().map(node).collect())
    }

    /// The raw items of a list, for a look ahead; none if it is not a list.
    pub(super) fn peek_items(&self) -> impl Iterator<Item = &'a Value> {
        self.value.as_array().into_iter().flatten()
    }

    /// A string. Numbers, booleans and null are not turned into one.
    pub(super) fn string(&self) -> Option<&'a str> {
        match self.value {
            Value::String(string) => Some(string),
            Value::Number(_) | Value::Bool(_) => self.expected("a string", ": put it in quotes"),
            _ => self.expected("a string", ""),
        }
    }

    /// A whole number within `range`. `3600.0` counts as one, as some
    /// configuration APIs (protobuf's `Struct`) know no other numbers.
    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let shape = match (range.start(), range.end()) {
            (only, end) if only == end => only.to_string(),
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        let Value::Number(number) = self.value else {
            return self.expected(&shape, "");
        };
        let integer = number.as_u64().or_else(|| whole(number.as_f64()?));
        let within = integer.filter(|integer| range.contains(integer));
        if within.is_none() {
            self.error(format!("expected {shape}, found {number}"));
        }
        within
    }

    /// A string, or the digits of a whole number: an id of GitHub's as people write it.
    pub(super) fn string_or_digits(&self) -> Option<String> {
        if self.is_number() {
            return self.integer(1..=MAX_EXACT).map(|id| id.to_string());
        }
        self.string().map(str::to_owned)
    }

    /// Whether this is a number, for keys that take a number or a string.
    pub(super) fn is_number(&self) -> bool {
        self.value.is_number()
    }

    fn expected<T>(&self, shape: &str, hint: &str) -> Option<T> {
        let found = match self.value {
            Value::Null => "nothing (null)",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a mapping",
        };
        self.error(format!("expected {shape}, found {found}{hint}"));
        None
    }

    fn child(&self, key: &str) -> Node<'a> {
        let path = match self.path.as_str() {
            TOP_LEVEL => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        Node {
            value: self.value,
            path,
            errors: self.errors,
        }
    }
}

/// The fields of one mapping.
pub(super) struct Fields<'n, 'a> {
    node: &'n Node<'a>,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'_, 'a> {
    /// Whether the mapping has no field at all.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The field `key`, if the mapping has it (null counts: it is never a default).
    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        let value = self.map.get(key)?;
        Some(Node {
            value,
            ..self.node.child(key)
        })
    }

    /// The field `key`; its absence is recorded.
    pub(super) fn required(&self, key: &str) -> Option<Node<'a>> {
        let field = self.optional(key);
        if field.is_none() {
            self.node.child(key).error("missing");
        }
        field
    }

    /// The whole number `key` or its default. A fault is recorded, so the default then never
    /// takes effect.
    pub(super) fn integer_or(&self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        self.optional(key)
            .and_then(|node| node.integer(range))
            .unwrap_or(default)
    }

    /// The truth value `key` or its default.
    pub(super) fn flag_or(&self, key: &str, default: bool) -> bool {
        let Some(node) = self.optional(key) else {
            return default;
        };
        node.value.as_bool().unwrap_or_else(|| {
            node.error("expected true or false");
            default
        })
    }
}

/// How the message of a fault begins whose path ends in a key that means nothing.
pub const UNKNOWN_KEY: &str = "unknown key";

/// A key as it may be shown: what cannot be an ordinary key may be a secret
/// that slipped to the wrong side of a colon.
pub fn shown_key(key: &str) -> &str {
    let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if key.len() <= 30 && !key.is_empty() && key.bytes().all(ordinary) {
        key
    } else {
        "(a key)"
    }
}

fn whole(number: f64) -> Option<u64> {
    // Above 2^53 neighbouring integers are one f64; no bound is that large.
    let exact = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked above
    exact.then_some(number as u64)
}
