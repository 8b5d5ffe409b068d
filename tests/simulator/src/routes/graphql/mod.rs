//! `POST /graphql`: a small part of GitHub's schema, read by a real parser.
//!
//! Objects are made whole and cut to the selection afterwards, so only connections, which take
//! arguments, have code of their own. Unknown fields are errors in GitHub's shape, inside a 200.

mod mutations;
mod objects;
mod queries;
mod selection;

use crate::reply::Reply;
use crate::routes::{text, Call};
use crate::world::World;
use graphql_parser::query::{
    parse_query, Definition, Document, OperationDefinition, SelectionSet, VariableDefinition,
};
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
    let Some(operation) = operation(&document, name.as_deref()) else {
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
        variables: variables(&operation, &body),
    };
    let Operation {
        selection,
        mutation,
        ..
    } = operation;
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

/// An operation that can be carried out.
struct Operation<'a> {
    name: Option<&'a str>,
    selection: &'a SelectionSet<'a, String>,
    mutation: bool,
    variables: &'a [VariableDefinition<'a, String>],
}

/// The operation that is to run.
fn operation<'a>(document: &'a Document<'a, String>, name: Option<&str>) -> Option<Operation<'a>> {
    let mut found = document.definitions.iter().filter_map(|definition| {
        let Definition::Operation(operation) = definition else {
            return None;
        };
        let (name, selection, mutation, variables) = match operation {
            OperationDefinition::SelectionSet(set) => (None, set, false, &[][..]),
            OperationDefinition::Query(it) => (
                it.name.as_deref(),
                &it.selection_set,
                false,
                &it.variable_definitions[..],
            ),
            OperationDefinition::Mutation(it) => (
                it.name.as_deref(),
                &it.selection_set,
                true,
                &it.variable_definitions[..],
            ),
            OperationDefinition::Subscription(_) => return None,
        };
        Some(Operation {
            name,
            selection,
            mutation,
            variables,
        })
    });
    match name {
        Some(name) => found.find(|operation| operation.name == Some(name)),
        None => found.next().filter(|_| found.next().is_none()),
    }
}

/// The values of the variables: those sent, and the defaults of the others.
fn variables(operation: &Operation<'_>, body: &Value) -> Value {
    let sent = body.get("variables");
    let mut values = sent.and_then(Value::as_object).cloned().unwrap_or_default();
    for definition in operation.variables {
        if let Some(default) = &definition.default_value {
            let value = || selection::literal(default, &Value::Null);
            values.entry(definition.name.clone()).or_insert_with(value);
        }
    }
    Value::Object(values)
}
