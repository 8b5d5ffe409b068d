//! Budgets: how many counted upstream requests a client may cause, per hour and resource.
//!
//! Kept in shared data, so all workers of an Envoy share one count, and reconciled with other
//! replicas through the cache cluster: each adds what it spent to a common counter and learns
//! the sum. Hours are those of Unix time, so that replicas agree on them. Answers that cost
//! nothing at GitHub cost nothing here.

use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Seconds of the window.
const HOUR: u64 = 3_600;
/// How often an idle account hears of the others, seconds.
const LISTEN: u64 = 5;
/// Resources kept per client; GitHub has about fifteen.
const MOST_RESOURCES: usize = 32;

/// A client's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    client: String,
    /// Counted requests per hour and resource.
    pub limit: u64,
}

/// What is left of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Requests per hour.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// When the hour ends, Unix seconds.
    pub reset: u64,
}

/// What a replica tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The resource.
    pub resource: String,
    /// The common counter: hex, the same on all replicas.
    pub counter: String,
    /// To be added to it.
    pub amount: u64,
    hour: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    resource: String,
    hour: u64,
    /// Spent here and not reported yet.
    fresh: u64,
    /// Being reported.
    pending: u64,
    /// The sum over all replicas, as last heard.
    reported: u64,
}

impl Line {
    fn spent(&self) -> u64 {
        self.fresh
            .saturating_add(self.pending)
            .saturating_add(self.reported)
    }
}

impl Budget {
    /// The account of a client that may cause `limit` counted requests an hour.
    pub fn new(client: &str, limit: u64) -> Self {
        Self {
            client: client.to_owned(),
            limit,
        }
    }

    /// What is left for `resource`.
    pub fn account(&self, shared: &dyn SharedData, resource: &str, now: u64) -> Account {
        let hour = hour(now);
        let lines = shared.get(&self.key()).map(|(bytes, _)| read(&bytes));
        let lines = lines.unwrap_or_default();
        let line = lines
            .iter()
            .find(|it| it.resource == resource && it.hour == hour);
        Account {
            limit: self.limit,
            remaining: self.limit.saturating_sub(line.map_or(0, Line::spent)),
            reset: (hour + 1) * HOUR,
        }
    }

    /// The resources that something was spent of in this hour, by all replicas.
    pub fn resources(&self, shared: &dyn SharedData, now: u64) -> Vec<String> {
        let lines = shared.get(&self.key()).map(|(bytes, _)| read(&bytes));
        let lines = lines.unwrap_or_default().into_iter();
        let lines = lines.filter(|line| line.hour == hour(now));
        lines.map(|line| line.resource).collect()
    }

    /// Notes a counted request.
    pub fn charge(&self, shared: &dyn SharedData, resource: &str, now: u64) {
        self.edit(shared, resource, now, |line| {
            line.fresh = line.fresh.saturating_add(1);
        });
    }

    /// Takes one back that was not counted after all.
    pub fn refund(&self, shared: &dyn SharedData, resource: &str, now: u64) {
        self.edit(shared, resource, now, |line| {
            line.fresh = line.fresh.saturating_sub(1);
        });
    }

    /// What has to be told to the other replicas. Each amount is taken out once; say how it
    /// went with `heard` or `unheard`.
    pub fn reports(&self, shared: &dyn SharedData, now: u64) -> Vec<Report> {
        let hour = hour(now);
        let taken = update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            let mut reports = Vec::new();
            for line in lines.iter_mut().filter(|line| line.hour == hour) {
                let listens = line.reported > 0 && (now / 1_000).checked_rem(LISTEN) == Some(0);
                if line.pending == 0 && (line.fresh > 0 || listens) {
                    line.pending = std::mem::take(&mut line.fresh);
                    reports.push(Report {
                        counter: self.counter(&line.resource, hour),
                        resource: line.resource.clone(),
                        amount: line.pending,
                        hour,
                    });
                }
            }
            (postcard::to_allocvec(&lines).ok(), reports)
        });
        taken.unwrap_or_default()
    }

    /// The counter now stands at `sum`.
    pub fn heard(&self, shared: &dyn SharedData, report: &Report, sum: u64) {
        self.close(shared, report, |line| line.reported = sum);
    }

    /// The counter could not be reached: told again later.
    pub fn unheard(&self, shared: &dyn SharedData, report: &Report) {
        self.close(shared, report, |line| {
            line.fresh = line.fresh.saturating_add(report.amount);
        });
    }

    fn close(&self, shared: &dyn SharedData, report: &Report, settle: impl Fn(&mut Line)) {
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            let mut all = lines.iter_mut();
            let line = all.find(|it| it.resource == report.resource && it.hour == report.hour);
            let Some(line) = line else {
                return (None, ());
            };
            line.pending = line.pending.saturating_sub(report.amount);
            settle(line);
            (postcard::to_allocvec(&lines).ok(), ())
        });
    }

    fn edit(&self, shared: &dyn SharedData, resource: &str, now: u64, edit: impl Fn(&mut Line)) {
        let hour = hour(now);
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            lines.retain(|line| line.hour == hour);
            if let Some(line) = lines.iter_mut().find(|line| line.resource == resource) {
                edit(line);
            } else if lines.len() < MOST_RESOURCES {
                let mut line = Line {
                    resource: resource.to_owned(),
                    hour,
                    fresh: 0,
                    pending: 0,
                    reported: 0,
                };
                edit(&mut line);
                lines.push(line);
            } else {
                return (None, ());
            }
            (postcard::to_allocvec(&lines).ok(), ())
        });
    }

    /// Clients are those of the configuration: one key each.
    fn key(&self) -> String {
        format!("budget/{}", self.client)
    }

    fn counter(&self, resource: &str, hour: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(format!(
            "github-proxy budget\0{}\0{resource}\0{hour}",
            self.client
        ));
        hex::encode(hash.finalize())
    }
}

fn hour(now: u64) -> u64 {
    now / 1_000 / HOUR
}

fn read(bytes: &[u8]) -> Vec<Line> {
    postcard::from_bytes(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    fn left(budget: &Budget, map: &Map, resource: &str, now: u64) -> u64 {
        budget.account(map, resource, now).remaining
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn a_budget_lasts_an_hour_per_resource() {
        let (map, budget) = (Map::default(), Budget::new("ci", 2));
        budget.charge(&map, "core", 0);
        budget.charge(&map, "core", 0);
        assert_eq!(left(&budget, &map, "core", 0), 0);
        assert_eq!(left(&budget, &map, "search", 0), 2);
        assert_eq!(left(&Budget::new("other", 2), &map, "core", 0), 2);
        budget.refund(&map, "core", 0);
        assert_eq!(left(&budget, &map, "core", 0), 1);
        assert_eq!(budget.account(&map, "core", 0).reset, 3_600);
        assert_eq!(left(&budget, &map, "core", 3_600_000), 2);
    }

    #[test]
    fn replicas_learn_of_each_other() {
        let (here, there) = (Map::default(), Map::default());
        let budget = Budget::new("ci", 10);
        for _ in 0..3 {
            budget.charge(&here, "core", 0);
        }
        budget.charge(&there, "core", 0);
        let mut counter = 0;
        for map in [&here, &there, &here] {
            for report in budget.reports(map, 0) {
                counter += report.amount;
                budget.heard(map, &report, counter);
            }
        }
        assert_eq!(left(&budget, &here, "core", 0), 6);
        assert_eq!(left(&budget, &there, "core", 0), 6);
    }

    #[test]
    fn what_could_not_be_told_is_told_later_and_only_once() {
        let (map, budget) = (Map::default(), Budget::new("ci", 10));
        budget.charge(&map, "core", 0);
        let report = budget.reports(&map, 0).remove(0);
        assert!(budget.reports(&map, 0).is_empty(), "being told");
        budget.charge(&map, "core", 0);
        budget.unheard(&map, &report);
        assert_eq!(budget.reports(&map, 0)[0].amount, 2);
        assert_eq!(left(&budget, &map, "core", 0), 8);
    }
}
