//! Issues, their comments, labels and assignees.

use crate::reply::{Body, Reply};
use crate::routes::repos::{get, get_mut};
use crate::routes::{labels, paging, text, texts, Call};
use crate::world::json::View;
use crate::world::{Comment, Issue, Repo, World};
use serde_json::{json, Value};

/// Answers a request below `/issues` or `/assignees`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    if !get(world, id)?.has_issues {
        return Err(Reply::error(
            410,
            "Issues has been disabled in this repository.",
        ));
    }
    match (call.method(), path) {
        ("GET", ["assignees"]) => {
            let view = call.view(world);
            let people = [view.login(&get(world, id)?.owner)];
            Ok(paging::list(
                call,
                &format!("/repositories/{id}/assignees"),
                &people,
                Value::clone,
            ))
        }
        ("GET", ["assignees", login]) => {
            let may_be = get(world, id)?.has_collaborator(login);
            may_be.then(Reply::no_content).ok_or_else(Reply::not_found)
        }
        ("GET", ["issues"]) => list(call, world, id),
        ("POST", ["issues"]) => create(call, world, id),
        ("GET", ["issues", "comments"]) => {
            let repo = get(world, id)?;
            let comments: Vec<&Comment> = repo.comments.values().collect();
            Ok(comment_list(
                call,
                world,
                repo,
                &comments,
                "issues/comments",
            ))
        }
        (method, ["issues", "comments", comment]) => {
            one_comment(call, world, id, method, number(comment)?)
        }
        (method, ["issues", issue, rest @ ..]) => {
            let issue = number(issue)?;
            known(get(world, id)?, issue)?;
            below(call, world, id, issue, method, rest)
        }
        _ => Err(Reply::not_found()),
    }
}

/// A number in a path; 404 when it is none.
pub fn number(text: &str) -> Result<u64, Reply> {
    text.parse().map_err(|_| Reply::not_found())
}

/// The issue, 410 when it was deleted, or else 404.
pub fn known(repo: &Repo, number: u64) -> Result<&Issue, Reply> {
    if repo.deleted_issues.contains(&number) {
        return Err(Reply::error(410, "This issue was deleted"));
    }
    repo.issues.get(&number).ok_or_else(Reply::not_found)
}

/// The issue, to be changed; its `updated` is set to now.
pub fn changed(world: &mut World, id: u64, number: u64) -> Result<&mut Issue, Reply> {
    let now = world.tick();
    let repo = get_mut(world, id)?;
    let issue = repo.issues.get_mut(&number).ok_or_else(Reply::not_found)?;
    issue.updated = now;
    Ok(issue)
}

fn below(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    issue: u64,
    method: &str,
    rest: &[&str],
) -> Result<Reply, Reply> {
    match (method, rest) {
        ("GET", []) => show(call, world, id, issue),
        ("PATCH", []) => change(call, world, id, issue),
        ("GET", ["comments"]) => {
            let repo = get(world, id)?;
            let comments: Vec<&Comment> = repo.comments_on(issue).collect();
            Ok(comment_list(
                call,
                world,
                repo,
                &comments,
                &format!("issues/{issue}/comments"),
            ))
        }
        ("POST", ["comments"]) => comment(call, world, id, issue),
        (_, ["labels", rest @ ..]) => labels::of_issue(call, world, id, issue, rest),
        (_, ["assignees"]) => {
            let logins = texts(&call.json()?, "assignees").unwrap_or_default();
            let found = changed(world, id, issue)?;
            found.assignees.retain(|login| !logins.contains(login));
            if method == "POST" {
                found.assignees.extend(logins);
                return Ok(Reply::created(body(call, world, id, issue)?));
            }
            show(call, world, id, issue)
        }
        ("PUT", ["lock"]) | ("DELETE", ["lock"]) => {
            changed(world, id, issue)?.locked = method == "PUT";
            Ok(Reply::no_content())
        }
        ("GET", ["events" | "timeline" | "reactions"]) => Ok(Reply::json(json!([]))),
        _ => Err(Reply::not_found()),
    }
}

fn body(call: &Call<'_>, world: &World, id: u64, issue: u64) -> Result<Value, Reply> {
    let repo = get(world, id)?;
    let issue = known(repo, issue)?;
    let view = call.view(world);
    let mut value = view.issue(repo, issue);
    let closer = if issue.open {
        Value::Null
    } else {
        view.login(&issue.user)
    };
    crate::world::json::extend(&mut value, json!({"closed_by": closer}));
    Ok(value)
}

fn show(call: &Call<'_>, world: &World, id: u64, issue: u64) -> Result<Reply, Reply> {
    let updated = known(get(world, id)?, issue)?.updated;
    Ok(Reply::json(body(call, world, id, issue)?).modified(updated))
}

/// Issues and pull requests, the newest first, by `state`, `labels`, `creator` and `since`.
fn list(call: &Call<'_>, world: &World, id: u64) -> Result<Reply, Reply> {
    let repo = get(world, id)?;
    let parameter = |name: &str| call.request.parameter(name);
    let state = parameter("state").unwrap_or_else(|| "open".to_owned());
    if !["open", "closed", "all"].contains(&state.as_str()) {
        return Err(Reply::invalid("Issue", "state", "invalid"));
    }
    let labels: Vec<String> = parameter("labels")
        .map(|text| text.split(',').map(str::to_lowercase).collect())
        .unwrap_or_default();
    let creator = parameter("creator");
    let since = parameter("since").and_then(|text| crate::world::time::parse(&text));
    let mut found: Vec<&Issue> = repo
        .issues
        .values()
        .rev()
        .filter(|issue| state == "all" || (state == "open") == issue.open)
        .filter(|issue| {
            let has = |wanted: &String| {
                issue
                    .labels
                    .iter()
                    .any(|name| name.to_lowercase() == *wanted)
            };
            labels.iter().all(has)
        })
        .filter(|issue| creator.as_ref().is_none_or(|login| issue.user == *login))
        .filter(|issue| since.is_none_or(|since| issue.updated >= since))
        .collect();
    if parameter("sort").as_deref() == Some("updated") {
        found.sort_by_key(|issue| std::cmp::Reverse(issue.updated));
    }
    if parameter("direction").as_deref() == Some("asc") {
        found.reverse();
    }
    let view = call.view(world);
    let path = format!("/repositories/{id}/issues");
    Ok(paging::list(call, &path, &found, |issue| {
        view.issue(repo, issue)
    }))
}

fn create(call: &Call<'_>, world: &mut World, id: u64) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let title = text(&wanted, "title").filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Reply::invalid("Issue", "title", "missing_field"))?;
    let user = call.actor();
    world.ensure_user(&user);
    let (new, now) = (world.next_id(), world.tick());
    let names = texts(&wanted, "labels").unwrap_or_default();
    labels::ensure(world, id, &names);
    let repo = get_mut(world, id)?;
    let number = repo.next_number();
    let issue = Issue {
        id: new,
        number,
        title,
        body: text(&wanted, "body"),
        user,
        open: true,
        labels: names,
        assignees: texts(&wanted, "assignees").unwrap_or_default(),
        locked: false,
        created: now,
        updated: now,
        closed: None,
        pull: None,
    };
    repo.issues.insert(number, issue);
    Ok(Reply::created(body(call, world, id, number)?))
}

fn change(call: &Call<'_>, world: &mut World, id: u64, issue: u64) -> Result<Reply, Reply> {
    apply(call, world, id, issue)?;
    show(call, world, id, issue)
}

/// Applies the members of a PATCH that issues and pull requests have in common.
pub fn apply(call: &Call<'_>, world: &mut World, id: u64, issue: u64) -> Result<(), Reply> {
    let wanted = call.json()?;
    let state = text(&wanted, "state");
    if state
        .as_deref()
        .is_some_and(|state| !["open", "closed"].contains(&state))
    {
        return Err(Reply::invalid("Issue", "state", "invalid"));
    }
    let names = texts(&wanted, "labels");
    labels::ensure(world, id, names.as_deref().unwrap_or_default());
    let found = changed(world, id, issue)?;
    if let Some(title) = text(&wanted, "title") {
        found.title = title;
    }
    if wanted.get("body").is_some() {
        found.body = text(&wanted, "body");
    }
    if let Some(state) = state {
        found.open = state == "open";
        found.closed = (!found.open).then_some(found.updated);
    }
    if let Some(names) = names {
        found.labels = names;
    }
    if let Some(logins) = texts(&wanted, "assignees") {
        found.assignees = logins;
    }
    Ok(())
}

fn comment_list(
    call: &Call<'_>,
    world: &World,
    repo: &Repo,
    comments: &[&Comment],
    below: &str,
) -> Reply {
    let view: View<'_> = call.view(world);
    let path = format!("/repositories/{}/{below}", repo.id);
    paging::list(call, &path, comments, |comment| view.comment(repo, comment))
}

fn comment(call: &Call<'_>, world: &mut World, id: u64, issue: u64) -> Result<Reply, Reply> {
    let text = text(&call.json()?, "body").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Reply::invalid("IssueComment", "body", "missing_field"))?;
    let user = call.actor();
    world.ensure_user(&user);
    let new = world.next_id();
    let now = changed(world, id, issue)?.updated;
    let comment = Comment {
        id: new,
        issue,
        user,
        body: text,
        created: now,
        updated: now,
    };
    get_mut(world, id)?.comments.insert(new, comment);
    let repo = get(world, id)?;
    let comment = repo.comments.get(&new).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(call.view(world).comment(repo, comment)))
}

fn one_comment(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    method: &str,
    comment: u64,
) -> Result<Reply, Reply> {
    let known = get(world, id)?
        .comments
        .get(&comment)
        .ok_or_else(Reply::not_found)?;
    let issue = known.issue;
    match method {
        "GET" => {}
        "PATCH" => {
            let text = text(&call.json()?, "body").unwrap_or_default();
            let now = changed(world, id, issue)?.updated;
            if let Some(found) = get_mut(world, id)?.comments.get_mut(&comment) {
                found.body = text;
                found.updated = now;
            }
        }
        "DELETE" => {
            changed(world, id, issue)?;
            get_mut(world, id)?.comments.remove(&comment);
            return Ok(Reply::new(204, Body::Empty));
        }
        _ => return Err(Reply::not_found()),
    }
    let repo = get(world, id)?;
    let comment = repo.comments.get(&comment).ok_or_else(Reply::not_found)?;
    Ok(Reply::json(call.view(world).comment(repo, comment)).modified(comment.updated))
}
