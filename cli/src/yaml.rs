//! YAML as a JSON value that still knows its lines.
//!
//! Follows the core schema of YAML 1.2: `yes` and `2030-01-01` are strings, and
//! of two equal keys neither wins. Anchors, aliases and merge keys work, within
//! a bound on what they may expand to. No message quotes a value.

use std::collections::{BTreeMap, HashMap};

use github_proxy_core::config::shown_key;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

/// Deeper than any registry, shallow enough for every stack.
/// How the message about a key that occurs twice ends, after its path.
pub const TWICE: &str = "the key occurs twice";

const MAX_DEPTH: usize = 64;
/// Bounds what aliases expand to (the "billion laughs").
const MAX_VALUES: usize = 1_000_000;

/// A parsed document.
#[derive(Debug, Default)]
pub struct Document {
    /// The value. Where errors are not empty, it is good for finding more of them only.
    pub value: Value,
    /// What is wrong in it, such as a key that occurs twice.
    pub errors: Vec<YamlError>,
    lines: BTreeMap<String, usize>,
}

/// A fault and its line, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct YamlError {
    pub line: usize,
    pub message: String,
}

impl Document {
    /// The line of `path`, such as `clients[1].name`, or of the nearest value around it.
    pub fn line(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            // The document itself has the empty path.
            let Some(end) = path
                .rfind(['.', '['])
                .or_else(|| (!path.is_empty()).then_some(0))
            else {
                return 1;
            };
            path = path.get(..end).unwrap_or_default();
        }
    }
}

/// Parses `text`, which holds one document or nothing (null).
///
/// # Errors
/// `text` is not YAML, or not one document.
pub fn load(text: &str) -> Result<Document, YamlError> {
    let mut loader = Loader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        lines: BTreeMap::new(),
        values: 0,
        errors: Vec::new(),
    };
    Ok(Document {
        value: loader.document()?,
        errors: loader.errors,
        lines: loader.lines,
    })
}

struct Loader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What each anchor stands for, and of how many values it is made.
    anchors: HashMap<usize, (Value, usize)>,
    lines: BTreeMap<String, usize>,
    values: usize,
    errors: Vec<YamlError>,
}

type Read<T> = Result<T, YamlError>;

impl<'t> Loader<'t> {
    fn document(&mut self) -> Read<Value> {
        let mut value = None;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(value.unwrap_or_default()),
                Event::DocumentStart(_) if value.is_some() => {
                    return Err(error(
                        line,
                        "expected one document, here a second one starts",
                    ));
                }
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                start => value = Some(self.value(start, line, "", 0)?),
            }
        }
    }

    fn next(&mut self) -> Read<(Event<'t>, usize)> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => Ok((event, start.line())),
            Some(Err(fault)) => Err(not_yaml(&fault)),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    /// The value that starts with `event`.
    fn value(&mut self, event: Event<'t>, line: usize, path: &str, depth: usize) -> Read<Value> {
        let before = self.values;
        self.count(1, line)?;
        if depth > MAX_DEPTH {
            return Err(error(line, "nested too deep"));
        }
        self.lines.entry(path.to_owned()).or_insert(line);
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                // Known at the latest when its value is complete: an alias inside it has none.
                let Some((value, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(line, "an alias inside of what it stands for"));
                };
                self.count(size, line)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, style, tag.as_deref(), line)?)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", line)?;
                (anchor, self.sequence(path, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", line)?;
                (anchor, self.mapping(path, depth)?)
            }
            _ => return Err(error(line, "expected a value")),
        };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (value.clone(), self.values - before));
        }
        Ok(value)
    }

    fn sequence(&mut self, path: &str, depth: usize) -> Read<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, line) => {
                    let path = format!("{path}[{}]", items.len());
                    items.push(self.value(event, line, &path, depth + 1)?);
                }
            }
        }
    }

    fn mapping(&mut self, path: &str, depth: usize) -> Read<Value> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, line) = self.next()?;
            let Some((key, merges)) = self.key(event, line)? else {
                break;
            };
            let path = match (path, shown_key(&key)) {
                ("", key) => key.to_owned(),
                (path, key) => format!("{path}.{key}"),
            };
            let twice = !merges && map.contains_key(&key);
            if twice {
                self.errors.push(error(line, &format!("{path}: {TWICE}")));
            } else {
                self.lines.insert(path.clone(), line);
            }
            let (event, value_line) = self.next()?;
            let value = self.value(event, value_line, &path, depth + 1)?;
            if merges {
                merged.push((value, line));
            } else if !twice {
                map.insert(key, value);
            }
        }
        for (value, line) in merged {
            merge(&mut map, value, line)?;
        }
        Ok(Value::Object(map))
    }

    /// The key that starts with `event`, and whether it is the merge key; `None` at the end.
    fn key(&mut self, event: Event<'t>, line: usize) -> Read<Option<(String, bool)>> {
        match event {
            Event::MappingEnd => Ok(None),
            Event::Scalar(text, style, _, tag) => {
                let merges = text == "<<" && style == ScalarStyle::Plain;
                match scalar(&text, style, tag.as_deref(), line)? {
                    Value::String(key) => Ok(Some((key, merges))),
                    _ => Err(error(line, "expected a string as a key: put it in quotes")),
                }
            }
            _ => Err(error(line, "expected a string as a key")),
        }
    }

    fn count(&mut self, values: usize, line: usize) -> Read<()> {
        self.values += values;
        if self.values > MAX_VALUES {
            return Err(error(line, "too many values"));
        }
        Ok(())
    }
}

/// Adds the entries of `value` that `map` lacks (YAML's merge key type).
fn merge(map: &mut Map<String, Value>, value: Value, line: usize) -> Read<()> {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                map.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(mappings) if mappings.iter().all(Value::is_object) => mappings
            .into_iter()
            .try_for_each(|mapping| merge(map, mapping, line)),
        _ => Err(error(
            line,
            "expected a mapping or a list of mappings to merge",
        )),
    }
}

/// Resolves a scalar by the core schema (YAML 1.2.2 §10.3.2).
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Read<Value> {
    let tag = match tag {
        None if style == ScalarStyle::Plain => return Ok(plain(text)),
        None => "str",
        Some(tag) if tag.is_yaml_core_schema() => tag.suffix.as_str(),
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => "str",
        Some(_) => "",
    };
    let value = if tag == "str" {
        Value::String(text.to_owned())
    } else {
        plain(text)
    };
    let fits = match tag {
        "str" => true,
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_u64() || value.is_i64(),
        "float" => value.is_number(),
        _ => return Err(error(line, "this tag is not supported")),
    };
    if fits {
        Ok(value)
    } else {
        Err(error(line, "the value does not fit its tag"))
    }
}

fn check_tag(tag: Option<&Tag>, expected: &str, line: usize) -> Read<()> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() || tag.suffix != expected => {
            Err(error(line, "this tag is not supported"))
        }
        _ => Ok(()),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let radix = |digits: &str, radix| {
        let unsigned = digits.starts_with(|digit: char| digit.is_digit(radix));
        u64::from_str_radix(digits, radix).ok().filter(|_| unsigned)
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Number::from);
    }
    // Rust also reads "inf" and "nan", which are strings in YAML.
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(numeric) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let integer = text.parse::<u64>().map(Number::from).ok();
    integer
        .or_else(|| text.parse::<i64>().map(Number::from).ok())
        .or_else(|| Number::from_f64(text.parse().ok()?))
}

fn not_yaml(fault: &ScanError) -> YamlError {
    error(
        fault.marker().line(),
        &format!("not valid YAML: {}", fault.info()),
    )
}

fn error(line: usize, message: &str) -> YamlError {
    YamlError {
        line,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
