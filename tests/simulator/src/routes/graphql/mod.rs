//! `POST /graphql`: a small part of GitHub's schema, read by a real parser.
//!
//! Objects are made whole and cut to the selection afterwards, so only connections, which take
//! arguments, have code of their own. Unknown fields are errors in GitHub's shape, inside a 200.

mod mutations;
mod queries;
mod selection;

use crate::reply::Reply;
use crate::routes::{text, Call};
use crate::world::World;
use graphql_parser::query::{parse_query, Definition, Document, OperationDefinition, SelectionSet};
use selection::{key, Query};
use serde_json::{json, Map, Value};

/// Answers a request.
pub fn answer(call: &Call<'_>, world: &mut World) -> Reply {
    let Some(body) = call.request.json() else {
        return Reply::problems_parsing_json();
    };
    let Some(source) = text(&body, "query") else {
        return errors("A query attribute must be specified and must be a string.");
    };
    let document = match parse_query::<String>(&source) {
        Ok(document) => document,
        Err(error) => return errors(&format!("Parse error: {error}")),
    };
    let name = text(&body, "operationName").filter(|name| !name.is_empty());
    let Some((selection, mutation)) = operation(&document, name.as_deref()) else {
        return errors("An operation name is required");
    };
    let fragments = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::Fragment(fragment) => Some(fragment),
            Definition::Operation(_) => None,
        });
    let query = Query {
        fragments: fragments.collect(),
        variables: body.get("variables").cloned().unwrap_or_default(),
    };
    let mut data = Map::new();
    for field in query.fields(selection, if mutation { "Mutation" } else { "Query" }) {
        let value = match mutation {
            true => query.mutate(call, world, field),
            false => query.root(call, world, field),
        };
        match value {
            Ok(value) => data.insert(key(field), value),
            Err(problem) => {
                data.insert(key(field), Value::Null);
                let error = json!({
                    "type": problem.kind,
                    "path": [key(field)],
                    "locations": [{"line": field.position.line, "column": field.position.column}],
                    "message": problem.message,
                });
                return Reply::json(json!({"data": data, "errors": [error]}));
            }
        };
    }
    Reply::json(json!({"data": data}))
}

fn errors(message: &str) -> Reply {
    Reply::json(json!({"errors": [{"message": message}]}))
}

/// The selection of the operation that is to run, and whether it is a mutation.
fn operation<'a>(
    document: &'a Document<'a, String>,
    name: Option<&str>,
) -> Option<(&'a SelectionSet<'a, String>, bool)> {
    let mut found = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::Operation(OperationDefinition::SelectionSet(set)) => {
                Some((None, set, false))
            }
            Definition::Operation(OperationDefinition::Query(query)) => {
                Some((query.name.as_deref(), &query.selection_set, false))
            }
            Definition::Operation(OperationDefinition::Mutation(mutation)) => {
                Some((mutation.name.as_deref(), &mutation.selection_set, true))
            }
            _ => None,
        });
    match name {
        Some(name) => found.find(|(known, ..)| *known == Some(name)),
        None => found.next().filter(|_| found.next().is_none()),
    }
    .map(|(_, set, mutation)| (set, mutation))
}
