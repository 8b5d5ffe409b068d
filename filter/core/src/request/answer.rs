//! GitHub answered: what that says about the credential, about the stored response, and what
//! the client gets.

use super::collect::{self, Collecting, Copy};
use super::errand::{Asked, Errand, Forwarded, Part};
use super::pass::{pass, Passed};
use super::{lead, notes, serve, Effect, Judging, Phase, World};
use crate::cache::entry::Entry;
use crate::cache::key::Key;
use crate::cache::policy;
use crate::cache::status::{CacheStatus, Forwarded as Why};
use crate::cache::written;
use crate::flight::{self, Answer, Landing};
use crate::graphql;
use crate::header::Headers;
use crate::metric::Metric;
use crate::pool::rate::{Learnt, Rate, Turn};
use crate::pool::refusal::{self, Reading};
use crate::pool::upkeep;
use serde::de::IgnoredAny;

/// A copy in the cluster is renewed once this part of its life is over.
const RENEW_AFTER: u64 = 4;

/// A header section of GitHub's, or one that stands for its absence.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Headers,
    /// Envoy made it up.
    pub(super) local: bool,
}

/// How the body of a response gets to the client.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Envoy streams it. `held` has passed the filter already.
    Stream { held: Vec<u8>, end: bool },
    /// It came with a callout, whole.
    Whole(Vec<u8>),
}

impl Delivery {
    /// Whether what is here already of GraphQL's answer shows that it is none that can be kept.
    fn has_errors(&self) -> bool {
        let body = match self {
            Self::Stream { held, .. } => held,
            Self::Whole(body) => body,
        };
        let is_whole = serde_json::from_slice::<IgnoredAny>(body).is_ok();
        is_whole && !graphql::is_answer(body)
    }
}

impl Response {
    pub(super) fn new(headers: Headers, local: bool) -> Self {
        let status = headers.text(":status").and_then(|it| it.parse().ok());
        Self {
            status: status.unwrap_or_default(),
            headers,
            local,
        }
    }
}

impl Forwarded {
    /// Takes the header section of a response that Envoy streams.
    pub(super) fn answered(
        mut self: Box<Self>,
        response: Response,
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let reading = self.arrived(&response, world, effects);
        let held = Vec::new();
        if response.local {
            self.book(&response, false, world, effects);
            return self.conclude(response, Delivery::Stream { held, end }, world, effects);
        }
        match reading {
            Reading::Unclear(_) if !end && world.proxy.config.pool.inspect_bodies => {
                Phase::Judging(Box::new(Judging {
                    forwarded: self,
                    response,
                    reading,
                }))
            }
            Reading::Refused(refusal) | Reading::Unclear(Some(refusal)) => {
                self.book(&response, true, world, effects);
                self.refused(refusal, &response, world, effects)
            }
            Reading::Unclear(None) if end && response.status == 401 => {
                self.book(&response, false, world, effects);
                self.suspected(response, Delivery::Stream { held, end }, world, effects)
            }
            Reading::Unclear(None) | Reading::Fine => {
                self.book(&response, false, world, effects);
                self.accepted(&response, world, effects);
                self.conclude(response, Delivery::Stream { held, end }, world, effects)
            }
        }
    }

    /// Takes the time of an answer. Returns what its header section says about the credential.
    pub(super) fn arrived(
        &self,
        response: &Response,
        world: &World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Reading {
        let duration = world.now.saturating_sub(self.sent_at);
        effects.push(Effect::Record(Metric::upstream_duration(duration)));
        let graphql = self.errand.admitted.is_graphql();
        refusal::read(response.status, &response.headers, graphql)
    }

    /// Counts an answer and keeps what it says about the rate limit. `refused`: it is about the
    /// credential, not about what was asked.
    pub(super) fn book(
        &mut self,
        response: &Response,
        refused: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) {
        // GitHub counts what it answers, but for a 304, for requests past a limit, and for
        // credentials that it does not know.
        let counted = !response.local && !refused && !matches!(response.status, 304 | 401);
        let rate = Rate::of(&response.headers).filter(|_| !response.local);
        let learnt = self.settle(counted, rate.as_ref(), world);
        if response.local {
            return;
        }
        let admitted = &self.errand.admitted;
        if let Some(rate) = &rate {
            world.worker.routes.learn(&admitted.target, rate.resource);
        }
        if !admitted.only_reads() && (200..400).contains(&response.status) {
            written::note(world.shared, &admitted.target, world.now);
        }
        let resource = &admitted.resource;
        effects.push(Effect::Record(Metric::upstream(
            &admitted.client,
            &self.grant.name,
            resource,
            response.status,
            !counted,
        )));
        notes::of_answer(
            &self.grant.name,
            resource,
            counted,
            &response.headers,
            effects,
        );
        if let Some(learnt) = learnt {
            self.report(&learnt, world, effects);
        }
    }

    /// Shows what is known of a resource, and what changed.
    fn report(&self, learnt: &Learnt, world: &World<'_>, effects: &mut Vec<Effect>) {
        let (name, rate) = (&self.grant.name, &learnt.rate);
        // Those of one user have one limit.
        for member in world.proxy.pool.sharing(self.grant.rates) {
            effects.extend(Metric::rate(&member.name, rate).map(Effect::Record));
        }
        let (resource, reset) = (&rate.resource, rate.reset);
        match learnt.turn {
            Some(Turn::UsedUp) => effects.push(Effect::Warn(format!(
                "credential {name}: no {resource} requests left until {reset} (Unix time)"
            ))),
            Some(Turn::Renewed) => effects.push(Effect::Warn(format!(
                "credential {name}: ready again: it has {resource} requests left"
            ))),
            None => {}
        }
        if learnt.is_first || learnt.turn.is_some() {
            self.show_state(world, effects);
        }
    }

    /// Shows the state of the credential, and of those that share its limits.
    pub(super) fn show_state(&self, world: &World<'_>, effects: &mut Vec<Effect>) {
        let same = world.proxy.pool.sharing(self.grant.rates);
        effects.extend(same.map(|it| upkeep::state(it, world.shared, world.now)));
    }

    /// GitHub accepted the credential.
    pub(super) fn accepted(
        &self,
        response: &Response,
        world: &World<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let proof = matches!(response.status, 200..=399 | 404);
        if proof && !self.grant.is_clean && self.grant.health.accepted(world.shared) {
            effects.push(Effect::Warn(format!(
                "credential {}: ready again: GitHub accepts it",
                self.grant.name
            )));
            self.show_state(world, effects);
        }
    }

    /// Gives the client what the answer leads to.
    pub(super) fn conclude(
        self: Box<Self>,
        response: Response,
        delivery: Delivery,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        // A 304 has no content, whatever Envoy announces of it (see `Phase::Substituting`).
        let announced = matches!(delivery, Delivery::Stream { end: false, .. });
        let delivery = match response.status {
            304 if announced => Delivery::Whole(Vec::new()),
            _ => delivery,
        };
        let around = match &self.errand.part {
            Part::Around(status) => Some(*status),
            Part::Cached { .. } => None,
        };
        match (around, response.status) {
            (Some(_), status) if response.local && !is_about_the_request(status) => {
                serve::unreachable(&self.errand.admitted, world, effects)
            }
            (Some(status), _) => pass(
                &self.errand.admitted,
                &response,
                status,
                delivery,
                world,
                effects,
            )
            .phase(),
            (None, 304) if self.asked != Asked::Nothing => {
                let has_content = announced && !self.errand.admitted.is_head();
                let phase = self.confirmed(response, world, effects);
                serve::in_place(phase, has_content, world, effects)
            }
            (None, status) if response.local || status >= 500 => {
                self.failed(response, delivery, world, effects)
            }
            (None, _) => self.replaced(response, delivery, world, effects),
        }
    }

    /// GitHub confirmed the stored response.
    fn confirmed(
        self,
        response: Response,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let Errand { mut admitted, part } = self.errand;
        let Part::Cached {
            entry: Some(entry),
            in_cluster,
        } = part
        else {
            // Unreachable: a validator of ours goes out for an entry only.
            return serve::unreachable(&admitted, world, effects);
        };
        if self.asked == Asked::Computed {
            effects.push(Effect::Record(Metric::prediction("confirmed")));
        }
        let confirmed_at = admitted.confirmed_at(self.asked_at, world);
        let headers = &response.headers;
        let (mut entry, written) =
            refresh(entry, in_cluster, headers, confirmed_at, world, effects);
        let deposit = written.then(|| entry.clone());
        collect::release(&mut admitted, deposit, world, effects);
        let answer = Answer {
            status: 304,
            warm: true,
            followers_only: false,
        };
        let landing = collect::landing(answer, entry.encoded().len(), world);
        lead::land(&mut admitted, landing, world, effects);
        // Not stored, since it names this exchange: it is what GitHub's support asks for.
        if let Some(id) = response.headers.get("x-github-request-id") {
            entry.head.headers.set("x-github-request-id", id);
        }
        serve::entry(&admitted, entry, CacheStatus::Revalidated, world, effects)
    }

    /// GitHub could not answer: the stored response stands in where it may.
    fn failed(
        self,
        response: Response,
        delivery: Delivery,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let forwarded = match self.errand.entry() {
            Some(_) => Why::Stale(response.status),
            None => Why::Miss,
        };
        let (admitted, entry) = self.errand.abandon(Landing::Dissolved, world, effects);
        if let Some(entry) = entry {
            let phase = serve::stale(&admitted, entry, world, effects);
            return serve::in_place(phase, false, world, effects);
        }
        if response.local {
            return serve::unreachable(&admitted, world, effects);
        }
        let cache = CacheStatus::Miss {
            forwarded,
            stored: false,
        };
        pass(&admitted, &response, cache, delivery, world, effects).phase()
    }

    /// GitHub sent something else than what is stored, or the first of it.
    fn replaced(
        self,
        response: Response,
        delivery: Delivery,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let Errand { mut admitted, part } = self.errand;
        let entry = match part {
            Part::Cached { entry, .. } => entry,
            Part::Around(_) => None,
        };
        let status = response.status;
        let forwarded = match &entry {
            Some(_) => Why::Stale(status),
            None => Why::Miss,
        };
        let get = !admitted.is_head();
        let query = admitted.max_age().is_some();
        let storable = if query {
            policy::storable_query(status, &response.headers) && !delivery.has_errors()
        } else {
            get && policy::storable(status, &response.headers)
        };
        let length = response.headers.content_length();
        let longest = world.proxy.longest_body;
        let fits = longest > 0 && length.is_none_or(|length| length <= longest);
        let shareable = get && !query && policy::shareable(status, &response.headers);
        // What is for those who wait would only take room if nobody did.
        let awaited = || flight::is_shared(world.shared, &admitted.key, admitted.me);
        let kept = fits && (storable || shareable && awaited());
        if entry.is_some() && status != 304 && !(kept && storable) {
            // GitHub has contradicted the entry: it does not answer by itself any more, nor stand in
            // for an error, until it is confirmed again.
            written::note(world.shared, &admitted.target, world.now);
        }
        let cache = CacheStatus::Miss {
            forwarded,
            stored: kept && storable,
        };
        if !kept {
            // What a HEAD or a client's own precondition got says nothing to those who wait.
            let own = !get || status == 304;
            let landing = if own {
                Landing::Private
            } else {
                Landing::Dissolved
            };
            collect::release(&mut admitted, None, world, effects);
            lead::land(&mut admitted, landing, world, effects);
            return pass(&admitted, &response, cache, delivery, world, effects).phase();
        }
        // What was held back already is kept, too.
        let (held, end) = match &delivery {
            Delivery::Stream { held, end } => (held.clone(), *end),
            Delivery::Whole(body) => (body.clone(), true),
        };
        let passed = pass(&admitted, &response, cache, delivery, world, effects);
        let copy = Copy {
            before: entry,
            asked: self.asked,
            grant: self.grant,
            response,
            storable,
            asked_at: self.asked_at,
        };
        let Passed { closed, rewriter } = passed;
        let collecting = Box::new(Collecting::new(admitted, copy, closed, rewriter, world.now));
        if held.is_empty() && !end {
            return Phase::Collecting(collecting);
        }
        collecting.keep(&held, end, world, effects)
    }
}

/// Whether Envoy itself refuses what the client sends: a malformed body, one that does not arrive,
/// one that is too large to be held.
fn is_about_the_request(status: u16) -> bool {
    matches!(status, 400 | 408 | 413)
}

/// Brings an entry up to date with the fields of a 304, in memory, and says whether it should
/// be written to the cluster.
fn refresh(
    mut entry: Entry,
    in_cluster: Option<u64>,
    headers: &Headers,
    confirmed_at: u64,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> (Entry, bool) {
    // This answer carries the new Date even where it is not worth storing.
    let changed = policy::refresh(&mut entry.head.headers, headers);
    let cache = &world.proxy.config.cache;
    let renew_after = cache.ttl_seconds.saturating_mul(1_000) / RENEW_AFTER;
    let fading = cache.cluster.is_some()
        && in_cluster.is_none_or(|then| world.now.saturating_sub(then) > renew_after);
    let memory = &world.proxy.memory;
    let key = Key(entry.head.key);
    if !changed && !fading && memory.confirm(world.shared, &key, confirmed_at, world.now) {
        entry.confirmed_at = confirmed_at;
        return (entry, false);
    }
    let entry = entry.with(entry.head.clone(), confirmed_at);
    let change = memory.put(world.shared, &entry, world.now);
    effects.extend(Metric::memory(change).into_iter().map(Effect::Record));
    (entry, changed || fading)
}
