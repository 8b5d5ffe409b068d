//! Whether a stored response may answer without GitHub being asked, and when its age began.
//!
//! By default none may, but for answers to GraphQL queries. Where `serve_fresh` allows more, what
//! was stored before a write is out again: that of the client itself, to anything, and that of
//! anybody, to the same path.

use super::{Admitted, World};
use crate::cache::directive::Directives;
use crate::cache::entry::Entry;
use crate::cache::written;
use crate::graphql::history::History;

impl Admitted {
    /// Whether `entry` may answer without GitHub being asked. A query's must be younger than the
    /// client allows. Either was asked for after the client's last write was over.
    pub(super) fn is_fresh(&self, entry: &Entry, world: &World<'_>) -> bool {
        let age = world.now.saturating_sub(entry.confirmed_at);
        let wrote_at = || History::of(world.shared, &self.client).wrote_at;
        match self.max_age() {
            Some(max_age) => age < max_age && entry.confirmed_at > wrote_at(),
            None => {
                age < lifetime(world)
                    && Directives::of(&self.headers).allow(age)
                    && !Directives::of(&entry.head.headers).no_cache
                    && self.is_valid(entry, world)
                    && entry.confirmed_at > wrote_at()
            }
        }
    }

    /// Whether nobody has changed what `entry` is about since it was confirmed. Without this it
    /// may not even stand in where GitHub fails.
    pub(super) fn is_valid(&self, entry: &Entry, world: &World<'_>) -> bool {
        entry.confirmed_at > written::at(world.shared, &self.target)
    }

    /// When it asks, Unix milliseconds, for the age of the answer: later than each write of the
    /// client that is over, also where both are in one millisecond.
    pub(super) fn asks_at(&self, world: &World<'_>) -> u64 {
        if !self.counts_age(world) {
            return world.now;
        }
        let wrote_at = History::of(world.shared, &self.client).wrote_at;
        world.now.max(wrote_at.saturating_add(1))
    }

    /// When an answer to what was asked at `asked_at` counts as confirmed. Where its age matters,
    /// from the question on: what was written between that and the answer may be missing in it.
    pub(super) fn confirmed_at(&self, asked_at: u64, world: &World<'_>) -> u64 {
        if self.counts_age(world) {
            asked_at
        } else {
            world.now
        }
    }

    /// Whether an answer that this request waited for may be its own.
    pub(super) fn may_share(&self, entry: &Entry, world: &World<'_>) -> bool {
        // Nothing older than this request may answer it, unless it would answer anybody.
        let is_newer = self.max_age().is_none() && entry.confirmed_at >= self.started;
        is_newer || self.is_fresh(entry, world)
    }

    fn counts_age(&self, world: &World<'_>) -> bool {
        self.max_age().is_some() || lifetime(world) > 0
    }
}

/// How long an answer needs no confirmation, milliseconds.
fn lifetime(world: &World<'_>) -> u64 {
    let seconds = world.proxy.config.cache.serve_fresh_seconds;
    seconds.saturating_mul(1_000)
}
