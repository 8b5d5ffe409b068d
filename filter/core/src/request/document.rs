//! Reading the document of a `POST /graphql`: the one phase in which a request's body is held
//! back. Only where something depends on it: what a client may do that may only query, what may
//! be answered from the cache, and what made cached answers out of date.
//!
//! What cannot be read is refused to a client that may only query. Any other client's goes on as
//! it came, and counts as a mutation.

use super::errand::{Errand, RequestBody, LONGEST_HELD};
use super::{lead, serve, Admitted, Effect, Phase, World};
use crate::cache::status::CacheStatus;
use crate::graphql::history::History;
use crate::graphql::wish::Wish;
use crate::graphql::{self, Verdict};
use crate::reply::Refusal;

/// The longest body that is held back for the cache's sake alone, bytes. A longer one goes on, and
/// what is still arriving has to fit into the same buffer.
const LONGEST_FOR_CACHE: usize = 256 * 1024;

/// What was read in a document.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// Whether it only queries, for every reader.
    is_query: bool,
    /// How old a stored answer may be, milliseconds, if one will do.
    max_age: Option<u64>,
    /// Whether something was decided by it, so that GitHub has to read it in the same way.
    binding: bool,
}

/// Waits for the whole of a body.
#[derive(Debug)]
pub struct Reading {
    pub(super) admitted: Admitted,
    /// Whether it is refused unless it only queries.
    must_query: bool,
    wish: Wish,
}

/// Reads the document if something depends on it.
pub(super) fn begin(
    admitted: Admitted,
    must_query: bool,
    wish: Wish,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let reading = Box::new(Reading {
        admitted,
        must_query,
        wish,
    });
    if !reading.is_called_for(world) {
        return reading.pass(world, effects);
    }
    if !world.proxy.config.pool.inspect_bodies {
        return reading.cannot(world, effects);
    }
    if !reading.is_readable() {
        return reading.unread(world, effects);
    }
    match reading.admitted.body {
        RequestBody::Complete(_) => reading.judge(Vec::new(), world, effects),
        RequestBody::Partial(_) | RequestBody::Dropped => Phase::Reading(reading),
    }
}

impl Reading {
    fn is_called_for(&self, world: &World<'_>) -> bool {
        let client = &self.admitted.client;
        self.must_query
            || matches!(self.wish, Wish::Within(_))
            // A query that is not known to be one would make what this client cached useless.
            || History::of(world.shared, client).caches_until > world.now
    }

    /// Whether the body, once it is here, is what GitHub reads: neither encoded nor too long,
    /// and without parameters beside it in the path.
    fn is_readable(&self) -> bool {
        let headers = &self.admitted.headers;
        let mut encodings = headers.all("content-encoding");
        let plain = encodings.all(|it| it.trim_ascii().eq_ignore_ascii_case(b"identity"));
        let length = headers.content_length();
        plain
            && length.is_none_or(|length| length <= self.longest())
            && !self.admitted.path.contains('?')
    }

    /// The longest body that is held back, bytes.
    fn longest(&self) -> usize {
        if self.must_query {
            LONGEST_HELD
        } else {
            LONGEST_FOR_CACHE
        }
    }

    /// Whether it wants to see a body of which `size` bytes are here.
    pub(super) fn wants(&self, size: usize, end: bool) -> bool {
        end || size > self.longest()
    }

    /// Takes all of the body so far.
    pub(super) fn chunk(
        mut self: Box<Self>,
        body: Vec<u8>,
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        if body.len() > self.longest() {
            self.admitted.body = RequestBody::Dropped;
            return self.unread(world, effects);
        }
        if !end {
            return Phase::Reading(self);
        }
        self.judge(body, world, effects)
    }

    fn judge(
        mut self: Box<Self>,
        body: Vec<u8>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let is_query = graphql::judge(&body) == Verdict::Query;
        if self.must_query && !is_query {
            return self.refuse(effects);
        }
        let seconds = match self.wish {
            Wish::Within(seconds) if is_query => Some(seconds),
            _ => None,
        };
        let admitted = &mut self.admitted;
        admitted.document = Some(Document {
            is_query,
            max_age: seconds.map(|seconds| seconds.saturating_mul(1_000)),
            binding: self.must_query || seconds.is_some(),
        });
        let Some(max_age) = admitted.max_age() else {
            admitted.body = RequestBody::Complete(body);
            return self.pass(world, effects);
        };
        History::caches(world.shared, &admitted.client, max_age, world.now);
        admitted.key = admitted.key.with_document(&admitted.headers, &body);
        admitted.body = RequestBody::Complete(body);
        lead::board(self.admitted, world, effects)
    }

    /// Envoy is not set up to show bodies.
    fn cannot(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        if world.worker.unread.is_due(world.now) {
            effects.push(Effect::Warn(format!(
                "client {}: its GraphQL documents cannot be read: that needs pool.inspect_bodies \
                 here and allow_on_headers_stop_iteration in Envoy's Wasm configuration (said once \
                 in ten seconds)",
                self.admitted.client
            )));
        }
        self.unread(world, effects)
    }

    fn unread(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        if self.must_query {
            return self.refuse(effects);
        }
        self.pass(world, effects)
    }

    /// Goes around the cache.
    fn pass(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let status = match self.wish {
            Wish::Around => CacheStatus::Bypass,
            Wish::Nothing | Wish::Within(_) => CacheStatus::Method,
        };
        Errand::around(self.admitted, status).depart(world, effects)
    }

    fn refuse(self: Box<Self>, effects: &mut Vec<Effect>) -> Phase {
        let Admitted {
            client,
            method,
            started,
            ..
        } = self.admitted;
        let refusal = Refusal::Scope {
            client: client.clone(),
            method: method.clone(),
        };
        serve::refuse(&client, &method, started, refusal, effects)
    }
}

impl Admitted {
    /// Whether it is known to change nothing.
    pub(super) fn only_reads(&self) -> bool {
        let is_query = self.document.is_some_and(|document| document.is_query);
        is_query || matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Whether it is a GraphQL request.
    pub(super) fn is_graphql(&self) -> bool {
        self.method == "POST" && self.target == graphql::PATH
    }

    /// Whether GitHub must read the body as the proxy did, whatever the client calls it.
    pub(super) fn is_bound_to_json(&self) -> bool {
        self.document.is_some_and(|document| document.binding)
    }

    /// How old a stored answer to a query may be, milliseconds; `None` where no answer is kept
    /// for its age: all other requests.
    pub(super) fn max_age(&self) -> Option<u64> {
        self.document?.max_age
    }
}
