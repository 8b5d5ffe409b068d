//! What can be changed: issues are opened and comments added.

use crate::routes::graphql::selection::{key, not_found, undefined, Problem, Query};
use crate::routes::{text, Call};
use crate::world::json::node_id;
use crate::world::{seed, Comment, Issue, World};
use graphql_parser::query::Field;
use serde_json::{json, Map, Value};

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
