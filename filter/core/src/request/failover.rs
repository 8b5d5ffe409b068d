//! GitHub refused a request before acting on it, because of the credential: the credential is
//! marked for all workers, and the request goes out again on another one, unnoticed by the
//! client. At most once per credential, and never without the whole of the request's body.

use super::answer::{Delivery, Response};
use super::depart::is_patient;
use super::errand::{Forwarded, RequestBody};
use super::{Effect, Judging, Phase, Retrying, World};
use crate::header::Headers;
use crate::metric::Metric;
use crate::pool::health::Health;
use crate::pool::refusal::{self, CredentialRefusal};
use crate::pool::{upkeep, Grant, Unavailable};
use serde::de::IgnoredAny;

/// How long a primary limit lasts when GitHub does not say, seconds.
const UNKNOWN_RESET: u64 = 60;

impl Judging {
    /// Looks into the body, which Envoy holds back meanwhile: `held` is all of it so far. Envoy
    /// does not always say which part is the last one, so what cannot be a message of GitHub's
    /// goes on at once, and a message is complete once it can be read.
    pub(super) fn chunk(
        self: Box<Self>,
        held: Vec<u8>,
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let longest = refusal::LONGEST_MESSAGE;
        let may_be_message = held
            .trim_ascii_start()
            .first()
            .is_none_or(|first| *first == b'{');
        let is_complete = serde_json::from_slice::<IgnoredAny>(&held).is_ok();
        if !end && may_be_message && held.len() <= longest && !is_complete {
            return Phase::Judging(self);
        }
        let Self {
            mut forwarded,
            response,
            reading,
        } = *self;
        let message = if held.len() <= longest {
            &held[..]
        } else {
            &[]
        };
        let verdict = reading.with_body(response.status, &response.headers, message);
        forwarded.book(&response, verdict.is_some(), world, effects);
        match verdict {
            Some(refusal) => forwarded.refused(refusal, &response, world, effects),
            None => {
                let delivery = Delivery::Stream { held, end };
                forwarded.accepted(&response, world, effects);
                forwarded.conclude(response, delivery, world, effects)
            }
        }
    }
}

impl Retrying {
    /// Sends the request on another credential, or waits for one that is ready soon.
    pub(super) fn attempt(
        self: Box<Self>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let grant = match self.errand.choose(&self.tried, self.since, world) {
            Ok(grant) => grant,
            Err(unavailable) if is_patient(unavailable, self.since, world) => {
                return Phase::Retrying(self);
            }
            Err(unavailable) => return self.errand.unavailable(unavailable, world, effects),
        };
        self.send(grant, world, effects)
    }

    fn send(self, grant: Grant, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let Self {
            errand,
            tried,
            body,
            refusal,
            ..
        } = self;
        effects.push(Effect::Record(Metric::failover(refusal.as_str())));
        let (validator, asked) = errand.validator(&grant, world);
        let mut headers = errand.admitted.headers.clone();
        headers.apply(errand.edits(&grant, &validator, world));
        // Envoy frames the callout itself, and adds the scheme of its cluster.
        let framing = ["content-length", "expect", "x-forwarded-proto", ":scheme"];
        headers.retain(|name| !framing.contains(&name));
        // The answer to a callout passes no decompressor.
        if headers.has("accept-encoding") {
            headers.set("accept-encoding", "identity");
        }
        let place = world.proxy.config.upstream.at(errand.admitted.mount);
        effects.push(Effect::Resend {
            cluster: place.cluster.clone(),
            headers,
            body: body.clone(),
        });
        let body = RequestBody::Complete(body);
        Phase::Resending(errand.sent(grant, asked, tried, body, world))
    }
}

impl Forwarded {
    /// Marks the credential, and sends the request on another one if there is one.
    pub(super) fn refused(
        mut self: Box<Self>,
        refusal: CredentialRefusal,
        response: &Response,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        self.mark(refusal, response, world, effects);
        self.tried.push(self.grant.tag);
        // An App comes back with another token, but not again and again.
        let enough = self.tried.len() > 2 * world.proxy.pool.members().len();
        let body = match std::mem::replace(&mut self.body, RequestBody::Dropped) {
            RequestBody::Complete(body) if !enough => body,
            _ => return self.give_up(world, effects),
        };
        let retry = self.retrying(body, refusal, world);
        Box::new(retry).attempt(world, effects)
    }

    fn retrying(self, body: Vec<u8>, refusal: CredentialRefusal, world: &World<'_>) -> Retrying {
        Retrying {
            errand: self.errand,
            tried: self.tried,
            body,
            refusal,
            since: world.now,
        }
    }

    /// Takes the answer on another credential; `None` when there was none.
    pub(super) fn resent(
        mut self: Box<Self>,
        answer: Option<(Headers, Vec<u8>)>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let (headers, body) = answer.unwrap_or_default();
        let mut response = Response::new(headers, false);
        response.local = is_envoys(&response);
        let reading = self.arrived(&response, world, effects);
        let refusal = if response.local {
            None
        } else {
            reading.with_body(response.status, &response.headers, &body)
        };
        self.book(&response, refusal.is_some(), world, effects);
        match refusal {
            Some(refusal) => self.refused(refusal, &response, world, effects),
            None if response.status == 401 && body.is_empty() => {
                self.suspected(response, Delivery::Whole(body), world, effects)
            }
            None => {
                self.accepted(&response, world, effects);
                self.conclude(response, Delivery::Whole(body), world, effects)
            }
        }
    }

    /// Makes the refusal known to all workers and to the operator.
    fn mark(
        &self,
        refusal: CredentialRefusal,
        response: &Response,
        world: &World<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let (shared, now) = (world.shared, world.now);
        let name = &self.grant.name;
        let resource = &self.errand.admitted.resource;
        match refusal {
            CredentialRefusal::Primary => {
                // Learnt from the fields already, unless there were none.
                let reset = response.headers.text("x-ratelimit-reset");
                let reset = reset.and_then(|reset| reset.trim().parse().ok());
                let reset = reset.unwrap_or(now / 1_000 + UNKNOWN_RESET);
                if self.grant.rates.exhaust(shared, resource, reset, now) {
                    effects.push(Effect::Warn(format!(
                        "credential {name}: no {resource} requests left until {reset} (Unix time)"
                    )));
                }
            }
            CredentialRefusal::Secondary(retry_after) => {
                let credential = (self.grant.rates, self.grant.health);
                let pool = &world.proxy.pool;
                if let Some(until) = pool.pause(shared, credential, retry_after, now) {
                    effects.push(Effect::Warn(upkeep::paused_line(name, until, now)));
                }
            }
            CredentialRefusal::Rejected => {
                let member = world.proxy.pool.member(&self.grant);
                if member.is_some_and(|it| it.refused(shared, self.grant.tag, now)) {
                    effects.push(Effect::Warn(upkeep::refused_line(name)));
                }
            }
        }
        self.show_state(world, effects);
    }

    /// It cannot be sent again: the client gets a stale answer, or is told to send it again itself,
    /// at once where another credential is ready.
    fn give_up(self, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let next = self.errand.choose(&self.tried, world.now, world);
        let soon = Unavailable::Busy(world.now / 1_000 + 1);
        let unavailable = next.err().unwrap_or(soon);
        self.errand.unavailable(unavailable, world, effects)
    }

    /// Takes a 401 without a body that would say whom it is about. Another credential may know
    /// better, and a poll will tell soon whether this one is still good.
    pub(super) fn suspected(
        mut self: Box<Self>,
        response: Response,
        delivery: Delivery,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let hurry = |health: &mut Health| health.poll.hurry();
        self.grant.health.change(world.shared, hurry);
        self.tried.push(self.grant.tag);
        let next = self.errand.choose(&self.tried, world.now, world);
        match (
            std::mem::replace(&mut self.body, RequestBody::Dropped),
            next,
        ) {
            (RequestBody::Complete(body), Ok(grant)) => self
                .retrying(body, CredentialRefusal::Rejected, world)
                .send(grant, world, effects),
            _ => self.conclude(response, delivery, world, effects),
        }
    }
}

/// Whether Envoy answers a callout in GitHub's stead: with nothing at all, or with a 503 or 504
/// in plain text when GitHub could not be reached or took too long.
fn is_envoys(response: &Response) -> bool {
    let plain = response.headers.text("content-type") == Some("text/plain");
    let signed = response.headers.has("x-github-request-id");
    match response.status {
        0 => true,
        503 | 504 => plain && !signed,
        _ => false,
    }
}
