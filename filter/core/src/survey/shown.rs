//! Which credentials have gauges. Envoy cannot forget a stat, and a gauge keeps what it was last
//! set to: what is told of a credential or a pool that was removed is set to 0, so that nobody
//! is called for a credential that was broken until it was taken away.

use super::GONE;
use crate::metric::Metric;
use crate::pool::rate::{Rate, RateKey};
use crate::pool::{Member, Pool, PoolRate};
use crate::shared::SharedData;
use serde::{Deserialize, Serialize};

/// A credential that has gauges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    name: String,
    pool: String,
    rates: u64,
    /// When it was found missing from the configuration, Unix milliseconds.
    gone_at: Option<u64>,
}

impl Shown {
    fn is(&self, member: &Member) -> bool {
        self.name == member.name && self.pool == member.pool && self.rates == member.rates.0
    }
}

/// Notes who is there and who is gone. The latter are remembered for a minute, in which requests
/// that they still serve may set their gauges again.
pub fn follow(shown: &mut Vec<Shown>, pool: &Pool, now: u64) {
    for it in shown.iter_mut() {
        let is_there = pool.members().iter().any(|member| it.is(member));
        it.gone_at = (!is_there).then(|| it.gone_at.unwrap_or(now));
    }
    let lately = |at: u64| now.saturating_sub(at) < GONE;
    shown.retain(|it| it.gone_at.is_none_or(lately));
    for member in pool.members() {
        if !shown.iter().any(|it| it.is(member)) {
            shown.push(Shown {
                name: member.name.clone(),
                pool: member.pool.clone(),
                rates: member.rates.0,
                gone_at: None,
            });
        }
    }
}

/// Sets to 0 what is told of those who are gone.
pub fn clear(shown: &[Shown], pool: &Pool, shared: &dyn SharedData) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for gone in shown.iter().filter(|it| it.gone_at.is_some()) {
        let mut members = pool.members().iter();
        let has_name = members.clone().any(|member| member.name == gone.name);
        let has_pool = members.any(|member| member.pool == gone.pool);
        if !has_name {
            metrics.push(Metric::credential_state(&gone.name, 0));
        }
        for standing in RateKey(gone.rates).ledger(shared).standings() {
            let resource = standing.rate.resource;
            if !has_name {
                let nothing = Rate {
                    resource,
                    limit: 0,
                    remaining: 0,
                    used: 0,
                    reset: 0,
                };
                metrics.extend(Metric::rate(&gone.name, &nothing));
            }
            if !has_pool {
                let nothing = PoolRate::default();
                metrics.extend(Metric::pool(&gone.pool, &resource, &nothing));
            }
        }
    }
    metrics
}
