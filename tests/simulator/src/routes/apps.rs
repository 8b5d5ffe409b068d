//! GitHub Apps: the App itself, its installations, and their tokens.

use crate::apps::Installation;
use crate::auth::{Identity, Owner};
use crate::refusals;
use crate::reply::Reply;
use crate::routes::{paging, Call};
use crate::shared::now;
use crate::world::json::node_id;
use crate::world::time::iso;
use crate::world::Repo;
use serde_json::{json, Value};

/// Answers a request below `/app` or `/installation`.
pub fn dispatch(call: &Call<'_>, path: &[&str]) -> Result<Reply, Reply> {
    match path {
        ["app", rest @ ..] => of_app(call, rest),
        _ => of_installation(call, path),
    }
}

fn of_app(call: &Call<'_>, path: &[&str]) -> Result<Reply, Reply> {
    let Identity::Known {
        owner: Owner::App(app),
        ..
    } = call.who
    else {
        return Err(Reply::error(401, "A JSON web token could not be decoded"));
    };
    match (call.method(), path) {
        ("GET", []) => {
            let apps = call.shared.apps.lock();
            let app = apps.app(*app).ok_or_else(Reply::not_found)?;
            Ok(Reply::json(json!({
                "id": app.id,
                "client_id": app.client_id,
                "slug": app.slug,
                "node_id": node_id("App", app.id),
                "name": app.slug,
                "html_url": format!("https://github.com/apps/{}", app.slug),
                "permissions": permissions(),
                "events": [],
                "installations_count": app.installations.len(),
            })))
        }
        ("GET", ["installations"]) => {
            let apps = call.shared.apps.lock();
            let app = apps.app(*app).ok_or_else(Reply::not_found)?;
            let shown = app
                .installations
                .iter()
                .map(|found| installation(call, app.id, found));
            Ok(Reply::json(shown.collect()))
        }
        ("GET", ["installations", id]) => {
            let apps = call.shared.apps.lock();
            let app = apps.app(*app).ok_or_else(Reply::not_found)?;
            let found = app
                .installations
                .iter()
                .find(|found| found.id.to_string() == *id);
            let found = found.ok_or_else(Reply::not_found)?;
            Ok(Reply::json(installation(call, app.id, found)))
        }
        ("POST", ["installations", id, "access_tokens"]) => {
            exchange(call, *app, id.parse().map_err(|_| Reply::not_found())?)
        }
        _ => Err(Reply::not_found()),
    }
}

/// Exchanges the App's JWT for an installation token.
fn exchange(call: &Call<'_>, app: u64, id: u64) -> Result<Reply, Reply> {
    let minted = {
        let mut apps = call.shared.apps.lock();
        if apps.installation(id).is_some_and(|found| found.suspended) {
            return Err(refusals::suspended());
        }
        apps.mint(app, id, now() as u64)
            .ok_or_else(Reply::not_found)?
    };
    let body = json!({
        "token": minted.value,
        "expires_at": iso(minted.expires.unwrap_or_default()),
        "permissions": permissions(),
        "repository_selection": "all",
    });
    call.shared.tokens.lock().add(minted);
    Ok(Reply::created(body))
}

fn permissions() -> Value {
    json!({"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write"})
}

fn installation(call: &Call<'_>, app: u64, found: &Installation) -> Value {
    let api = &call.shared.bases.api;
    json!({
        "id": found.id,
        "app_id": app,
        "account": {"login": found.account},
        "repository_selection": "all",
        "access_tokens_url": format!("{api}/app/installations/{}/access_tokens", found.id),
        "repositories_url": format!("{api}/installation/repositories"),
        "permissions": permissions(),
        "events": [],
        "suspended_at": found.suspended.then_some("2024-01-01T00:00:00Z"),
    })
}

fn of_installation(call: &Call<'_>, path: &[&str]) -> Result<Reply, Reply> {
    let Identity::Known {
        owner: Owner::Installation(id),
        token,
    } = call.who
    else {
        return Err(match call.who.is_known() {
            true => Reply::error(
                403,
                "You must authenticate with an installation access token",
            ),
            false => Reply::requires_authentication(),
        });
    };
    match (call.method(), path) {
        ("DELETE", ["installation", "token"]) => {
            call.shared.tokens.lock().revoke(token);
            Ok(Reply::no_content())
        }
        ("GET", ["installation", "repositories"]) => {
            let world = call.shared.world.lock();
            let account = {
                let apps = call.shared.apps.lock();
                apps.installation(*id)
                    .map(|found| found.account.clone())
                    .unwrap_or_default()
            };
            let repos: Vec<&Repo> = world.repos().filter(|repo| repo.owner == account).collect();
            let view = call.view(&world);
            let page = paging::Page::of(call);
            let shown: Vec<Value> = page
                .cut(&repos)
                .iter()
                .map(|repo| view.repo(repo))
                .collect();
            let body = json!({
                "total_count": repos.len(),
                "repository_selection": "all",
                "repositories": shown,
            });
            let reply = Reply::json(body);
            Ok(paging::linked(
                call,
                reply,
                "/installation/repositories",
                repos.len(),
            ))
        }
        _ => Err(Reply::not_found()),
    }
}
