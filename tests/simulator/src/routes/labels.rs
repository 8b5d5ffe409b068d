//! Labels of a repository and of an issue.

use crate::reply::Reply;
use crate::routes::issues::{changed, known};
use crate::routes::repos::{get, get_mut};
use crate::routes::{paging, text, texts, Call};
use crate::world::{seed, Label, World};
use serde_json::{json, Value};

/// Answers a request below a repository's `/labels`.
pub fn dispatch(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    path: &[&str],
) -> Result<Reply, Reply> {
    match (call.method(), path) {
        ("GET", ["labels"]) => {
            let repo = get(world, id)?;
            let view = call.view(world);
            let labels: Vec<&Label> = repo.labels.values().collect();
            let path = format!("/repositories/{id}/labels");
            Ok(paging::list(call, &path, &labels, |label| {
                view.label(repo, label)
            }))
        }
        ("POST", ["labels"]) => {
            let wanted = call.json()?;
            let name = text(&wanted, "name").filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Reply::invalid("Label", "name", "missing_field"))?;
            if get(world, id)?.labels.contains_key(&name.to_lowercase()) {
                return Err(Reply::invalid("Label", "name", "already_exists"));
            }
            let color = text(&wanted, "color").unwrap_or_else(|| "ededed".to_owned());
            seed::add_label(world, id, &name, &color);
            if let Some(label) = get_mut(world, id)?.labels.get_mut(&name.to_lowercase()) {
                label.description = text(&wanted, "description");
            }
            show(call, world, id, &name).map(Reply::created)
        }
        ("GET", ["labels", name]) => show(call, world, id, name).map(Reply::json),
        ("PATCH", ["labels", name]) => change(call, world, id, name),
        ("DELETE", ["labels", name]) => {
            let removed = get_mut(world, id)?.labels.remove(&name.to_lowercase());
            removed
                .map(|_| Reply::no_content())
                .ok_or_else(Reply::not_found)
        }
        _ => Err(Reply::not_found()),
    }
}

fn show(call: &Call<'_>, world: &World, id: u64, name: &str) -> Result<Value, Reply> {
    let repo = get(world, id)?;
    let label = repo
        .labels
        .get(&name.to_lowercase())
        .ok_or_else(Reply::not_found)?;
    Ok(call.view(world).label(repo, label))
}

fn change(call: &Call<'_>, world: &mut World, id: u64, name: &str) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let repo = get_mut(world, id)?;
    let mut label = repo
        .labels
        .remove(&name.to_lowercase())
        .ok_or_else(Reply::not_found)?;
    if let Some(new) = text(&wanted, "new_name") {
        for issue in repo.issues.values_mut() {
            for used in &mut issue.labels {
                if used.eq_ignore_ascii_case(name) {
                    used.clone_from(&new);
                }
            }
        }
        label.name = new;
    }
    if let Some(color) = text(&wanted, "color") {
        label.color = color;
    }
    if wanted.get("description").is_some() {
        label.description = text(&wanted, "description");
    }
    let name = label.name.clone();
    repo.labels.insert(name.to_lowercase(), label);
    show(call, world, id, &name).map(Reply::json)
}

/// Makes the labels of these names that there are not.
pub fn ensure(world: &mut World, id: u64, names: &[String]) {
    for name in names {
        let missing = world
            .repo(id)
            .is_some_and(|repo| !repo.labels.contains_key(&name.to_lowercase()));
        if missing {
            seed::add_label(world, id, name, "ededed");
        }
    }
}

/// The labels that are wanted for an issue: `{"labels": […]}`, or the array alone.
fn names(call: &Call<'_>) -> Result<Vec<String>, Reply> {
    let wanted = match call.request.json_of_any_kind() {
        Some(names @ Value::Array(_)) => json!({"labels": names}),
        _ => call.json()?,
    };
    Ok(texts(&wanted, "labels").unwrap_or_default())
}

/// Answers a request below an issue's `/labels`.
pub fn of_issue(
    call: &Call<'_>,
    world: &mut World,
    id: u64,
    issue: u64,
    rest: &[&str],
) -> Result<Reply, Reply> {
    let method = call.method();
    match (method, rest) {
        ("GET", []) => {}
        ("POST" | "PUT", []) => {
            let names = names(call)?;
            ensure(world, id, &names);
            let found = changed(world, id, issue)?;
            if method == "PUT" {
                found.labels.clear();
            }
            for name in names {
                if !found.labels.contains(&name) {
                    found.labels.push(name);
                }
            }
        }
        ("DELETE", []) => {
            changed(world, id, issue)?.labels.clear();
            return Ok(Reply::no_content());
        }
        ("DELETE", [name]) => {
            let has = |names: &[String]| names.iter().any(|used| used.eq_ignore_ascii_case(name));
            if !has(&known(get(world, id)?, issue)?.labels) {
                return Err(Reply::error(404, "Label does not exist"));
            }
            let found = changed(world, id, issue)?;
            found.labels.retain(|used| !used.eq_ignore_ascii_case(name));
        }
        _ => return Err(Reply::not_found()),
    }
    let repo = get(world, id)?;
    let view = call.view(world);
    let labels: Vec<&Label> = known(repo, issue)?
        .labels
        .iter()
        .filter_map(|name| repo.labels.get(&name.to_lowercase()))
        .collect();
    let path = format!("/repositories/{id}/issues/{issue}/labels");
    Ok(paging::list(call, &path, &labels, |label| {
        view.label(repo, label)
    }))
}
