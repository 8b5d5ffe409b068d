//! A repository itself, its access rules, and its smaller parts.

use crate::reply::{Body, Reply};
use crate::routes::{
    commits, contents, git_data, issues, labels, paging, pulls, releases, settle, text, texts, Call,
};
use crate::world::{Repo, World};
use serde_json::{json, Value};

/// Answers a request for what is below a repository. `moved` says that it was asked for by a
/// former name.
pub fn dispatch(call: &Call<'_>, world: &mut World, id: u64, path: &[&str], moved: bool) -> Reply {
    let Some(repo) = world.repo(id).filter(|repo| call.sees(repo)) else {
        return Reply::not_found();
    };
    if repo.blocked {
        return blocked(repo);
    }
    if moved {
        let below: String = call
            .request
            .target()
            .split('/')
            .skip(4)
            .map(|segment| format!("/{segment}"))
            .collect();
        let query_of_itself = match path {
            [] => call.request.query.as_ref().map(|query| format!("?{query}")),
            _ => None,
        };
        let base = &call.shared.bases.api;
        let url = format!(
            "{base}/repositories/{id}{below}{}",
            query_of_itself.unwrap_or_default()
        );
        return Reply::moved(call.request.is_read(), url);
    }
    if repo.archived && !call.request.is_read() && !path.is_empty() {
        return Reply::error(403, "Repository was archived so is read-only.");
    }
    settle(route(call, world, id, path))
}

fn route(call: &Call<'_>, world: &mut World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    match (call.method(), path) {
        ("GET", []) => show(call, world, id),
        ("PATCH", []) => change(call, world, id),
        ("DELETE", []) => {
            world.remove_repo(id);
            Ok(Reply::no_content())
        }
        (_, ["issues" | "assignees", ..]) => issues::dispatch(call, world, id, path),
        (_, ["pulls", ..]) => pulls::dispatch(call, world, id, path),
        (_, ["labels", ..]) => labels::dispatch(call, world, id, path),
        (_, ["contents" | "readme", ..]) => contents::dispatch(call, world, id, path),
        (_, ["git", ..]) => git_data::dispatch(call, world, id, path),
        (_, ["releases", ..]) => releases::dispatch(call, world, id, path),
        ("GET", ["commits" | "branches" | "tags" | "compare", ..]) => {
            commits::dispatch(call, world, id, path)
        }
        _ => small(call, world, id, path),
    }
}

/// A repository or 404.
pub fn get(world: &World, id: u64) -> Result<&Repo, Reply> {
    world.repo(id).ok_or_else(Reply::not_found)
}

/// A repository to be changed, or 404.
pub fn get_mut(world: &mut World, id: u64) -> Result<&mut Repo, Reply> {
    world.repo_mut(id).ok_or_else(Reply::not_found)
}

fn show(call: &Call<'_>, world: &World, id: u64) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let mut value = call.view(world).repo(repo);
    let more = json!({"network_count": 0, "subscribers_count": 1});
    crate::world::json::extend(&mut value, more);
    Ok(Reply::json(value).modified(repo.updated))
}

fn change(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let now = world.tick();
    let repo = get_mut(world, id)?;
    if wanted.get("description").is_some() {
        repo.description = text(&wanted, "description");
    }
    if let Some(branch) = text(&wanted, "default_branch") {
        repo.resolve(&branch)
            .ok_or_else(|| Reply::invalid("Repository", "default_branch", "invalid"))?;
        repo.default_branch = branch;
    }
    let flag = |key: &str| wanted.get(key).and_then(Value::as_bool);
    repo.private = flag("private").unwrap_or(repo.private);
    repo.has_issues = flag("has_issues").unwrap_or(repo.has_issues);
    repo.archived = flag("archived").unwrap_or(repo.archived);
    repo.updated = now;
    let (owner, name) = (repo.owner.clone(), repo.name.clone());
    if let Some(new) = text(&wanted, "name").filter(|new| *new != name) {
        world.rename(id, &owner, &new);
    }
    show(call, world, id)
}

fn small(call: &Call<'_>, world: &mut World, id: u64, path: &[&str]) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let base = &call.shared.bases.api;
    Ok(match (call.method(), path) {
        ("GET", ["topics"]) => Reply::json(json!({"names": repo.topics})),
        ("PUT", ["topics"]) => {
            let names = texts(&call.json()?, "names").unwrap_or_default();
            let now = world.tick();
            let repo = get_mut(world, id)?;
            repo.topics.clone_from(&names);
            repo.updated = now;
            Reply::json(json!({"names": names}))
        }
        ("GET", ["languages"]) => Reply::json(json!({"Rust": 4096, "Shell": 512})),
        ("GET", ["contributors" | "stargazers" | "subscribers"]) => {
            let view = call.view(world);
            let people = [view.login(&repo.owner)];
            let below = path.join("/");
            paging::list(
                call,
                &format!("/repositories/{id}/{below}"),
                &people,
                Value::clone,
            )
        }
        ("GET", ["collaborators", login]) => {
            if repo.has_collaborator(login) {
                Reply::no_content()
            } else {
                Reply::not_found()
            }
        }
        ("PUT", ["collaborators", login]) => {
            let repo = get_mut(world, id)?;
            repo.collaborators.push((*login).to_owned());
            Reply::no_content()
        }
        ("DELETE", ["collaborators", login]) => {
            let repo = get_mut(world, id)?;
            repo.collaborators
                .retain(|known| !known.eq_ignore_ascii_case(login));
            Reply::no_content()
        }
        ("GET", ["tarball" | "zipball", reference @ ..]) => {
            let kind = if path.first() == Some(&"zipball") {
                "legacy.zip"
            } else {
                "legacy.tar.gz"
            };
            let reference = match reference {
                [] => repo.default_branch.clone(),
                parts => parts.join("/"),
            };
            repo.resolve(&reference).ok_or_else(Reply::not_found)?;
            let url = format!(
                "https://codeload.github.com/{}/{kind}/{reference}",
                repo.full_name()
            );
            Reply::new(302, Body::Empty).header("location", url)
        }
        ("GET", ["stats", ..]) if !repo.statistics_ready => {
            get_mut(world, id)?.statistics_ready = true;
            Reply::new(202, Body::Json(json!({})))
        }
        ("GET", ["stats", "participation"]) => {
            Reply::json(json!({"all": vec![1; 52], "owner": vec![0; 52]}))
        }
        ("GET", ["stats", _]) => {
            let author = call.view(world).login(&repo.owner);
            let week = json!({"w": 1_704_067_200, "a": 10, "d": 2, "c": 1});
            Reply::json(json!([{"total": 1, "weeks": [week], "author": author}]))
        }
        ("GET", ["license"]) => Reply::not_found(),
        ("GET", ["events" | "milestones" | "hooks" | "deployments" | "forks" | "keys"]) => {
            Reply::json(json!([])).header("x-poll-interval", "60")
        }
        ("GET", ["subscription"]) => Reply::json(json!({
            "subscribed": true,
            "ignored": false,
            "repository_url": format!("{base}/repos/{}", repo.full_name()),
        })),
        _ => Reply::not_found(),
    })
}

fn blocked(repo: &Repo) -> Reply {
    let notice = "https://github.com/github/dmca";
    Reply::new(
        451,
        Body::Json(json!({
            "message": "Repository access blocked",
            "block": {
                "reason": "dmca",
                "created_at": crate::world::time::iso(repo.updated),
                "html_url": notice,
            },
        })),
    )
}
