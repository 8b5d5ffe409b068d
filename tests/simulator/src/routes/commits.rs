//! Commits, branches, tags and comparisons.

use crate::media::{shape, Shape};
use crate::reply::Reply;
use crate::routes::repos::get;
use crate::routes::{paging, Call};
use crate::world::git::{self, Commit};
use crate::world::json::{encoded, node_id, View};
use crate::world::{Repo, World};
use serde_json::{json, Value};

/// Answers a GET below `/commits`, `/branches`, `/tags` or `/compare`.
pub fn dispatch(call: &Call<'_>, world: &World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let view = call.view(world);
    match path {
        ["commits"] => list(call, &view, repo),
        ["commits", reference, "status"] => {
            let sha = repo.resolve(reference).ok_or_else(Reply::not_found)?;
            Ok(Reply::json(
                json!({"state": "success", "statuses": [], "sha": sha, "total_count": 0}),
            ))
        }
        ["commits", reference @ ..] => {
            let sha = repo.resolve(&reference.join("/"));
            let sha = sha.ok_or_else(|| {
                Reply::error(
                    422,
                    &format!("No commit found for SHA: {}", reference.join("/")),
                )
            })?;
            one(call, &view, repo, &sha)
        }
        ["branches"] => {
            let all = refs(repo, "refs/heads/");
            let path = format!("/repositories/{id}/branches");
            Ok(paging::list(call, &path, &all, |(name, sha)| {
                branch(&view, repo, name, sha)
            }))
        }
        ["branches", name @ ..] => {
            let name = name.join("/");
            let sha = repo.refs.get(&format!("refs/heads/{name}"));
            let sha = sha.ok_or_else(|| Reply::error(404, "Branch not found"))?;
            let mut value = branch(&view, repo, &name, sha);
            let commit = repo.git.commit(sha).ok_or_else(Reply::not_found)?;
            let url = format!("{}/branches/{}", view.repo_url(repo), encoded(&name));
            let html = format!("https://github.com/{}/tree/{name}", repo.full_name());
            let off = json!({"enforcement_level": "off", "contexts": [], "checks": []});
            let more = json!({
                "commit": short(&view, repo, commit),
                "_links": {"self": url, "html": html},
                "protection": {"enabled": false, "required_status_checks": off},
                "protection_url": format!("{url}/protection"),
            });
            crate::world::json::extend(&mut value, more);
            Ok(Reply::json(value))
        }
        ["tags"] => {
            let all = refs(repo, "refs/tags/");
            let url = view.repo_url(repo);
            let path = format!("/repositories/{id}/tags");
            Ok(paging::list(call, &path, &all, |(name, sha)| {
                json!({
                    "name": name,
                    "zipball_url": format!("{url}/zipball/refs/tags/{name}"),
                    "tarball_url": format!("{url}/tarball/refs/tags/{name}"),
                    "commit": {"sha": sha, "url": format!("{url}/commits/{sha}")},
                    "node_id": node_id("Ref", repo.id),
                })
            }))
        }
        ["compare", range @ ..] => compare(call, &view, repo, &range.join("/")),
        _ => Err(Reply::not_found()),
    }
}

fn refs<'a>(repo: &'a Repo, prefix: &str) -> Vec<(&'a str, &'a str)> {
    repo.refs
        .iter()
        .filter_map(|(name, sha)| Some((name.strip_prefix(prefix)?, sha.as_str())))
        .collect()
}

fn branch(view: &View<'_>, repo: &Repo, name: &str, sha: &str) -> Value {
    let url = view.repo_url(repo);
    json!({
        "name": name,
        "commit": {"sha": sha, "url": format!("{url}/commits/{sha}")},
        "protected": false,
    })
}

fn list(call: &Call<'_>, view: &View<'_>, repo: &Repo) -> Result<Reply, Reply> {
    let reference = call.request.parameter("sha").unwrap_or_default();
    let head = repo.resolve(&reference).ok_or_else(Reply::not_found)?;
    let path = call.request.parameter("path");
    let touches = |commit: &&Commit| match &path {
        None => true,
        Some(path) => {
            let parent = commit.parents.first().map(String::as_str);
            let changes = repo.git.changes(parent, &commit.sha);
            changes
                .keys()
                .any(|changed| changed.starts_with(path.as_str()))
        }
    };
    let found: Vec<&Commit> = repo
        .git
        .history(&head)
        .into_iter()
        .filter(touches)
        .collect();
    let path = format!("/repositories/{}/commits", repo.id);
    Ok(paging::list(call, &path, &found, |commit| {
        short(view, repo, commit)
    }))
}

fn one(call: &Call<'_>, view: &View<'_>, repo: &Repo, sha: &str) -> Result<Reply, Reply> {
    let commit = repo.git.commit(sha).ok_or_else(Reply::not_found)?;
    let parent = commit.parents.first().map(String::as_str);
    let reply = match shape(call.request) {
        Shape::Sha => Reply::bytes("application/vnd.github.sha; charset=utf-8", sha.to_owned()),
        Shape::Diff => diff(repo, parent, sha),
        Shape::Patch => patch(repo, parent, sha),
        _ => {
            let mut value = short(view, repo, commit);
            let files = files(call, repo, parent, sha);
            let more = json!({"stats": {"total": files.len()}, "files": files});
            crate::world::json::extend(&mut value, more);
            Reply::json(value)
        }
    };
    Ok(reply.modified(commit.date))
}

/// A commit as lists show it.
pub fn short(view: &View<'_>, repo: &Repo, commit: &Commit) -> Value {
    let url = view.repo_url(repo);
    let sha = &commit.sha;
    let person = json!({
        "name": commit.author,
        "email": format!("{}@users.noreply.github.com", commit.author),
        "date": git::date(commit),
    });
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|parent| json!({"sha": parent, "url": format!("{url}/commits/{parent}")}))
        .collect();
    json!({
        "sha": sha,
        "node_id": node_id("Commit", commit.date),
        "commit": {
            "author": person,
            "committer": person,
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": format!("{url}/git/trees/{}", commit.tree)},
            "url": format!("{url}/git/commits/{sha}"),
            "comment_count": 0,
        },
        "url": format!("{url}/commits/{sha}"),
        "html_url": format!("https://github.com/{}/commit/{sha}", repo.full_name()),
        "comments_url": format!("{url}/commits/{sha}/comments"),
        "author": view.login(&commit.author),
        "committer": view.login(&commit.author),
        "parents": parents,
    })
}

/// The files that differ between two commits.
pub fn files(call: &Call<'_>, repo: &Repo, base: Option<&str>, head: &str) -> Vec<Value> {
    let url = format!("{}/repos/{}", call.shared.bases.api, repo.full_name());
    let text = |sha: &Option<String>| {
        let blob = sha.as_ref().and_then(|sha| repo.git.blob(sha));
        blob.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default()
    };
    let changes = repo.git.changes(base, head);
    let one = |(path, (before, after)): (&String, &(Option<String>, Option<String>))| {
        let (old, new) = (text(before), text(after));
        let status = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "modified",
        };
        let (deletions, additions) = (old.lines().count(), new.lines().count());
        let below: Vec<String> = path.split('/').map(encoded).collect();
        json!({
            "sha": after.as_ref().or(before.as_ref()),
            "filename": path,
            "status": status,
            "additions": additions,
            "deletions": deletions,
            "changes": additions + deletions,
            "contents_url": format!("{url}/contents/{}?ref={head}", below.join("%2F")),
            "patch": git::hunk(&old, &new),
        })
    };
    changes.iter().map(one).collect()
}

/// The diff between two commits.
pub fn diff(repo: &Repo, base: Option<&str>, head: &str) -> Reply {
    Reply::bytes(
        "application/vnd.github.diff; charset=utf-8",
        text(repo, base, head),
    )
}

/// The diff between two commits as a mail.
pub fn patch(repo: &Repo, base: Option<&str>, head: &str) -> Reply {
    let mail = repo.git.commit(head).map_or_else(String::new, |commit| {
        format!(
            "From {head} Mon Sep 17 00:00:00 2001\nFrom: {0} <{0}@users.noreply.github.com>\n\
Subject: [PATCH] {1}\n\n---\n",
            commit.author, commit.message
        )
    });
    let body = format!("{mail}{}", text(repo, base, head));
    Reply::bytes("application/vnd.github.patch; charset=utf-8", body)
}

fn text(repo: &Repo, base: Option<&str>, head: &str) -> String {
    let blob = |sha: &Option<String>| sha.as_ref().and_then(|sha| repo.git.blob(sha)).cloned();
    let changes = repo.git.changes(base, head);
    changes
        .iter()
        .map(|(path, (old, new))| git::diff(path, blob(old).as_ref(), blob(new).as_ref()))
        .collect()
}

fn compare(call: &Call<'_>, view: &View<'_>, repo: &Repo, range: &str) -> Result<Reply, Reply> {
    let (base, head) = range.split_once("...").ok_or_else(Reply::not_found)?;
    let base = repo.resolve(base).ok_or_else(Reply::not_found)?;
    let head = repo.resolve(head).ok_or_else(Reply::not_found)?;
    match shape(call.request) {
        Shape::Diff => return Ok(diff(repo, Some(&base), &head)),
        Shape::Patch => return Ok(patch(repo, Some(&base), &head)),
        _ => {}
    }
    let known: Vec<&str> = repo
        .git
        .history(&base)
        .iter()
        .map(|commit| commit.sha.as_str())
        .collect();
    let mut ahead: Vec<&Commit> = repo.git.history(&head);
    ahead.retain(|commit| !known.contains(&commit.sha.as_str()));
    ahead.reverse();
    let base_commit = repo.git.commit(&base).ok_or_else(Reply::not_found)?;
    let commits: Vec<Value> = ahead
        .iter()
        .map(|commit| short(view, repo, commit))
        .collect();
    Ok(Reply::json(json!({
        "url": format!("{}/compare/{range}", view.repo_url(repo)),
        "base_commit": short(view, repo, base_commit),
        "status": if ahead.is_empty() { "identical" } else { "ahead" },
        "ahead_by": ahead.len(),
        "behind_by": 0,
        "total_commits": ahead.len(),
        "commits": commits,
        "files": files(call, repo, Some(&base), &head),
    })))
}
