//! Answers that the proxy gives itself: from a stored response, or a refusal.

use super::{depart, Admitted, Closed, Effect, Phase, Reply, ReplyBody, Substituting, World};
use crate::budget::Account;
use crate::cache::entry::Entry;
use crate::cache::status::CacheStatus;
use crate::conditional::Preconditions;
use crate::cors;
use crate::header::Headers;
use crate::metric::Metric;
use crate::pool::{PoolRate, Unavailable};
use crate::reply::{Refusal, MEDIA_TYPE};
use crate::rewrite::Rewrite;
use serde_json::{json, Map, Value};

/// A client's tag is compared with computed ones only for bodies up to this size: hashing
/// more would cost more than sending it.
const COMPARE_COMPUTED_UP_TO: usize = 256 * 1024;

/// Answers from `entry`, or with a 304 where the client's own preconditions say so.
pub(super) fn entry(
    admitted: &Admitted,
    mut entry: Entry,
    cache: CacheStatus,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let mut headers = std::mem::take(&mut entry.head.headers);
    if matches!(cache, CacheStatus::Hit | CacheStatus::StaleIfError) {
        let age = world.now.saturating_sub(entry.confirmed_at) / 1_000;
        headers.set("age", age.to_string());
    }
    set_rate_limit(&mut headers, admitted, world);
    let rewrite = admitted.rewrite(world);
    if let Some(rewrite) = &rewrite {
        let edits = rewrite.fields(&headers);
        headers.apply(edits);
    }
    let preconditions = Preconditions::of(&admitted.headers);
    // Preconditions about a representation say nothing to a query.
    let not_modified = entry.head.status == 200
        && admitted.max_age().is_none()
        && preconditions.not_modified(&headers, |tag| is_computed(tag, admitted, &entry, world));
    let status = if not_modified { 304 } else { entry.head.status };
    // As when it was new: what is rewritten had no length.
    let rewritten = rewrite.is_some() && Rewrite::applies_to(&headers);
    let length = Some(entry.body().len()).filter(|_| !rewritten);
    if let Some(tag) = admitted.weak_tag(status, &headers, length) {
        headers.set("etag", tag);
    }
    let body = if not_modified {
        // A 304 has no content to describe (RFC 9110 §15.4.5).
        headers.remove("content-type");
        ReplyBody::Empty
    } else {
        let rewriter = rewrite.and_then(|rewrite| rewrite.body(&headers));
        match rewriter {
            Some(mut rewriter) => ReplyBody::Bytes(rewriter.push(entry.body(), true)),
            None => ReplyBody::Entry(Box::new(entry)),
        }
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

/// Makes the answer that was just given one that takes the place of GitHub's instead of one beside
/// it: so it passes the filters between here and the client, above all Envoy's compressor, and keeps
/// its fields where there is no content. One with content can do so only where a body of GitHub's is
/// `announced`, and is not longer than what Envoy buffers.
pub(super) fn in_place(
    phase: Phase,
    announced: bool,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let Phase::Closed(Some(closed)) = phase else {
        return phase;
    };
    let longest = world.proxy.config.cache.in_place_bytes;
    let longest = if announced { longest } else { 0 };
    match effects.pop() {
        Some(Effect::Reply(reply)) if reply.status != 304 && reply.length() <= longest => {
            let Reply {
                status,
                mut headers,
                body,
            } = reply;
            let length = body.bytes().len();
            headers.set("content-length", length.to_string());
            effects.push(Effect::Substitute { status, headers });
            if length == 0 {
                return Phase::Closed(Some(closed));
            }
            Phase::Substituting(Box::new(Substituting { body, closed }))
        }
        last => {
            effects.extend(last);
            Phase::Closed(Some(closed))
        }
    }
}

/// Whether `tag` is what GitHub would have given a credential of the pool for this body: a
/// client may hold a tag from when another credential served it.
fn is_computed(tag: &[u8], admitted: &Admitted, entry: &Entry, world: &mut World<'_>) -> bool {
    if !entry.head.predictable || tag.len() != 64 || entry.body().len() > COMPARE_COMPUTED_UP_TO {
        return false;
    }
    let grants = world
        .proxy
        .pool
        .grants(world.shared, &admitted.pool, world.now);
    grants
        .iter()
        .any(|grant| depart::predicted(admitted, entry, grant, world).as_bytes() == tag)
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

/// What the client may use of `resource`: of the pool's limit, and of its own budget.
fn rate(admitted: &Admitted, resource: &str, world: &World<'_>) -> PoolRate {
    let pool = &world.proxy.pool;
    let view = pool.view(
        world.shared,
        &admitted.pool,
        resource,
        admitted.reserve_percent(world),
        world.now,
    );
    let account = admitted.account(resource, world);
    account.map_or(view, |account| account.within(view))
}

/// Describes the pool in the rate-limit fields, as its clients may use it: which credential
/// served is nothing that a client should throttle by.
pub(super) fn set_rate_limit(headers: &mut Headers, admitted: &Admitted, world: &World<'_>) {
    let rate = rate(admitted, &admitted.resource, world);
    headers.set("x-ratelimit-limit", rate.limit.to_string());
    headers.set("x-ratelimit-remaining", rate.remaining.to_string());
    headers.set("x-ratelimit-used", rate.used.to_string());
    headers.set("x-ratelimit-reset", rate.reset.to_string());
    headers.set("x-ratelimit-resource", admitted.resource.as_str());
}

/// Answers from an entry that GitHub could not be asked about.
pub(super) fn stale(
    admitted: &Admitted,
    it: Entry,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    entry(admitted, it, CacheStatus::StaleIfError, world, effects)
}

/// Answers `GET /rate_limit` for the pool, as its clients may use it.
pub(super) fn rate_limit(
    admitted: &Admitted,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let pool = &world.proxy.pool;
    let shown = |resource: &str| {
        let rate = rate(admitted, resource, world);
        json!({
            "limit": rate.limit,
            "used": rate.used,
            "remaining": rate.remaining,
            "reset": rate.reset,
        })
    };
    let names = pool.resources(world.shared, &admitted.pool);
    let resources: Map<String, Value> = names
        .into_iter()
        .map(|name| {
            let rate = shown(&name);
            (name, rate)
        })
        .collect();
    let body = json!({"resources": resources, "rate": shown("core")}).to_string();
    let mut headers = Headers::default();
    headers.set("content-type", "application/json; charset=utf-8");
    headers.set("cache-control", "no-cache");
    headers.set("x-github-media-type", MEDIA_TYPE);
    set_rate_limit(&mut headers, admitted, world);
    let body = ReplyBody::Text(body);
    let (client, method, started) = (&admitted.client, &admitted.method, admitted.started);
    reply(
        client,
        method,
        started,
        CacheStatus::None,
        200,
        headers,
        body,
        effects,
    )
}

/// GitHub could not be reached, or went away before it answered.
pub(super) fn unreachable(
    admitted: &Admitted,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    if world.worker.unreachable.is_due(world.now) {
        effects.push(Effect::Warn(format!(
            "client {}: GitHub did not answer; look at the upstream_cx_* and upstream_rq_* stats \
             of its cluster (said once in ten seconds)",
            admitted.client
        )));
    }
    let (client, method) = (&admitted.client, &admitted.method);
    refuse(
        client,
        method,
        admitted.started,
        Refusal::Unreachable,
        effects,
    )
}

/// The client has spent its budget.
pub(super) fn over_budget(
    admitted: &Admitted,
    account: Account,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let refusal = Refusal::Budget {
        client: admitted.client.clone(),
        reset: account.reset,
        retry_after: account.reset.saturating_sub(world.now / 1_000).max(1),
        resource: admitted.resource.to_string(),
        limit: account.limit,
    };
    let (client, method) = (&admitted.client, &admitted.method);
    refuse(client, method, admitted.started, refusal, effects)
}

/// No credential of the pool can serve.
pub(super) fn pool_unavailable(
    admitted: &Admitted,
    unavailable: Unavailable,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let seconds = world.now / 1_000;
    let after = |until: u64| until.saturating_sub(seconds).max(1);
    let refusal = match unavailable {
        Unavailable::Exhausted(reset) => {
            let view = rate(admitted, &admitted.resource, world);
            Refusal::PoolExhausted {
                reset,
                retry_after: after(reset),
                resource: admitted.resource.to_string(),
                limit: view.limit,
            }
        }
        Unavailable::Paused(until) | Unavailable::Busy(until) => Refusal::PoolPaused {
            reset: until,
            retry_after: after(until),
        },
        Unavailable::Soon | Unavailable::Broken => Refusal::NoCredential,
    };
    let (client, method) = (&admitted.client, &admitted.method);
    refuse(client, method, admitted.started, refusal, effects)
}

/// Answers a browser that asks what it may send.
pub(super) fn preflight(method: &str, now: u64, effects: &mut Vec<Effect>) -> Phase {
    let (cache, headers) = (CacheStatus::None, cors::preflight());
    let body = ReplyBody::Empty;
    reply("-", method, now, cache, 204, headers, body, effects)
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
    cors::expose(&mut headers);
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
