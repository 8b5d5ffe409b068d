//! What else decides whether a credential may be used: a pause that GitHub imposed, a refusal
//! of the credential itself, and the installation token of an App. Shared by all workers.

use super::app::Token;
use super::watched::{self, Watched};
use crate::shared::SharedData;
use serde::{Deserialize, Serialize};

/// The shortest pause for a secondary limit without `retry-after`, seconds (GitHub's docs:
/// "wait at least one minute").
const SHORTEST_PAUSE: u64 = 60;
/// The longest, seconds.
const LONGEST_PAUSE: u64 = 3_600;
/// How long a task that somebody took on is left to them, milliseconds.
const TASK_LEASE: u64 = 15_000;
/// The longest wait between attempts, milliseconds.
const LONGEST_BACKOFF: u64 = 300_000;
/// After so many failures in a row nobody waits for the next attempt.
const HOPELESS: u32 = 3;

/// Something that one worker does for all: a token exchange, a poll of `/rate_limit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Not due before, Unix milliseconds.
    not_before: u64,
    /// Failures in a row.
    pub failures: u32,
}

impl Task {
    /// Takes the task on if it is due.
    fn take(&mut self, now: u64) -> bool {
        let due = now >= self.not_before;
        if due {
            self.not_before = now.saturating_add(TASK_LEASE);
        }
        due
    }

    /// Whether it is worth waiting for: under way or due soon, and not failing again and again.
    pub fn is_promising(&self) -> bool {
        self.failures < HOPELESS
    }

    /// Due at once, for a new reason.
    pub fn hurry(&mut self) {
        self.not_before = 1;
    }

    /// It is done; due again at `next`.
    pub fn done(&mut self, next: u64) {
        self.failures = 0;
        self.not_before = next;
    }

    /// It failed: due again after a wait that doubles each time, spread by `jitter`, and no earlier
    /// than `at_least` milliseconds from now.
    pub fn failed(&mut self, now: u64, at_least: u64, jitter: u64) {
        let wait = 1_000u64.saturating_mul(1 << self.failures.min(12));
        let wait = wait.min(LONGEST_BACKOFF).max(at_least);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(wait + jitter % (wait / 4 + 1));
    }
}

/// The state of one credential beside its rates.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Nothing may be sent before, Unix milliseconds.
    pub paused_until: u64,
    /// Secondary limits in a row.
    strikes: u32,
    /// GitHub does not accept it.
    pub broken: bool,
    /// The installation token of an App.
    pub token: Option<Token>,
    /// The exchange of that token.
    pub exchange: Task,
    /// The poll of `/rate_limit`.
    pub poll: Task,
}

impl Health {
    /// Neither refused, nor paused since GitHub last accepted it.
    pub fn is_clean(&self) -> bool {
        !self.broken && self.strikes == 0
    }
}

/// Where a credential's health is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthKey(pub u64);

impl HealthKey {
    fn name(self) -> String {
        format!("credential/{:016x}", self.0)
    }

    /// The present state, for those who ask often.
    pub fn watched(self) -> Watched<Health> {
        Watched::new(self.name())
    }

    /// The present state.
    pub fn get(self, shared: &dyn SharedData) -> Health {
        watched::read(shared, &self.name())
    }

    /// Changes the state, atomically.
    pub fn change<T>(
        self,
        shared: &dyn SharedData,
        mut edit: impl FnMut(&mut Health) -> T,
    ) -> Option<T> {
        watched::update(shared, &self.name(), |bytes| {
            let mut health = watched::decode(bytes);
            let result = edit(&mut health);
            (postcard::to_allocvec(&health).ok(), result)
        })
    }

    /// Takes on one of the tasks if it is due.
    pub fn take(
        self,
        shared: &dyn SharedData,
        task: impl Fn(&mut Health) -> &mut Task,
        now: u64,
    ) -> bool {
        self.change(shared, |health| task(health).take(now))
            .unwrap_or(false)
    }

    /// A secondary limit: nothing is sent for `retry_after` seconds, or, where GitHub did not
    /// say, for a minute, twice as long each time. Returns the end, Unix milliseconds, unless
    /// the credential was paused at least so long already.
    pub fn pause(self, shared: &dyn SharedData, retry_after: Option<u64>, now: u64) -> Option<u64> {
        self.change(shared, |health| {
            let running = health.paused_until > now;
            let backoff = SHORTEST_PAUSE << health.strikes.min(6);
            let seconds = retry_after.unwrap_or_else(|| backoff.min(LONGEST_PAUSE));
            let until = now.saturating_add(seconds.max(1).saturating_mul(1_000));
            if !running {
                health.strikes = health.strikes.saturating_add(1);
            }
            if until <= health.paused_until {
                return None;
            }
            health.paused_until = until;
            (!running).then_some(until)
        })
        .flatten()
    }

    /// GitHub accepted it: no longer broken, and the next pause is a short one again. Returns
    /// whether it had been broken or paused.
    pub fn accepted(self, shared: &dyn SharedData) -> bool {
        if self.get(shared).is_clean() {
            return false;
        }
        self.change(shared, |health| {
            let paused = std::mem::take(&mut health.strikes) > 0;
            std::mem::take(&mut health.broken) || paused
        })
        .unwrap_or(false)
    }

    /// GitHub accepted it in a poll, which says nothing about secondary limits. Returns whether it
    /// had been broken.
    pub fn is_known_again(self, shared: &dyn SharedData) -> bool {
        self.get(shared).broken
            && self
                .change(shared, |health| std::mem::take(&mut health.broken))
                .unwrap_or(false)
    }

    /// GitHub does not accept it. Returns whether that is news.
    pub fn refused(self, shared: &dyn SharedData) -> bool {
        self.change(shared, |health| {
            !std::mem::replace(&mut health.broken, true)
        })
        .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    const KEY: HealthKey = HealthKey(1);

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn pauses_grow_until_something_works_again() {
        let map = Map::default();
        assert_eq!(KEY.pause(&map, None, 0), Some(60_000));
        assert_eq!(KEY.pause(&map, None, 1), None, "one of those under way");
        let end = KEY.get(&map).paused_until;
        assert_eq!(KEY.pause(&map, None, end), Some(end + 120_000));
        assert!(!KEY.is_known_again(&map), "it was not broken");
        assert_eq!(KEY.get(&map).strikes, 2, "that says nothing about pauses");
        assert!(KEY.accepted(&map), "that is news");
        assert!(!KEY.accepted(&map));
        assert_eq!(KEY.pause(&map, None, 1_000_000), Some(1_060_000));
        assert_eq!(KEY.pause(&map, Some(7), 2_000_000), Some(2_007_000));
    }

    #[test]
    fn a_refused_credential_is_news_once() {
        let map = Map::default();
        assert!(KEY.refused(&map));
        assert!(!KEY.refused(&map));
        assert!(KEY.accepted(&map));
        assert!(!KEY.accepted(&map));
    }

    #[test]
    fn a_task_is_taken_by_one_and_tried_again_later_and_later() {
        let map = Map::default();
        let take = |now| KEY.take(&map, |health| &mut health.exchange, now);
        assert!(take(0));
        assert!(!take(1));
        KEY.change(&map, |health| health.exchange.failed(10, 0, 0));
        assert!(!take(1_009));
        assert!(take(1_010));
        KEY.change(&map, |health| health.exchange.failed(2_000, 0, 0));
        assert!(!take(3_999));
        assert!(take(4_000));
        // GitHub asked for more.
        KEY.change(&map, |health| health.exchange.failed(4_000, 30_000, 0));
        assert!(!take(33_999));
        assert!(take(34_000));
        KEY.change(&map, |health| health.exchange.done(9_000));
        assert!(!take(8_999));
        assert!(take(9_000));
    }
}
