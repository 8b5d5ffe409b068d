//! Who asks, for what, and may they: the guards of a request, top to bottom.

use super::errand::{Errand, RequestBody};
use super::{document, lead, notes, serve, Admitted, Effect, Phase, World};
use crate::auth;
use crate::budget::Budget;
use crate::cache::key::Key;
use crate::cache::policy::{classify, Cacheability};
use crate::cache::status::CacheStatus;
use crate::config::registry::{Client, Denied};
use crate::cors;
use crate::flight::Waiter;
use crate::forwarded::{self, InvalidHost};
use crate::graphql::wish::Wish;
use crate::header::Headers;
use crate::path::Target;
use crate::reply::Refusal;
use crate::scope::Permission;
use crate::upstream;

/// A refusal, and the client if it is known.
struct Refused {
    client: Option<String>,
    refusal: Refusal,
}

/// A request that got past the guards.
struct Accepted {
    admitted: Admitted,
    cacheability: Cacheability,
    permission: Permission,
    /// What the client wants of the cache for its GraphQL queries.
    wish: Wish,
}

/// The first step of every request.
pub(super) fn arrive(
    headers: Headers,
    me: Waiter,
    has_body: bool,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let method = headers.text(":method").unwrap_or_default().to_owned();
    let target = headers.get(":path").unwrap_or_default();
    let target = Target::parse(target).ok();
    notes::of_request(&headers, target.as_ref(), effects);
    if cors::is_preflight(&method, &headers) {
        return serve::preflight(&method, world.now, effects);
    }
    match admit(&method, target, headers, me, has_body, world) {
        Ok(accepted) => {
            let Accepted {
                admitted,
                cacheability,
                permission,
                wish,
            } = accepted;
            notes::of_client(&admitted.client, effects);
            let must_query = permission != Permission::Everything;
            if must_query || admitted.is_graphql() {
                return document::begin(admitted, must_query, wish, world, effects);
            }
            match cacheability {
                Cacheability::Cacheable => lead::board(admitted, world, effects),
                Cacheability::RateLimit => serve::rate_limit(&admitted, world, effects),
                Cacheability::Method => {
                    Errand::around(admitted, CacheStatus::Method).depart(world, effects)
                }
                Cacheability::Bypass => {
                    Errand::around(admitted, CacheStatus::Bypass).depart(world, effects)
                }
            }
        }
        Err(Refused { client, refusal }) => {
            if let Some(client) = &client {
                notes::of_client(client, effects);
            }
            let client = client.unwrap_or_else(|| "-".to_owned());
            serve::refuse(&client, &method, world.now, refusal, effects)
        }
    }
}

fn admit(
    method: &str,
    target: Option<Target>,
    headers: Headers,
    me: Waiter,
    has_body: bool,
    world: &World<'_>,
) -> Result<Accepted, Refused> {
    let config = &world.proxy.config;
    let client = authenticate(&headers, world)?;
    let refused = |refusal| Refused {
        client: Some(client.name.clone()),
        refusal,
    };
    if method == "TRACE" {
        return Err(refused(Refusal::Method));
    }
    let target = target.ok_or_else(|| refused(Refusal::Path))?;
    let permission = client.scopes.permit(method, &target.path);
    if permission == Permission::Nothing {
        return Err(refused(Refusal::Scope {
            client: client.name.clone(),
            method: method.to_owned(),
        }));
    }
    let root = root(&headers, world).map_err(|InvalidHost| refused(Refusal::Path))?;
    let authority = &config.upstream.at(target.mount).authority;
    let path = upstream::path(&config.upstream, &target);
    let admitted = Admitted {
        client: client.name.clone(),
        pool: client.pool.clone(),
        method: method.to_owned(),
        resource: world.worker.routes.resource_of(&target.path),
        budget: client.budget.map(|it| Budget::new(&client.name, it)),
        priority: client.priority,
        key: Key::of(&client.pool, authority, &path, &headers),
        path,
        mount: target.mount,
        root,
        target: target.path.clone(),
        me,
        started: world.now,
        body: RequestBody::new(has_body),
        document: None,
        leads: false,
        locked_at: None,
        headers,
    };
    let cacheability = classify(method, &target.path, &admitted.headers, has_body);
    let wish = Wish::of(&admitted.headers, client.graphql_cache_seconds);
    Ok(Accepted {
        admitted,
        cacheability,
        permission,
        wish,
    })
}

/// Where URLs in the answer are to lead, unless they are left as they are.
fn root(headers: &Headers, world: &World<'_>) -> Result<Option<String>, InvalidHost> {
    let settings = &world.proxy.config.rewrite;
    match &settings.public_url {
        _ if !settings.urls => Ok(None),
        Some(url) => Ok(Some(url.clone())),
        None => forwarded::root(headers, &settings.trusted_proxies, world.connection),
    }
}

fn authenticate<'a>(headers: &Headers, world: &World<'a>) -> Result<&'a Client, Refused> {
    let anonymous = |refusal| Refused {
        client: None,
        refusal,
    };
    let token = headers
        .get("authorization")
        .and_then(auth::presented_token)
        .ok_or_else(|| anonymous(Refusal::NoToken))?;
    let clients = &world.proxy.config.clients;
    let outcome = clients.authenticate(token.expose().as_bytes(), world.now / 1_000);
    outcome.map_err(|denied| match denied {
        Denied::BadToken => anonymous(Refusal::BadToken),
        Denied::ExpiredToken { client } => Refused {
            client: Some(client.name.clone()),
            refusal: Refusal::ExpiredToken,
        },
    })
}
