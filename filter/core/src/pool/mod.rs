//! The pool: which credential serves a request, by the rate limit that is left.
//!
//! Counted requests are spread in proportion to what each credential has left, so that all
//! reach their reset together and none trips a secondary limit. Free ones (revalidations) go
//! the same way. A credential that is used up, paused or refused serves nothing until its time
//! has come; which of these it is, all workers know.

pub mod app;
pub mod documented;
pub mod health;
pub mod pace;
pub mod rate;
pub mod refusal;
pub mod upkeep;

use self::health::{Health, HealthKey};
use self::pace::Pace;
use self::rate::{RateKey, ResourceName};
use crate::config::{Credential, CredentialKind};
use crate::secret::Secret;
use crate::shared::{count, SharedData};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A token that is refused so soon after it was made is not replaced at once, milliseconds.
const TOO_YOUNG: u64 = 60_000;
/// How long before its end an installation token is no longer sent, milliseconds.
const TOKEN_MARGIN: u64 = 1_000;

/// A credential of the configuration.
#[derive(Debug)]
pub struct Member {
    /// Its name in the configuration, in stats and logs.
    pub name: String,
    /// The pool it serves.
    pub pool: String,
    /// Its rates; those of its user where several share them.
    pub rates: RateKey,
    /// Its health.
    pub health: HealthKey,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Pat {
        authorization: Secret,
        tag: u64,
    },
    App {
        app_id: String,
        installation_id: String,
        key: Secret,
    },
}

/// A credential in use by one request.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name.
    pub name: String,
    /// Its rates.
    pub rates: RateKey,
    /// Its health.
    pub health: HealthKey,
    /// Identifies the secret without revealing it: entries remember who fetched them.
    pub tag: u64,
    /// GitHub held nothing against it when it was chosen.
    pub is_clean: bool,
    authorization: Secret,
}

impl Grant {
    /// The Authorization value.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.expose().as_bytes()
    }
}

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

impl Member {
    fn new(credential: &Credential) -> Self {
        let name = &credential.name;
        // What is known holds for one secret: a new one under the old name starts afresh. An
        // installation keeps its rates whatever its key.
        let (kind, own, health) = match &credential.kind {
            CredentialKind::Pat { token } => {
                let authorization = format!("Bearer {}", token.expose());
                let tag = tag(&authorization);
                let own = number(&["credential", name, &tag.to_string()]);
                let authorization = Secret::new(authorization);
                (Kind::Pat { authorization, tag }, own, own)
            }
            CredentialKind::App {
                app_id,
                installation_id,
                key,
            } => {
                let own = number(&["installation", name, app_id, installation_id]);
                let health = number(&["app", name, app_id, installation_id, key.expose()]);
                let kind = Kind::App {
                    app_id: app_id.clone(),
                    installation_id: installation_id.clone(),
                    key: key.clone(),
                };
                (kind, own, health)
            }
        };
        let rates = match &credential.user {
            Some(user) => number(&["user", user]),
            None => own,
        };
        Self {
            name: name.clone(),
            pool: credential.pool.clone(),
            rates: RateKey(rates),
            health: HealthKey(health),
            kind,
        }
    }

    /// `token` for a personal access token, `app` for a GitHub App.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Pat { .. } => "token",
            Kind::App { .. } => "app",
        }
    }

    /// What to send, when there is something valid.
    fn grant(&self, health: &Health, now: u64) -> Option<Grant> {
        let (authorization, tag) = match &self.kind {
            Kind::Pat { authorization, tag } => (authorization.clone(), *tag),
            Kind::App { .. } => {
                let token = health.token.as_ref()?;
                if now.saturating_add(TOKEN_MARGIN) >= token.expires_at {
                    return None;
                }
                let secret = Secret::new(token.authorization.clone());
                (secret, tag(&token.authorization))
            }
        };
        Some(Grant {
            name: self.name.clone(),
            rates: self.rates,
            health: self.health,
            tag,
            is_clean: health.is_clean(),
            authorization,
        })
    }

    /// Notes that GitHub did not accept what was sent under `used`. A token of an App is replaced
    /// by a new one; a PAT is left out. Returns whether that is news.
    pub fn refused(&self, shared: &dyn SharedData, used: u64, now: u64) -> bool {
        let Kind::App { .. } = &self.kind else {
            return self.health.refused(shared);
        };
        let news = self.health.change(shared, |health| {
            let present = health.token.as_ref();
            let Some(token) = present.filter(|token| tag(&token.authorization) == used) else {
                return false;
            };
            if now.saturating_sub(token.obtained_at) < TOO_YOUNG {
                health.exchange.failed(now, 0, used);
            } else {
                health.exchange.hurry();
            }
            health.token = None;
            true
        });
        news.unwrap_or(false)
    }

    /// The value of `github_proxy_credential_state`: 0 ready, 1 exhausted (core), 2 paused,
    /// 3 broken.
    pub fn state(&self, shared: &dyn SharedData, now: u64) -> u64 {
        let health = self.health.get(shared);
        let core = self.rates.get(shared, "core");
        if health.broken || self.grant(&health, now).is_none() && health.exchange.failures > 0 {
            3
        } else if health.paused_until > now {
            2
        } else {
            u64::from(core.is_some_and(|core| core.left(now) == 0))
        }
    }
}

/// Identifies an Authorization value.
fn tag(authorization: &str) -> u64 {
    number(&["authorization", authorization])
}

fn number(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"github-proxy pool");
    for part in parts {
        hash.update(b"\0");
        hash.update(part);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
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
    /// Credentials that refused this request already.
    pub tried: &'a [HealthKey],
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

    fn of<'a: 'b, 'b>(&'a self, pool: &'b str) -> impl Iterator<Item = &'a Member> + 'b {
        self.members
            .iter()
            .filter(move |member| member.pool == pool)
    }

    /// What each credential of a pool that could serve would send.
    pub fn grants(&self, shared: &dyn SharedData, pool: &str, now: u64) -> Vec<Grant> {
        self.of(pool)
            .filter_map(|member| member.grant(&member.health.get(shared), now))
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
        let mut able: Vec<(u64, Grant)> = Vec::new();
        let mut unable = Reasons::default();
        for member in self.of(wish.pool) {
            let health = member.health.get(shared);
            if health.broken {
                continue;
            }
            if health.paused_until > now {
                unable.paused(health.paused_until.div_ceil(1_000));
                continue;
            }
            let Some(grant) = member.grant(&health, now) else {
                unable.soon |= health.exchange.is_promising();
                continue;
            };
            let ledger = member.rates.ledger(shared);
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
                Some(_) => limit.saturating_mul(wish.reserve_percent) / 100,
                None => 0,
            };
            let left = left.saturating_sub(reserve);
            let busy = wish
                .points
                .and_then(|points| ledger.busy_until(wish.resource, points, self.pace, now));
            if left == 0 && pending {
                unable.busy(now / 1_000 + 1);
            } else if left == 0 {
                unable.exhausted(standing.map_or(0, |s| s.rate.reset));
            } else if let Some(until) = busy {
                unable.busy(until);
            } else if wish.tried.contains(&member.health) {
                continue;
            } else if wish.favourite == Some(grant.tag) {
                return Ok(grant);
            } else {
                able.push((left, grant));
            }
        }
        draw(shared, wish.pool, able).ok_or_else(|| unable.verdict())
    }

    /// The credentials of a pool that GitHub accepts, one for each limit: those of one user
    /// have one limit together.
    fn accepted(&self, shared: &dyn SharedData, pool: &str) -> Vec<&Member> {
        let mut kept: Vec<&Member> = Vec::new();
        for member in self.of(pool) {
            let is_new = kept.iter().all(|other| other.rates != member.rates);
            if is_new && !member.health.get(shared).broken {
                kept.push(member);
            }
        }
        kept
    }

    /// What GitHub has said so far of each resource of a pool: the sums over its credentials.
    pub fn known(
        &self,
        shared: &dyn SharedData,
        pool: &str,
        now: u64,
    ) -> BTreeMap<ResourceName, PoolRate> {
        let mut sums = BTreeMap::<ResourceName, PoolRate>::new();
        for member in self.accepted(shared, pool) {
            let ledger = member.rates.ledger(shared);
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

    /// What the clients of `pool` have of `resource`.
    pub fn view(&self, shared: &dyn SharedData, pool: &str, resource: &str, now: u64) -> PoolRate {
        let assumed = documented::of(resource);
        let mut sum = PoolRate::default();
        for member in self.accepted(shared, pool) {
            let standing = member.rates.get(shared, resource);
            let limit = standing.as_ref().map_or(assumed.requests, |s| s.rate.limit);
            let left = standing.as_ref().map_or(limit, |s| s.promised(now));
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
            let ledger = member.rates.ledger(shared);
            let known = ledger.standings().iter();
            names.extend(known.map(|standing| standing.rate.resource.to_string()));
        }
        names.sort();
        names.dedup();
        names
    }
}

/// Draws one in proportion to the weights. Successive draws follow the golden ratio, which
/// spreads them more evenly than chance would, over all workers together.
fn draw(shared: &dyn SharedData, pool: &str, mut able: Vec<(u64, Grant)>) -> Option<Grant> {
    if able.len() < 2 {
        return able.pop().map(|(_, grant)| grant);
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
    format!("turn/{:016x}", number(&["pool", pool]))
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
