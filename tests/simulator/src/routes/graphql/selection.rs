//! The general part of executing an operation: fields and fragments, arguments, connections.

use crate::routes::text;
use base64::{engine::general_purpose::STANDARD, Engine};
use graphql_parser::query::{
    Field, FragmentDefinition, Selection, SelectionSet, TypeCondition, Value as Literal,
};
use serde_json::{json, Map, Value};

/// A parsed request.
pub struct Query<'a> {
    /// Its fragments.
    pub fragments: Vec<&'a FragmentDefinition<'a, String>>,
    /// The values of its variables.
    pub variables: Value,
}

/// Why a field has no value.
pub struct Problem {
    /// As in an error's `type`.
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

/// A thing that is not there.
pub fn not_found(what: &str) -> Problem {
    Problem {
        kind: "NOT_FOUND",
        message: format!("Could not resolve to {what}."),
    }
}

/// A field that the schema lacks.
pub fn undefined(field: &str, of: &str) -> Problem {
    Problem {
        kind: "undefinedField",
        message: format!("Field '{field}' doesn't exist on type '{of}'"),
    }
}

/// The name under which a field is answered.
pub fn key(field: &Field<'_, String>) -> String {
    field.alias.clone().unwrap_or_else(|| field.name.clone())
}

/// The value of a literal, with those of the variables in it.
pub fn literal(literal: &Literal<'_, String>, variables: &Value) -> Value {
    let value = |literal| self::literal(literal, variables);
    match literal {
        Literal::Variable(name) => variables.get(name).cloned().unwrap_or_default(),
        Literal::Int(number) => json!(number.as_i64()),
        Literal::Float(number) => json!(number),
        Literal::String(text) | Literal::Enum(text) => json!(text),
        Literal::Boolean(flag) => json!(flag),
        Literal::Null => Value::Null,
        Literal::List(items) => items.iter().map(value).collect(),
        Literal::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), value(member)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// Whether a type is the one called `name`, or one of those that it stands for.
fn is_a(of: &str, name: &str) -> bool {
    match name {
        "Actor" | "RepositoryOwner" => ["User", "Organization", "Bot"].contains(&of),
        "IssueOrPullRequest" | "Labelable" | "Assignable" | "Comment" => {
            ["Issue", "PullRequest"].contains(&of)
        }
        "Node" => true,
        name => of == name,
    }
}

impl<'a> Query<'a> {
    /// The fields of a selection, those of fragments for this type included.
    pub fn fields(
        &self,
        set: &'a SelectionSet<'a, String>,
        of: &str,
    ) -> Vec<&'a Field<'a, String>> {
        let mut fields = Vec::new();
        for selection in &set.items {
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(inline) => {
                    let fits = inline.type_condition.as_ref().is_none_or(|condition| {
                        let TypeCondition::On(name) = condition;
                        is_a(of, name)
                    });
                    if fits {
                        fields.extend(self.fields(&inline.selection_set, of));
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let known = self
                        .fragments
                        .iter()
                        .find(|known| known.name == spread.fragment_name);
                    let fitting = known.filter(|known| {
                        let TypeCondition::On(name) = &known.type_condition;
                        is_a(of, name)
                    });
                    if let Some(fragment) = fitting {
                        fields.extend(self.fields(&fragment.selection_set, of));
                    }
                }
            }
        }
        fields
    }

    /// The value of an argument, null when absent.
    pub fn argument(&self, field: &Field<'_, String>, name: &str) -> Value {
        let literal = field.arguments.iter().find(|(known, _)| known == name);
        literal.map_or(Value::Null, |(_, value)| {
            self::literal(value, &self.variables)
        })
    }

    /// Cuts a whole object (or a list of them) to the selection.
    pub fn cut(&self, set: &'a SelectionSet<'a, String>, whole: &Value) -> Result<Value, Problem> {
        if let Value::Array(items) = whole {
            return items.iter().map(|item| self.cut(set, item)).collect();
        }
        if set.items.is_empty() || whole.is_null() {
            return Ok(whole.clone());
        }
        let of = text(whole, "__typename").unwrap_or_default();
        let mut cut = Map::new();
        for field in self.fields(set, &of) {
            cut.insert(key(field), self.member(field, whole, &of)?);
        }
        Ok(Value::Object(cut))
    }

    /// A field of a whole object of the type `of`.
    pub fn member(
        &self,
        field: &'a Field<'a, String>,
        whole: &Value,
        of: &str,
    ) -> Result<Value, Problem> {
        let member = whole.get(&field.name);
        let member = member.ok_or_else(|| undefined(&field.name, of))?;
        match member.get("__connection").and_then(Value::as_array) {
            Some(nodes) => self.connection(field, nodes, |node, set| self.cut(set, node)),
            None => self.cut(&field.selection_set, member),
        }
    }

    /// A page of a connection, by `first` and `after`, or `last` and `before`, with the newest
    /// first if `orderBy` wants it so.
    pub fn connection<T>(
        &self,
        field: &'a Field<'a, String>,
        all: &[T],
        show: impl Fn(&T, &'a SelectionSet<'a, String>) -> Result<Value, Problem>,
    ) -> Result<Value, Problem> {
        let number = |name: &str| {
            let value = self.argument(field, name).as_u64()?;
            usize::try_from(value).ok()
        };
        let place = |name: &str| {
            let value = self.argument(field, name);
            let bytes = STANDARD.decode(value.as_str()?).ok()?;
            String::from_utf8(bytes)
                .ok()?
                .strip_prefix("cursor:")?
                .parse::<usize>()
                .ok()
        };
        let descending = self.argument(field, "orderBy").get("direction") == Some(&json!("DESC"));
        let mut all: Vec<&T> = all.iter().collect();
        if descending {
            all.reverse();
        }
        let (first, last) = (number("first"), number("last"));
        let counts_only = self
            .fields(&field.selection_set, "Connection")
            .iter()
            .all(|part| part.name != "nodes" && part.name != "edges");
        if first.or(last).is_none() && !counts_only {
            return Err(Problem {
                kind: "MISSING_PAGINATION_BOUNDARIES",
                message: format!(
                    "You must provide a `first` or `last` value for `{}`.",
                    field.name
                ),
            });
        }
        let mut start = place("after").unwrap_or(0).min(all.len());
        let mut end = place("before")
            .map_or(all.len(), |before| before.saturating_sub(1))
            .max(start);
        end = end.min(all.len());
        match (first, last) {
            (Some(first), _) => end = end.min(start.saturating_add(first.min(100))),
            (None, Some(last)) => start = start.max(end.saturating_sub(last.min(100))),
            (None, None) => {}
        }
        let cursor = |place: usize| STANDARD.encode(format!("cursor:{place}"));
        let items = all.get(start..end).unwrap_or_default();
        let some = !items.is_empty();
        let page = json!({
            "__typename": "PageInfo",
            "hasNextPage": end < all.len(),
            "hasPreviousPage": start > 0,
            "startCursor": some.then(|| cursor(start + 1)),
            "endCursor": some.then(|| cursor(end)),
        });
        let mut cut = Map::new();
        for part in self.fields(&field.selection_set, "Connection") {
            let set = &part.selection_set;
            let value = match part.name.as_str() {
                "totalCount" | "issueCount" | "repositoryCount" => json!(all.len()),
                "pageInfo" => self.cut(set, &page)?,
                "nodes" => items
                    .iter()
                    .map(|item| show(item, set))
                    .collect::<Result<_, _>>()?,
                "edges" => {
                    let mut edges = Vec::new();
                    for (index, item) in items.iter().enumerate() {
                        let mut edge = Map::new();
                        for member in self.fields(set, "Edge") {
                            let value = match member.name.as_str() {
                                "cursor" => json!(cursor(start + index + 1)),
                                "node" => show(item, &member.selection_set)?,
                                other => return Err(undefined(other, "Edge")),
                            };
                            edge.insert(key(member), value);
                        }
                        edges.push(Value::Object(edge));
                    }
                    Value::Array(edges)
                }
                other => return Err(undefined(other, "Connection")),
            };
            cut.insert(key(part), value);
        }
        Ok(Value::Object(cut))
    }
}
