//! What is counted and measured. Labels stand in a stat's name, before it, in the form that
//! Istio's proxies read too: `client=.=ci;.;reason=.=scope;.;github_proxy_denied`. The shipped
//! `stats_tags` (or Istio's `extraStatTags`) turn them into labels. Legal client names hold
//! dots, never `=` or `;`, so no rule can take too much or too little.
//!
//! Cardinality is bounded: clients, credentials and pools are those configured, methods and the
//! rest are closed sets. No label ever holds a path, a user agent or an unknown name.

mod stat;

pub use self::stat::{Stat, ALL};

use crate::cache::cluster::Operation;
use crate::config::{Config, CredentialKind};
use crate::pool::refusal::CredentialRefusal;
use crate::pool::PoolRate;
use std::borrow::Cow;

/// Every label, for the shipped tag rules.
pub const LABELS: [&str; 11] = [
    "cache",
    "client",
    "cost",
    "credential",
    "method",
    "operation",
    "pool",
    "reason",
    "resource",
    "result",
    "status",
];

/// What kind of stat a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One change of one stat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Name without labels.
    pub family: &'static str,
    /// Full name, with labels.
    pub name: String,
    /// What is added (counters, relative gauges), set (gauges) or recorded (histograms).
    pub value: i64,
    /// Gauges: add `value` instead of setting it.
    pub relative: bool,
}

impl Metric {
    /// `values` are those of the stat's labels, in order.
    fn new(stat: Stat, values: &[&str], value: i64) -> Self {
        let mut name = String::with_capacity(160);
        for (label, value) in stat.labels.iter().zip(values) {
            name.push_str(label);
            name.push_str("=.=");
            push_escaped(&mut name, value);
            name.push_str(";.;");
        }
        name.push_str(stat.name);
        Self {
            kind: stat.kind,
            family: stat.name,
            name,
            value,
            relative: false,
        }
    }

    /// The value of a label, if the stat has it.
    pub fn label(&self, label: &str) -> Option<&str> {
        let mut labels = self.name.split(";.;");
        labels.find_map(|it| it.strip_prefix(label)?.strip_prefix("=.="))
    }

    fn count(stat: Stat, values: &[&str]) -> Self {
        Self::new(stat, values, 1)
    }

    /// A duration is recorded, a gauge set.
    fn measure(stat: Stat, values: &[&str], value: u64) -> Self {
        Self::new(stat, values, i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn shift(stat: Stat, by: i64) -> Self {
        let mut gauge = Self::new(stat, &[], by);
        gauge.relative = true;
        gauge
    }

    /// What is counted from 0 on as soon as there is a configuration: whatever has few, known
    /// labels. A counter that appears with its first event hides that event from whoever looks
    /// at increases.
    pub fn at_start(config: &Config) -> Vec<Self> {
        let nothing = |stat: Stat, values: &[&str]| Self::new(stat, values, 0);
        let mut all = vec![
            nothing(stat::CACHE_EVICTIONS, &[]),
            Self::shift(stat::CACHE_BYTES, 0),
            Self::shift(stat::CACHE_ENTRIES, 0),
        ];
        for result in ["applied", "refused"] {
            all.push(nothing(stat::CONFIG_RELOADS, &[result]));
        }
        for result in ["match", "mismatch", "confirmed", "refuted"] {
            all.push(nothing(stat::ETAG_PREDICTION, &[result]));
        }
        use CredentialRefusal::{Primary, Rejected, Secondary};
        for refusal in [Primary, Secondary(None), Rejected] {
            all.push(nothing(stat::FAILOVERS, &[refusal.as_str()]));
        }
        if config.cache.cluster.is_some() {
            use Operation::{Add, Get, Lock, Peek, Set, Unlock};
            for operation in [Add, Get, Lock, Peek, Set, Unlock] {
                all.push(nothing(stat::CACHE_ERRORS, &[operation.as_str()]));
            }
        }
        for credential in &config.credentials {
            if let CredentialKind::App { .. } = credential.kind {
                for result in ["ok", "failed"] {
                    all.push(nothing(stat::TOKEN_EXCHANGES, &[&credential.name, result]));
                }
            }
        }
        let clients = config.clients.clients().iter();
        all.extend(clients.map(|it| nothing(stat::DENIED, &[&it.name, "pool_exhausted"])));
        all
    }

    /// A request was answered. `client` is `-` when unknown.
    pub fn request(client: &str, method: &str, status: u16, cache: &str) -> Self {
        let values = [client, known_method(method), &status.to_string(), cache];
        Self::count(stat::REQUESTS, &values)
    }

    /// A request was refused by the proxy.
    pub fn denied(client: &str, reason: &str) -> Self {
        Self::count(stat::DENIED, &[client, reason])
    }

    /// GitHub answered; `free` when it did not count it.
    pub fn upstream(
        client: &str,
        credential: &str,
        resource: &str,
        status: u16,
        free: bool,
    ) -> Self {
        let cost = if free { "free" } else { "counted" };
        let values = [client, credential, resource, &status.to_string(), cost];
        Self::count(stat::UPSTREAM_REQUESTS, &values)
    }

    /// What GitHub said about a credential's resource.
    pub fn rate(credential: &str, rate: &crate::pool::rate::Rate) -> [Self; 4] {
        let values = [credential, rate.resource.as_str()];
        [
            Self::measure(stat::RATE_LIMIT_LIMIT, &values, rate.limit),
            Self::measure(stat::RATE_LIMIT_REMAINING, &values, rate.remaining),
            Self::measure(stat::RATE_LIMIT_USED, &values, rate.used),
            Self::measure(stat::RATE_LIMIT_RESET, &values, rate.reset),
        ]
    }

    /// What the credentials of a pool have together.
    pub fn pool(pool: &str, resource: &str, rate: &PoolRate) -> [Self; 2] {
        let values = [pool, resource];
        [
            Self::measure(stat::POOL_LIMIT, &values, rate.limit),
            Self::measure(stat::POOL_REMAINING, &values, rate.remaining),
        ]
    }

    /// 0 ready, 1 exhausted, 2 paused, 3 broken.
    pub fn credential_state(credential: &str, state: u64) -> Self {
        Self::measure(stat::CREDENTIAL_STATE, &[credential], state)
    }

    /// A request is over.
    pub fn request_duration(cache: &str, millis: u64) -> Self {
        Self::measure(stat::REQUEST_DURATION, &[cache], millis)
    }

    /// The header section of GitHub's answer is here.
    pub fn upstream_duration(millis: u64) -> Self {
        Self::measure(stat::UPSTREAM_DURATION, &[], millis)
    }

    /// A call to the cache cluster was answered.
    pub fn cache_duration(operation: &str, millis: u64) -> Self {
        Self::measure(stat::CACHE_DURATION, &[operation], millis)
    }

    /// A call to the cache cluster failed.
    pub fn cache_error(operation: &str) -> Self {
        Self::count(stat::CACHE_ERRORS, &[operation])
    }

    /// The memory level changed.
    pub fn memory(change: crate::cache::memory::Change) -> Vec<Self> {
        let mut metrics = vec![
            Self::shift(stat::CACHE_BYTES, change.bytes),
            Self::shift(stat::CACHE_ENTRIES, change.entries),
        ];
        if change.evictions > 0 {
            metrics.push(Self::measure(stat::CACHE_EVICTIONS, &[], change.evictions));
        }
        metrics
    }

    /// `match` or `mismatch` on a fetched body, `confirmed` when a computed validator got its
    /// 304, `refuted` when GitHub sent the same body again.
    pub fn prediction(result: &str) -> Self {
        Self::count(stat::ETAG_PREDICTION, &[result])
    }

    /// A request went on to another credential.
    pub fn failover(reason: &str) -> Self {
        Self::count(stat::FAILOVERS, &[reason])
    }

    /// `ok` or `failed`.
    pub fn token_exchange(credential: &str, result: &str) -> Self {
        Self::count(stat::TOKEN_EXCHANGES, &[credential, result])
    }

    /// So many were `applied` or `refused`.
    pub fn config_reloads(result: &str, number: u64) -> Self {
        Self::measure(stat::CONFIG_RELOADS, &[result], number)
    }

    /// The memory of all VMs, and of the largest, bytes.
    pub fn vm_memory(total: u64, largest: u64) -> [Self; 2] {
        [
            Self::measure(stat::VM_MEMORY, &[], total),
            Self::measure(stat::VM_MEMORY_LARGEST, &[], largest),
        ]
    }
}

/// Methods are free text in HTTP: the label holds the known ones.
fn known_method(method: &str) -> &str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT",
    ];
    if KNOWN.contains(&method) {
        method
    } else {
        "OTHER"
    }
}

/// What stands for a dot at the end of a label value.
const LAST_DOT: &str = "%2E";

/// The name of a client or a credential that a label value stands for.
pub fn named(value: &str) -> Cow<'_, str> {
    match value.strip_suffix(LAST_DOT) {
        Some(text) => Cow::Owned(format!("{text}.")),
        None => Cow::Borrowed(value),
    }
}

/// Appends a label value without the characters that would end it or Envoy would rewrite. Envoy
/// drops dots at its end, so the last one is written as `%2E`, which no legal name holds: two
/// names never become one series.
fn push_escaped(name: &mut String, value: &str) {
    let is_safe = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | '=' | ':');
    let (text, end) = match value.strip_suffix('.') {
        Some(text) => (text, LAST_DOT),
        None => (value, ""),
    };
    if text.chars().all(is_safe) {
        name.push_str(text);
    } else {
        name.extend(text.chars().map(|c| if is_safe(c) { c } else { '_' }));
    }
    name.push_str(end);
}

#[cfg(test)]
mod tests;
