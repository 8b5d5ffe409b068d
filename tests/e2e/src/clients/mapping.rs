//! What must be equal of two runs: everything, once the address of the API is the same.

use crate::clients::Place;
use serde_json::Value;

/// At most so many differences are shown.
const SHOWN: usize = 12;

/// `value` with `{api}` for the address of the API, in each text, key and header, wherever in it,
/// and without the members called as in `ignored`.
pub fn mapped(value: &Value, place: &Place, ignored: &[String]) -> Value {
    let map = |item: &Value| mapped(item, place, ignored);
    match value {
        Value::String(text) => Value::String(text_of(text, place)),
        Value::Array(items) => items.iter().map(map).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !ignored.contains(key))
            .map(|(key, member)| (text_of(key, place), map(member)))
            .collect(),
        _ => value.clone(),
    }
}

fn text_of(text: &str, place: &Place) -> String {
    let mut text = text.to_owned();
    for base in place.bases() {
        text = text.replace(&base, "{api}");
    }
    text
}

/// Fails with what differs, and where, when the results are not the same.
///
/// # Panics
/// When they differ.
pub fn assert_same(what: &str, expected: &Value, actual: &Value) {
    let mut found = Vec::new();
    differences("", expected, actual, &mut found);
    assert!(
        found.is_empty(),
        "{what}: {} differences:\n{}",
        found.len(),
        found[..found.len().min(SHOWN)].join("\n")
    );
}

fn differences(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let other = right.get(key).unwrap_or(&Value::Null);
                differences(&format!("{path}/{key}"), value, other, found);
            }
            for key in right.keys().filter(|key| !left.contains_key(*key)) {
                found.push(format!("{path}/{key} is only in the second"));
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                found.push(format!("{path}: {} and {} items", left.len(), right.len()));
            }
            for (at, (value, other)) in left.iter().zip(right).enumerate() {
                differences(&format!("{path}/{at}"), value, other, found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{path}: expected {expected}, not {actual}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Mount;
    use serde_json::json;

    fn place(mount: Mount) -> Place {
        Place::new(([127, 0, 0, 1], 8080).into(), mount, "t")
    }

    #[test]
    fn only_the_mount_that_was_used_is_the_api() {
        let value = json!({
            "url": "http://127.0.0.1:8080/api/v3/user",
            "upload_url": "http://127.0.0.1:8080/api/uploads/x{?name}",
            "other": "http://127.0.0.1:8080/user",
            "etag": "1",
        });
        assert_eq!(
            mapped(&value, &place(Mount::ApiV3), &["etag".to_owned()]),
            json!({
                "url": "{api}/user",
                "upload_url": "{api}/x{?name}",
                "other": "http://127.0.0.1:8080/user",
            })
        );
        assert_eq!(
            mapped(&value, &place(Mount::Root), &[])["url"],
            "{api}/api/v3/user"
        );
    }

    #[test]
    fn every_difference_is_found_with_its_place() {
        let mut found = Vec::new();
        differences(
            "",
            &json!({"a": [1, {"b": 2}], "c": 3, "d": 4}),
            &json!({"a": [1, {"b": 5}, 6], "d": 4, "e": 7}),
            &mut found,
        );
        found.sort();
        assert_eq!(
            found,
            [
                "/a/1/b: expected 2, not 5",
                "/a: 2 and 3 items",
                "/c: expected 3, not null",
                "/e is only in the second",
            ]
        );
    }
}
