//! Reads the `scopes` of a client and compiles their patterns.
//!
//! Of `method` and `path` one may be missing: any will do then. An empty list and an
//! empty value are refused rather than guessed: one reader takes them for "nothing",
//! another for "everything".

use super::reader::{Fields, Node};
use crate::graphql;
use crate::scope::{Pattern, Rule, Scopes};

pub(super) fn read(node: &Node<'_>) -> Option<Scopes> {
    let items = node.items()?;
    if items.is_empty() {
        node.error("expected at least one scope; without the key scopes everything is allowed");
    }
    let rules: Vec<_> = items.iter().map(read_rule).collect();
    Some(Scopes::only(rules.into_iter().collect::<Option<_>>()?))
}

fn read_rule(node: &Node<'_>) -> Option<Rule> {
    let fields = node.fields(&["method", "path", "graphql"])?;
    let graphql = fields.optional("graphql");
    // A rule about GraphQL alone needs no more words.
    let (any_method, any_path) = match graphql {
        Some(_) => ("POST", graphql::PATH),
        None => (".*", ".*"),
    };
    let method = pattern(&fields, "method", any_method, Pattern::any_case);
    let path = pattern(&fields, "path", any_path, Pattern::new);
    if fields.is_empty() {
        node.error("expected method, path or graphql; without scopes everything is allowed");
        return None;
    }
    let queries_only = graphql.is_some();
    if let Some(graphql) = graphql {
        read_graphql(&graphql)?;
    }
    Some(Rule {
        method: method?,
        path: path?,
        queries_only,
    })
}

fn pattern(
    fields: &Fields<'_, '_>,
    key: &str,
    default: &str,
    compile: fn(&str) -> Result<Pattern, String>,
) -> Option<Pattern> {
    match fields.optional(key) {
        None => compile(default).ok(),
        Some(node) => node.check(compile(node.string()?)),
    }
}

fn read_graphql(node: &Node<'_>) -> Option<()> {
    if node.string()? != "query" {
        node.error("expected \"query\": POST /graphql for queries only, never for mutations");
        return None;
    }
    Some(())
}
