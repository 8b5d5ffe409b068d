//! `POST /graphql`: a small part of GitHub's schema, read by a real parser.
//!
//! Objects are made whole and cut to the selection afterwards, so only connections, which take
//! arguments, have code of their own. Unknown fields are errors in GitHub's shape, inside a 200.

use crate::reply::Reply;
use crate::routes::{text, Call};
use crate::world::json::node_id;
use crate::world::time::iso;
use crate::world::{seed, Comment, Issue, Repo, World};
use base64::{engine::general_purpose::STANDARD, Engine};
use graphql_parser::query::{
    parse_query, Definition, Document, Field, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet, Value as Literal,
};
use serde_json::{json, Map, Value};

/// A parsed request.
struct Query<'a> {
    fragments: Vec<&'a FragmentDefinition<'a, String>>,
    variables: Value,
}

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

struct Problem {
    kind: &'static str,
    message: String,
}

fn not_found(what: &str) -> Problem {
    Problem {
        kind: "NOT_FOUND",
        message: format!("Could not resolve to {what}."),
    }
}

fn undefined(field: &str, of: &str) -> Problem {
    Problem {
        kind: "undefinedField",
        message: format!("Field '{field}' doesn't exist on type '{of}'"),
    }
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

/// The name under which a field is answered.
fn key(field: &Field<'_, String>) -> String {
    field.alias.clone().unwrap_or_else(|| field.name.clone())
}

impl<'a> Query<'a> {
    /// The fields of a selection, those of fragments for this type included.
    fn fields(&self, set: &'a SelectionSet<'a, String>, of: &str) -> Vec<&'a Field<'a, String>> {
        let mut fields = Vec::new();
        for selection in &set.items {
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(inline) => {
                    let fits = inline.type_condition.as_ref().is_none_or(|condition| {
                        let graphql_parser::query::TypeCondition::On(name) = condition;
                        name == of
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
                    if let Some(fragment) = known {
                        fields.extend(self.fields(&fragment.selection_set, of));
                    }
                }
            }
        }
        fields
    }

    fn argument(&self, field: &Field<'_, String>, name: &str) -> Value {
        let literal = field.arguments.iter().find(|(known, _)| known == name);
        literal.map_or(Value::Null, |(_, literal)| self.literal(literal))
    }

    fn literal(&self, literal: &Literal<'_, String>) -> Value {
        match literal {
            Literal::Variable(name) => self.variables.get(name).cloned().unwrap_or_default(),
            Literal::Int(number) => json!(number.as_i64()),
            Literal::Float(number) => json!(number),
            Literal::String(text) | Literal::Enum(text) => json!(text),
            Literal::Boolean(flag) => json!(flag),
            Literal::Null => Value::Null,
            Literal::List(items) => items.iter().map(|item| self.literal(item)).collect(),
            Literal::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), self.literal(member)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// Cuts a whole object (or a list of them) to the selection.
    fn cut(&self, set: &'a SelectionSet<'a, String>, whole: &Value) -> Result<Value, Problem> {
        if let Value::Array(items) = whole {
            return items.iter().map(|item| self.cut(set, item)).collect();
        }
        if set.items.is_empty() || whole.is_null() {
            return Ok(whole.clone());
        }
        let of = text(whole, "__typename").unwrap_or_default();
        let mut cut = Map::new();
        for field in self.fields(set, &of) {
            let member = whole
                .get(&field.name)
                .ok_or_else(|| undefined(&field.name, &of))?;
            cut.insert(key(field), self.cut(&field.selection_set, member)?);
        }
        Ok(Value::Object(cut))
    }

    fn root(
        &self,
        call: &Call<'_>,
        world: &World,
        field: &'a Field<'a, String>,
    ) -> Result<Value, Problem> {
        let set = &field.selection_set;
        let argument = |name: &str| {
            self.argument(field, name)
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        match field.name.as_str() {
            "__typename" => Ok(json!("Query")),
            "viewer" => self.cut(set, &actor(call, world, &call.actor())),
            "user" | "organization" => {
                let login = argument("login");
                let known = world.account(&login);
                known.ok_or_else(|| not_found(&format!("a User with the login of '{login}'")))?;
                self.cut(set, &actor(call, world, &login))
            }
            "rateLimit" => {
                let mut limits = call.shared.limits.lock();
                let owner = call.who.owner_key();
                let standing = limits.standing(&owner, "graphql", crate::shared::now() as u64);
                self.cut(
                    set,
                    &json!({
                        "__typename": "RateLimit",
                        "limit": standing.limit,
                        "cost": 1,
                        "remaining": standing.remaining,
                        "used": standing.used,
                        "resetAt": iso(standing.reset),
                        "nodeCount": 0,
                    }),
                )
            }
            "repository" => {
                let (owner, name) = (argument("owner"), argument("name"));
                let repo = world.repo_id(&owner, &name).and_then(|id| world.repo(id));
                let repo = repo.filter(|repo| call.sees(repo));
                let what = format!("a Repository with the name '{owner}/{name}'");
                self.repository(call, world, repo.ok_or_else(|| not_found(&what))?, set)
            }
            other => Err(undefined(other, "Query")),
        }
    }

    fn repository(
        &self,
        call: &Call<'_>,
        world: &World,
        repo: &Repo,
        set: &'a SelectionSet<'a, String>,
    ) -> Result<Value, Problem> {
        let whole = json!({
            "__typename": "Repository",
            "id": node_id("Repository", repo.id),
            "databaseId": repo.id,
            "name": repo.name,
            "nameWithOwner": repo.full_name(),
            "owner": actor(call, world, &repo.owner),
            "description": repo.description,
            "isPrivate": repo.private,
            "isArchived": repo.archived,
            "hasIssuesEnabled": repo.has_issues,
            "url": format!("https://github.com/{}", repo.full_name()),
            "createdAt": iso(repo.created),
            "updatedAt": iso(repo.updated),
            "defaultBranchRef": {"__typename": "Ref", "name": repo.default_branch},
        });
        let mut cut = Map::new();
        for field in self.fields(set, "Repository") {
            let below = &field.selection_set;
            let pulls = field.name.starts_with("pull");
            let value = match field.name.as_str() {
                "issues" | "pullRequests" => {
                    let all: Vec<&Issue> = repo
                        .issues
                        .values()
                        .filter(|issue| issue.pull.is_some() == pulls)
                        .collect();
                    self.issues(call, world, repo, field, all)?
                }
                "issue" | "pullRequest" => {
                    let number = self.argument(field, "number").as_u64().unwrap_or_default();
                    let issue = repo
                        .issues
                        .get(&number)
                        .filter(|issue| issue.pull.is_some() == pulls);
                    let what = format!("an issue or pull request with the number of {number}");
                    let issue = issue.ok_or_else(|| not_found(&what))?;
                    self.issue(call, world, repo, issue, below)?
                }
                name => {
                    let member = whole
                        .get(name)
                        .ok_or_else(|| undefined(name, "Repository"))?;
                    self.cut(below, member)?
                }
            };
            cut.insert(key(field), value);
        }
        Ok(Value::Object(cut))
    }

    fn issues(
        &self,
        call: &Call<'_>,
        world: &World,
        repo: &Repo,
        field: &'a Field<'a, String>,
        mut all: Vec<&Issue>,
    ) -> Result<Value, Problem> {
        if let Value::Array(states) = self.argument(field, "states") {
            all.retain(|issue| states.contains(&json!(if issue.open { "OPEN" } else { "CLOSED" })));
        }
        let order = self.argument(field, "orderBy");
        if order.get("direction") == Some(&json!("DESC")) {
            all.reverse();
        }
        self.connection(field, &all, |issue, set| {
            self.issue(call, world, repo, issue, set)
        })
    }

    fn issue(
        &self,
        call: &Call<'_>,
        world: &World,
        repo: &Repo,
        issue: &Issue,
        set: &'a SelectionSet<'a, String>,
    ) -> Result<Value, Problem> {
        let kind = if issue.pull.is_some() {
            "PullRequest"
        } else {
            "Issue"
        };
        let labels: Vec<Value> = issue
            .labels
            .iter()
            .filter_map(|name| repo.labels.get(&name.to_lowercase()))
            .map(|label| {
                let id = node_id("Label", label.id);
                json!({"__typename": "Label", "id": id, "name": label.name, "color": label.color})
            })
            .collect();
        let whole = json!({
            "__typename": kind,
            "id": node_id(kind, issue.id),
            "databaseId": issue.id,
            "number": issue.number,
            "title": issue.title,
            "body": issue.body.clone().unwrap_or_default(),
            "state": if issue.open { "OPEN" } else { "CLOSED" },
            "closed": !issue.open,
            "url": format!("https://github.com/{}/issues/{}", repo.full_name(), issue.number),
            "author": actor(call, world, &issue.user),
            "createdAt": iso(issue.created),
            "updatedAt": iso(issue.updated),
            "closedAt": issue.closed.map(iso),
            "headRefName": issue.pull.as_ref().map(|pull| &pull.head),
            "baseRefName": issue.pull.as_ref().map(|pull| &pull.base),
        });
        let mut cut = Map::new();
        for field in self.fields(set, kind) {
            let value = match field.name.as_str() {
                "labels" => self.connection(field, &labels, |label, set| self.cut(set, label))?,
                "comments" => {
                    let comments: Vec<&Comment> = repo.comments_on(issue.number).collect();
                    self.connection(field, &comments, |comment, set| {
                        self.cut(set, &comment_json(call, world, comment))
                    })?
                }
                name => {
                    let member = whole.get(name).ok_or_else(|| undefined(name, kind))?;
                    self.cut(&field.selection_set, member)?
                }
            };
            cut.insert(key(field), value);
        }
        Ok(Value::Object(cut))
    }

    /// A page of a connection, by `first` and `after`, or `last` and `before`.
    fn connection<T>(
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
        let (first, last) = (number("first"), number("last"));
        if first.or(last).is_none() {
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
                "totalCount" => json!(all.len()),
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

    fn mutate(
        &self,
        call: &Call<'_>,
        world: &mut World,
        field: &'a Field<'a, String>,
    ) -> Result<Value, Problem> {
        let input = self.argument(field, "input");
        let given = |name: &str| text(&input, name).unwrap_or_default();
        let user = call.actor();
        world.ensure_user(&user);
        let now = world.tick();
        let (repo, number) = match field.name.as_str() {
            "createIssue" => {
                let wanted = given("repositoryId");
                let repo = world
                    .repos()
                    .find(|repo| node_id("Repository", repo.id) == wanted);
                let repo = repo
                    .ok_or_else(|| not_found("a node with the given id"))?
                    .id;
                seed::add_issues(world, repo, 1);
                let found = world.repo_mut(repo);
                let issue = found.and_then(|repo| repo.issues.values_mut().next_back());
                let issue = issue.ok_or_else(|| not_found("the issue"))?;
                issue.title = given("title");
                issue.body = text(&input, "body");
                issue.user = user;
                issue.open = true;
                issue.closed = None;
                issue.labels.clear();
                (repo, issue.number)
            }
            "addComment" => {
                let wanted = given("subjectId");
                let (repo, number) = commented(world, &wanted)
                    .ok_or_else(|| not_found("a node with the given id"))?;
                let new = world.next_id();
                let comment = Comment {
                    id: new,
                    issue: number,
                    user,
                    body: given("body"),
                    created: now,
                    updated: now,
                };
                if let Some(repo) = world.repo_mut(repo) {
                    repo.comments.insert(new, comment);
                }
                (repo, number)
            }
            other => return Err(undefined(other, "Mutation")),
        };
        let world: &World = world;
        let repo = world
            .repo(repo)
            .ok_or_else(|| not_found("the repository"))?;
        let issue = repo
            .issues
            .get(&number)
            .ok_or_else(|| not_found("the issue"))?;
        let mut cut = Map::new();
        for part in self.fields(&field.selection_set, "Payload") {
            let value = match part.name.as_str() {
                "clientMutationId" => json!(text(&input, "clientMutationId")),
                "issue" | "subject" => self.issue(call, world, repo, issue, &part.selection_set)?,
                other => return Err(undefined(other, "Payload")),
            };
            cut.insert(key(part), value);
        }
        Ok(Value::Object(cut))
    }
}

/// The repository and number of the issue or pull request with this node id.
fn commented(world: &World, wanted: &str) -> Option<(u64, u64)> {
    world.repos().find_map(|repo| {
        let is = |issue: &&Issue| {
            let kinds = ["Issue", "PullRequest"];
            kinds.iter().any(|kind| node_id(kind, issue.id) == wanted)
        };
        repo.issues
            .values()
            .find(is)
            .map(|issue| (repo.id, issue.number))
    })
}

fn actor(call: &Call<'_>, world: &World, login: &str) -> Value {
    let account = world.account(login);
    let organization = account.is_some_and(|account| account.organization);
    let kind = if organization { "Organization" } else { "User" };
    let id = account.map_or(0, |account| account.id);
    let viewer = call.who.login().is_some_and(|viewer| viewer == login);
    json!({
        "__typename": kind,
        "id": node_id(kind, id),
        "databaseId": id,
        "login": login,
        "name": login,
        "url": format!("https://github.com/{login}"),
        "isViewer": viewer,
    })
}

fn comment_json(call: &Call<'_>, world: &World, comment: &Comment) -> Value {
    json!({
        "__typename": "IssueComment",
        "id": node_id("IssueComment", comment.id),
        "databaseId": comment.id,
        "body": comment.body,
        "author": actor(call, world, &comment.user),
        "createdAt": iso(comment.created),
    })
}
