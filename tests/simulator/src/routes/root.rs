//! Routes outside of repositories: the root, limits, users, organizations, miscellany.

use crate::limits::RESOURCES;
use crate::reply::{Body, Reply};
use crate::routes::{paging, settle, text, Call};
use crate::shared::now;
use crate::world::{Account, Repo, World};
use serde_json::{json, Map, Value};

/// Answers a request.
pub fn dispatch(call: &Call<'_>, world: &mut World, path: &[&str]) -> Result<Reply, Reply> {
    Ok(match (call.method(), path) {
        ("GET", []) => index(call),
        ("GET", ["rate_limit"]) => rate_limit(call),
        ("GET", ["meta"]) => meta(),
        ("GET", ["zen"]) => Reply::bytes("text/plain;charset=utf-8", "Same question, same answer."),
        ("GET", ["octocat"]) => Reply::bytes("application/octocat-stream", OCTOCAT),
        ("GET", ["versions"]) => Reply::json(json!(["2022-11-28", "2026-03-10"])),
        ("GET", ["emojis"]) => Reply::json(json!({
            "+1": "https://github.githubassets.com/images/icons/emoji/unicode/1f44d.png?v8",
        })),
        ("GET", ["user"]) => user(call, world)?,
        ("PATCH", ["user"]) => {
            let now = world.tick();
            if let Some(account) = call.who.login().and_then(|login| world.account_mut(login)) {
                account.updated = now;
            }
            user(call, world)?
        }
        ("GET", ["user", "repos"]) => {
            let login = needed_login(call)?;
            repos_of(call, world, Some(login), "/user/repos")
        }
        ("POST", ["user", "repos"]) => create_repo(call, world, needed_login(call)?)?,
        ("GET", ["user", "orgs"]) => {
            needed_login(call)?;
            let view = call.view(world);
            let all = organizations(world);
            paging::list(call, "/user/orgs", &all, |account| {
                view.organization(account)
            })
        }
        ("GET", ["user", id]) => account(
            call,
            id.parse().ok().and_then(|id| world.account_by_id(id)),
            world,
        )?,
        ("GET", ["users"]) => {
            let view = call.view(world);
            let since = call
                .request
                .parameter("since")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            let all: Vec<&Account> = world
                .accounts()
                .into_iter()
                .filter(|account| account.id > since)
                .collect();
            paging::list(call, "/users", &all, |account| view.account(account))
        }
        ("GET", ["users", login]) => account(call, world.account(login), world)?,
        ("GET", ["users", login, "repos"]) => {
            let account = world.account(login).ok_or_else(Reply::not_found)?;
            repos_of(
                call,
                world,
                Some(&account.login),
                &format!("/user/{}/repos", account.id),
            )
        }
        ("GET", ["users", login, "orgs"]) => {
            world.account(login).ok_or_else(Reply::not_found)?;
            let view = call.view(world);
            let all = organizations(world);
            paging::list(call, &format!("/users/{login}/orgs"), &all, |account| {
                view.organization(account)
            })
        }
        ("GET", ["orgs", login]) => organization(call, world.account(login), world)?,
        ("GET", ["organizations", id]) => organization(
            call,
            id.parse().ok().and_then(|id| world.account_by_id(id)),
            world,
        )?,
        ("GET", ["orgs", login, "repos"]) => {
            let account = world.account(login).filter(|found| found.organization);
            let account = account.ok_or_else(Reply::not_found)?;
            let path = format!("/organizations/{}/repos", account.id);
            repos_of(call, world, Some(&account.login), &path)
        }
        ("GET", ["organizations", id, "repos"]) => {
            let account = id.parse().ok().and_then(|id| world.account_by_id(id));
            let account = account
                .filter(|found| found.organization)
                .ok_or_else(Reply::not_found)?;
            let path = format!("/organizations/{}/repos", account.id);
            repos_of(call, world, Some(&account.login), &path)
        }
        ("POST", ["orgs", login, "repos"]) => create_repo(call, world, login)?,
        ("GET", ["orgs", login, "members"]) => {
            world.account(login).ok_or_else(Reply::not_found)?;
            let view = call.view(world);
            let people: Vec<&Account> = world
                .accounts()
                .into_iter()
                .filter(|account| !account.organization)
                .collect();
            paging::list(call, &format!("/orgs/{login}/members"), &people, |person| {
                view.account(person)
            })
        }
        ("GET", ["repositories"]) => repos_of(call, world, None, "/repositories"),
        ("POST", ["markdown"]) => {
            let source = text(&call.json()?, "text").unwrap_or_default();
            Reply::bytes(
                "text/html;charset=utf-8",
                format!("<p>{}</p>", source.replace('<', "&lt;")),
            )
        }
        ("GET", ["gitignore", "templates"]) => Reply::json(json!(["C", "Rust"])),
        _ => Reply::not_found(),
    })
}

fn needed_login<'a>(call: &Call<'a>) -> Result<&'a str, Reply> {
    match call.who.login() {
        Some(login) => Ok(login),
        None if call.who.is_known() => {
            Err(Reply::error(403, "Resource not accessible by integration"))
        }
        None => Err(Reply::requires_authentication()),
    }
}

fn user(call: &Call<'_>, world: &World) -> Result<Reply, Reply> {
    let login = needed_login(call)?;
    account(call, world.account(login), world)
}

fn account(call: &Call<'_>, account: Option<&Account>, world: &World) -> Result<Reply, Reply> {
    let account = account.ok_or_else(Reply::not_found)?;
    let body = call.view(world).full_account(account);
    Ok(Reply::json(body).modified(account.updated))
}

fn organization(call: &Call<'_>, account: Option<&Account>, world: &World) -> Result<Reply, Reply> {
    let account = account
        .filter(|found| found.organization)
        .ok_or_else(Reply::not_found)?;
    let body = call.view(world).organization(account);
    Ok(Reply::json(body).modified(account.updated))
}

fn organizations(world: &World) -> Vec<&Account> {
    world
        .accounts()
        .into_iter()
        .filter(|account| account.organization)
        .collect()
}

fn repos_of(call: &Call<'_>, world: &World, owner: Option<&str>, path: &str) -> Reply {
    let view = call.view(world);
    let repos: Vec<&Repo> = world
        .repos()
        .filter(|repo| owner.is_none_or(|owner| repo.owner.eq_ignore_ascii_case(owner)))
        .filter(|repo| call.sees(repo))
        .collect();
    paging::list(call, path, &repos, |repo| view.repo(repo))
}

fn create_repo(call: &Call<'_>, world: &mut World, owner: &str) -> Result<Reply, Reply> {
    let wanted = call.json()?;
    let Some(name) = text(&wanted, "name").filter(|name| !name.is_empty()) else {
        return Err(Reply::invalid("Repository", "name", "missing_field"));
    };
    if world.repo_id(owner, &name).is_some() {
        return Err(Reply::invalid("Repository", "name", "already_exists"));
    }
    let id = world.add_repo(owner, &name);
    if let Some(repo) = world.repo_mut(id) {
        repo.description = text(&wanted, "description");
        repo.private = wanted
            .get("private")
            .and_then(Value::as_bool)
            .unwrap_or(false);
    }
    let view = call.view(world);
    let repo = world.repo(id).map(|repo| view.repo(repo));
    Ok(settle(
        repo.map(Reply::created).ok_or_else(Reply::not_found),
    ))
}

/// `GET /rate_limit`: all resources, and `rate`, an older name of core.
fn rate_limit(call: &Call<'_>) -> Reply {
    let owner = call.who.owner_key();
    let mut limits = call.shared.limits.lock();
    let mut resources = Map::new();
    for (resource, ..) in RESOURCES {
        let standing = limits.standing(&owner, resource, now() as u64);
        let value = json!({
            "limit": standing.limit,
            "used": standing.used,
            "remaining": standing.remaining,
            "reset": standing.reset,
        });
        resources.insert(resource.to_owned(), value);
    }
    let rate = resources.get("core").cloned();
    Reply::json(json!({"resources": resources, "rate": rate})).header("cache-control", "no-cache")
}

fn index(call: &Call<'_>) -> Reply {
    let api = &call.shared.bases.api;
    Reply::json(json!({
        "current_user_url": format!("{api}/user"),
        "code_search_url": format!("{api}/search/code?q={{query}}{{&page,per_page,sort,order}}"),
        "issue_search_url": format!("{api}/search/issues?q={{query}}{{&page,per_page,sort,order}}"),
        "organization_url": format!("{api}/orgs/{{org}}"),
        "rate_limit_url": format!("{api}/rate_limit"),
        "repository_url": format!("{api}/repos/{{owner}}/{{repo}}"),
        "repository_search_url":
            format!("{api}/search/repositories?q={{query}}{{&page,per_page,sort,order}}"),
        "user_url": format!("{api}/users/{{user}}"),
    }))
}

fn meta() -> Reply {
    Reply::new(
        200,
        Body::Json(json!({
            "verifiable_password_authentication": false,
            "hooks": ["192.0.2.0/24"],
            "web": ["192.0.2.0/24"],
            "api": ["192.0.2.0/24", "2001:db8::/32"],
            "git": ["192.0.2.0/24"],
            "domains": {"website": ["*.github.com"]},
        })),
    )
}

const OCTOCAT: &str = "    ^___^\n   ( o o )  Nothing here is real.\n    ( - )\n   /|   |\\~\n";
