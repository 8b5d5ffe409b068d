//! Files and folders by path, to be read, written and removed.

use crate::media::{shape, Shape};
use crate::reply::Reply;
use crate::routes::repos::{get, get_mut};
use crate::routes::{commits, text, Call};
use crate::world::git::{Found, TreeEntry};
use crate::world::json::{encoded, View};
use crate::world::{Repo, World};
use base64::{engine::general_purpose::STANDARD, Engine};
use bytes::Bytes;
use serde_json::{json, Value};

/// The largest file that is in the JSON form, and the largest at all, as GitHub documents.
const IN_JSON: usize = 1 << 20;
const LARGEST: usize = 100 << 20;

/// Answers a request below `/contents` or `/readme`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    // Clients send the slashes of a path as they are or as %2F.
    let whole = path.join("/");
    let path: Vec<&str> = whole.split('/').filter(|name| !name.is_empty()).collect();
    match (call.method(), path.as_slice()) {
        ("GET", ["readme"]) => show(call, world, id, &["README.md"]),
        ("GET", ["contents", path @ ..]) => show(call, world, id, path),
        ("PUT", ["contents", path @ ..]) if !path.is_empty() => write(call, world, id, path),
        ("DELETE", ["contents", path @ ..]) if !path.is_empty() => remove(call, world, id, path),
        _ => Err(Reply::not_found()),
    }
}

fn show(call: &Call<'_>, world: &World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let reference = call.request.parameter("ref").unwrap_or_default();
    let commit = repo
        .resolve(&reference)
        .ok_or_else(|| Reply::error(404, &format!("No commit found for the ref {reference}")))?;
    let names: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
    let reference = if reference.is_empty() {
        &repo.default_branch
    } else {
        &reference
    };
    let date = repo
        .git
        .commit(&commit)
        .map_or(repo.updated, |commit| commit.date);
    let view = call.view(world);
    let reply = match repo
        .git
        .find(&commit, &names)
        .ok_or_else(Reply::not_found)?
    {
        Found::Folder(_, entries) => {
            let one = |entry: &TreeEntry| {
                let mut below = names.clone();
                below.push(entry.name.clone());
                let size = repo.git.blob(&entry.sha).map_or(0, Bytes::len);
                entry_json(&view, repo, entry, &below, reference, size)
            };
            Reply::json(entries.iter().map(one).collect())
        }
        Found::File(entry, content) => match shape(call.request) {
            Shape::Raw => Reply::bytes("application/vnd.github.raw; charset=utf-8", content),
            Shape::Html => {
                let text = String::from_utf8_lossy(&content)
                    .replace('&', "&amp;")
                    .replace('<', "&lt;");
                let html = format!("<div id=\"file\"><pre>{text}</pre></div>");
                Reply::bytes("application/vnd.github.html; charset=utf-8", html)
            }
            _ if content.len() > LARGEST => {
                return Err(Reply::error(
                    403,
                    "This API returns blobs up to 100 MB in size.",
                ))
            }
            _ => {
                let mut value = entry_json(&view, repo, &entry, &names, reference, content.len());
                let small = content.len() <= IN_JSON;
                let more = json!({
                    "content": if small { in_lines(&content) } else { String::new() },
                    "encoding": if small { "base64" } else { "none" },
                });
                crate::world::json::extend(&mut value, more);
                Reply::json(value)
            }
        },
    };
    Ok(reply.modified(date))
}

/// Base64 with a line feed after every 60 characters, as GitHub sends it.
pub fn in_lines(content: &[u8]) -> String {
    let mut text = String::new();
    for (index, character) in STANDARD.encode(content).chars().enumerate() {
        if index > 0 && index % 60 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn entry_json(
    view: &View<'_>,
    repo: &Repo,
    entry: &TreeEntry,
    path: &[String],
    reference: &str,
    size: usize,
) -> Value {
    let kind = if entry.is_tree() { "dir" } else { "file" };
    let below = path
        .iter()
        .map(|name| encoded(name))
        .collect::<Vec<_>>()
        .join("/");
    let repo_url = view.repo_url(repo);
    let url = format!("{repo_url}/contents/{below}?ref={}", encoded(reference));
    let object = if entry.is_tree() { "trees" } else { "blobs" };
    let git_url = format!("{repo_url}/git/{object}/{}", entry.sha);
    let page = if entry.is_tree() { "tree" } else { "blob" };
    let html = format!(
        "https://github.com/{}/{page}/{reference}/{below}",
        repo.full_name()
    );
    let raw = format!(
        "https://raw.githubusercontent.com/{}/{reference}/{below}",
        repo.full_name()
    );
    json!({
        "name": entry.name,
        "path": path.join("/"),
        "sha": entry.sha,
        "size": size,
        "url": url,
        "html_url": html,
        "git_url": git_url,
        "download_url": if entry.is_tree() { None } else { Some(raw) },
        "type": kind,
        "_links": {"self": url, "git": git_url, "html": html},
    })
}

/// The branch of a write, and the id of the file as it is there.
fn present(repo: &Repo, wanted: &Value, path: &[&str]) -> Result<(String, Option<String>), Reply> {
    let branch = text(wanted, "branch").unwrap_or_else(|| repo.default_branch.clone());
    let head = repo.refs.get(&format!("refs/heads/{branch}"));
    let head = head.ok_or_else(|| Reply::error(404, &format!("Branch {branch} not found")))?;
    let names: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
    let sha = match repo.git.find(head, &names) {
        Some(Found::File(entry, _)) => Some(entry.sha),
        _ => None,
    };
    Ok((branch, sha))
}

fn write(call: &Call<'_>, world: &mut World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let message = text(&wanted, "message").ok_or_else(|| missing("message"))?;
    let content = text(&wanted, "content").ok_or_else(|| missing("content"))?;
    let compact: String = content
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    let content = STANDARD
        .decode(compact)
        .map_err(|_| Reply::error(422, "content is not valid Base64"))?;
    let (branch, sha) = present(get(world, id)?, &wanted, path)?;
    let given = text(&wanted, "sha");
    match (&sha, &given) {
        (Some(_), None) => {
            return Err(Reply::error(
                422,
                "Invalid request.\n\n\"sha\" wasn't supplied.",
            ));
        }
        (Some(sha), Some(given)) if sha != given => return Err(conflict(path, given)),
        _ => {}
    }
    let commit = commit(
        call,
        world,
        id,
        &branch,
        path,
        Some(content.into()),
        &message,
    )?;
    let repo = get(world, id)?;
    let view = call.view(world);
    let names: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
    let file = match repo.git.find(&commit, &names) {
        Some(Found::File(entry, content)) => {
            entry_json(&view, repo, &entry, &names, &branch, content.len())
        }
        _ => Value::Null,
    };
    let mut reply = Reply::json(json!({"content": file, "commit": summary(&view, repo, &commit)}));
    reply.status = if sha.is_some() { 200 } else { 201 };
    Ok(reply)
}

fn remove(call: &Call<'_>, world: &mut World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    let mut wanted = call.json()?;
    for name in ["message", "sha", "branch"] {
        if let (Some(value), Some(members)) = (call.request.parameter(name), wanted.as_object_mut())
        {
            members.insert(name.to_owned(), Value::String(value));
        }
    }
    let message = text(&wanted, "message").ok_or_else(|| missing("message"))?;
    let given = text(&wanted, "sha").ok_or_else(|| missing("sha"))?;
    let (branch, sha) = present(get(world, id)?, &wanted, path)?;
    if sha.ok_or_else(Reply::not_found)? != given {
        return Err(conflict(path, &given));
    }
    let commit = commit(call, world, id, &branch, path, None, &message)?;
    let view = call.view(world);
    let commit = summary(&view, get(world, id)?, &commit);
    Ok(Reply::json(json!({"content": null, "commit": commit})))
}

fn missing(name: &str) -> Reply {
    Reply::error(
        422,
        &format!("Invalid request.\n\n\"{name}\" wasn't supplied."),
    )
}

fn conflict(path: &[&str], given: &str) -> Reply {
    Reply::error(409, &format!("{} does not match {given}", path.join("/")))
}

fn commit(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    branch: &str,
    path: &[&str],
    content: Option<Bytes>,
    message: &str,
) -> Result<String, Reply> {
    let author = call.actor();
    world.ensure_user(&author);
    let now = world.tick();
    let repo = get_mut(world, id)?;
    let commit = repo.commit_file(branch, &path.join("/"), content, &author, message, now);
    commit.ok_or_else(Reply::not_found)
}

fn summary(view: &View<'_>, repo: &Repo, sha: &str) -> Value {
    let commit = repo
        .git
        .commit(sha)
        .map(|commit| commits::short(view, repo, commit));
    let mut value = json!({"sha": sha});
    if let Some(Value::Object(commit)) = commit {
        for key in ["node_id", "url", "html_url", "parents"] {
            if let Some(member) = commit.get(key) {
                crate::world::json::extend(&mut value, json!({key: member}));
            }
        }
        if let Some(inner) = commit.get("commit") {
            crate::world::json::extend(&mut value, inner.clone());
        }
    }
    value
}
