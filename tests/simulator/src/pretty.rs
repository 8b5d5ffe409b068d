//! Lays JSON out for people, as GitHub does for user agents that look like a person's.
//!
//! The entity tag of such a response is that of the compact body, so this never takes part in it.

use serde_json::Value;

/// The products in a User-Agent that make GitHub lay the body out.
const PEOPLE: [&str; 4] = ["curl", "Wget", "Safari", "Firefox"];

/// Whether a body for this User-Agent is laid out.
pub fn wanted(user_agent: &str) -> bool {
    PEOPLE.iter().any(|product| user_agent.contains(product))
}

/// `value` over several lines, two spaces a level, with a final newline.
///
/// Empty arrays and objects are spread over lines too, as GitHub's are.
pub fn print(value: &Value) -> Vec<u8> {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.push('\n');
    text.into_bytes()
}

fn write(text: &mut String, value: &Value, level: usize) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                line(text, index, level + 1);
                write(text, item, level + 1);
            }
            close(text, items.is_empty(), level, ']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                line(text, index, level + 1);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                write(text, member, level + 1);
            }
            close(text, members.is_empty(), level, '}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn line(text: &mut String, index: usize, level: usize) {
    text.push_str(if index == 0 { "\n" } else { ",\n" });
    indent(text, level);
}

fn close(text: &mut String, empty: bool, level: usize, bracket: char) {
    text.push_str(if empty { "\n\n" } else { "\n" });
    indent(text, level);
    text.push(bracket);
}

fn indent(text: &mut String, level: usize) {
    for _ in 0..level {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lays_out_nested_and_empty_values() {
        let text = String::from_utf8(print(&json!({"a": [1, "x"], "b": []}))).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": [\n    1,\n    \"x\"\n  ],\n  \"b\": [\n\n  ]\n}\n"
        );
    }

    #[test]
    fn only_agents_of_people_want_it() {
        assert!(wanted("curl/8.5.0"));
        assert!(!wanted("PyGithub/Python"));
    }
}
