//! One request, from its header section to its last byte, as an explicit state machine.
//!
//! ```text
//! Arrived ─┬─► Reading ─► …                             a GraphQL document decides
//!          ├─► Waiting ──► (lead, answered, alone)      an equal request is in flight
//!          ├─► LookingUp ─┬─► Forwarded                 asking the cache cluster
//!          │              └─► Yielding ─► LookingUp     another replica is asking GitHub
//!          ├─► AwaitingCredential ─► Forwarded          a token is on its way, all are busy
//!          └─► Forwarded ─┬─► Judging ─► …              the body tells what the status means
//!                         ├─► (Retrying ─►) Resending ─► …   again, on another credential
//!                         ├─► Collecting ─► Closed      a body streams past and is kept
//!                         ├─► Substituting ─► Closed    the stored body takes the place of a 304's
//!                         └─► Closed                    answered, or passed through
//! ```
//!
//! `step` takes a phase and an event and returns the next phase and what to do, as data. It
//! sees neither host nor clock. An event that a phase does not expect changes nothing.

mod admit;
mod answer;
mod collect;
mod depart;
mod document;
mod effect;
mod errand;
mod event;
mod failover;
mod fresh;
mod lead;
mod notes;
mod pass;
mod serve;

use self::errand::RequestBody;
use crate::budget::Budget;
use crate::cache::breaker::Breaker;
use crate::cache::key::{self, Key};
use crate::cache::memory::Memory;
use crate::cache::status::CacheStatus;
use crate::config::{Config, Priority};
use crate::etag::Memo;
use crate::flight::Waiter;
use crate::forwarded::Connection;
use crate::generation::InForce;
use crate::header::Headers;
use crate::metric::Metric;
use crate::path::Mount;
use crate::pool::pace::Pace;
use crate::pool::rate::ResourceName;
use crate::pool::refusal::{self, CredentialRefusal};
use crate::pool::routes::Routes;
use crate::pool::Pool;
use crate::rewrite::{Origins, Rewrite};
use crate::shared::SharedData;
use std::rc::Rc;

pub use self::collect::Collecting;
pub use self::document::{Document, Reading};
pub use self::effect::{Deposit, Effect, Note, Reply, ReplyBody};
pub use self::errand::{Errand, Forwarded};
pub use self::event::Event;
pub use self::lead::LookingUp;
pub use self::pass::{Passing, Substituting};

/// A configuration, made ready once for all its requests.
#[derive(Debug)]
pub struct Proxy {
    /// Which one it is.
    pub in_force: InForce,
    /// As validated.
    pub config: Config,
    /// Its credentials.
    pub pool: Pool,
    /// Its memory level.
    pub memory: Memory,
    /// The longest body that is kept, bytes.
    pub longest_body: usize,
    /// The URLs that lead to GitHub.
    pub origins: Rc<Origins>,
}

impl Proxy {
    /// Makes a configuration ready.
    pub fn new(config: Config, in_force: InForce) -> Self {
        let cache = &config.cache;
        let memory = Memory::new(cache.memory_bytes as u64, cache.ttl_seconds);
        // Without a cluster, what memory cannot hold is not kept at all.
        let longest_body = match &cache.cluster {
            Some(_) => cache.max_entry_bytes,
            None => cache.max_entry_bytes.min(memory.longest_body()),
        };
        Self {
            in_force,
            pool: Pool::new(
                &config.credentials,
                Pace {
                    points_per_minute: config.pool.points_per_minute,
                    graphql_points_per_minute: config.pool.graphql_points_per_minute,
                    concurrency: config.pool.concurrency,
                },
            ),
            memory,
            longest_body,
            origins: Rc::new(Origins::new(&config.upstream)),
            config,
        }
    }
}

/// What one worker keeps for itself between requests.
#[derive(Default)]
pub struct Worker {
    /// Validators already computed.
    pub memo: Memo,
    /// What GitHub counts paths against.
    pub routes: Routes,
    /// Guards the calls to the cache cluster.
    pub breaker: Breaker,
    /// GitHub does not answer.
    unreachable: Warning,
    /// Bodies cannot be read.
    unread: Warning,
}

/// Something that the operator is told once in ten seconds by each worker, and not with every
/// request.
#[derive(Default)]
struct Warning {
    /// When it was told last, Unix milliseconds.
    told_at: u64,
}

impl Warning {
    const EVERY: u64 = 10_000;

    /// Whether to tell it now.
    fn is_due(&mut self, now: u64) -> bool {
        let due = now.saturating_sub(self.told_at) >= Self::EVERY;
        if due {
            self.told_at = now;
        }
        due
    }
}

/// All that a step may see besides the request.
pub struct World<'a> {
    /// The configuration under which the request arrived.
    pub proxy: &'a Proxy,
    /// What all workers share.
    pub shared: &'a dyn SharedData,
    /// What this worker keeps.
    pub worker: &'a mut Worker,
    /// How the client is connected.
    pub connection: &'a dyn Connection,
    /// Unix milliseconds.
    pub now: u64,
}

/// Where a request stands. Each variant is one point at which it can be suspended.
#[derive(Debug, Default)]
pub enum Phase {
    /// Nothing is known yet.
    #[default]
    Arrived,
    /// The document of a GraphQL request is on its way here.
    Reading(Box<Reading>),
    /// Asking the cache cluster, as leader.
    LookingUp(Box<LookingUp>),
    /// Another replica asks GitHub about the same; look again a little later.
    Yielding(Box<Yielding>),
    /// An equal request of this Envoy is asking.
    Waiting(Box<Waiting>),
    /// No credential is ready at this moment, but one will be soon.
    AwaitingCredential(Box<AwaitingCredential>),
    /// On its way to GitHub.
    Forwarded(Box<Forwarded>),
    /// Held back until its body tells whether GitHub refused the credential.
    Judging(Box<Judging>),
    /// Refused on one credential, and no other is ready at this moment.
    Retrying(Box<Retrying>),
    /// On its way again, on another credential.
    Resending(Box<Forwarded>),
    /// GitHub's body streams to the client and is kept.
    Collecting(Box<Collecting>),
    /// GitHub's body streams to the client, and the URLs in it are rewritten.
    Passing(Box<Passing>),
    /// The client is answered in the place of GitHub's 304, but for the body. That is only
    /// possible where Envoy announces one, which a filter of the shipped configuration makes it do.
    Substituting(Box<Substituting>),
    /// Answered, or given to Envoy for good; only its end is still to come.
    Closed(Option<Closed>),
}

impl Phase {
    /// Whether it has to hear of time going by, and if so, whether it is in a hurry.
    pub fn wants_ticks(&self) -> Option<bool> {
        match self {
            Self::Yielding(_) | Self::AwaitingCredential(_) | Self::Retrying(_) => Some(true),
            Self::Waiting(_) => Some(false),
            Self::Collecting(it) if it.is_awaited() => Some(false),
            _ => None,
        }
    }

    /// Whether the request is held back from the upstream.
    pub fn holds_request(&self) -> bool {
        matches!(
            self,
            Self::Reading(_)
                | Self::LookingUp(_)
                | Self::Yielding(_)
                | Self::Waiting(_)
                | Self::AwaitingCredential(_)
        )
    }

    /// Whether the upstream's response is held back from the client.
    pub fn holds_response(&self) -> bool {
        matches!(
            self,
            Self::Judging(_) | Self::Retrying(_) | Self::Resending(_)
        )
    }

    /// Whether another answer takes the place of the upstream's: nobody gets its body.
    pub fn discards_response(&self) -> bool {
        matches!(self, Self::Retrying(_) | Self::Resending(_))
    }

    /// Whether the answer to a callout is due.
    pub fn awaits_callout(&self) -> bool {
        matches!(self, Self::LookingUp(_) | Self::Resending(_))
    }

    /// Whether it wants to see the request's body, of which `size` bytes are in hand. A body
    /// that need not be read is not copied.
    pub fn wants_request_body(&self, size: usize, end: bool) -> bool {
        match self {
            Self::Reading(it) => it.wants(size, end),
            Self::Forwarded(it) => it.body.is_partial(),
            Self::AwaitingCredential(_) => size > errand::LONGEST_HELD,
            _ => false,
        }
    }

    /// Whether it waits for the whole of the request's body.
    pub fn reads_request(&self) -> bool {
        matches!(self, Self::Reading(_))
    }

    /// Whether it wants to see the response's body.
    pub fn wants_response_body(&self) -> bool {
        matches!(
            self,
            Self::Judging(_) | Self::Collecting(_) | Self::Passing(_) | Self::Substituting(_)
        )
    }
}

/// Waits for an equal request.
#[derive(Debug)]
pub struct Waiting {
    admitted: Admitted,
    since: u64,
}

/// Waits for another replica.
#[derive(Debug)]
pub struct Yielding {
    admitted: Admitted,
    /// When the first look was.
    since: u64,
    /// When to look again.
    again_at: u64,
}

/// Waits for the first token of an App, or for a credential that is busy.
#[derive(Debug)]
pub struct AwaitingCredential {
    errand: Errand,
    since: u64,
}

/// A request that has to go out again.
#[derive(Debug)]
pub struct Retrying {
    errand: Errand,
    /// Credentials that refused it.
    tried: Vec<u64>,
    /// The whole of the request's body.
    body: Vec<u8>,
    /// Why it was refused last.
    refusal: CredentialRefusal,
    /// Since when it has looked for another credential.
    since: u64,
}

/// A response that may be a refusal of the credential.
#[derive(Debug)]
pub struct Judging {
    forwarded: Box<Forwarded>,
    response: answer::Response,
    /// What its header section says.
    reading: refusal::Reading,
}

/// What the last stats of a request need.
#[derive(Debug)]
pub struct Closed {
    started: u64,
    cache: CacheStatus,
}

impl Closed {
    fn report(&self, world: &World<'_>, effects: &mut Vec<Effect>) {
        let millis = world.now.saturating_sub(self.started);
        let metric = Metric::request_duration(self.cache.label(), millis);
        effects.push(Effect::Record(metric));
    }
}

/// A request that may be served: who asks for what, with all that later phases need.
#[derive(Debug)]
pub struct Admitted {
    client: String,
    pool: String,
    method: String,
    /// At the upstream, with the query.
    path: String,
    /// Where the client came in.
    mount: Mount,
    /// The same as scheme and authority, if URLs are to lead there.
    root: Option<String>,
    /// What it asked for there, without the query.
    target: String,
    /// What GitHub is expected to count it against; what it named once it has answered.
    resource: ResourceName,
    /// Its own limit, if it has one.
    budget: Option<Budget>,
    /// Whether it leaves a reserve of each credential to the others.
    priority: Priority,
    headers: Headers,
    key: Key,
    me: Waiter,
    started: u64,
    /// What is kept of its body.
    body: RequestBody,
    /// What was read in its GraphQL document, if it was read.
    document: Option<Document>,
    /// Whether others wait for this request's answer (or may).
    leads: bool,
    /// Since when this replica holds the cluster's claim on the key.
    locked_at: Option<u64>,
}

impl Admitted {
    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether GitHub's answer may be of use to nobody else, if nothing is stored: a header section
    /// without its body, or a 304 to the client's own precondition.
    fn asks_privately(&self) -> bool {
        let own = ["if-none-match", "if-modified-since"];
        self.is_head() || own.iter().any(|name| self.headers.has(name))
    }

    /// How URLs are rewritten for this client, if they are.
    fn rewrite(&self, world: &World<'_>) -> Option<Rewrite> {
        let root = self.root.as_ref()?;
        let origins = &world.proxy.origins;
        Some(Rewrite::new(origins, root, self.mount, &self.target))
    }

    /// Percent of each limit that it leaves to others.
    fn reserve_percent(&self, world: &World<'_>) -> u64 {
        match self.priority {
            Priority::Low => world.proxy.config.pool.low_priority_reserve_percent,
            Priority::Normal => 0,
        }
    }

    fn accept(&self) -> Option<Vec<u8>> {
        key::accept(&self.headers)
    }
}

/// Takes one event. The effects are to be carried out in order, after this returned.
pub fn step(phase: Phase, event: Event, world: &mut World<'_>) -> (Phase, Vec<Effect>) {
    let mut effects = Vec::new();
    let next = match (phase, event) {
        (Phase::Arrived, Event::Request { headers, me, end }) => {
            admit::arrive(headers, me, !end, world, &mut effects)
        }
        (Phase::Reading(it), Event::RequestBody { chunk, end }) => {
            it.chunk(chunk, end, world, &mut effects)
        }
        (Phase::AwaitingCredential(it), Event::Tick) => it.tick(world, &mut effects),
        (Phase::AwaitingCredential(it), Event::RequestBody { .. }) => {
            it.cannot_wait(world, &mut effects)
        }
        (Phase::Retrying(it), Event::Tick) => it.attempt(world, &mut effects),
        (Phase::Forwarded(mut it), Event::RequestBody { chunk, end }) => {
            it.body = it.body.chunk(&chunk, end);
            Phase::Forwarded(it)
        }
        (Phase::Judging(it), Event::Body { chunk, end }) => {
            it.chunk(chunk, end, world, &mut effects)
        }
        (Phase::Passing(it), Event::Body { chunk, end }) => it.chunk(&chunk, end, &mut effects),
        (Phase::Substituting(it), Event::Body { end, .. }) => it.chunk(end, &mut effects),
        (Phase::Resending(it), Event::Resent(answer)) => it.resent(answer, world, &mut effects),
        (
            Phase::LookingUp(it),
            Event::Cluster {
                operation,
                status,
                body,
            },
        ) => it.answered(operation, status, body, world, &mut effects),
        (Phase::Yielding(it), Event::Tick) => it.tick(world, &mut effects),
        (Phase::Waiting(it), Event::Woken(wake)) => it.woken(wake, world, &mut effects),
        (Phase::Waiting(it), Event::Tick) => it.tick(world, &mut effects),
        (
            Phase::Forwarded(it),
            Event::Response {
                headers,
                local,
                end,
            },
        ) => it.answered(
            answer::Response::new(headers, local),
            end,
            world,
            &mut effects,
        ),
        (Phase::Collecting(it), Event::Body { chunk, end }) => {
            it.chunk(&chunk, end, world, &mut effects)
        }
        (Phase::Collecting(it), Event::Tick) => it.tick(world, &mut effects),
        (phase, Event::Gone) => gone(phase, world, &mut effects),
        (phase, _) => phase,
    };
    (next, effects)
}

/// Leaves no trace of a request that is over: nobody waits for it, it holds no claim.
fn gone(phase: Phase, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
    let admitted = match phase {
        // It has not boarded anything yet.
        Phase::Arrived | Phase::Reading(_) => None,
        Phase::LookingUp(it) => Some(it.admitted),
        Phase::Yielding(it) => Some(it.admitted),
        Phase::Waiting(it) => Some(it.admitted),
        Phase::AwaitingCredential(it) => Some(it.errand.admitted),
        Phase::Retrying(it) => Some(it.errand.admitted),
        Phase::Forwarded(mut it) | Phase::Resending(mut it) => {
            it.settle(true, None, world);
            Some(it.errand.admitted)
        }
        Phase::Judging(it) => {
            let Judging {
                mut forwarded,
                response,
                ..
            } = *it;
            forwarded.book(&response, false, world, effects);
            Some(forwarded.errand.admitted)
        }
        Phase::Collecting(it) => Some(it.admitted),
        Phase::Passing(it) => {
            it.closed.report(world, effects);
            None
        }
        Phase::Substituting(it) => {
            it.closed.report(world, effects);
            None
        }
        Phase::Closed(closed) => {
            if let Some(closed) = closed {
                closed.report(world, effects);
            }
            None
        }
    };
    if let Some(mut admitted) = admitted {
        lead::leave(&mut admitted, world, effects);
    }
    Phase::Closed(None)
}

#[cfg(test)]
mod tests;
