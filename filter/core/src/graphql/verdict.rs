//! Tells queries from mutations and subscriptions, with a real parser (apollo-parser).
//!
//! A body is a query only when every reader must take it for one: whatever is malformed, what
//! two readers may understand differently, and what passes a limit is `Unclear`. Nothing is
//! executed or validated against a schema, and no input makes this panic or recurse deeply.

use apollo_parser::cst::{Definition, OperationDefinition};
use apollo_parser::Parser;
use serde::de::IgnoredAny;
use serde::Deserialize;
use std::borrow::Cow;

/// Nesting that is followed; a document that goes deeper is unclear. Handwritten queries have
/// ten levels or so.
const DEEPEST: usize = 128;
/// Tokens that are read, blanks included; a document with more of them is unclear.
const MOST_TOKENS: usize = 200_000;

/// What a body would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Only read.
    Query,
    /// Change something.
    Mutation,
    /// Subscribe, which GitHub does not offer.
    Subscription,
    /// Nobody can say for sure.
    Unclear,
}

/// One request (GraphQL over HTTP, "JSON encoding"). A member that occurs twice is an error: two
/// readers could take one each.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
}

/// Judges the body of a `POST /graphql`: one request, or a batch of them.
pub fn judge(body: &[u8]) -> Verdict {
    let Ok(body) = std::str::from_utf8(body) else {
        return Verdict::Unclear;
    };
    let requests: Option<Vec<Envelope<'_>>> = if body.trim_ascii_start().starts_with('[') {
        serde_json::from_str(body).ok()
    } else {
        serde_json::from_str(body).ok().map(|request| vec![request])
    };
    let requests = requests.unwrap_or_default();
    worst(requests.iter().map(judge_request))
}

/// The first that is not a query; of none: unclear.
fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let mut all = Verdict::Unclear;
    for verdict in verdicts {
        if verdict != Verdict::Query {
            return verdict;
        }
        all = verdict;
    }
    all
}

fn judge_request(request: &Envelope<'_>) -> Verdict {
    let source = request.query.as_ref();
    if is_ambiguous(source) {
        return Verdict::Unclear;
    }
    let parser = Parser::new(source)
        .recursion_limit(DEEPEST)
        .token_limit(MOST_TOKENS);
    let tree = parser.parse();
    if tree.errors().next().is_some() {
        return Verdict::Unclear;
    }
    let mut operations = Vec::new();
    for definition in tree.document().definitions() {
        match definition {
            Definition::OperationDefinition(operation) => operations.push(operation),
            Definition::FragmentDefinition(_) => {}
            // A schema is nothing that can be run.
            _ => return Verdict::Unclear,
        }
    }
    // Without a name there must be one operation only, or none of them runs.
    let name = request.operation_name.as_deref().unwrap_or_default();
    let runs = |operation: &&OperationDefinition| name.is_empty() || name_of(operation) == name;
    worst(operations.iter().filter(runs).map(kind))
}

fn name_of(operation: &OperationDefinition) -> String {
    let name = operation.name();
    name.map_or_else(String::new, |name| name.text().to_string())
}

fn kind(operation: &OperationDefinition) -> Verdict {
    let Some(written) = operation.operation_type() else {
        // The short form, `{ … }`.
        return Verdict::Query;
    };
    if written.query_token().is_some() {
        Verdict::Query
    } else if written.mutation_token().is_some() {
        Verdict::Mutation
    } else if written.subscription_token().is_some() {
        Verdict::Subscription
    } else {
        Verdict::Unclear
    }
}

/// Whether lexers in use disagree about where a string of this document ends: they do about
/// an escaped backslash before a quotation mark, and about backslashes in block strings. What is
/// a string for one could be a mutation for another.
fn is_ambiguous(source: &str) -> bool {
    source.contains(r#"\\""#) || source.contains(r#"""""#) && source.contains('\\')
}

/// The members of an answer that tell whether it is one.
#[derive(Deserialize)]
struct Answer {
    data: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
}

/// Whether the body of a 200 has data and no errors.
pub fn is_answer(body: &[u8]) -> bool {
    let answer: Result<Answer, _> = serde_json::from_slice(body);
    answer.is_ok_and(|answer| answer.data.is_some() && answer.errors.is_none())
}

#[cfg(test)]
mod tests;
