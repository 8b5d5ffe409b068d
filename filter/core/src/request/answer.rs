//! GitHub's header section is here: what it says about the rate limit, about the stored
//! response, and what the client gets.

use super::collect::{self, Collecting};
use super::depart::{Asked, Cached, Forwarded};
use super::{lead, serve, Admitted, Closed, Effect, Phase, World};
use crate::cache::policy;
use crate::cache::status::{CacheStatus, Forwarded as Why};
use crate::flight::{Answer, Landing};
use crate::header::Headers;
use crate::metric::Metric;
use crate::pool::{self, Rate};
use crate::reply::Refusal;
use crate::upstream::Edit;

/// A copy in the cluster is renewed once this part of its life is over.
const RENEW_AFTER: u64 = 4;

impl Forwarded {
    /// Takes the upstream's header section.
    pub(super) fn answered(
        mut self: Box<Self>,
        headers: Headers,
        local: bool,
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let status = status_of(&headers);
        let duration = world.now.saturating_sub(self.sent_at);
        effects.push(Effect::Record(Metric::upstream_duration(duration)));
        if !local {
            self.learn(status, &headers, world, effects);
        }
        let Some(cached) = self.cached.take() else {
            return self.pass_around(status, headers, local, world, effects);
        };
        match status {
            304 if cached.asked != Asked::Nothing => {
                self.confirmed(cached, headers, world, effects)
            }
            _ if local || status >= 500 || is_rate_limited(status, &headers) => {
                self.failed(status, cached, headers, local, world, effects)
            }
            _ => self.replaced(status, cached, headers, end, world, effects),
        }
    }

    /// Counts the answer and keeps what it says about the rate limit.
    fn learn(&self, status: u16, headers: &Headers, world: &World<'_>, effects: &mut Vec<Effect>) {
        let Some(member) = world.proxy.pool.by_tag(self.credential) else {
            return;
        };
        let rate = Rate::of(headers);
        let resource = rate
            .as_ref()
            .map_or(self.admitted.resource, |r| r.resource.as_str());
        let free = status == 304 || self.admitted.path.ends_with("/rate_limit");
        let client = &self.admitted.client;
        let metric = Metric::upstream(client, &member.name, resource, status, free);
        effects.push(Effect::Record(metric));
        if let Some(rate) = &rate {
            pool::learn(world.shared, member, rate);
            effects.extend(Metric::rate(&member.name, rate).map(Effect::Record));
            let exhausted = u64::from(rate.left(world.now) == 0);
            effects.push(Effect::Record(Metric::credential_state(
                &member.name,
                exhausted,
            )));
        }
    }

    /// The answer to a request that goes around the cache.
    fn pass_around(
        self,
        status: u16,
        headers: Headers,
        local: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        if local {
            return unreachable(&self.admitted, effects);
        }
        pass(
            &self.admitted,
            status,
            &headers,
            self.around,
            world,
            effects,
        )
    }

    /// GitHub confirmed the stored response.
    fn confirmed(
        self,
        cached: Cached,
        headers: Headers,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let mut admitted = self.admitted;
        let Some(mut entry) = cached.entry else {
            return pass(
                &admitted,
                304,
                &headers,
                CacheStatus::Bypass,
                world,
                effects,
            );
        };
        if cached.asked == Asked::Computed {
            effects.push(Effect::Record(Metric::prediction("confirmed")));
        }
        let mut head = entry.head.clone();
        head.headers = policy::refreshed(&entry.head.headers, &headers);
        let changed = policy::differ_materially(&entry.head.headers, &head.headers);
        let renew_after = world.proxy.config.cache.ttl_seconds.saturating_mul(1_000) / RENEW_AFTER;
        let fading = cached
            .in_cluster
            .is_none_or(|then| world.now.saturating_sub(then) > renew_after);
        let memory = &world.proxy.memory;
        if changed || fading {
            entry = entry.with(head, world.now);
            let change = memory.put(world.shared, &entry, world.now);
            effects.extend(Metric::memory(change).into_iter().map(Effect::Record));
        } else {
            memory.confirm(world.shared, &admitted.key, world.now);
            // This answer carries the new Date even where it was not worth storing.
            entry.head.headers = head.headers;
            entry.confirmed_at = world.now;
        }
        let deposit = (changed || fading).then(|| entry.clone());
        collect::release(&mut admitted, deposit, world, effects);
        let answer = Answer {
            status: 304,
            warm: true,
            followers_only: false,
        };
        let landing = collect::landing(answer, entry.encoded().len(), world);
        lead::land(&mut admitted, landing, world, effects);
        serve::entry(&admitted, entry, CacheStatus::Revalidated, world, effects)
    }

    /// GitHub could not or would not answer: the stored response stands in where it may.
    fn failed(
        self,
        status: u16,
        cached: Cached,
        headers: Headers,
        local: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let mut admitted = self.admitted;
        lead::land(&mut admitted, Landing::Dissolved, world, effects);
        collect::release(&mut admitted, None, world, effects);
        if let Some(entry) = cached
            .entry
            .filter(|entry| serve::may_be_stale(entry, world))
        {
            return serve::entry(&admitted, entry, CacheStatus::StaleIfError, world, effects);
        }
        if local {
            return unreachable(&admitted, effects);
        }
        let cache = CacheStatus::Miss {
            forwarded: Why::Miss,
            stored: false,
        };
        pass(&admitted, status, &headers, cache, world, effects)
    }

    /// GitHub sent something else than what is stored, or the first of it.
    fn replaced(
        self,
        status: u16,
        cached: Cached,
        headers: Headers,
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let mut admitted = self.admitted;
        let forwarded = match &cached.entry {
            Some(_) => Why::Stale(status),
            None => Why::Miss,
        };
        let get = !admitted.is_head();
        let storable = get && policy::storable(status, &headers);
        let fits = declared_length(&headers)
            .is_none_or(|length| length <= world.proxy.config.cache.max_entry_bytes);
        let kept = fits && (storable || get && policy::shareable(status, &headers));
        let cache = CacheStatus::Miss {
            forwarded,
            stored: kept && storable,
        };
        if !kept {
            // What a HEAD or a client's own precondition got says nothing to those who wait.
            let own = !get || status == 304;
            let landing = if own {
                Landing::HandedOn
            } else {
                Landing::Dissolved
            };
            collect::release(&mut admitted, None, world, effects);
            lead::land(&mut admitted, landing, world, effects);
            return pass(&admitted, status, &headers, cache, world, effects);
        }
        // Closes the books of the request itself; the copy is kept on the side.
        pass(&admitted, status, &headers, cache, world, effects);
        let collecting = Box::new(Collecting::new(
            admitted,
            cached,
            self.credential,
            status,
            headers,
            storable,
            cache,
        ));
        if end {
            collecting.chunk(&[], true, world, effects)
        } else {
            Phase::Collecting(collecting)
        }
    }
}

/// Lets GitHub's response through, without what belongs to its hop or its credential.
fn pass(
    admitted: &Admitted,
    status: u16,
    headers: &Headers,
    cache: CacheStatus,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let mut edits: Vec<Edit> = headers
        .iter()
        .filter(|(name, _)| headers.is_hop_by_hop(name) || *name == "alt-svc")
        .map(|(name, _)| (name.to_owned(), None))
        .collect();
    if headers.has("x-ratelimit-limit") {
        let mut rate = Headers::default();
        serve::set_rate_limit(&mut rate, admitted, world);
        edits.extend(
            rate.iter()
                .map(|(name, value)| (name.to_owned(), Some(value.to_vec()))),
        );
    }
    if let Some(field) = cache.field() {
        edits.push(("cache-status".to_owned(), Some(field.into_bytes())));
    }
    let metric = Metric::request(&admitted.client, &admitted.method, status, cache.label());
    effects.push(Effect::Record(metric));
    effects.push(Effect::Pass(edits));
    Phase::Closed(Some(Closed {
        started: admitted.started,
        cache,
    }))
}

fn unreachable(admitted: &Admitted, effects: &mut Vec<Effect>) -> Phase {
    effects.push(Effect::Warn(format!(
        "client {}: GitHub did not answer; look at the upstream_cx_* and upstream_rq_* stats of its cluster",
        admitted.client
    )));
    let refusal = Refusal::Unreachable;
    serve::refuse(
        &admitted.client,
        &admitted.method,
        admitted.started,
        refusal,
        effects,
    )
}

/// A refusal for want of rate limit, primary or secondary.
fn is_rate_limited(status: u16, headers: &Headers) -> bool {
    let spent = headers.text("x-ratelimit-remaining").map(str::trim) == Some("0");
    status == 429 || status == 403 && (spent || headers.has("retry-after"))
}

fn status_of(headers: &Headers) -> u16 {
    headers
        .text(":status")
        .and_then(|status| status.parse().ok())
        .unwrap_or_default()
}

fn declared_length(headers: &Headers) -> Option<usize> {
    headers.text("content-length")?.trim().parse().ok()
}
