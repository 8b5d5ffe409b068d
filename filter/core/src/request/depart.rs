//! Sends a request to GitHub: with which credential, and with which validator.
//!
//! A stored response is asked about with the validator that the chosen credential would have
//! got for it, computed where GitHub's ETags have proved predictable. Where they have not, the
//! credential that fetched it is preferred, since the stored ETag is its own.

use super::lead::{self, Found};
use super::{serve, Admitted, Effect, Phase, World};
use crate::cache::entry::Entry;
use crate::cache::status::CacheStatus;
use crate::etag::{self, MemoKey};
use crate::flight::{self, Landing};
use crate::pool::{self, Exhausted, Member};
use crate::reply::Refusal;
use crate::upstream::{self, Validator};

/// A request on its way to GitHub.
#[derive(Debug)]
pub struct Forwarded {
    pub(super) admitted: Admitted,
    /// Its part in the cache; `None` for one that goes around it.
    pub(super) cached: Option<Cached>,
    /// For one that goes around the cache: how.
    pub(super) around: CacheStatus,
    /// The credential in use, by its tag.
    pub(super) credential: u64,
    pub(super) sent_at: u64,
}

/// What a cacheable request brings with it.
#[derive(Debug, Default)]
pub(super) struct Cached {
    /// The stored response that is being asked about, or that may stand in.
    pub(super) entry: Option<Entry>,
    /// Whether our validator went out, so that a 304 is about `entry`.
    pub(super) asked: Asked,
    /// When the copy in the cluster was last confirmed; `None` when it has none.
    pub(super) in_cluster: Option<u64>,
}

/// Which validator went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// None of ours.
    #[default]
    Nothing,
    /// The stored one.
    Stored,
    /// One computed for a credential that had not fetched the entry.
    Computed,
}

impl Admitted {
    /// Sends a request that the cache has no part in.
    pub(super) fn around(
        self,
        around: CacheStatus,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let chosen =
            world
                .proxy
                .pool
                .choose(world.shared, &self.pool, self.resource, None, world.now);
        match chosen {
            Ok(member) => {
                // GET /rate_limit is never counted (GitHub's docs, "Rate limit").
                self.send(member, &Validator::Client, None, around, world, effects)
            }
            Err(exhausted) => self.exhausted(exhausted, None, world, effects),
        }
    }

    /// Sends a request about a key: to confirm `entry`, or for want of one.
    pub(super) fn depart(
        self,
        entry: Option<Entry>,
        found: Option<Found>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let favourite = entry
            .as_ref()
            .filter(|entry| !entry.head.predictable)
            .map(|entry| entry.head.credential);
        let chosen = world.proxy.pool.choose(
            world.shared,
            &self.pool,
            self.resource,
            favourite,
            world.now,
        );
        let member = match chosen {
            Ok(member) => member,
            Err(exhausted) => return self.exhausted(exhausted, entry, world, effects),
        };
        let (validator, asked) = match &entry {
            Some(entry) => validator(&self, entry, member, world),
            None => (Validator::Client, Asked::Nothing),
        };
        if self.leads && asked != Asked::Nothing {
            flight::close(world.shared, &self.key, self.me);
        }
        let in_cluster = match found {
            Some(Found::Same(peek)) => Some(peek.confirmed_at),
            Some(Found::Entry(entry)) => Some(entry.confirmed_at),
            Some(Found::Nothing) | None => None,
        };
        let cached = Cached {
            entry,
            asked,
            in_cluster,
        };
        self.send(
            member,
            &validator,
            Some(cached),
            CacheStatus::None,
            world,
            effects,
        )
    }

    fn send(
        self,
        member: &Member,
        validator: &Validator,
        cached: Option<Cached>,
        around: CacheStatus,
        world: &World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let free = cached.as_ref().is_some_and(|it| it.asked != Asked::Nothing);
        if !free && around != CacheStatus::Bypass {
            pool::reserve(world.shared, member, self.resource);
        }
        effects.push(Effect::Forward(upstream::edits(
            &self.headers,
            &world.proxy.config.upstream,
            &self.path,
            member.authorization(),
            validator,
            cached.is_some(),
        )));
        Phase::Forwarded(Box::new(Forwarded {
            admitted: self,
            cached,
            around,
            credential: member.tag,
            sent_at: world.now,
        }))
    }

    /// No credential is left: a stale answer where that is allowed, else GitHub's own error.
    fn exhausted(
        mut self,
        exhausted: Exhausted,
        entry: Option<Entry>,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        lead::land(&mut self, Landing::Dissolved, world, effects);
        super::collect::release(&mut self, None, world, effects);
        if let Some(entry) = entry.filter(|entry| serve::may_be_stale(entry, world)) {
            return serve::entry(&self, entry, CacheStatus::StaleIfError, world, effects);
        }
        let seconds = world.now / 1_000;
        let view = world
            .proxy
            .pool
            .view(world.shared, &self.pool, self.resource, world.now);
        let refusal = Refusal::PoolExhausted {
            reset: exhausted.reset,
            retry_after: exhausted.reset.saturating_sub(seconds).max(1),
            resource: self.resource.to_owned(),
            limit: view.limit,
        };
        serve::refuse(&self.client, &self.method, self.started, refusal, effects)
    }
}

/// The validator with which `member` asks about `entry`.
fn validator(
    admitted: &Admitted,
    entry: &Entry,
    member: &Member,
    world: &mut World<'_>,
) -> (Validator, Asked) {
    let stored = entry.head.headers.text("etag");
    if let Some(stored) = stored {
        if entry.head.credential == member.tag {
            return (Validator::Tag(stored.to_owned()), Asked::Stored);
        }
        if entry.head.predictable {
            let tag = predicted(admitted, entry, member, world);
            let tag = etag::quoted(&tag, etag::is_weak(stored.as_bytes()));
            return (Validator::Tag(tag), Asked::Computed);
        }
    }
    match entry.head.headers.get("last-modified") {
        // Last-Modified does not depend on the credential.
        Some(date) => (Validator::Date(date.to_vec()), Asked::Stored),
        None => (Validator::Absent, Asked::Nothing),
    }
}

/// The opaque tag that GitHub would give `member` for the body of `entry`.
pub(super) fn predicted(
    admitted: &Admitted,
    entry: &Entry,
    member: &Member,
    world: &mut World<'_>,
) -> String {
    let key = MemoKey {
        entry: admitted.key.0,
        body: entry.digest,
        credential: member.tag,
    };
    world.worker.memo.get_or(key, || {
        let accept = admitted.accept();
        etag::predict(accept.as_deref(), member.authorization(), entry.body())
    })
}
