//! The pool: which credential serves a request, by the rate limit that is left.
//!
//! Counted requests are spread in proportion to what each credential has left, so that all
//! reach their reset together and none trips a secondary limit. Free ones (revalidations) go
//! the same way. A credential that is used up, paused or refused serves nothing until its time
//! has come; which of these it is, all workers know.

pub mod app;
pub mod documented;
pub mod health;
mod member;
pub mod pace;
pub mod rate;
pub mod refusal;
pub mod routes;
pub mod upkeep;
mod watched;

use self::health::{Health, HealthKey};
pub use self::member::{Grant, Member};
use self::pace::Pace;
use self::rate::{RateKey, ResourceName};
use crate::config::Credential;
use crate::shared::{count, SharedData};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// No credential of the pool can serve a request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// An App's first token is on its way.
    Soon,
    /// Used up; the earliest reset, Unix seconds.
    Exhausted(u64),
    /// Paused for a secondary limit; the earliest end, Unix seconds.
    Paused(u64),
    /// As many requests under way or sent this minute as GitHub likes; until when, Unix seconds.
    Busy(u64),
    /// GitHub accepts none of them.
    Broken,
}

/// The pool's limit as its clients see it: the sum over its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolRate {
    /// Requests per window.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// Requests used.
    pub used: u64,
    /// The earliest reset, Unix seconds.
    pub reset: u64,
}

/// What a request wants of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The client's pool.
    pub pool: &'a str,
    /// What GitHub will count it against.
    pub resource: &'a str,
    /// The tag of the credential that can use the stored validator, if only one can.
    pub favourite: Option<u64>,
    /// The tags of the credentials that refused this request already.
    pub tried: &'a [u64],
    /// What it will cost of the secondary limit; `None`: nothing, since it is a revalidation,
    /// which no counted request shall delay.
    pub points: Option<u64>,
    /// Percent of each limit that this request leaves to others.
    pub reserve_percent: u64,
    /// It has waited long enough: requests under way are no reason to wait any more.
    pub impatient: bool,
}

/// All credentials, in the order of the configuration.
#[derive(Debug)]
pub struct Pool {
    members: Vec<Member>,
    pace: Pace,
}

impl Pool {
    /// Readies the credentials of a configuration.
    pub fn new(credentials: &[Credential], pace: Pace) -> Self {
        Self {
            members: credentials.iter().map(Member::new).collect(),
            pace,
        }
    }

    /// Every credential.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The names of the pools that have credentials.
    pub fn names(&self) -> BTreeSet<&str> {
        self.members.iter().map(|it| it.pool.as_str()).collect()
    }

    /// The credential of a grant.
    pub fn member(&self, grant: &Grant) -> Option<&Member> {
        let mut members = self.members.iter();
        members.find(|member| member.health == grant.health)
    }

    /// Pauses a credential, and all of the same user, whose limit it is. Returns the end, Unix
    /// milliseconds, unless it was paused at least so long already.
    pub fn pause(
        &self,
        shared: &dyn SharedData,
        (rates, health): (RateKey, HealthKey),
        retry_after: Option<u64>,
        now: u64,
    ) -> Option<u64> {
        for other in self.sharing(rates).filter(|it| it.health != health) {
            other.health.pause(shared, retry_after, now);
        }
        health.pause(shared, retry_after, now)
    }

    /// The credentials that have these rates: one, or those of one user.
    pub fn sharing(&self, rates: RateKey) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |it| it.rates == rates)
    }

    fn of<'a: 'b, 'b>(&'a self, pool: &'b str) -> impl Iterator<Item = &'a Member> + 'b {
        self.members
            .iter()
            .filter(move |member| member.pool == pool)
    }

    /// What each credential of a pool that could serve would send.
    pub fn grants(&self, shared: &dyn SharedData, pool: &str, now: u64) -> Vec<Grant> {
        self.of(pool)
            .filter_map(|member| member.grant(&member.health(shared), now))
            .collect()
    }

    /// The credential that serves.
    ///
    /// # Errors
    /// Why none can, and when one will.
    pub fn choose(
        &self,
        shared: &dyn SharedData,
        wish: &Wish<'_>,
        now: u64,
    ) -> Result<Grant, Unavailable> {
        let assumed = documented::of(wish.resource);
        let mut able: Vec<(u64, Candidate<'_>)> = Vec::new();
        let mut unable = Reasons::default();
        for member in self.of(wish.pool) {
            let health = member.health(shared);
            if health.broken {
                continue;
            }
            if health.paused_until > now {
                unable.paused(health.paused_until.div_ceil(1_000));
                continue;
            }
            if !member.has_grant(&health, now) {
                unable.soon |= health.exchange.is_promising();
                continue;
            }
            let ledger = member.ledger(shared);
            let standing = ledger.standing(wish.resource);
            let pending = standing.is_some_and(|s| s.is_pending(now));
            let left = match standing {
                Some(standing) if pending && wish.impatient => standing.rate.remaining,
                Some(standing) => standing.left(now),
                None => assumed.requests,
            };
            let limit = standing.map_or(assumed.requests, |s| s.rate.limit);
            // What costs nothing takes nothing from others.
            let reserve = match wish.points {
                Some(_) => reserve(limit, wish.reserve_percent),
                None => 0,
            };
            let left = match standing {
                // Few go out at first, but the whole limit is expected to be there.
                Some(s) if s.is_expected(now) => left.min(s.promised(now).saturating_sub(reserve)),
                _ => left.saturating_sub(reserve),
            };
            let busy = wish
                .points
                .and_then(|points| ledger.busy_until(wish.resource, points, self.pace, now));
            if left == 0 && pending {
                unable.busy(now / 1_000 + 1);
            } else if left == 0 {
                let reset = standing.map_or(0, |s| s.rate.reset);
                unable.exhausted(reset.max(now / 1_000 + 1));
            } else if let Some(until) = busy {
                unable.busy(until);
            } else {
                let candidate = Candidate { member, health };
                if wish.tried.is_empty() || !candidate.is_among(wish.tried, now) {
                    able.push((left, candidate));
                }
            }
        }
        let favourite = wish.favourite.and_then(|tag| {
            let mut grants = able.iter().filter_map(|(_, it)| it.grant(now));
            grants.find(|grant| grant.tag == tag)
        });
        favourite
            .or_else(|| draw(shared, wish.pool, able)?.grant(now))
            .ok_or_else(|| unable.verdict())
    }

    /// The credentials of a pool that GitHub accepts, as far as is known, one for each limit:
    /// those of one user have one limit together.
    fn accepted(&self, shared: &dyn SharedData, pool: &str, now: u64) -> Vec<&Member> {
        let mut kept: Vec<&Member> = Vec::new();
        for member in self.of(pool) {
            let is_new = kept.iter().all(|other| other.rates != member.rates);
            if is_new && !member.is_broken(shared, now) {
                kept.push(member);
            }
        }
        kept
    }

    /// What GitHub has said so far of each resource of a pool: the sums over the credentials that
    /// it accepts, nothing where it accepts none.
    pub fn known(
        &self,
        shared: &dyn SharedData,
        pool: &str,
        now: u64,
    ) -> BTreeMap<ResourceName, PoolRate> {
        let mut sums = BTreeMap::<ResourceName, PoolRate>::new();
        for member in self.of(pool) {
            let ledger = member.ledger(shared);
            let said = ledger.standings().iter().filter(|it| !it.is_assumed());
            sums.extend(said.map(|it| (it.rate.resource, PoolRate::default())));
        }
        for member in self.accepted(shared, pool, now) {
            let ledger = member.ledger(shared);
            for standing in ledger.standings().iter().filter(|it| !it.is_assumed()) {
                let sum = sums.entry(standing.rate.resource).or_default();
                let (limit, left) = (standing.rate.limit, standing.promised(now));
                sum.limit = sum.limit.saturating_add(limit);
                sum.remaining = sum.remaining.saturating_add(left);
                sum.used = sum.limit.saturating_sub(sum.remaining);
            }
        }
        sums
    }

    /// What the clients of `pool` have of `resource`, when they leave so many percent of each
    /// limit to others.
    pub fn view(
        &self,
        shared: &dyn SharedData,
        pool: &str,
        resource: &str,
        reserve_percent: u64,
        now: u64,
    ) -> PoolRate {
        let assumed = documented::of(resource);
        let mut sum = PoolRate::default();
        for member in self.accepted(shared, pool, now) {
            let ledger = member.ledger(shared);
            let standing = ledger.standing(resource);
            let limit = standing.map_or(assumed.requests, |s| s.rate.limit);
            let left = standing.map_or(limit, |s| s.promised(now));
            let left = left.saturating_sub(reserve(limit, reserve_percent));
            sum.limit = sum.limit.saturating_add(limit);
            sum.remaining = sum.remaining.saturating_add(left);
            let reset = standing.map_or(0, |s| s.rate.reset);
            if reset.saturating_mul(1_000) > now && (sum.reset == 0 || reset < sum.reset) {
                sum.reset = reset;
            }
        }
        sum.used = sum.limit.saturating_sub(sum.remaining);
        if sum.reset == 0 {
            sum.reset = now / 1_000 + assumed.window;
        }
        sum
    }

    /// The names of the resources of a pool: those that GitHub documents, and others that it named.
    pub fn resources(&self, shared: &dyn SharedData, pool: &str) -> Vec<String> {
        let documented = documented::LIMITS.iter();
        let mut names: Vec<String> = documented.map(|it| it.resource.to_owned()).collect();
        for member in self.of(pool) {
            let ledger = member.ledger(shared);
            let known = ledger.standings().iter();
            names.extend(known.map(|standing| standing.rate.resource.to_string()));
        }
        names.sort();
        names.dedup();
        names
    }
}

fn reserve(limit: u64, percent: u64) -> u64 {
    limit.saturating_mul(percent) / 100
}

/// A credential that could serve.
struct Candidate<'a> {
    member: &'a Member,
    health: Rc<Health>,
}

impl Candidate<'_> {
    fn grant(&self, now: u64) -> Option<Grant> {
        self.member.grant(&self.health, now)
    }

    fn is_among(&self, tags: &[u64], now: u64) -> bool {
        let grant = self.grant(now);
        grant.is_some_and(|grant| tags.contains(&grant.tag))
    }
}

/// Draws one in proportion to the weights. Successive draws follow the golden ratio, which
/// spreads them more evenly than chance would, over all workers together.
fn draw<T>(shared: &dyn SharedData, pool: &str, mut able: Vec<(u64, T)>) -> Option<T> {
    if able.len() < 2 {
        return able.pop().map(|(_, one)| one);
    }
    let turn = count(shared, &turn_key(pool));
    // 2^64 divided by the golden ratio: multiples of it, as fractions of 2^64.
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let point = turn.unwrap_or(0).wrapping_mul(GOLDEN);
    let total: u128 = able.iter().map(|(left, _)| u128::from(*left)).sum();
    let mut at = (total * u128::from(point)) >> 64;
    let chosen = able.iter().position(|(left, _)| {
        let here = at < u128::from(*left);
        at = at.saturating_sub(u128::from(*left));
        here
    });
    Some(able.swap_remove(chosen.unwrap_or(0)).1)
}

/// Pools are few: one key each.
fn turn_key(pool: &str) -> String {
    format!("turn/{pool}")
}

#[derive(Default)]
struct Reasons {
    soon: bool,
    reset: Option<u64>,
    pause: Option<u64>,
    busy: Option<u64>,
}

impl Reasons {
    fn busy(&mut self, until: u64) {
        self.busy = Some(self.busy.map_or(until, |earlier| earlier.min(until)));
    }

    fn exhausted(&mut self, reset: u64) {
        self.reset = Some(self.reset.map_or(reset, |earlier| earlier.min(reset)));
    }

    fn paused(&mut self, until: u64) {
        self.pause = Some(self.pause.map_or(until, |earlier| earlier.min(until)));
    }

    fn verdict(self) -> Unavailable {
        if let Some(until) = self.busy {
            return Unavailable::Busy(until);
        }
        match (self.soon, self.pause, self.reset) {
            (true, ..) => Unavailable::Soon,
            (_, Some(pause), Some(reset)) if pause <= reset => Unavailable::Paused(pause),
            (_, _, Some(reset)) => Unavailable::Exhausted(reset),
            (_, Some(pause), None) => Unavailable::Paused(pause),
            (_, None, None) => Unavailable::Broken,
        }
    }
}

#[cfg(test)]
mod tests;
