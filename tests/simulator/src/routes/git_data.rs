//! The Git database: refs, trees, blobs, commits, made and read one object at a time.

use crate::media::{shape, Shape};
use crate::reply::Reply;
use crate::routes::contents::in_lines;
use crate::routes::repos::{get, get_mut};
use crate::routes::{text, Call};
use crate::world::git::TreeEntry;
use crate::world::json::{node_id, View};
use crate::world::{Repo, World};
use base64::{engine::general_purpose::STANDARD, Engine};
use bytes::Bytes;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Answers a request below `/git`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    match (call.method(), path) {
        ("GET", ["git", "ref", name @ ..]) => one_ref(call, world, id, &name.join("/")),
        ("GET", ["git", "refs" | "matching-refs", name @ ..]) => {
            matching(call, world, id, &name.join("/"))
        }
        ("POST", ["git", "refs"]) => create_ref(call, world, id),
        ("PATCH", ["git", "refs", name @ ..]) => move_ref(call, world, id, &name.join("/")),
        ("DELETE", ["git", "refs", name @ ..]) => {
            let removed = get_mut(world, id)?
                .refs
                .remove(&format!("refs/{}", name.join("/")));
            removed
                .map(|_| Reply::no_content())
                .ok_or_else(|| Reply::error(422, "Reference does not exist"))
        }
        ("GET", ["git", "trees", reference @ ..]) => tree(call, world, id, &reference.join("/")),
        ("POST", ["git", "trees"]) => create_tree(call, world, id),
        ("GET", ["git", "blobs", sha]) => blob(call, world, id, sha),
        ("POST", ["git", "blobs"]) => create_blob(call, world, id),
        ("GET", ["git", "commits", sha]) => {
            let repo = get(world, id)?;
            Ok(Reply::json(commit(&call.view(world), repo, sha)?))
        }
        ("POST", ["git", "commits"]) => create_commit(call, world, id),
        _ => Err(Reply::not_found()),
    }
}

fn ref_json(view: &View<'_>, repo: &Repo, name: &str, sha: &str) -> Value {
    let url = view.repo_url(repo);
    json!({
        "ref": name,
        "node_id": node_id("Ref", repo.id),
        "url": format!("{url}/git/{name}"),
        "object": {"sha": sha, "type": "commit", "url": format!("{url}/git/commits/{sha}")},
    })
}

fn one_ref(call: &Call<'_>, world: &World, id: u64, name: &str) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let full = format!("refs/{name}");
    let sha = repo.refs.get(&full).ok_or_else(Reply::not_found)?;
    Ok(Reply::json(ref_json(&call.view(world), repo, &full, sha)))
}

fn matching(call: &Call<'_>, world: &World, id: u64, prefix: &str) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let view = call.view(world);
    let prefix = format!("refs/{prefix}");
    let found = repo
        .refs
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        .map(|(name, sha)| ref_json(&view, repo, name, sha))
        .collect();
    Ok(Reply::json(found))
}

fn create_ref(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let name = text(&wanted, "ref").filter(|name| name.starts_with("refs/"));
    let name = name.ok_or_else(|| Reply::invalid("Reference", "ref", "missing_field"))?;
    let sha = text(&wanted, "sha").unwrap_or_default();
    let now = world.tick();
    let repo = get_mut(world, id)?;
    if repo.git.commit(&sha).is_none() {
        return Err(Reply::error(422, "Object does not exist"));
    }
    if repo.refs.contains_key(&name) {
        return Err(Reply::error(422, "Reference already exists"));
    }
    repo.refs.insert(name.clone(), sha.clone());
    repo.pushed = now;
    let repo = get(world, id)?;
    Ok(Reply::created(ref_json(
        &call.view(world),
        repo,
        &name,
        &sha,
    )))
}

fn move_ref(call: &Call<'_>, world: &mut World, id: u64, name: &str) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let sha = text(&wanted, "sha").unwrap_or_default();
    let force = wanted
        .get("force")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let now = world.tick();
    let repo = get_mut(world, id)?;
    let full = format!("refs/{name}");
    let missing = || Reply::error(422, "Reference does not exist");
    let old = repo.refs.get(&full).cloned().ok_or_else(missing)?;
    let forward = repo
        .git
        .history(&sha)
        .iter()
        .any(|commit| commit.sha == old);
    if !forward && !force {
        return Err(Reply::error(422, "Update is not a fast forward"));
    }
    repo.git
        .commit(&sha)
        .ok_or_else(|| Reply::error(422, "Object does not exist"))?;
    repo.refs.insert(full, sha);
    repo.pushed = now;
    one_ref(call, world, id, name)
}

fn tree_json(view: &View<'_>, repo: &Repo, sha: &str, recursive: bool) -> Result<Value, Reply> {
    let url = view.repo_url(repo);
    let entries = repo.git.tree(sha).ok_or_else(Reply::not_found)?;
    let mut shown = Vec::new();
    let mut open: Vec<(String, &TreeEntry)> = entries
        .iter()
        .rev()
        .map(|entry| (entry.name.clone(), entry))
        .collect();
    while let Some((path, entry)) = open.pop() {
        let kind = if entry.is_tree() { "tree" } else { "blob" };
        let mut value = json!({
            "path": path,
            "mode": entry.mode,
            "type": kind,
            "sha": entry.sha,
            "url": format!("{url}/git/{kind}s/{}", entry.sha),
        });
        if let Some(content) = repo.git.blob(&entry.sha) {
            crate::world::json::extend(&mut value, json!({"size": content.len()}));
        }
        shown.push(value);
        if recursive && entry.is_tree() {
            for below in repo.git.tree(&entry.sha).into_iter().flatten().rev() {
                open.push((format!("{path}/{}", below.name), below));
            }
        }
    }
    Ok(json!({
        "sha": sha,
        "url": format!("{url}/git/trees/{sha}"),
        "tree": shown,
        "truncated": false,
    }))
}

fn tree(call: &Call<'_>, world: &World, id: u64, reference: &str) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let of_commit = repo
        .resolve(reference)
        .and_then(|sha| repo.git.commit(&sha));
    let sha = of_commit.map_or(reference, |commit| commit.tree.as_str());
    let recursive = call
        .request
        .parameter("recursive")
        .is_some_and(|value| !value.is_empty());
    Ok(Reply::json(tree_json(
        &call.view(world),
        repo,
        sha,
        recursive,
    )?))
}

fn create_tree(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let repo = get_mut(world, id)?;
    let base = text(&wanted, "base_tree");
    // A commit's id is taken in place of its tree's, as GitHub does.
    let base = base.map(|sha| {
        repo.git
            .commit(&sha)
            .map_or(sha.clone(), |found| found.tree.clone())
    });
    let mut files = base.map_or_else(BTreeMap::new, |sha| repo.git.files(&sha));
    let entries = wanted.get("tree").and_then(Value::as_array);
    for entry in entries.ok_or_else(|| Reply::error(422, "Invalid tree info"))? {
        let path = text(entry, "path").ok_or_else(|| Reply::error(422, "Invalid tree info"))?;
        let mode = text(entry, "mode").unwrap_or_else(|| "100644".to_owned());
        let content = text(entry, "content").map(Bytes::from);
        match (text(entry, "sha"), content) {
            (Some(sha), _) => files.insert(path, (mode, sha)),
            (None, Some(content)) => {
                let sha = repo.git.add_blob(content);
                files.insert(path, (mode, sha))
            }
            (None, None) => files.remove(&path),
        };
    }
    let sha = repo.git.add_tree(&files);
    let repo = get(world, id)?;
    Ok(Reply::created(tree_json(
        &call.view(world),
        repo,
        &sha,
        false,
    )?))
}

fn blob(call: &Call<'_>, world: &World, id: u64, sha: &str) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let content = repo.git.blob(sha).ok_or_else(Reply::not_found)?;
    if shape(call.request) == Shape::Raw {
        return Ok(Reply::bytes(
            "application/vnd.github.raw; charset=utf-8",
            content.clone(),
        ));
    }
    Ok(Reply::json(json!({
        "sha": sha,
        "node_id": node_id("Blob", repo.id),
        "size": content.len(),
        "url": format!("{}/git/blobs/{sha}", call.view(world).repo_url(repo)),
        "content": in_lines(content),
        "encoding": "base64",
    })))
}

fn create_blob(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let content = text(&wanted, "content");
    let content = content.ok_or_else(|| Reply::invalid("Blob", "content", "missing_field"))?;
    let bytes = match text(&wanted, "encoding").as_deref() {
        Some("base64") => {
            let compact: String = content.chars().filter(|one| !one.is_whitespace()).collect();
            let decoded = STANDARD.decode(compact);
            decoded.map_err(|_| Reply::error(422, "content is not valid Base64"))?
        }
        _ => content.into_bytes(),
    };
    let sha = get_mut(world, id)?.git.add_blob(Bytes::from(bytes));
    let url = call.view(world).repo_url(get(world, id)?);
    Ok(Reply::created(
        json!({"sha": sha, "url": format!("{url}/git/blobs/{sha}")}),
    ))
}

fn commit(view: &View<'_>, repo: &Repo, sha: &str) -> Result<Value, Reply> {
    let commit = repo.git.commit(sha).ok_or_else(Reply::not_found)?;
    let short = crate::routes::commits::short(view, repo, commit);
    let url = format!("{}/git/commits/{sha}", view.repo_url(repo));
    let mut value = json!({"sha": sha, "node_id": node_id("Commit", commit.date)});
    let inner = short.get("commit").cloned().unwrap_or_default();
    crate::world::json::extend(&mut value, inner);
    let parents = short.get("parents").cloned().unwrap_or_default();
    crate::world::json::extend(&mut value, json!({"url": url, "parents": parents}));
    Ok(value)
}

fn create_commit(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let field = |name: &str| {
        text(&wanted, name).ok_or_else(|| Reply::invalid("Commit", name, "missing_field"))
    };
    let (message, tree) = (field("message")?, field("tree")?);
    let parents = crate::routes::texts(&wanted, "parents").unwrap_or_default();
    let author = call.actor();
    world.ensure_user(&author);
    let now = world.tick();
    let repo = get_mut(world, id)?;
    if repo.git.tree(&tree).is_none() {
        return Err(Reply::error(422, "Tree SHA does not exist"));
    }
    let sha = repo.git.add_commit(tree, parents, &author, &message, now);
    let repo = get(world, id)?;
    Ok(Reply::created(commit(&call.view(world), repo, &sha)?))
}
