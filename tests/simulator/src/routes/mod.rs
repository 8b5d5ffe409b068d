//! The simulated API: from method and path to an answer.
//!
//! Routes are pure in the world: what they answer depends on it, the request and its sender, and
//! not on the time or the rate limits.

mod apps;
mod commits;
mod contents;
mod git_data;
mod graphql;
mod issues;
mod labels;
mod paging;
mod pulls;
mod releases;
mod repos;
mod root;
mod search;

use crate::auth::{Identity, Owner};
use crate::reply::Reply;
use crate::request::Request;
use crate::shared::Shared;
use crate::world::json::View;
use crate::world::{Repo, World};
use serde_json::Value;

/// A request on its way through the routes.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The state that is not the world.
    pub shared: &'a Shared,
    /// The request.
    pub request: &'a Request,
    /// Who sent it.
    pub who: &'a Identity,
}

impl<'a> Call<'a> {
    /// The method, GET for HEAD.
    pub fn method(&self) -> &'a str {
        match self.request.method.as_str() {
            "HEAD" => "GET",
            other => other,
        }
    }

    /// Makes bodies of `world`.
    pub fn view(&self, world: &'a World) -> View<'a> {
        View {
            world,
            bases: &self.shared.bases,
        }
    }

    /// The login that changes are made under.
    pub fn actor(&self) -> String {
        match self.who {
            Identity::Known { owner, .. } => match owner {
                Owner::User(login) => login.clone(),
                Owner::Installation(_) | Owner::App(_) => "simulated-app[bot]".to_owned(),
            },
            _ => "ghost".to_owned(),
        }
    }

    /// The request's JSON object.
    pub fn json(&self) -> Result<Value, Reply> {
        self.request.json().ok_or_else(Reply::problems_parsing_json)
    }

    /// Whether the sender may see a repository.
    pub fn sees(&self, repo: &Repo) -> bool {
        if !repo.private {
            return true;
        }
        let login = self.who.login();
        let owner = self.who.owner_key();
        login.is_some_and(|login| login.eq_ignore_ascii_case(&repo.owner))
            || repo.visible_to.iter().any(|name| {
                Some(name.as_str()) == login
                    || *name == owner
                    || Some(name.as_str()) == self.who.token()
            })
    }
}

/// The text of a member; `None` when absent, null or no text.
pub fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The texts of an array; objects count by their `name`.
pub fn texts(value: &Value, key: &str) -> Option<Vec<String>> {
    let items = value.get(key)?.as_array()?;
    let one = |item: &Value| match item {
        Value::String(text) => Some(text.clone()),
        other => text(other, "name"),
    };
    Some(items.iter().filter_map(one).collect())
}

/// Either of an answer and an error, which is an answer too.
pub fn settle(result: Result<Reply, Reply>) -> Reply {
    result.unwrap_or_else(|error| error)
}

/// Answers a request.
pub fn dispatch(shared: &Shared, request: &Request, who: &Identity) -> Reply {
    let call = Call {
        shared,
        request,
        who,
    };
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    if segments.first() == Some(&"app") || segments.first() == Some(&"installation") {
        return settle(apps::dispatch(&call, &segments));
    }
    if !request.is_read() && !who.is_known() {
        return Reply::requires_authentication();
    }
    let mut world = shared.world.lock();
    match segments.as_slice() {
        ["repos", owner, name, rest @ ..] => match world.repo_id(owner, name) {
            Some(id) => {
                let current = world.repo(id).map(Repo::full_name).unwrap_or_default();
                let moved = !current.eq_ignore_ascii_case(&format!("{owner}/{name}"));
                repos::dispatch(&call, &mut world, id, rest, moved)
            }
            None => Reply::not_found(),
        },
        ["repositories", id, rest @ ..] => match id.parse() {
            Ok(id) => repos::dispatch(&call, &mut world, id, rest, false),
            Err(_) => Reply::not_found(),
        },
        ["search", kind] if call.method() == "GET" => search::search(&call, &world, kind),
        ["graphql"] if call.method() == "POST" => graphql::answer(&call, &mut world),
        _ => settle(root::dispatch(&call, &mut world, &segments)),
    }
}
