//! What can be changed: issues and pull requests are opened, edited, labelled, closed,
//! merged and commented on.

use crate::routes::graphql::objects::{self, kind};
use crate::routes::graphql::selection::{key, not_found, undefined, Problem, Query};
use crate::routes::{pulls, text, Call};
use crate::world::json::node_id;
use crate::world::{Comment, Issue, Repo, World};
use graphql_parser::query::Field;
use serde_json::{json, Map, Value};

/// Where an issue or pull request is: its repository's id, and its number there.
type Place = (u64, u64);

impl<'a> Query<'a> {
    /// Carries out one field of a mutation.
    pub fn mutate(
        &self,
        call: &Call<'_>,
        world: &mut World,
        field: &'a Field<'a, String>,
    ) -> Result<Value, Problem> {
        let input = self.argument(field, "input");
        let given = |name: &str| text(&input, name).unwrap_or_default();
        world.ensure_user(&call.actor());
        let (repo, number) = match field.name.as_str() {
            "createIssue" => create_issue(call, world, &input)?,
            "addComment" => add_comment(call, world, &given("subjectId"), given("body"))?,
            "closeIssue" => set_open(world, &given("issueId"), false)?,
            "reopenIssue" => set_open(world, &given("issueId"), true)?,
            "closePullRequest" => set_open(world, &given("pullRequestId"), false)?,
            "reopenPullRequest" => set_open(world, &given("pullRequestId"), true)?,
            "mergePullRequest" => {
                let at = place(world, &given("pullRequestId"))?;
                let outcome = pulls::merged(world, at.0, at.1, &call.actor());
                outcome.map_err(|_| unmergeable())?;
                at
            }
            "updateIssue" => edit(world, &given("id"), &input)?,
            "updatePullRequest" => edit(world, &given("pullRequestId"), &input)?,
            "addLabelsToLabelable" => label(world, &given("labelableId"), &input, true)?,
            "removeLabelsFromLabelable" => label(world, &given("labelableId"), &input, false)?,
            other => return Err(undefined(other, "Mutation")),
        };
        let world: &World = world;
        let repo = world
            .repo(repo)
            .ok_or_else(|| not_found("the repository"))?;
        let issue = repo.issues.get(&number);
        let issue = issue.ok_or_else(|| not_found("the issue"))?;
        let mut cut = Map::new();
        for part in self.fields(&field.selection_set, "Payload") {
            let value = match part.name.as_str() {
                "__typename" => json!("Payload"),
                "clientMutationId" => json!(text(&input, "clientMutationId")),
                "issue" | "pullRequest" | "subject" | "labelable" => {
                    self.issue(call, world, repo, issue, &part.selection_set)?
                }
                "commentEdge" => {
                    let comments = repo.comments_on(number);
                    let newest = comments.max_by_key(|comment| comment.id);
                    let node = newest.map(|it| objects::comment(call, world, repo, it));
                    let edge = json!({ "__typename": "IssueCommentEdge", "node": node });
                    self.cut(&part.selection_set, &edge)?
                }
                other => return Err(undefined(other, "Payload")),
            };
            cut.insert(key(part), value);
        }
        Ok(Value::Object(cut))
    }
}

fn no_node(id: &str) -> Problem {
    not_found(&format!("a node with the global id of '{id}'"))
}

fn unmergeable() -> Problem {
    Problem {
        kind: "UNPROCESSABLE",
        message: "Pull Request is not mergeable".to_owned(),
    }
}

/// The issue or pull request with this node id.
fn place(world: &World, id: &str) -> Result<Place, Problem> {
    let found = world.repos().find_map(|repo| {
        let mut issues = repo.issues.values();
        let issue = issues.find(|issue| node_id(kind(issue), issue.id) == id)?;
        Some((repo.id, issue.number))
    });
    found.ok_or_else(|| no_node(id))
}

/// The issue, as of now.
fn changed<'w>(world: &'w mut World, id: &str) -> Result<(Place, &'w mut Issue), Problem> {
    let at = place(world, id)?;
    let now = world.tick();
    let repo = world.repo_mut(at.0);
    let issue = repo.and_then(|repo| repo.issues.get_mut(&at.1));
    let issue = issue.ok_or_else(|| no_node(id))?;
    issue.updated = now;
    Ok((at, issue))
}

fn ids(input: &Value, name: &str) -> Option<Vec<String>> {
    let items = input.get(name)?.as_array()?.iter();
    Some(items.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The names of the labels with these ids in a repository.
fn label_names(world: &World, repo: u64, ids: &[String]) -> Vec<String> {
    let labels = world.repo(repo).into_iter();
    let labels = labels.flat_map(|repo| repo.labels.values());
    labels
        .filter(|label| ids.contains(&node_id("Label", label.id)))
        .map(|label| label.name.clone())
        .collect()
}

/// The logins of the users with these ids.
fn logins(world: &World, ids: &[String]) -> Vec<String> {
    let accounts = world.accounts().into_iter();
    accounts
        .filter(|account| ids.contains(&node_id("User", account.id)))
        .map(|account| account.login.clone())
        .collect()
}

fn create_issue(call: &Call<'_>, world: &mut World, input: &Value) -> Result<Place, Problem> {
    let wanted = text(input, "repositoryId").unwrap_or_default();
    let is = |repo: &&Repo| node_id("Repository", repo.id) == wanted;
    let repo = world.repos().find(is).map(|repo| repo.id);
    let repo = repo.ok_or_else(|| no_node(&wanted))?;
    let labels = ids(input, "labelIds").unwrap_or_default();
    let labels = label_names(world, repo, &labels);
    let assignees = logins(world, &ids(input, "assigneeIds").unwrap_or_default());
    let (id, now) = (world.next_id(), world.tick());
    let number = world.repo(repo).map_or(0, |repo| repo.next_number());
    let issue = Issue {
        id,
        number,
        title: text(input, "title").unwrap_or_default(),
        body: text(input, "body"),
        user: call.actor(),
        open: true,
        labels,
        assignees,
        locked: false,
        created: now,
        updated: now,
        closed: None,
        pull: None,
    };
    if let Some(repo) = world.repo_mut(repo) {
        repo.issues.insert(number, issue);
    }
    Ok((repo, number))
}

fn add_comment(
    call: &Call<'_>,
    world: &mut World,
    subject: &str,
    body: String,
) -> Result<Place, Problem> {
    let ((repo, number), issue) = changed(world, subject)?;
    let now = issue.updated;
    let id = world.next_id();
    let comment = Comment {
        id,
        issue: number,
        user: call.actor(),
        body,
        created: now,
        updated: now,
    };
    if let Some(repo) = world.repo_mut(repo) {
        repo.comments.insert(id, comment);
    }
    Ok((repo, number))
}

fn set_open(world: &mut World, id: &str, open: bool) -> Result<Place, Problem> {
    let (place, issue) = changed(world, id)?;
    issue.open = open;
    issue.closed = (!open).then_some(issue.updated);
    Ok(place)
}

fn edit(world: &mut World, id: &str, input: &Value) -> Result<Place, Problem> {
    let repo = place(world, id)?.0;
    let labels = ids(input, "labelIds").map(|ids| label_names(world, repo, &ids));
    let assignees = ids(input, "assigneeIds").map(|ids| logins(world, &ids));
    let (place, issue) = changed(world, id)?;
    if let Some(title) = text(input, "title") {
        issue.title = title;
    }
    if let Some(body) = text(input, "body") {
        issue.body = Some(body);
    }
    if let Some(labels) = labels {
        issue.labels = labels;
    }
    if let Some(assignees) = assignees {
        issue.assignees = assignees;
    }
    Ok(place)
}

fn label(world: &mut World, id: &str, input: &Value, add: bool) -> Result<Place, Problem> {
    let repo = place(world, id)?.0;
    let ids = ids(input, "labelIds").unwrap_or_default();
    let names = label_names(world, repo, &ids);
    let (place, issue) = changed(world, id)?;
    issue.labels.retain(|name| !names.contains(name));
    if add {
        issue.labels.extend(names);
    }
    Ok(place)
}
