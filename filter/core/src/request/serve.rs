//! Answers that the proxy gives itself: from a stored response, or a refusal.

use super::{depart, Admitted, Closed, Effect, Phase, Reply, ReplyBody, World};
use crate::cache::entry::Entry;
use crate::cache::status::CacheStatus;
use crate::conditional::Preconditions;
use crate::header::Headers;
use crate::metric::Metric;
use crate::reply::Refusal;

/// A client's tag is compared with computed ones only for bodies up to this size: hashing
/// more would cost more than sending it.
const COMPARE_COMPUTED_UP_TO: usize = 256 * 1024;

/// Answers from `entry`, or with a 304 where the client's own preconditions say so.
pub(super) fn entry(
    admitted: &Admitted,
    entry: Entry,
    cache: CacheStatus,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let mut headers = entry.head.headers.clone();
    if matches!(cache, CacheStatus::Hit | CacheStatus::StaleIfError) {
        let age = world.now.saturating_sub(entry.confirmed_at) / 1_000;
        headers.set("age", age.to_string());
    }
    set_rate_limit(&mut headers, admitted, world);
    let preconditions = Preconditions::of(&admitted.headers);
    let not_modified = entry.head.status == 200
        && preconditions.not_modified(&entry.head.headers, |tag| {
            is_computed(tag, admitted, &entry, world)
        });
    let (status, body) = if not_modified {
        // A 304 has no content to describe (RFC 9110 §15.4.5).
        headers.remove("content-type");
        (304, ReplyBody::Empty)
    } else {
        (entry.head.status, ReplyBody::Entry(Box::new(entry)))
    };
    reply(
        &admitted.client,
        &admitted.method,
        admitted.started,
        cache,
        status,
        headers,
        body,
        effects,
    )
}

/// Whether `tag` is what GitHub would have given a credential of the pool for this body: a
/// client may hold a tag from when another credential served it.
fn is_computed(tag: &[u8], admitted: &Admitted, entry: &Entry, world: &mut World<'_>) -> bool {
    if !entry.head.predictable || tag.len() != 64 || entry.body().len() > COMPARE_COMPUTED_UP_TO {
        return false;
    }
    let proxy = world.proxy;
    proxy
        .pool
        .of(&admitted.pool)
        .any(|member| depart::predicted(admitted, entry, member, world).as_bytes() == tag)
}

/// Whether `entry` may stand in for an answer that GitHub could not give.
pub(super) fn may_be_stale(entry: &Entry, world: &World<'_>) -> bool {
    let allowed = world
        .proxy
        .config
        .cache
        .stale_if_error_seconds
        .saturating_mul(1_000);
    allowed > 0 && world.now.saturating_sub(entry.confirmed_at) <= allowed
}

/// Describes the pool in the rate-limit fields, as its clients may use it: which credential
/// served is nothing that a client should throttle by.
pub(super) fn set_rate_limit(headers: &mut Headers, admitted: &Admitted, world: &World<'_>) {
    let pool = &world.proxy.pool;
    let rate = pool.view(world.shared, &admitted.pool, admitted.resource, world.now);
    headers.set("x-ratelimit-limit", rate.limit.to_string());
    headers.set("x-ratelimit-remaining", rate.remaining.to_string());
    headers.set("x-ratelimit-used", rate.used.to_string());
    headers.set("x-ratelimit-reset", rate.reset.to_string());
    headers.set("x-ratelimit-resource", admitted.resource);
}

/// Refuses a request.
pub(super) fn refuse(
    client: &str,
    method: &str,
    started: u64,
    refusal: Refusal,
    effects: &mut Vec<Effect>,
) -> Phase {
    if let Some(reason) = refusal.reason() {
        effects.push(Effect::Record(Metric::denied(client, reason)));
    }
    let body = ReplyBody::Text(refusal.body());
    let (status, headers) = (refusal.status(), refusal.headers());
    reply(
        client,
        method,
        started,
        CacheStatus::None,
        status,
        headers,
        body,
        effects,
    )
}

#[allow(clippy::too_many_arguments)] // The parts of one line of the stats and one response.
fn reply(
    client: &str,
    method: &str,
    started: u64,
    cache: CacheStatus,
    status: u16,
    mut headers: Headers,
    body: ReplyBody,
    effects: &mut Vec<Effect>,
) -> Phase {
    if let Some(field) = cache.field() {
        headers.set("cache-status", field);
    }
    headers.sanitise();
    effects.push(Effect::Record(Metric::request(
        client,
        method,
        status,
        cache.label(),
    )));
    effects.push(Effect::Reply(Reply {
        status,
        headers,
        body,
    }));
    Phase::Closed(Some(Closed { started, cache }))
}
