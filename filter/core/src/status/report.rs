//! The numbers of the status page, as JSON. docs/operations.md describes the keys.

use serde_json::{json, Map, Value};

use crate::budget::Budget;
use crate::cache::memory;
use crate::config::registry::Client;
use crate::config::Priority;
use crate::generation::Generation;
use crate::pool::rate::Standing;
use crate::pool::Member;
use crate::request::Proxy;
use crate::shared::SharedData;
use crate::tally::{Row, Tally, OUTCOMES};

/// What `github_proxy_credential_state` means.
const STATES: [&str; 4] = ["ready", "exhausted", "paused", "broken"];

/// All there is to tell at `now`, Unix milliseconds. Times in it are Unix seconds.
pub(super) fn report(proxy: &Proxy, shared: &dyn SharedData, now: u64) -> Value {
    let tally = Tally::get(shared);
    let generation = Generation::get(shared);
    let mut all = Row::default();
    for (_, row) in tally.rows() {
        all.add(row);
    }
    let config = &proxy.config;
    let members = proxy.pool.members().iter();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": now / 1_000,
        "started_at": generation.started_at / 1_000,
        "upstream": config.upstream.api.authority,
        "configuration": {
            "generation": proxy.in_force.number,
            "applied_at": proxy.in_force.since / 1_000,
            "refused": generation.refused,
        },
        "totals": totals(&all),
        "cache": cache(proxy, shared),
        "pools": pools(proxy, shared, now),
        "clients": clients(proxy, &tally, shared, now),
        "credentials": members.map(|it| credential(it, shared, now)).collect::<Value>(),
    })
}

fn totals(all: &Row) -> Value {
    let mut totals = sums(all);
    // What the proxy answers itself asks nobody, and would make the ratio look better.
    let none = all.answers.last().copied().unwrap_or_default();
    let served = all.requests().saturating_sub(none);
    if served > 0 {
        #[allow(clippy::cast_precision_loss)] // four digits of it are shown
        let ratio = all.counted as f64 / served as f64;
        totals.insert("credit_ratio".to_owned(), rounded(ratio));
    }
    Value::Object(totals)
}

/// Four digits after the point.
fn rounded(ratio: f64) -> Value {
    Value::from((ratio * 10_000.0).round() / 10_000.0)
}

fn sums(row: &Row) -> Map<String, Value> {
    let answers = OUTCOMES.iter().zip(row.answers);
    let answers = answers.map(|(name, n)| ((*name).to_owned(), Value::from(n)));
    let mut sums = Map::new();
    sums.insert("requests".to_owned(), row.requests().into());
    sums.insert("denied".to_owned(), row.denied.into());
    sums.insert("counted".to_owned(), row.counted.into());
    sums.insert("free".to_owned(), row.free.into());
    sums.insert("cache".to_owned(), Value::Object(answers.collect()));
    sums
}

fn cache(proxy: &Proxy, shared: &dyn SharedData) -> Value {
    let config = &proxy.config.cache;
    let used = memory::used(shared);
    json!({
        "entries": used.entries,
        "bytes": used.bytes,
        "limit_bytes": config.memory_bytes,
        "shared": config.cluster.is_some(),
    })
}

/// What each pool has left, as far as GitHub has said it. Tokens of one user count once.
fn pools(proxy: &Proxy, shared: &dyn SharedData, now: u64) -> Value {
    let pool = |name: &str| {
        let known = proxy.pool.known(shared, name, now).into_iter();
        let limits = known.map(|(resource, rate)| {
            let left = json!({
                "limit": rate.limit,
                "remaining": rate.remaining,
                "used": rate.used,
            });
            (resource.to_string(), left)
        });
        json!({ "name": name, "limits": limits.collect::<Map<_, _>>() })
    };
    proxy.pool.names().into_iter().map(pool).collect()
}

/// The clients of the configuration in its order, then those that it no longer has.
fn clients(proxy: &Proxy, tally: &Tally, shared: &dyn SharedData, now: u64) -> Value {
    let known = proxy.config.clients.clients();
    let row = |name: &str| tally.row(name).cloned().unwrap_or_default();
    let present = known.iter().map(|client| {
        let mut entry = used(&client.name, &row(&client.name));
        entry.insert("pool".to_owned(), client.pool.as_str().into());
        let low = client.priority == Priority::Low;
        let priority = if low { "low" } else { "normal" };
        entry.insert("priority".to_owned(), priority.into());
        if let Some(budget) = budget(client, shared, now) {
            entry.insert("budget".to_owned(), budget);
        }
        Value::Object(entry)
    });
    let is_known = |name: &str| known.iter().any(|client| client.name == name);
    let gone = tally.rows().filter(|(name, _)| !is_known(name));
    let gone = gone.map(|(name, row)| {
        let mut entry = used(name, row);
        let removed = name != "-";
        entry.insert("removed".to_owned(), removed.into());
        Value::Object(entry)
    });
    present.chain(gone).collect()
}

fn used(name: &str, row: &Row) -> Map<String, Value> {
    let mut entry = sums(row);
    entry.insert("name".to_owned(), name.into());
    if row.seen_at > 0 {
        entry.insert("seen_at".to_owned(), (row.seen_at / 1_000).into());
    }
    entry
}

fn budget(client: &Client, shared: &dyn SharedData, now: u64) -> Option<Value> {
    let budget = Budget::new(&client.name, client.budget?);
    let account = |resource: &String| {
        let account = budget.account(shared, resource, now);
        let left = json!({ "remaining": account.remaining, "reset": account.reset });
        (resource.clone(), left)
    };
    let resources: Map<String, Value> = budget.resources(shared, now).iter().map(account).collect();
    Some(json!({ "limit": budget.limit, "resources": resources }))
}

fn credential(member: &Member, shared: &dyn SharedData, now: u64) -> Value {
    let state = usize::try_from(member.state(shared, now)).unwrap_or_default();
    let health = member.health(shared);
    let ledger = member.ledger(shared);
    let mut entry = json!({
        "name": member.name,
        "pool": member.pool,
        "kind": member.kind(),
        "state": STATES.get(state).copied().unwrap_or_default(),
        "limits": ledger.standings().iter().map(|it| limit(it, now)).collect::<Value>(),
    });
    if let Some(entry) = entry.as_object_mut().filter(|_| health.paused_until > now) {
        let until = health.paused_until.div_ceil(1_000);
        entry.insert("paused_until".to_owned(), until.into());
    }
    entry
}

fn limit(standing: &Standing, now: u64) -> Value {
    let rate = &standing.rate;
    json!({
        "resource": rate.resource.as_str(),
        "limit": rate.limit,
        "remaining": standing.promised(now),
        "used": rate.used,
        "reset": rate.reset,
        "known": !standing.is_assumed(),
    })
}
