//! Search in repositories, issues, code, commits and users.
//!
//! Words must all occur in the text; of the qualifiers `repo`, `user`, `org`, `is`, `type`,
//! `state`, `label`, `author`, `assignee`, `mentions`, `review-requested` and `path` are
//! understood, and others are ignored.

use crate::reply::Reply;
use crate::routes::{commits, paging, Call};
use crate::world::git::TreeEntry;
use crate::world::json::View;
use crate::world::{Issue, Repo, World};
use serde_json::{json, Value};

/// GitHub gives no more than the first thousand results.
const REACHABLE: usize = 1000;

struct Query {
    words: Vec<String>,
    qualifiers: Vec<(String, String)>,
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Query {
            words: Vec::new(),
            qualifiers: Vec::new(),
        };
        for part in parts(text) {
            match part.split_once(':') {
                Some((key, value)) => {
                    let value = value.trim_matches('"').to_lowercase();
                    query.qualifiers.push((key.to_lowercase(), value));
                }
                None => query.words.push(part.trim_matches('"').to_lowercase()),
            }
        }
        query
    }

    /// Whether every qualifier of this name is met.
    fn all(&self, name: &str, met: impl Fn(&str) -> bool) -> bool {
        self.qualifiers
            .iter()
            .filter(|(key, _)| key == name)
            .all(|(_, value)| met(value))
    }

    fn words_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }

    fn in_repo(&self, repo: &Repo) -> bool {
        let owner = repo.owner.to_lowercase();
        self.all("repo", |value| repo.full_name().to_lowercase() == value)
            && self.all("user", |value| owner == value)
            && self.all("org", |value| owner == value)
    }

    fn meets(&self, issue: &Issue) -> bool {
        let kind = |value: &str| match value {
            "issue" => issue.pull.is_none(),
            "pr" | "pull-request" => issue.pull.is_some(),
            "open" => issue.open,
            "closed" => !issue.open,
            "merged" => issue
                .pull
                .as_ref()
                .is_some_and(|pull| pull.merged.is_some()),
            _ => true,
        };
        self.all("is", kind)
            && self.all("type", kind)
            && self.all("state", kind)
            && self.all("assignee", |value| {
                issue.assignees.iter().any(|login| login.to_lowercase() == value)
            })
            // Nobody is ever asked for a review or mentioned.
            && self.all("review-requested", |_| false)
            && self.all("mentions", |_| false)
            && self.all("author", |value| issue.user.to_lowercase() == value)
            && self.all("label", |value| {
                issue.labels.iter().any(|name| name.to_lowercase() == value)
            })
            && self.words_in(&format!(
                "{} {}",
                issue.title,
                issue.body.as_deref().unwrap_or("")
            ))
    }
}

/// The parts of a query: separated by spaces, except inside quotes.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        quoted ^= character == '"';
        match (character.is_whitespace() && !quoted, parts.last_mut()) {
            (false, Some(part)) => part.push(character),
            _ => parts.push(String::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The repositories in which the sender may search.
fn searched<'a>(call: &Call<'_>, world: &'a World, query: &Query) -> Vec<&'a Repo> {
    let repos = world.repos();
    repos
        .filter(|repo| call.sees(repo) && query.in_repo(repo))
        .collect()
}

/// The repositories that a query finds.
pub fn repositories<'a>(call: &Call<'_>, world: &'a World, text: &str) -> Vec<&'a Repo> {
    let query = Query::parse(text);
    let mut found = searched(call, world, &query);
    found.retain(|repo| {
        let description = repo.description.as_deref().unwrap_or("");
        query.words_in(&format!("{} {description}", repo.full_name()))
    });
    found
}

/// The issues and pull requests that a query finds, the newest first.
pub fn issues<'a>(call: &Call<'_>, world: &'a World, text: &str) -> Vec<(&'a Repo, &'a Issue)> {
    let query = Query::parse(text);
    let repos = searched(call, world, &query).into_iter();
    let mut found: Vec<(&Repo, &Issue)> = repos
        .flat_map(|repo| repo.issues.values().map(move |issue| (repo, issue)))
        .filter(|(_, issue)| query.meets(issue))
        .collect();
    found.sort_by_key(|(_, issue)| std::cmp::Reverse((issue.created, issue.id)));
    found
}

/// Answers `GET /search/{kind}`.
pub fn search(call: &Call<'_>, world: &World, kind: &str) -> Reply {
    let Some(text) = call.request.parameter("q").filter(|text| !text.is_empty()) else {
        return Reply::invalid("Search", "q", "missing");
    };
    if kind == "code" && !call.who.is_known() {
        return Reply::requires_authentication();
    }
    let query = Query::parse(&text);
    let view = call.view(world);
    let repos = searched(call, world, &query);
    let found: Vec<Value> = match kind {
        "repositories" => repositories(call, world, &text)
            .into_iter()
            .map(|repo| scored(view.repo(repo)))
            .collect(),
        "issues" => issues(call, world, &text)
            .into_iter()
            .map(|(repo, issue)| scored(view.issue(repo, issue)))
            .collect(),
        "code" => repos
            .iter()
            .flat_map(|repo| code(&view, repo, &query))
            .collect(),
        "commits" => repos
            .iter()
            .flat_map(|repo| {
                let head = repo.resolve("").unwrap_or_default();
                let history = repo.git.history(&head).into_iter();
                history
                    .map(move |commit| (*repo, commit))
                    .collect::<Vec<_>>()
            })
            .filter(|(_, commit)| query.words_in(&commit.message))
            .map(|(repo, commit)| scored(commits::short(&view, repo, commit)))
            .collect(),
        "users" => world
            .accounts()
            .into_iter()
            .filter(|account| query.words_in(&account.login))
            .map(|account| scored(view.account(account)))
            .collect(),
        _ => return Reply::not_found(),
    };
    let page = paging::Page::of(call);
    if (page.number - 1).saturating_mul(page.size) >= REACHABLE {
        return Reply::error(422, "Only the first 1000 search results are available");
    }
    let items = page.cut(&found);
    let body = json!({
        "total_count": found.len(),
        "incomplete_results": false,
        "items": items,
    });
    paging::linked(
        call,
        Reply::json(body),
        &format!("/search/{kind}"),
        found.len().min(REACHABLE),
    )
}

fn scored(mut value: Value) -> Value {
    crate::world::json::extend(&mut value, json!({"score": 1.0}));
    value
}

fn code(view: &View<'_>, repo: &Repo, query: &Query) -> Vec<Value> {
    let head = repo.resolve("").and_then(|sha| repo.git.commit(&sha));
    let files = head
        .map(|commit| repo.git.files(&commit.tree))
        .unwrap_or_default();
    files
        .iter()
        .filter(|(path, (_, sha))| {
            let content = repo
                .git
                .blob(sha)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let in_path = query.all("path", |value| path.to_lowercase().starts_with(value));
            in_path && query.words_in(&format!("{path} {}", content.unwrap_or_default()))
        })
        .map(|(path, (mode, sha))| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let entry = TreeEntry {
                mode: mode.clone(),
                name: name.to_owned(),
                sha: sha.clone(),
            };
            let url = view.repo_url(repo);
            scored(json!({
                "name": entry.name,
                "path": path,
                "sha": entry.sha,
                "url": format!("{url}/contents/{path}?ref=main"),
                "git_url": format!("{url}/git/blobs/{}", entry.sha),
                "html_url": format!("https://github.com/{}/blob/main/{path}", repo.full_name()),
                "repository": view.repo(repo),
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_qualifiers_keep_their_spaces() {
        let query = Query::parse("first label:\"good first issue\" is:open");
        assert_eq!(query.words, ["first"]);
        assert_eq!(
            query.qualifiers[0],
            ("label".to_owned(), "good first issue".to_owned())
        );
    }
}
