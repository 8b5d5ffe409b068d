//! Who asks GitHub about a key: this request, an equal one of this Envoy, or another replica.

use super::errand::Errand;
use super::{collect, serve, Admitted, Effect, Phase, Waiting, World, Yielding};
use crate::cache::cluster::{self, Call, Operation};
use crate::cache::entry::{Entry, Peek};
use crate::cache::key::Key;
use crate::cache::status::{CacheStatus, Forwarded as Why};
use crate::flight::{self, Answer, Joined, Landing, Waiter, Wake};
use crate::metric::Metric;

/// How long to leave another replica alone before looking again, milliseconds.
const YIELD_MILLIS: u64 = 20;

/// Asking the cache cluster for the right to ask GitHub, then for what it holds. In this order:
/// what was read before the right was granted may be out of date by then.
#[derive(Debug)]
pub struct LookingUp {
    pub(super) admitted: Admitted,
    /// What memory holds.
    memory: Option<Entry>,
    /// When the first look was.
    since: u64,
}

/// Serves a cacheable request from memory if it may, else joins or starts a flight.
pub(super) fn board(
    mut admitted: Admitted,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let entry = match remembered(&admitted, world) {
        Some(entry) if admitted.is_fresh(&entry, world) => {
            return serve::entry(&admitted, entry, CacheStatus::Hit, world, effects);
        }
        entry => entry,
    };
    let private = admitted.asks_privately();
    match flight::join(world.shared, &admitted.key, admitted.me, private, world.now) {
        Joined::Waits => Phase::Waiting(Box::new(Waiting {
            admitted,
            since: world.now,
        })),
        Joined::Leads => {
            admitted.leads = true;
            let since = world.now;
            look_up(admitted, entry, since, world, effects)
        }
    }
}

/// The entry of memory that this request selects.
fn remembered(admitted: &Admitted, world: &World<'_>) -> Option<Entry> {
    let memory = &world.proxy.memory;
    let entry = memory.get(world.shared, &admitted.key, world.now)?;
    entry.selected_by(&admitted.headers).then_some(entry)
}

/// Asks the cluster, if there is one that works, before anything goes to GitHub: another
/// replica may have fetched a newer version, or be about to.
fn look_up(
    admitted: Admitted,
    memory: Option<Entry>,
    since: u64,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let cluster = world.proxy.config.cache.cluster.is_some();
    if !cluster || !world.worker.breaker.admits(world.now) {
        return Errand::about(admitted, memory, None).depart(world, effects);
    }
    // A query's stale answer is of no use, not even to compare: nothing can confirm it.
    let memory = memory.filter(|_| admitted.max_age().is_none());
    effects.push(Effect::Claim(admitted.key));
    Phase::LookingUp(Box::new(LookingUp {
        admitted,
        memory,
        since,
    }))
}

impl LookingUp {
    /// An answer is here.
    pub(super) fn answered(
        self: Box<Self>,
        operation: Operation,
        status: u16,
        body: Vec<u8>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        match operation {
            Operation::Lock => {
                let granted = noted(operation, cluster::granted(status, &body), world, effects);
                self.claimed(granted, world, effects)
            }
            Operation::Peek => {
                let peek = noted(operation, cluster::peek(status, &body), world, effects);
                self.peeked(peek.flatten(), world, effects)
            }
            Operation::Get => {
                let entry = cluster::entry(status, body, &self.admitted.key);
                let entry = noted(operation, entry, world, effects).flatten();
                self.found(entry, world, effects)
            }
            _ => Phase::LookingUp(self),
        }
    }

    /// `granted` is `None` when the cluster failed: then it is as if there were none.
    fn claimed(
        mut self: Box<Self>,
        granted: Option<bool>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let waited = world.now.saturating_sub(self.since);
        match granted {
            None => {
                return Errand::about(self.admitted, self.memory, None).depart(world, effects);
            }
            Some(false) if waited < cluster::LEASE_MILLIS => {
                return Phase::Yielding(Box::new(Yielding {
                    admitted: self.admitted,
                    since: self.since,
                    again_at: world.now.saturating_add(YIELD_MILLIS),
                }));
            }
            // Whoever has the right has had it for too long.
            Some(false) => {}
            Some(true) => self.admitted.locked_at = Some(world.now),
        }
        let key = &self.admitted.key;
        effects.push(Effect::Ask(match &self.memory {
            Some(_) => Call::peek(key),
            None => Call::get(key),
        }));
        Phase::LookingUp(self)
    }

    fn peeked(
        self: Box<Self>,
        peek: Option<Peek>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let held = self.memory.as_ref().map(|entry| entry.digest);
        match peek {
            // Another version: read the whole of it.
            Some(peek) if Some(peek.digest) != held => {
                effects.push(Effect::Ask(Call::get(&self.admitted.key)));
                Phase::LookingUp(self)
            }
            peek => {
                let in_cluster = peek.map(|peek| peek.confirmed_at);
                Errand::about(self.admitted, self.memory, in_cluster).depart(world, effects)
            }
        }
    }

    fn found(
        self,
        theirs: Option<Entry>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let Self {
            mut admitted,
            memory,
            ..
        } = self;
        let theirs = theirs.filter(|entry| entry.selected_by(&admitted.headers));
        let in_cluster = theirs.as_ref().map(|entry| entry.confirmed_at);
        let ours_is_newer = memory.as_ref().is_some_and(|ours| {
            in_cluster.is_none_or(|confirmed_at| ours.confirmed_at > confirmed_at)
        });
        let entry = match theirs {
            Some(theirs) if !ours_is_newer => {
                let change = world.proxy.memory.put(world.shared, &theirs, world.now);
                effects.extend(Metric::memory(change).into_iter().map(Effect::Record));
                Some(theirs)
            }
            _ => memory,
        };
        let query = admitted.max_age().is_some();
        if let Some(entry) = entry
            .as_ref()
            .filter(|it| query && admitted.is_fresh(it, world))
        {
            // Another replica asked in the meantime: this is what the followers wait for, too.
            let answer = Answer {
                status: entry.head.status,
                warm: false,
                followers_only: false,
            };
            let landing = collect::landing(answer, entry.encoded().len(), world);
            collect::release(&mut admitted, None, world, effects);
            land(&mut admitted, landing, world, effects);
            return serve::entry(&admitted, entry.clone(), CacheStatus::Hit, world, effects);
        }
        Errand::about(admitted, entry, in_cluster).depart(world, effects)
    }
}

/// Counts a failed call, and tells the breaker how it went.
fn noted<T>(
    operation: Operation,
    result: Result<T, cluster::Failed>,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Option<T> {
    world.worker.breaker.record(result.is_ok(), world.now);
    if result.is_err() {
        effects.push(Effect::Record(Metric::cache_error(operation.as_str())));
    }
    result.ok()
}

impl Yielding {
    pub(super) fn tick(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        if world.now < self.again_at {
            return Phase::Yielding(self);
        }
        let memory = remembered(&self.admitted, world);
        look_up(self.admitted, memory, self.since, world, effects)
    }
}

impl Waiting {
    pub(super) fn woken(
        self,
        wake: Wake,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let mut admitted = self.admitted;
        match wake {
            Wake::Answered(answer) => follow(admitted, answer, world, effects),
            Wake::Alone => {
                let entry = remembered(&admitted, world);
                Errand::about(admitted, entry, None).depart(world, effects)
            }
            Wake::Lead => {
                admitted.leads = true;
                let entry = remembered(&admitted, world);
                let since = world.now;
                look_up(admitted, entry, since, world, effects)
            }
        }
    }

    /// A leader that says nothing for so long is not waited for any more.
    pub(super) fn tick(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        if world.now.saturating_sub(self.since) < flight::LEASE_MILLIS {
            return Phase::Waiting(self);
        }
        let mut admitted = self.admitted;
        leave(&mut admitted, world, effects);
        let entry = remembered(&admitted, world);
        Errand::about(admitted, entry, None).depart(world, effects)
    }
}

/// Answers a follower with what its leader got, unless it is gone already.
fn follow(
    admitted: Admitted,
    answer: Answer,
    world: &mut World<'_>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let key = if answer.followers_only {
        admitted.key.for_followers()
    } else {
        admitted.key
    };
    let entry = world
        .proxy
        .memory
        .get(world.shared, &key, world.now)
        .filter(|entry| entry.selected_by(&admitted.headers));
    match entry {
        Some(entry) if admitted.may_share(&entry, world) => {
            let why = if answer.warm {
                Why::Stale(answer.status)
            } else {
                Why::Miss
            };
            serve::entry(
                &admitted,
                entry,
                CacheStatus::Coalesced(why),
                world,
                effects,
            )
        }
        entry => {
            // It may still be confirmed, unless it was left for the followers alone.
            let entry = entry.filter(|_| !answer.followers_only);
            Errand::about(admitted, entry, None).depart(world, effects)
        }
    }
}

fn tell(key: Key, wakes: Vec<(Waiter, Wake)>, effects: &mut Vec<Effect>) {
    let wakes = wakes.into_iter();
    effects.extend(wakes.map(|(waiter, wake)| Effect::Wake { waiter, key, wake }));
}

/// Ends the flight that this request leads, if it leads one.
pub(super) fn land(
    admitted: &mut Admitted,
    landing: Landing,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) {
    if std::mem::take(&mut admitted.leads) {
        let wakes = flight::land(world.shared, &admitted.key, admitted.me, landing, world.now);
        tell(admitted.key, wakes, effects);
    }
}

/// Takes the request out of its flight, and gives a claim back.
pub(super) fn leave(admitted: &mut Admitted, world: &World<'_>, effects: &mut Vec<Effect>) {
    collect::release(admitted, None, world, effects);
    admitted.leads = false;
    let wakes = flight::leave(world.shared, &admitted.key, admitted.me, world.now);
    tell(admitted.key, wakes, effects);
}
