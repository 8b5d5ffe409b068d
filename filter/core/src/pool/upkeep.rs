//! What is done for the pool beside the requests, by one worker for all: exchanging the tokens
//! of Apps, and asking GitHub for the rates (`GET /rate_limit` is free), which also finds out
//! when a refused credential is accepted again.

use super::app::{self, Token};
use super::member::Kind;
use super::rate::{resource_name, Rate};
use super::refusal::{self, CredentialRefusal};
use super::{Member, Pool};
use crate::budget::{Budget, Report};
use crate::header::Headers;
use crate::metric::Metric;
use crate::request::{Effect, Proxy};
use crate::secret::Secret;
use crate::shared::SharedData;
use serde_json::Value;

/// The longest a chore may take, milliseconds: less than the lease on it.
pub const TIMEOUT_MILLIS: u64 = 10_000;

/// How many budgets are looked at in one go because it is time to hear of other replicas; what
/// clients spent here is always told.
const MOST_LOOKS: usize = 50;

/// Something to do now.
#[derive(Debug)]
pub enum Chore<'a> {
    /// Sign, then exchange the App's token.
    Exchange {
        /// Index of the credential.
        member: usize,
        /// What the key has to sign.
        signing_input: String,
        /// The private key, PEM.
        key: &'a Secret,
        /// `:path` of the exchange.
        path: String,
    },
    /// Ask for the rates of a credential.
    Poll {
        /// Index of the credential.
        member: usize,
        /// The Authorization value.
        authorization: Secret,
        /// `:path`.
        path: String,
    },
}

/// The chores that are due; whoever gets them has to do them.
pub fn due<'a>(proxy: &'a Proxy, shared: &dyn SharedData, now: u64) -> Vec<Chore<'a>> {
    let settings = &proxy.config.pool;
    let base = &proxy.config.upstream.api.base_path;
    let mut chores = Vec::new();
    for (index, member) in proxy.pool.members.iter().enumerate() {
        if let Kind::App {
            app_id,
            installation_id,
            key,
        } = &member.kind
        {
            if member
                .health
                .take(shared, |health| &mut health.exchange, now)
            {
                chores.push(Chore::Exchange {
                    member: index,
                    signing_input: app::signing_input(app_id, now),
                    key,
                    path: format!("{base}{}", app::exchange_path(installation_id)),
                });
            }
        }
        if settings.rate_poll_seconds > 0 && poll_is_due(member, proxy, shared, now) {
            if let Some(grant) = member.grant(&member.health(shared), now) {
                chores.push(Chore::Poll {
                    member: index,
                    authorization: grant.authorization,
                    path: format!("{base}/rate_limit"),
                });
            }
        }
    }
    chores
}

/// Whether a credential has to be asked about, and nobody does. The first time is one interval
/// after the start: until then responses tell enough.
fn poll_is_due(member: &Member, proxy: &Proxy, shared: &dyn SharedData, now: u64) -> bool {
    let interval = proxy.config.pool.rate_poll_seconds.saturating_mul(1_000);
    let next = now.saturating_add(spread(interval, member.health.0 ^ now));
    let health = member.health(shared);
    if health.poll == Default::default() {
        member
            .health
            .change(shared, |health| health.poll.done(next));
        return false;
    }
    // Nothing at all is sent on a paused credential.
    health.paused_until <= now && member.health.take(shared, |health| &mut health.poll, now)
}

/// Between nine and eleven tenths of `interval`.
fn spread(interval: u64, seed: u64) -> u64 {
    let tenth = interval / 10;
    interval - tenth + seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (2 * tenth + 1)
}

/// What clients spent of their budgets since the other replicas were last told, and where it is
/// time to hear of these.
pub fn reports(proxy: &Proxy, shared: &dyn SharedData, now: u64) -> Vec<(Budget, Report)> {
    if proxy.config.cache.cluster.is_none() {
        return Vec::new();
    }
    let clients = proxy.config.clients.clients().iter();
    let mut budgets: Vec<Budget> = clients
        .filter_map(|client| Some(Budget::new(&client.name, client.budget?)))
        .collect();
    // Beginning where the last second's looks may have ended, so that all get their turn.
    let turn = (now / 1_000).wrapping_mul(MOST_LOOKS as u64);
    let first = turn.checked_rem(budgets.len() as u64).unwrap_or(0);
    budgets.rotate_left(usize::try_from(first).unwrap_or(0));
    let (mut reports, mut looks) = (Vec::new(), MOST_LOOKS);
    for budget in budgets {
        for report in budget.reports(shared, looks, now) {
            looks = looks.saturating_sub(usize::from(report.amount == 0));
            reports.push((budget.clone(), report));
        }
    }
    reports
}

/// Whether some App has no token and may soon have one: then it is worth hurrying.
pub fn is_urgent(pool: &Pool, shared: &dyn SharedData, now: u64) -> bool {
    pool.members.iter().any(|member| {
        let health = member.health(shared);
        !member.has_grant(&health, now) && health.exchange.is_promising()
    })
}

/// Takes the answer to an exchange; status 0 when there was none. `signed` is false when the
/// key could not sign at all.
pub fn exchanged(
    proxy: &Proxy,
    shared: &dyn SharedData,
    member: usize,
    answer: Exchange<'_>,
    now: u64,
) -> Vec<Effect> {
    let Some(member) = proxy.pool.members.get(member) else {
        return Vec::new();
    };
    // GitHub's docs: retrying earlier than Retry-After says prolongs a secondary limit.
    let at_least = match answer {
        Exchange::Answered { retry_after, .. } => retry_after.unwrap_or_default(),
        Exchange::Unsigned => 0,
    };
    let result = match answer {
        Exchange::Unsigned => {
            Err("the private key cannot sign: expected the PEM of an RSA key".to_owned())
        }
        Exchange::Answered { status, body, .. } => app::read_token(status, body, now),
    };
    let label = if result.is_ok() { "ok" } else { "failed" };
    let mut effects = vec![Effect::Record(Metric::token_exchange(&member.name, label))];
    match result {
        Ok(token) => renewed(member, proxy, shared, token, now, &mut effects),
        Err(reason) => {
            let jitter = member.health.0 ^ now;
            let first = member.health.change(shared, |health| {
                let at_least = at_least.saturating_mul(1_000);
                health.exchange.failed(now, at_least, jitter);
                health.exchange.failures == 1
            });
            if first == Some(true) {
                effects.push(Effect::Warn(format!(
                    "credential {}: no installation token: {reason}; look at GITHUB_APP_{}_ID, \
                     _INSTALLATION_ID and _PEM; it is tried again",
                    member.name, member.name
                )));
            }
        }
    }
    effects.push(state(member, shared, now));
    effects
}

/// The answer to an exchange.
#[derive(Debug)]
pub enum Exchange<'a> {
    /// The key could not sign.
    Unsigned,
    /// GitHub answered, or did not (status 0).
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        body: &'a [u8],
        /// Seconds that GitHub wants to be left alone.
        retry_after: Option<u64>,
    },
}

fn renewed(
    member: &Member,
    proxy: &Proxy,
    shared: &dyn SharedData,
    token: Token,
    now: u64,
    effects: &mut Vec<Effect>,
) {
    let padding = proxy.config.pool.token_padding_minutes;
    let next = app::refresh_at(token.expires_at, padding, now);
    let recovered = member.health.change(shared, |health| {
        health.token = Some(token.clone());
        let recovered = health.exchange.failures > 0 || health.broken;
        health.broken = false;
        health.exchange.done(next);
        recovered
    });
    if recovered == Some(true) {
        effects.push(Effect::Warn(format!(
            "credential {}: ready again: it has an installation token",
            member.name
        )));
    }
}

/// Takes the answer to a poll; status 0 when there was none. It is free, but may meet a secondary
/// limit as any other request.
pub fn polled(
    proxy: &Proxy,
    shared: &dyn SharedData,
    member: usize,
    answer: Poll<'_>,
    now: u64,
) -> Vec<Effect> {
    let Some(member) = proxy.pool.members.get(member) else {
        return Vec::new();
    };
    let interval = proxy.config.pool.rate_poll_seconds.saturating_mul(1_000);
    let next = now.saturating_add(spread(interval, member.health.0 ^ now));
    member
        .health
        .change(shared, |health| health.poll.done(next));
    let mut effects = Vec::new();
    match answer.refusal() {
        _ if answer.status == 200 => {
            for rate in rates(answer.body) {
                member.rates.learn(shared, &rate, now);
                let known = member.rates.get(shared, &rate.resource);
                let known = known.map_or(rate, |standing| standing.rate);
                effects.extend(Metric::rate(&member.name, &known).map(Effect::Record));
            }
            accepted(member, shared, &mut effects);
        }
        // An Enterprise Server without rate limits says so with a 404, to those it knows.
        None if matches!(answer.status, 200..=399 | 404) => {
            accepted(member, shared, &mut effects);
        }
        Some(CredentialRefusal::Rejected) => {
            let used = member.grant(&member.health(shared), now).map(|it| it.tag);
            if used.is_some_and(|used| member.refused(shared, used, now)) {
                effects.push(Effect::Warn(refused_line(&member.name)));
            }
        }
        Some(CredentialRefusal::Secondary(retry_after)) => {
            let credential = (member.rates, member.health);
            if let Some(until) = proxy.pool.pause(shared, credential, retry_after, now) {
                effects.push(Effect::Warn(paused_line(&member.name, until, now)));
            }
        }
        Some(CredentialRefusal::Primary) | None => {}
    }
    effects.push(state(member, shared, now));
    effects
}

fn accepted(member: &Member, shared: &dyn SharedData, effects: &mut Vec<Effect>) {
    if member.health.is_known_again(shared) {
        let line = format!("credential {}: ready again: GitHub accepts it", member.name);
        effects.push(Effect::Warn(line));
    }
}

/// The answer to a poll.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
    /// Seconds that GitHub wants to be left alone.
    pub retry_after: Option<u64>,
}

impl Poll<'_> {
    fn refusal(self) -> Option<CredentialRefusal> {
        // Here it cannot be an endpoint that wants another kind of credential.
        if self.status == 401 {
            return Some(CredentialRefusal::Rejected);
        }
        let mut headers = Headers::default();
        if let Some(seconds) = self.retry_after {
            headers.push("retry-after", seconds.to_string().as_bytes());
        }
        refusal::read(self.status, &headers, false).with_body(self.status, &headers, self.body)
    }
}

/// What an operator reads when GitHub wants a credential to pause.
pub fn paused_line(name: &str, until: u64, now: u64) -> String {
    let seconds = until.saturating_sub(now).div_ceil(1_000);
    format!("credential {name}: paused by a secondary rate limit for {seconds} seconds")
}

/// What an operator reads when GitHub does not accept a credential.
pub fn refused_line(name: &str) -> String {
    format!(
        "credential {name}: GitHub does not accept it (revoked, expired or suspended): it is left \
         out until it is replaced or accepted again; an App gets a new token"
    )
}

/// `github_proxy_credential_state`, as it is now.
pub fn state(member: &Member, shared: &dyn SharedData, now: u64) -> Effect {
    Effect::Record(Metric::credential_state(
        &member.name,
        member.state(shared, now),
    ))
}

/// The rates in the body of `GET /rate_limit`.
fn rates(body: &[u8]) -> Vec<Rate> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let Some(resources) = answer.get("resources").and_then(Value::as_object) else {
        return Vec::new();
    };
    let rate = |(name, value): (&String, &Value)| {
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let (limit, remaining) = (number("limit")?, number("remaining")?);
        Some(Rate {
            resource: Some(resource_name(name)).filter(|kept| kept.as_str() == name)?,
            limit,
            remaining,
            used: number("used").unwrap_or(limit.saturating_sub(remaining)),
            reset: number("reset")?,
        })
    };
    resources.iter().filter_map(rate).collect()
}

#[cfg(test)]
mod tests;
