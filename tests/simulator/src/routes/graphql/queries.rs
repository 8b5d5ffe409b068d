//! What can be asked for: the viewer, accounts, repositories, issues, the rate limit.

use crate::routes::graphql::selection::{key, not_found, undefined, Problem, Query};
use crate::routes::Call;
use crate::world::json::node_id;
use crate::world::time::iso;
use crate::world::{Comment, Issue, Repo, World};
use graphql_parser::query::{Field, SelectionSet};
use serde_json::{json, Map, Value};

impl<'a> Query<'a> {
    /// The value of a field of the root.
    pub fn root(
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

    /// An issue or pull request, cut to the selection.
    pub fn issue(
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
