//! Rate state: what is left of each GitHub *resource* (core, search, graphql, …) of a
//! credential, shared by all workers and learnt from the `x-ratelimit-*` fields of responses.
//!
//! A request that will be counted is reserved before it goes out, so that workers which choose
//! at the same time do not overdraw a credential; its answer settles the reservation. After a
//! reset nobody knows yet what the new window holds: few requests go out until one answer says.

use super::documented;
use crate::header::Headers;
use crate::pool::pace::{Pace, Spending};
use crate::pool::watched::{self, Watched};
use crate::shared::SharedData;
use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

/// Requests that may be under way after a reset before the first answer is here.
const SLOW_START: u64 = 20;
/// How long a slow start lasts without an answer, seconds.
const SLOW_START_WINDOW: u64 = 60;
/// Resources kept per credential; GitHub has about fifteen.
const MOST_RESOURCES: usize = 32;

/// The longest name of a resource, bytes. GitHub's longest has 27.
const LONGEST_NAME: usize = 40;

/// The name of a resource. Kept in place: rates are read for every credential with every
/// request, each with some fifteen resources.
pub type ResourceName = ArrayString<LONGEST_NAME>;

/// What GitHub said about one resource of one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// `x-ratelimit-resource`.
    pub resource: ResourceName,
    /// Requests per window.
    pub limit: u64,
    /// Requests left in it.
    pub remaining: u64,
    /// Requests used in it.
    pub used: u64,
    /// When the window ends, Unix seconds.
    pub reset: u64,
}

impl Rate {
    /// Reads the `x-ratelimit-*` fields of a response; `None` when they are not all there.
    pub fn of(response: &Headers) -> Option<Self> {
        let number = |name: &str| response.text(name)?.trim().parse::<u64>().ok();
        let limit = number("x-ratelimit-limit")?;
        let remaining = number("x-ratelimit-remaining")?;
        let resource = response.text("x-ratelimit-resource").unwrap_or("core");
        Some(Self {
            resource: resource_name(resource),
            limit,
            remaining,
            used: number("x-ratelimit-used").unwrap_or(limit.saturating_sub(remaining)),
            reset: number("x-ratelimit-reset")?,
        })
    }
}

/// A resource name fit for a stat; what is not counts as `core`.
pub fn resource_name(name: &str) -> ResourceName {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let fitting = Some(name).filter(|name| !name.is_empty() && name.bytes().all(fits));
    let kept = fitting.and_then(|name| ResourceName::from(name).ok());
    kept.unwrap_or_else(|| ResourceName::from("core").unwrap_or_default())
}

/// What a response changed about a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is left now.
    UsedUp,
    /// There is something again.
    Renewed,
}

/// What is known of a resource after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// What changed for those who use it.
    pub turn: Option<Turn>,
    /// Nothing was known of it before, nor assumed.
    pub is_first: bool,
    /// Its present rate.
    pub rate: Rate,
}

/// A rate with the requests that are under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// As last learnt, or assumed.
    pub rate: Rate,
    /// Counted requests without an answer.
    in_flight: u64,
    /// Whether `rate` is only assumed.
    assumed: bool,
    /// Whether it was used up, and no answer has shown since that there is more.
    spent: bool,
}

impl Standing {
    fn assumed(resource: &str, remaining: u64, reset: u64) -> Self {
        Self {
            rate: Rate {
                resource: resource_name(resource),
                limit: documented::of(resource).requests,
                remaining,
                used: 0,
                reset,
            },
            in_flight: 0,
            assumed: true,
            spent: false,
        }
    }

    /// Whether GitHub has not said it yet.
    pub fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// Whether the window is over at `now`, Unix milliseconds.
    fn is_over(&self, now: u64) -> bool {
        now / 1_000 >= self.rate.reset
    }

    /// Counted requests that may still go out at `now`.
    pub fn left(&self, now: u64) -> u64 {
        if self.is_over(now) {
            self.rate.limit.min(SLOW_START)
        } else {
            self.rate.remaining.saturating_sub(self.in_flight)
        }
    }

    /// Whether nothing is left at `now` because of requests under way alone: GitHub may have
    /// counted them already, so that their answers may show that there is more.
    pub fn is_pending(&self, now: u64) -> bool {
        !self.is_over(now) && self.rate.remaining > 0 && self.left(now) == 0
    }

    /// Whether what is left at `now` is what GitHub documents or had before, and not what it said.
    pub fn is_expected(&self, now: u64) -> bool {
        self.is_over(now) || self.assumed
    }

    /// What a client should believe is left at `now`.
    pub fn promised(&self, now: u64) -> u64 {
        if self.is_expected(now) {
            self.rate.limit.saturating_sub(self.in_flight)
        } else {
            self.left(now)
        }
    }
}

/// All that is known of one limit: of one credential, or of all that share a user's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    standings: Vec<Standing>,
    spending: Spending,
}

impl Ledger {
    /// Every resource.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// One resource.
    pub fn standing(&self, resource: &str) -> Option<&Standing> {
        let mut all = self.standings.iter();
        all.find(|standing| standing.rate.resource.as_str() == resource)
    }

    /// When a request of `points` may go out without overstepping the pace, Unix seconds;
    /// `None`: now.
    pub fn busy_until(&self, resource: &str, points: u64, pace: Pace, now: u64) -> Option<u64> {
        let under_way: u64 = self.standings.iter().map(|it| it.in_flight).sum();
        if pace.concurrency > 0 && under_way >= pace.concurrency {
            return Some(now / 1_000 + 1);
        }
        self.spending.busy_until(resource, points, pace, now)
    }

    fn standing_mut(&mut self, resource: &str) -> Option<&mut Standing> {
        let mut all = self.standings.iter_mut();
        all.find(|standing| standing.rate.resource.as_str() == resource)
    }

    fn settle(&mut self, resource: &str) {
        if let Some(standing) = self.standing_mut(resource) {
            standing.in_flight = standing.in_flight.saturating_sub(1);
        }
    }

    fn learn(&mut self, seen: &Rate, now: u64) -> Option<Turn> {
        let was_spent = match self.standing_mut(&seen.resource) {
            Some(known) => {
                let overtaken = known.rate.reset == seen.reset && known.rate.used > seen.used;
                let past = now / 1_000 >= seen.reset;
                if !known.assumed && overtaken || past && !known.is_over(now) {
                    return None;
                }
                known.rate = seen.clone();
                known.assumed = false;
                std::mem::replace(&mut known.spent, seen.remaining == 0)
            }
            None => {
                if self.standings.len() < MOST_RESOURCES {
                    self.standings.push(Standing {
                        rate: seen.clone(),
                        in_flight: 0,
                        assumed: false,
                        spent: seen.remaining == 0,
                    });
                }
                false
            }
        };
        match (was_spent, seen.remaining == 0) {
            (false, true) => Some(Turn::UsedUp),
            (true, false) => Some(Turn::Renewed),
            _ => None,
        }
    }
}

/// Where a ledger is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateKey(pub u64);

impl RateKey {
    fn name(self) -> String {
        format!("ledger/{:016x}", self.0)
    }

    /// All that is known, for those who ask often.
    pub fn watched(self) -> Watched<Ledger> {
        Watched::new(self.name())
    }

    /// All that is known.
    pub fn ledger(self, shared: &dyn SharedData) -> Ledger {
        watched::read(shared, &self.name())
    }

    /// What is known of `resource`.
    pub fn get(self, shared: &dyn SharedData, resource: &str) -> Option<Standing> {
        self.ledger(shared).standing(resource).cloned()
    }

    /// Notes that a counted request of `points` goes out.
    pub fn reserve(self, shared: &dyn SharedData, resource: &str, points: u64, now: u64) {
        self.change(shared, |ledger| {
            ledger.spending.spend(resource, points, now);
            if let Some(standing) = ledger.standing_mut(resource) {
                if standing.is_over(now) {
                    let remaining = standing.rate.limit.min(SLOW_START);
                    let (limit, spent) = (standing.rate.limit, standing.spent);
                    let until = now / 1_000 + SLOW_START_WINDOW;
                    *standing = Standing::assumed(resource, remaining, until);
                    standing.rate.limit = limit;
                    standing.spent = spent;
                }
                standing.in_flight = standing.in_flight.saturating_add(1);
            } else if ledger.standings.len() < MOST_RESOURCES {
                let limit = documented::of(resource);
                let until = now / 1_000 + limit.window;
                let mut standing = Standing::assumed(resource, limit.requests, until);
                standing.in_flight = 1;
                ledger.standings.push(standing);
            }
        });
    }

    /// Notes that a reserved request got its answer, or never will.
    pub fn settle(self, shared: &dyn SharedData, resource: &str) {
        self.change(shared, |ledger| ledger.settle(resource));
    }

    /// Notes that one was answered without a word about limits, as an Enterprise Server without
    /// any does: what is assumed holds on.
    pub fn settle_unlimited(self, shared: &dyn SharedData, resource: &str, now: u64) {
        self.change(shared, |ledger| {
            ledger.settle(resource);
            if let Some(standing) = ledger.standing_mut(resource).filter(|it| it.assumed) {
                let window = documented::of(resource).window;
                standing.rate.remaining = standing.rate.limit;
                standing.rate.reset = now / 1_000 + window;
            }
        });
    }

    /// Notes what a response said. One that was overtaken by a later one of the same window
    /// (its `used` is lower), or that is from a window long over, says nothing new. Returns
    /// what changed for those who use the resource.
    pub fn learn(self, shared: &dyn SharedData, seen: &Rate, now: u64) -> Option<Turn> {
        self.change(shared, |ledger| ledger.learn(seen, now))
            .flatten()
    }

    /// Does both for the answer to a request that reserved one of `reserved`, if it did. As
    /// every answer of GitHub comes through here, it is one access to shared data.
    pub fn answered(
        self,
        shared: &dyn SharedData,
        reserved: Option<&str>,
        seen: &Rate,
        now: u64,
    ) -> Option<Learnt> {
        self.change(shared, |ledger| {
            if let Some(resource) = reserved {
                ledger.settle(resource);
            }
            let is_first = ledger.standing(&seen.resource).is_none();
            let turn = ledger.learn(seen, now);
            let known = ledger.standing(&seen.resource);
            Learnt {
                turn,
                is_first,
                rate: known.map_or_else(|| seen.clone(), |it| it.rate.clone()),
            }
        })
    }

    /// Notes that a resource is used up until `reset`, whatever its fields said. Where that is past
    /// (clocks differ), and GitHub has said no later end of the window, it is tried again in a minute.
    /// Returns whether that is news.
    pub fn exhaust(self, shared: &dyn SharedData, resource: &str, reset: u64, now: u64) -> bool {
        self.change(shared, |ledger| {
            if ledger.standing(resource).is_none() && ledger.standings.len() < MOST_RESOURCES {
                ledger.standings.push(Standing::assumed(resource, 0, 0));
            }
            let Some(standing) = ledger.standing_mut(resource) else {
                return false;
            };
            let known = Some(standing.rate.reset).filter(|_| !standing.assumed);
            let until = known.unwrap_or_default().max(reset);
            let now = now / 1_000;
            standing.rate.remaining = 0;
            standing.rate.reset = if until > now {
                until
            } else {
                now + SLOW_START_WINDOW
            };
            standing.assumed = false;
            !std::mem::replace(&mut standing.spent, true)
        })
        .unwrap_or(false)
    }

    fn change<T>(
        self,
        shared: &dyn SharedData,
        mut edit: impl FnMut(&mut Ledger) -> T,
    ) -> Option<T> {
        watched::update(shared, &self.name(), |bytes| {
            let mut ledger = watched::decode(bytes);
            let result = edit(&mut ledger);
            (postcard::to_allocvec(&ledger).ok(), result)
        })
    }
}

#[cfg(test)]
mod tests;
