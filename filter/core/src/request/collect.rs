//! A body streams to the client while a copy is kept; once complete, the copy becomes an
//! entry and those who waited for it are told.

use super::answer::Response;
use super::errand::Asked;
use super::pass::Passed;
use super::{lead, Admitted, Closed, Deposit, Effect, Phase, ReplyBody, World};
use crate::cache::cluster;
use crate::cache::entry::{Entry, EntryHead, EntryWriter};
use crate::cache::policy;
use crate::cache::written;
use crate::etag;
use crate::flight::{Answer, Landing};
use crate::graphql;
use crate::metric::Metric;
use crate::pool::Grant;
use crate::rewrite::BodyRewriter;

/// How long a body may stand still, because of GitHub or of a client that does not read it, before
/// those who wait for it wait for another one, milliseconds.
const STANDSTILL: u64 = 5_000;

/// What the copy of a response needs besides its body.
#[derive(Debug)]
pub(super) struct Copy {
    /// What was stored before.
    pub(super) before: Option<Entry>,
    pub(super) asked: Asked,
    pub(super) grant: Grant,
    pub(super) response: Response,
    /// Whether it becomes an entry; otherwise it is for those who wait, and nobody else.
    pub(super) storable: bool,
    /// When GitHub was asked, Unix milliseconds.
    pub(super) asked_at: u64,
}

/// A response that is being copied.
#[derive(Debug)]
pub struct Collecting {
    pub(super) admitted: Admitted,
    copy: Copy,
    closed: Closed,
    /// Rewrites what the client gets; the copy is GitHub's own.
    rewriter: Option<BodyRewriter>,
    writer: EntryWriter,
    /// When the last part came, Unix milliseconds.
    moved_at: u64,
}

impl Collecting {
    pub(super) fn new(
        admitted: Admitted,
        copy: Copy,
        closed: Closed,
        rewriter: Option<BodyRewriter>,
        now: u64,
    ) -> Self {
        Self {
            admitted,
            copy,
            closed,
            rewriter,
            writer: EntryWriter::new(),
            moved_at: now,
        }
    }

    /// Whether others wait for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.admitted.leads
    }

    /// Hands the flight on when the body stands still; the copy goes on.
    pub(super) fn tick(
        mut self: Box<Self>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        if world.now.saturating_sub(self.moved_at) >= STANDSTILL {
            release(&mut self.admitted, None, world, effects);
            lead::land(&mut self.admitted, Landing::HandedOn, world, effects);
        }
        Phase::Collecting(self)
    }

    /// Passes a chunk on and keeps it.
    pub(super) fn chunk(
        mut self: Box<Self>,
        chunk: &[u8],
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        if let Some(rewriter) = &mut self.rewriter {
            let rewritten = rewriter.push(chunk, end);
            effects.push(Effect::ReplaceBody(ReplyBody::Bytes(rewritten)));
        }
        self.keep(chunk, end, world, effects)
    }

    /// Keeps a chunk that was passed on already; the last one completes the entry.
    pub(super) fn keep(
        mut self: Box<Self>,
        chunk: &[u8],
        end: bool,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        self.moved_at = world.now;
        let limit = world.proxy.longest_body;
        if self.writer.body().len().saturating_add(chunk.len()) > limit {
            return self.give_up(end, world, effects);
        }
        self.writer.append(chunk);
        if !end {
            return Phase::Collecting(self);
        }
        self.complete(world, effects)
    }

    /// Keeps nothing, so that those who wait ask for themselves. The client gets the rest.
    fn give_up(mut self, end: bool, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        if self.copy.before.is_some() {
            // It was contradicted, though nothing takes its place.
            written::note(world.shared, &self.admitted.target, world.now);
        }
        release(&mut self.admitted, None, world, effects);
        lead::land(&mut self.admitted, Landing::Dissolved, world, effects);
        let passed = Passed {
            closed: self.closed,
            rewriter: self.rewriter.filter(|_| !end),
        };
        passed.phase()
    }

    fn complete(mut self, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let writer = std::mem::take(&mut self.writer);
        let query = self.admitted.max_age().is_some();
        if query && !graphql::is_answer(writer.body()) {
            return self.give_up(true, world, effects);
        }
        let confirmed_at = self.admitted.confirmed_at(self.copy.asked_at, world);
        let predictable = self.copy.storable && self.predictable(writer.body(), effects);
        let key = if self.copy.storable {
            self.admitted.key
        } else {
            self.admitted.key.for_followers()
        };
        let head = EntryHead {
            key: key.0,
            status: self.copy.response.status,
            headers: policy::storable_headers(&self.copy.response.headers),
            varied: policy::varied(&self.admitted.headers, &self.copy.response.headers),
            credential: self.copy.grant.tag,
            predictable,
            personal: self.was_personal(),
            former: self.former(),
        };
        let mut entry = writer.finish(head, confirmed_at);
        if self.is_former(&entry) {
            entry.head.personal = true;
            entry = entry.with(entry.head.clone(), confirmed_at);
        }
        if self.refuted(&entry) {
            effects.push(Effect::Record(Metric::prediction("refuted")));
            entry.head.predictable = false;
            entry = entry.with(entry.head.clone(), confirmed_at);
        }
        let change = world.proxy.memory.put(world.shared, &entry, world.now);
        effects.extend(Metric::memory(change).into_iter().map(Effect::Record));
        let answer = Answer {
            status: self.copy.response.status,
            warm: self.copy.before.is_some(),
            followers_only: !self.copy.storable,
        };
        let landing = landing(answer, entry.encoded().len(), world);
        let deposit = self.copy.storable.then_some(entry);
        release(&mut self.admitted, deposit, world, effects);
        lead::land(&mut self.admitted, landing, world, effects);
        Phase::Closed(Some(self.closed))
    }

    /// Whether the origin's ETag is the one that would have been computed.
    fn predictable(&self, body: &[u8], effects: &mut Vec<Effect>) -> bool {
        if !self.copy.response.headers.has("etag") {
            return false;
        }
        let accept = self.admitted.accept();
        let tag = etag::predict(accept.as_deref(), self.copy.grant.authorization(), body);
        let holds = etag::prediction_holds(&self.copy.response.headers, &tag);
        let result = if holds { "match" } else { "mismatch" };
        effects.push(Effect::Record(Metric::prediction(result)));
        holds
    }

    /// Whether the thing is known to be another one for each credential.
    fn was_personal(&self) -> bool {
        let before = self.copy.before.as_ref();
        before.map_or_else(
            || policy::is_personal(&self.admitted.target),
            |it| it.head.personal,
        )
    }

    /// What another credential was given before.
    fn former(&self) -> Option<[u8; 8]> {
        let before = self.copy.before.as_ref();
        let other = before.filter(|it| it.head.credential != self.copy.grant.tag)?;
        other.digest.first_chunk().copied()
    }

    /// Whether a change of the credential brought back what was there before the last such change:
    /// then it is the credential that makes the difference, not time.
    fn is_former(&self, entry: &Entry) -> bool {
        let former = self.copy.before.as_ref().and_then(|it| it.head.former);
        self.former().is_some() && former.is_some() && former == entry.digest.first_chunk().copied()
    }

    /// A computed validator should have got a 304, yet GitHub sent the same body again.
    fn refuted(&self, entry: &Entry) -> bool {
        let before = self.copy.before.as_ref();
        self.copy.asked == Asked::Computed && before.is_some_and(|it| it.digest == entry.digest)
    }
}

/// Writes to the cluster where there is something to write, and gives the claim back if this
/// replica has it and it has not lapsed.
pub(super) fn release(
    admitted: &mut Admitted,
    entry: Option<Entry>,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) {
    let entry = entry.filter(|_| world.proxy.config.cache.cluster.is_some());
    let unlock = admitted
        .locked_at
        .take()
        .is_some_and(|then| world.now.saturating_sub(then) < cluster::LEASE_MILLIS);
    if entry.is_some() || unlock {
        effects.push(Effect::Deposit(Deposit {
            key: admitted.key,
            entry,
            unlock,
        }));
    }
}

/// How a flight ends whose answer is an entry of `bytes`: memory must be able to hold it.
pub(super) fn landing(answer: Answer, bytes: usize, world: &World<'_>) -> Landing {
    if world.proxy.memory.admits(bytes) {
        Landing::Shared(answer)
    } else if world.proxy.config.cache.cluster.is_some() && !answer.followers_only {
        Landing::HandedOn
    } else {
        Landing::Dissolved
    }
}
