//! Reads the response examples of an OpenAPI description of GitHub's API (the npm package
//! `@octokit/openapi` has it as `generated/api.github.com.json`).
//!
//! Every GET operation with a JSON example for 200 gives one: its path with example values for
//! its parameters, and its body as published. Of operations that come to the same path the first
//! is kept, as only one can be served. `/rate_limit` is left out: its answer must stay true.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::path::PathBuf;

/// An operation's example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The operation, such as `issues/list-for-repo`.
    pub operation: String,
    /// The path, parameters filled in, with a query where a parameter is required.
    pub path: String,
    /// The body; it is served compact, `body.to_string()` byte for byte.
    pub body: Value,
}

/// Where the set-up has put the description: `GITHUB_OPENAPI`, or else
/// `tools/openapi/api.github.com.json` in the target folder that this program was built in.
pub fn installed() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("GITHUB_OPENAPI") {
        return Some(PathBuf::from(file));
    }
    let program = std::env::current_exe().ok()?;
    let mut folders = program.ancestors().skip(1);
    folders.find_map(|folder| {
        let file = folder.join("tools/openapi/api.github.com.json");
        file.is_file().then_some(file)
    })
}

/// All examples of a description, in its order.
///
/// # Errors
/// When the text is no OpenAPI description in JSON.
pub fn examples(text: &[u8]) -> Result<Vec<Example>> {
    let description: Value = serde_json::from_slice(text).context("not JSON")?;
    let paths = description.get("paths").and_then(Value::as_object);
    let paths = paths.context("no OpenAPI description: `paths` is missing")?;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (template, item) in paths.iter().filter(|(path, _)| *path != "/rate_limit") {
        let Some(operation) = item.get("get") else {
            continue;
        };
        let Some(body) = body(&description, operation) else {
            continue;
        };
        let path = path(&description, template, item, operation);
        // A path alone would also answer for the same path with any query.
        if seen.insert(path.split('?').next().unwrap_or_default().to_owned()) {
            let operation = operation.get("operationId").and_then(Value::as_str);
            found.push(Example {
                operation: operation.unwrap_or(template).to_owned(),
                path,
                body: body.clone(),
            });
        }
    }
    Ok(found)
}

/// Follows `$ref`.
fn resolved<'a>(description: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..8 {
        let reference = value.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(|text| text.strip_prefix('#'))
            .and_then(|pointer| description.pointer(pointer));
        match target {
            Some(target) => value = target,
            None => break,
        }
    }
    value
}

fn body<'a>(description: &'a Value, operation: &'a Value) -> Option<&'a Value> {
    let response = resolved(description, operation.get("responses")?.get("200")?);
    let content = response.get("content")?.get("application/json")?;
    if let Some(example) = content.get("example") {
        return Some(example);
    }
    let examples = content.get("examples")?.as_object()?;
    resolved(description, examples.values().next()?).get("value")
}

fn path(description: &Value, template: &str, item: &Value, operation: &Value) -> String {
    let mut path = template.to_owned();
    let mut query = Vec::new();
    let shared = item.get("parameters").and_then(Value::as_array);
    let own = operation.get("parameters").and_then(Value::as_array);
    for parameter in shared.into_iter().chain(own).flatten() {
        let parameter = resolved(description, parameter);
        let member = |key: &str| {
            parameter
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (name, place) = (member("name"), member("in"));
        let required = parameter
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let value = sample(description, name, parameter);
        match place {
            "path" => path = path.replace(&format!("{{{name}}}"), &value),
            "query" if required => query.push(format!("{name}={value}")),
            _ => {}
        }
    }
    if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// A value for a parameter: its example, default or first choice, or one after its type.
fn sample(description: &Value, name: &str, parameter: &Value) -> String {
    let schema = parameter
        .get("schema")
        .map(|schema| resolved(description, schema));
    let of_schema = |key: &str| schema.and_then(|schema| schema.get(key));
    let choice = of_schema("enum").and_then(|choices| choices.get(0));
    let known = [
        parameter.get("example"),
        of_schema("example"),
        of_schema("default"),
        choice,
    ];
    let text = match known.into_iter().flatten().next() {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .first()
            .and_then(Value::as_str)
            .unwrap_or("x")
            .to_owned(),
        Some(other) => other.to_string(),
        None if of_schema("type").and_then(Value::as_str) == Some("integer") => "42".to_owned(),
        None => name.replace('_', "-"),
    };
    crate::world::json::encoded(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_filled_in_and_references_followed() {
        let description = json!({
            "paths": {
                "/repos/{owner}/issues/{n}": {"get": {
                    "operationId": "issues/get",
                    "parameters": [
                        {"$ref": "#/components/parameters/owner"},
                        {"name": "n", "in": "path", "required": true, "schema": {"type": "integer"}},
                        {"name": "q", "in": "query", "required": true, "schema": {"type": "string"}},
                    ],
                    "responses": {"200": {"content": {"application/json": {
                        "examples": {"default": {"$ref": "#/components/examples/one"}},
                    }}}},
                }},
                "/zen": {"get": {"responses": {"204": {}}}},
            },
            "components": {
                "parameters": {"owner": {"name": "owner", "in": "path", "schema": {"type": "string"}}},
                "examples": {"one": {"value": {"number": 1}}},
            },
        });
        let found = examples(description.to_string().as_bytes()).unwrap();
        assert_eq!(
            found,
            [Example {
                operation: "issues/get".to_owned(),
                path: "/repos/owner/issues/42?q=q".to_owned(),
                body: json!({"number": 1}),
            }]
        );
    }
}
