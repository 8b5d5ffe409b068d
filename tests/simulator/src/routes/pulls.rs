//! Pull requests: lists, diffs, files, commits, merging.

use crate::media::{shape, Shape};
use crate::reply::Reply;
use crate::routes::issues::{apply, changed, known, number};
use crate::routes::repos::{get, get_mut};
use crate::routes::{commits, paging, text, Call};
use crate::world::git::Commit;
use crate::world::{seed, Issue, Pull, Repo, World};
use serde_json::json;

/// Answers a request below `/pulls`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    match (call.method(), path) {
        ("GET", ["pulls"]) => list(call, world, id),
        ("POST", ["pulls"]) => create(call, world, id),
        (method, ["pulls", pull, rest @ ..]) => {
            let pull = number(pull)?;
            one(get(world, id)?, pull)?;
            below(call, world, id, pull, method, rest)
        }
        _ => Err(Reply::not_found()),
    }
}

fn one(repo: &Repo, number: u64) -> Result<(&Issue, &Pull), Reply> {
    let issue = known(repo, number)?;
    let pull = issue.pull.as_ref().ok_or_else(Reply::not_found)?;
    Ok((issue, pull))
}

fn list(call: &Call<'_>, world: &World, id: u64) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let parameter = |name: &str| call.request.parameter(name);
    let state = parameter("state").unwrap_or_else(|| "open".to_owned());
    let base = parameter("base");
    let found: Vec<&Issue> = repo
        .issues
        .values()
        .rev()
        .filter(|issue| state == "all" || (state == "open") == issue.open)
        .filter(|issue| {
            let pull = issue.pull.as_ref();
            pull.is_some_and(|pull| base.as_ref().is_none_or(|base| pull.base == *base))
        })
        .collect();
    let view = call.view(world);
    let path = format!("/repositories/{id}/pulls");
    Ok(paging::list(call, &path, &found, |issue| {
        view.pull(repo, issue)
    }))
}

fn create(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let field = |name: &str| {
        let value = text(&wanted, name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Reply::invalid("PullRequest", name, "missing_field"))
    };
    let (title, head, base) = (field("title")?, field("head")?, field("base")?);
    let head = head.rsplit(':').next().unwrap_or_default().to_owned();
    let user = call.actor();
    world.ensure_user(&user);
    let number = seed::add_pull(world, id, &title, &head, &base);
    let number = number.ok_or_else(|| Reply::invalid("PullRequest", "head", "invalid"))?;
    let issue = changed(world, id, number)?;
    issue.user = user;
    issue.body = text(&wanted, "body");
    let repo = get(world, id)?;
    Ok(Reply::created(
        call.view(world).pull(repo, known(repo, number)?),
    ))
}

fn below(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    pull: u64,
    method: &str,
    rest: &[&str],
) -> Result<Reply, Reply> {
    match (method, rest) {
        ("GET", []) => show(call, world, id, pull),
        ("PATCH", []) => {
            apply(call, world, id, pull)?;
            show(call, world, id, pull)
        }
        ("GET", ["commits"]) => {
            let repo = get(world, id)?;
            let found = ahead(repo, one(repo, pull)?.1);
            let view = call.view(world);
            let path = format!("/repositories/{id}/pulls/{pull}/commits");
            Ok(paging::list(call, &path, &found, |commit| {
                commits::short(&view, repo, commit)
            }))
        }
        ("GET", ["files"]) => {
            let repo = get(world, id)?;
            let (_, found) = one(repo, pull)?;
            let files = commits::files(call, repo, Some(&found.base_sha), &found.head_sha);
            let path = format!("/repositories/{id}/pulls/{pull}/files");
            Ok(paging::list(call, &path, &files, Clone::clone))
        }
        ("GET", ["merge"]) => match one(get(world, id)?, pull)?.1.merged {
            Some(_) => Ok(Reply::no_content()),
            None => Err(Reply::not_found()),
        },
        ("PUT", ["merge"]) => merge(call, world, id, pull),
        ("GET", ["comments" | "reviews"]) => Ok(Reply::json(json!([]))),
        ("GET", ["requested_reviewers"]) => Ok(Reply::json(json!({"users": [], "teams": []}))),
        _ => Err(Reply::not_found()),
    }
}

/// The commits of the head that the base did not have, the oldest first.
fn ahead<'a>(repo: &'a Repo, pull: &Pull) -> Vec<&'a Commit> {
    let mut found: Vec<&Commit> = repo
        .git
        .history(&pull.head_sha)
        .into_iter()
        .take_while(|commit| commit.sha != pull.base_sha)
        .collect();
    found.reverse();
    found
}

fn show(call: &Call<'_>, world: &World, id: u64, number: u64) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let (issue, pull) = one(repo, number)?;
    match shape(call.request) {
        Shape::Diff => Ok(commits::diff(repo, Some(&pull.base_sha), &pull.head_sha)),
        Shape::Patch => Ok(commits::patch(repo, Some(&pull.base_sha), &pull.head_sha)),
        _ => {
            let files = repo.git.changes(Some(&pull.base_sha), &pull.head_sha);
            let mut value = call.view(world).pull(repo, issue);
            let more = json!({
                "merged": pull.merged.is_some(),
                "mergeable": issue.open,
                "rebaseable": issue.open,
                "mergeable_state": if issue.open { "clean" } else { "unknown" },
                "merged_by": null,
                "comments": repo.comments_on(number).count(),
                "review_comments": 0,
                "maintainer_can_modify": false,
                "commits": ahead(repo, pull).len(),
                "changed_files": files.len(),
            });
            crate::world::json::extend(&mut value, more);
            Ok(Reply::json(value).modified(issue.updated))
        }
    }
}

fn merge(call: &Call<'_>, world: &mut World, id: u64, number: u64) -> Result<Reply, Reply> {
    let sha = merged(world, id, number, &call.actor())?;
    Ok(Reply::json(json!({
        "sha": sha,
        "merged": true,
        "message": "Pull Request successfully merged",
    })))
}

/// Merges a pull request as `user` and returns the merge commit.
///
/// # Errors
/// There is none of this number, or it is not open.
pub fn merged(world: &mut World, id: u64, number: u64, user: &str) -> Result<String, Reply> {
    let repo = get(world, id)?;
    let (issue, pull) = one(repo, number)?;
    if !issue.open || pull.merged.is_some() {
        return Err(Reply::error(405, "Pull Request is not mergeable"));
    }
    let pull = pull.clone();
    let now = changed(world, id, number)?.updated;
    let repo = get_mut(world, id)?;
    let tree = repo
        .git
        .commit(&pull.head_sha)
        .map(|commit| commit.tree.clone());
    let tree = tree.ok_or_else(Reply::not_found)?;
    let parents = vec![pull.base_sha.clone(), pull.head_sha.clone()];
    let message = format!("Merge pull request #{number}");
    let sha = repo.git.add_commit(tree, parents, user, &message, now);
    repo.refs
        .insert(format!("refs/heads/{}", pull.base), sha.clone());
    repo.pushed = now;
    if let Some(issue) = repo.issues.get_mut(&number) {
        issue.open = false;
        issue.closed = Some(now);
        if let Some(pull) = &mut issue.pull {
            pull.merged = Some((sha.clone(), now));
        }
    }
    Ok(sha)
}
