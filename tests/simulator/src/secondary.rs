//! Keeps the secondary limits: bans on demand, and by themselves when an owner is too many
//! requests at once or too many points in a minute.
//!
//! A request during a ban prolongs it, as GitHub's documentation threatens. Bans concern an owner
//! as a whole, whatever the resource.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// When an owner is banned by itself, and how a ban looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondaryRules {
    /// The most requests of one owner at once; GitHub documents 100.
    pub concurrent: Option<u64>,
    /// The most points of one owner in a minute (GET 1, writes 5); GitHub documents 900.
    pub points_per_minute: Option<u64>,
    /// What such a ban looks like.
    pub ban: Ban,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ban {
    /// Its length.
    pub seconds: u64,
    /// The status of the refusals: 403 or 429.
    pub status: u16,
    /// Whether refusals carry `retry-after`.
    pub retry_after: bool,
    /// By how much each request during the ban moves its end.
    pub prolong_seconds: u64,
}

impl Default for Ban {
    fn default() -> Self {
        Self {
            seconds: 60,
            status: 403,
            retry_after: true,
            prolong_seconds: 0,
        }
    }
}

/// Why and how a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 403 or 429.
    pub status: u16,
    /// Seconds for `retry-after`, when it is sent.
    pub retry_after: Option<u64>,
    /// Whether the owner had been told of the ban before.
    pub early: bool,
}

struct Running {
    ban: Ban,
    until: f64,
    told: bool,
}

/// The bans and points of all owners.
#[derive(Default)]
pub struct Secondary {
    rules: SecondaryRules,
    running: HashMap<String, Running>,
    points: HashMap<String, (u64, u64)>,
}

impl Secondary {
    /// Replaces the rules.
    pub fn set_rules(&mut self, rules: SecondaryRules) {
        self.rules = rules;
    }

    /// Begins a ban of `owner` at `now` (Unix seconds).
    pub fn ban(&mut self, owner: &str, ban: Ban, now: f64) {
        let running = Running {
            until: now + ban.seconds as f64,
            ban,
            told: false,
        };
        self.running.insert(owner.to_owned(), running);
    }

    /// Ends every ban of `owner` (`*`: of all).
    pub fn lift(&mut self, owner: &str) {
        self.running.retain(|of, _| owner != "*" && of != owner);
    }

    /// Admits or refuses a request of `owner`, who has `in_flight` requests, this one included.
    pub fn check(&mut self, owner: &str, write: bool, in_flight: u64, now: f64) -> Option<Refusal> {
        if let Some(refusal) = self.running_ban(owner, now) {
            return Some(refusal);
        }
        let minute = now as u64 / 60;
        let points = self.points.entry(owner.to_owned()).or_default();
        if points.0 != minute {
            *points = (minute, 0);
        }
        points.1 += if write { 5 } else { 1 };
        let many = self
            .rules
            .points_per_minute
            .is_some_and(|most| points.1 > most);
        let crowd = self.rules.concurrent.is_some_and(|most| in_flight > most);
        if !many && !crowd {
            return None;
        }
        let ban = self.rules.ban.clone();
        self.ban(owner, ban, now);
        self.running_ban(owner, now)
    }

    fn running_ban(&mut self, owner: &str, now: f64) -> Option<Refusal> {
        let running = self.running.get_mut(owner)?;
        if now >= running.until {
            self.running.remove(owner);
            return None;
        }
        let early = running.told;
        if early {
            running.until += running.ban.prolong_seconds as f64;
        }
        running.told = true;
        let left = (running.until - now).ceil() as u64;
        Some(Refusal {
            status: running.ban.status,
            retry_after: running.ban.retry_after.then_some(left),
            early,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_retry_prolongs_a_ban() {
        let mut secondary = Secondary::default();
        let ban = Ban {
            seconds: 10,
            prolong_seconds: 5,
            ..Ban::default()
        };
        secondary.ban("a", ban, 0.0);
        let first = secondary.check("a", false, 1, 1.0).unwrap();
        assert_eq!((first.retry_after, first.early), (Some(9), false));
        let second = secondary.check("a", false, 1, 2.0).unwrap();
        assert_eq!((second.retry_after, second.early), (Some(13), true));
        assert!(secondary.check("b", false, 1, 2.0).is_none());
        assert!(secondary.check("a", false, 1, 15.0).is_none());
    }

    #[test]
    fn too_many_points_in_a_minute_begin_a_ban() {
        let mut secondary = Secondary::default();
        secondary.set_rules(SecondaryRules {
            points_per_minute: Some(6),
            ..SecondaryRules::default()
        });
        assert!(secondary.check("a", true, 1, 0.0).is_none());
        assert!(secondary.check("a", false, 1, 0.0).is_none());
        assert!(secondary.check("a", false, 1, 0.0).is_some());
    }
}
