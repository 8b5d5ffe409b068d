//! What can be asked for: the viewer, accounts, repositories, issues, a search, the rate limit,
//! any node by its id, and which fields a type has.

use crate::routes::graphql::objects;
use crate::routes::graphql::selection::{key, not_found, undefined, Problem, Query};
use crate::routes::{search, text, Call};
use crate::world::json::node_id;
use crate::world::time::iso;
use crate::world::{Issue, Label, Repo, World};
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
            "__type" => self.cut(set, &fields_of(call, world, &argument("name"))),
            "viewer" => self.account(call, world, &call.actor(), set),
            "user" | "organization" | "repositoryOwner" => {
                let login = argument("login");
                let known = world.account(&login);
                known.ok_or_else(|| not_found(&format!("a User with the login of '{login}'")))?;
                self.account(call, world, &login, set)
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
            "search" => self.search(call, world, field, &argument("query")),
            "node" => {
                let id = argument("id");
                let node = self.node(call, world, &id, set)?;
                node.ok_or_else(|| not_found(&format!("a node with the global id of '{id}'")))
            }
            other => Err(undefined(other, "Query")),
        }
    }

    fn account(
        &self,
        call: &Call<'_>,
        world: &World,
        login: &str,
        set: &'a SelectionSet<'a, String>,
    ) -> Result<Value, Problem> {
        let whole = objects::actor(call, world, login);
        let of = text(&whole, "__typename").unwrap_or_default();
        self.object(&of, &whole, set, |field| match field.name.as_str() {
            "repositories" => {
                let repos = world.repos();
                let mut repos: Vec<&Repo> = repos
                    .filter(|repo| repo.owner.eq_ignore_ascii_case(login) && call.sees(repo))
                    .collect();
                if self.argument(field, "privacy") == json!("PRIVATE") {
                    repos.retain(|repo| repo.private);
                }
                let show = |repo: &&Repo, set| self.repository(call, world, repo, set);
                Some(self.connection(field, &repos, show))
            }
            _ => None,
        })
    }

    fn repository(
        &self,
        call: &Call<'_>,
        world: &World,
        repo: &Repo,
        set: &'a SelectionSet<'a, String>,
    ) -> Result<Value, Problem> {
        let whole = objects::repository(call, world, repo);
        self.object("Repository", &whole, set, |field| {
            let below = &field.selection_set;
            let pulls = field.name.starts_with("pull");
            match field.name.as_str() {
                "issues" | "pullRequests" => Some(self.issues(call, world, repo, field, pulls)),
                "issue" | "pullRequest" | "issueOrPullRequest" => {
                    let number = self.argument(field, "number").as_u64().unwrap_or_default();
                    let any = field.name == "issueOrPullRequest";
                    let issue = repo.issues.get(&number);
                    let issue = issue.filter(|issue| any || issue.pull.is_some() == pulls);
                    let what = format!("an issue or pull request with the number of {number}");
                    let issue = issue.ok_or_else(|| not_found(&what));
                    Some(issue.and_then(|it| self.issue(call, world, repo, it, below)))
                }
                "release" => {
                    let tag = self.argument(field, "tagName");
                    let mut all = repo.releases.values();
                    let found = all.find(|release| tag == json!(release.tag));
                    let found = found.map(|it| objects::release(call, world, repo, it));
                    Some(self.cut(below, &found.unwrap_or_default()))
                }
                "refs" => Some(self.refs(repo, field)),
                "label" => {
                    let name = self.argument(field, "name");
                    let name = name.as_str().unwrap_or_default().to_lowercase();
                    let label = repo.labels.get(&name).map(objects::label);
                    Some(self.cut(below, &label.unwrap_or_default()))
                }
                "labels" => {
                    let wanted = self.argument(field, "query");
                    let wanted = wanted.as_str().unwrap_or_default().to_lowercase();
                    let mut labels: Vec<&Label> = repo.labels.values().collect();
                    labels.retain(|label| label.name.to_lowercase().contains(&wanted));
                    labels.sort_by_key(|label| label.id);
                    Some(self.connection(field, &labels, |label, set| {
                        self.cut(set, &objects::label(label))
                    }))
                }
                _ => None,
            }
        })
    }

    /// The branches or tags of a repository, by name or by the date of their commits.
    fn refs(&self, repo: &Repo, field: &'a Field<'a, String>) -> Result<Value, Problem> {
        let prefix = self.argument(field, "refPrefix");
        let prefix = prefix.as_str().unwrap_or_default();
        let names = repo
            .refs
            .keys()
            .filter_map(|name| name.strip_prefix(prefix));
        let mut found: Vec<Value> = names
            .map(|name| objects::reference(repo, prefix, name))
            .collect();
        let by = text(&self.argument(field, "orderBy"), "field");
        if by.as_deref() == Some("TAG_COMMIT_DATE") {
            found.sort_by_key(|it| it.get("target").and_then(|it| text(it, "committedDate")));
        }
        self.connection(field, &found, |reference, set| self.cut(set, reference))
    }

    /// The issues or pull requests of a repository, by state, labels, author, assignee and branch.
    fn issues(
        &self,
        call: &Call<'_>,
        world: &World,
        repo: &Repo,
        field: &'a Field<'a, String>,
        pulls: bool,
    ) -> Result<Value, Problem> {
        let filter = self.argument(field, "filterBy");
        let given = |name: &str| {
            let direct = self.argument(field, name);
            let value = if direct.is_null() {
                filter.get(name).cloned().unwrap_or_default()
            } else {
                direct
            };
            // Where a list is wanted, one will do.
            match value {
                Value::Null => None,
                Value::Array(items) => Some(items),
                one => Some(vec![one]),
            }
        };
        let states = given("states");
        let labels = given("labels");
        let author = given("createdBy");
        let assignee = given("assignee");
        let (head, base) = (given("headRefName"), given("baseRefName"));
        let mentioned = given("mentioned");
        let among = |list: &Option<Vec<Value>>, value: &str| {
            let mut list = list.iter();
            list.all(|list| list.iter().any(|item| item.as_str() == Some(value)))
        };
        let on = |branch: &Option<Vec<Value>>, name: Option<&String>| {
            name.is_none_or(|name| among(branch, name))
        };
        let found: Vec<&Issue> = repo
            .issues
            .values()
            .filter(|issue| issue.pull.is_some() == pulls)
            .filter(|issue| among(&states, objects::state(issue)))
            .filter(|issue| among(&author, &issue.user))
            .filter(|issue| on(&head, issue.pull.as_ref().map(|pull| &pull.head)))
            .filter(|issue| on(&base, issue.pull.as_ref().map(|pull| &pull.base)))
            .filter(|issue| {
                let any = |wanted: &Vec<Value>, names: &[String]| {
                    wanted.iter().any(|name| {
                        let name = name.as_str().unwrap_or_default();
                        names.iter().any(|known| known.eq_ignore_ascii_case(name))
                    })
                };
                labels.iter().all(|wanted| any(wanted, &issue.labels))
                    && assignee.iter().all(|login| any(login, &issue.assignees))
            })
            .filter(|_| mentioned.is_none())
            .collect();
        self.connection(field, &found, |issue, set| {
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
        self.cut(set, &objects::issue(call, world, repo, issue))
    }

    fn search(
        &self,
        call: &Call<'_>,
        world: &World,
        field: &'a Field<'a, String>,
        text: &str,
    ) -> Result<Value, Problem> {
        match self.argument(field, "type").as_str() {
            Some("REPOSITORY") => {
                let found = search::repositories(call, world, text);
                let show = |repo: &&Repo, set| self.repository(call, world, repo, set);
                self.connection(field, &found, show)
            }
            Some("ISSUE") => {
                let found = search::issues(call, world, text);
                self.connection(field, &found, |(repo, issue), set| {
                    self.issue(call, world, repo, issue, set)
                })
            }
            _ => Err(not_found("that type of search")),
        }
    }

    fn node(
        &self,
        call: &Call<'_>,
        world: &World,
        id: &str,
        set: &'a SelectionSet<'a, String>,
    ) -> Result<Option<Value>, Problem> {
        for repo in world.repos().filter(|repo| call.sees(repo)) {
            if node_id("Repository", repo.id) == id {
                return self.repository(call, world, repo, set).map(Some);
            }
            let mut issues = repo.issues.values();
            let issue = issues.find(|issue| node_id(objects::kind(issue), issue.id) == id);
            if let Some(issue) = issue {
                return self.issue(call, world, repo, issue, set).map(Some);
            }
            let mut labels = repo.labels.values();
            if let Some(label) = labels.find(|label| node_id("Label", label.id) == id) {
                return self.cut(set, &objects::label(label)).map(Some);
            }
        }
        Ok(None)
    }

    /// An object cut to the selection; `own` answers the fields that are no members of `whole`.
    fn object(
        &self,
        of: &str,
        whole: &Value,
        set: &'a SelectionSet<'a, String>,
        own: impl Fn(&'a Field<'a, String>) -> Option<Result<Value, Problem>>,
    ) -> Result<Value, Problem> {
        let mut cut = Map::new();
        for field in self.fields(set, of) {
            let value = match own(field) {
                Some(value) => value?,
                None => self.member(field, whole, of)?,
            };
            cut.insert(key(field), value);
        }
        Ok(Value::Object(cut))
    }
}

/// The fields that a type has here (GraphQL specification, section "Introspection"): clients ask
/// in order to know which version of an Enterprise Server they talk to.
fn fields_of(call: &Call<'_>, world: &World, name: &str) -> Value {
    let example = world.repos().find_map(|repo| {
        if name == "Repository" {
            return Some(objects::repository(call, world, repo));
        }
        let mut issues = repo.issues.values();
        let issue = issues.find(|issue| objects::kind(issue) == name)?;
        Some(objects::issue(call, world, repo, issue))
    });
    let Some(Value::Object(members)) = example else {
        return Value::Null;
    };
    let names = members.keys().filter(|name| !name.starts_with("__"));
    let fields: Vec<Value> = names
        .map(|name| json!({ "__typename": "__Field", "name": name }))
        .collect();
    json!({ "__typename": "__Type", "name": name, "kind": "OBJECT", "fields": fields })
}
