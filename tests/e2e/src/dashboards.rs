//! The dashboards of this repository, and their queries with Grafana's variables filled in.

use crate::prometheus::observability;
use serde_json::Value;
use std::path::PathBuf;

/// One dashboard.
pub struct Dashboard {
    /// The name of its file.
    pub name: String,
    /// What is in it.
    pub json: Value,
}

/// A query of a panel or of a variable.
#[derive(Debug)]
pub struct Query {
    /// Dashboard and panel.
    pub place: String,
    /// PromQL with variables.
    pub expression: String,
}

/// The files.
pub fn paths() -> Vec<PathBuf> {
    let folder = observability().join("grafana/dashboards");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|it| it.expect("a file").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// All of them.
pub fn all() -> Vec<Dashboard> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy();
        Dashboard {
            json: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")),
            name: name.into_owned(),
        }
    };
    paths().iter().map(read).collect()
}

impl Dashboard {
    /// Every query of every panel.
    pub fn queries(&self) -> Vec<Query> {
        let panels = self.json["panels"].as_array().expect("panels").iter();
        panels
            .flat_map(|panel| {
                let targets = panel["targets"].as_array().into_iter().flatten();
                targets.map(|target| Query {
                    place: format!("{}, {}", self.name, panel["title"]),
                    expression: target["expr"].as_str().expect("a query").to_owned(),
                })
            })
            .collect()
    }

    /// What its variables ask for: `label_values(selector, label)`.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = self.json["templating"]["list"].as_array();
        let variables = variables.expect("variables").iter();
        variables
            .filter(|variable| variable["type"] == "query")
            .map(|variable| {
                let query = variable["query"]["query"].as_str().expect("a query");
                let inner = query
                    .strip_prefix("label_values(")
                    .and_then(|it| it.strip_suffix(')'));
                let parts = inner.and_then(|it| it.rsplit_once(", "));
                let (selector, label) = parts.expect("label_values(selector, label)");
                (selector.to_owned(), label.to_owned())
            })
            .collect()
    }
}

/// Fills in variables. What is left is one that nobody knows.
///
/// # Panics
/// When one is left.
pub fn filled(expression: &str, values: &[(&str, &str)]) -> String {
    let mut text = expression.to_owned();
    // The longest first: `$__range` begins as `$__rate` does not, but names may.
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in values {
        text = text.replace(&format!("${name}"), value);
    }
    assert!(!text.contains('$'), "a variable that nobody sets: {text}");
    text
}
