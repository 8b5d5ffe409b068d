//! Budgets: how many counted upstream requests a client may cause, per hour and resource.
//!
//! Kept in shared data, so all workers of an Envoy share one count, and reconciled with other
//! replicas through the cache cluster: each adds what it spent to a common counter, takes off
//! what GitHub did not count after all, and learns the sum; one that spends nothing looks at it
//! all the same, from the start on. Hours are those of Unix time, so that replicas agree on
//! them. Answers that cost nothing at GitHub cost nothing here.

use crate::pool::PoolRate;
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;

/// Seconds of the window.
const HOUR: u64 = 3_600;
/// How often an idle account hears of the others, milliseconds.
const LISTEN: u64 = 5_000;
/// After this time a report is given up, milliseconds: whoever sent it is no more.
const LOST: u64 = 60_000;
/// The resource that nearly every client spends of: its sum is known before the first request.
const MOST_USED: &str = "core";
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
    /// Whether a tenth more was spent than there was: by questions about stored responses, which
    /// are expected to cost nothing, but do where things have changed.
    pub is_exceeded: bool,
}

impl Account {
    /// What a client with this account may use of a pool that has `pool`: of either the less,
    /// until that changes for the better.
    pub fn within(self, pool: PoolRate) -> PoolRate {
        let limit = self.limit.min(pool.limit);
        let remaining = self.remaining.min(pool.remaining);
        let reset = match pool.remaining.cmp(&self.remaining) {
            Ordering::Less => pool.reset,
            Ordering::Equal => pool.reset.max(self.reset),
            Ordering::Greater => self.reset,
        };
        PoolRate {
            limit,
            remaining,
            used: limit.saturating_sub(remaining),
            reset,
        }
    }
}

/// What a replica tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The resource.
    pub resource: String,
    /// The common counter: hex, the same on all replicas.
    pub counter: String,
    /// To be added to it. Less than 0 for what was told and then not counted; 0: a look.
    pub amount: i64,
    hour: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    resource: String,
    hour: u64,
    /// Spent here and not reported yet; less than 0 when more of what was reported is to be
    /// taken back.
    fresh: i64,
    /// Being reported.
    pending: i64,
    /// Whether a report is on its way, be it of nothing.
    telling: bool,
    /// When the last one left, Unix milliseconds.
    told_at: u64,
    /// The sum over all replicas, as last heard.
    reported: u64,
}

impl Line {
    fn new(resource: &str, hour: u64) -> Self {
        Self {
            resource: resource.to_owned(),
            hour,
            fresh: 0,
            pending: 0,
            telling: false,
            told_at: 0,
            reported: 0,
        }
    }

    fn spent(&self) -> u64 {
        let here = self.fresh.saturating_add(self.pending);
        self.reported.saturating_add_signed(here)
    }

    /// Whether the others have to be told, or heard.
    fn is_due(&self, now: u64) -> bool {
        let since = now.saturating_sub(self.told_at);
        if self.telling {
            return since >= LOST;
        }
        self.fresh != 0 || since >= LISTEN
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
        let spent = line.map_or(0, Line::spent);
        let grace = (self.limit / 10).max(1);
        Account {
            limit: self.limit,
            remaining: self.limit.saturating_sub(spent),
            reset: (hour + 1) * HOUR,
            is_exceeded: spent >= self.limit.saturating_add(grace),
        }
    }

    /// The resources that something was spent of in this hour, by all replicas.
    pub fn resources(&self, shared: &dyn SharedData, now: u64) -> Vec<String> {
        let lines = shared.get(&self.key()).map(|(bytes, _)| read(&bytes));
        let lines = lines.unwrap_or_default().into_iter();
        let lines = lines.filter(|line| line.hour == hour(now) && line.spent() > 0);
        lines.map(|line| line.resource).collect()
    }

    /// Notes a counted request.
    pub fn charge(&self, shared: &dyn SharedData, resource: &str, now: u64) {
        let hour = hour(now);
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            open(&mut lines, resource, hour);
            let line = find(&mut lines, resource, hour);
            let charged = line.map(|line| line.fresh = line.fresh.saturating_add(1));
            (charged.and_then(|()| write(&lines)), ())
        });
    }

    /// Takes the charge of `charged_at` back, which was not counted after all. One of an hour
    /// that is over is nobody's concern any more.
    pub fn refund(&self, shared: &dyn SharedData, resource: &str, charged_at: u64) {
        let hour = hour(charged_at);
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            let line = find(&mut lines, resource, hour);
            let refunded = line.map(|line| line.fresh = line.fresh.saturating_sub(1));
            (refunded.and_then(|()| write(&lines)), ())
        });
    }

    /// Sees to it that what the others spend of `resource` is heard of in this hour.
    pub fn watch(&self, shared: &dyn SharedData, resource: &str, now: u64) {
        let hour = hour(now);
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            let is_new = open(&mut lines, resource, hour);
            (is_new.then(|| write(&lines)).flatten(), ())
        });
    }

    /// What has to be told to the other replicas, and up to `looks` of what has to be heard of
    /// them. Each amount is taken out once; say how it went with `heard` or `unheard`.
    pub fn reports(&self, shared: &dyn SharedData, looks: usize, now: u64) -> Vec<Report> {
        let hour = hour(now);
        let taken = update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            open(&mut lines, MOST_USED, hour);
            let (mut reports, mut looks) = (Vec::new(), looks);
            let due = |line: &&mut Line| line.hour == hour && line.is_due(now);
            for line in lines.iter_mut().filter(due) {
                if line.fresh == 0 {
                    let Some(left) = looks.checked_sub(1) else {
                        continue;
                    };
                    looks = left;
                }
                // What was lost has most likely arrived.
                (line.telling, line.told_at) = (true, now);
                line.pending = std::mem::take(&mut line.fresh);
                reports.push(Report {
                    counter: self.counter(&line.resource, hour),
                    resource: line.resource.clone(),
                    amount: line.pending,
                    hour,
                });
            }
            let changed = !reports.is_empty();
            (changed.then(|| write(&lines)).flatten(), reports)
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
            let Some(line) = find(&mut lines, &report.resource, report.hour) else {
                return (None, ());
            };
            (line.telling, line.pending) = (false, 0);
            settle(line);
            (write(&lines), ())
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

/// Opens a line for `resource` in `hour`, if there is none and room for one; those of other
/// hours go. Whether it did.
fn open(lines: &mut Vec<Line>, resource: &str, hour: u64) -> bool {
    if find(lines, resource, hour).is_some() {
        return false;
    }
    lines.retain(|line| line.hour == hour);
    let has_room = lines.len() < MOST_RESOURCES;
    if has_room {
        lines.push(Line::new(resource, hour));
    }
    has_room
}

fn find<'a>(lines: &'a mut [Line], resource: &str, hour: u64) -> Option<&'a mut Line> {
    let mut lines = lines.iter_mut();
    lines.find(|line| line.resource == resource && line.hour == hour)
}

fn read(bytes: &[u8]) -> Vec<Line> {
    postcard::from_bytes(bytes).unwrap_or_default()
}

fn write(lines: &[Line]) -> Option<Vec<u8>> {
    postcard::to_allocvec(lines).ok()
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

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn a_client_may_use_the_less_of_budget_and_pool() {
        // (limit, remaining, reset) of the budget, of the pool, and what the client sees.
        for (budget, pool, seen) in [
            ((500, 400, 3_600), (5_000, 4_000, 700), (500, 400, 3_600)),
            ((500, 400, 3_600), (5_000, 300, 700), (500, 300, 700)),
            ((500, 499, 3_600), (30, 0, 50), (30, 0, 50)),
            ((500, 2, 3_600), (30, 20, 50), (30, 2, 3_600)),
            // Both have to come back.
            ((500, 0, 3_600), (5_000, 0, 700), (500, 0, 3_600)),
            ((500, 0, 3_600), (5_000, 0, 4_000), (500, 0, 4_000)),
        ] {
            let (limit, remaining, reset) = budget;
            let account = Account {
                limit,
                remaining,
                reset,
                is_exceeded: false,
            };
            let rate = |(limit, remaining, reset)| PoolRate {
                limit,
                remaining,
                used: limit - remaining,
                reset,
            };
            assert_eq!(
                account.within(rate(pool)),
                rate(seen),
                "{budget:?} {pool:?}"
            );
        }
    }

    /// A counter of Redis, and what each replica told it.
    fn tell(budget: &Budget, map: &Map, counter: &mut i64, now: u64) {
        for report in budget.reports(map, 9, now) {
            if report.resource == "core" {
                *counter += report.amount;
                let sum = u64::try_from(*counter).unwrap();
                budget.heard(map, &report, sum);
            }
        }
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
        for (map, now) in [(&here, 0), (&there, 0), (&here, LISTEN)] {
            tell(&budget, map, &mut counter, now);
        }
        assert_eq!(left(&budget, &here, "core", LISTEN), 6);
        assert_eq!(left(&budget, &there, "core", LISTEN), 6);
    }

    /// As after a restart: nothing was charged here, and the sum is known before anything is.
    #[test]
    fn whoever_spent_nothing_learns_the_sum() {
        let (map, budget, mut counter) = (Map::default(), Budget::new("ci", 10), 7);
        tell(&budget, &map, &mut counter, HOUR * 1_000);
        assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 3);
        counter += 1;
        tell(&budget, &map, &mut counter, HOUR * 1_000 + LISTEN - 1);
        assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 3, "not yet");
        tell(&budget, &map, &mut counter, HOUR * 1_000 + LISTEN);
        assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 2);
        // The next hour's counter is another one.
        let mut counter = 4;
        tell(&budget, &map, &mut counter, 2 * HOUR * 1_000);
        assert_eq!(left(&budget, &map, "core", 2 * HOUR * 1_000), 6);
    }

    #[test]
    fn a_resource_that_is_asked_about_is_listened_to() {
        let (map, budget) = (Map::default(), Budget::new("ci", 10));
        budget.watch(&map, "search", HOUR);
        budget.watch(&map, "search", HOUR);
        let reports = budget.reports(&map, 9, HOUR * 1_000);
        let told = reports
            .iter()
            .map(|it| (it.resource.as_str(), it.amount))
            .collect::<Vec<_>>();
        assert_eq!(told, [("core", 0)], "the hour turned");
        budget.watch(&map, "search", HOUR * 1_000);
        let reports = budget.reports(&map, 9, HOUR * 1_000);
        assert_eq!(reports[0].resource, "search");
        budget.heard(&map, &reports[0], 4);
        assert_eq!(left(&budget, &map, "search", HOUR * 1_000), 6);
    }

    #[test]
    fn looks_are_bounded_and_charges_are_not() {
        let (map, budget) = (Map::default(), Budget::new("ci", 10));
        budget.watch(&map, "search", LISTEN);
        budget.watch(&map, "graphql", LISTEN);
        budget.charge(&map, "scim", LISTEN);
        let names = |looks| {
            let reports = budget.reports(&map, looks, LISTEN).into_iter();
            reports.map(|it| it.resource).collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["scim"]);
        assert_eq!(names(1), ["search"]);
        assert_eq!(names(9), ["graphql", "core"]);
    }

    #[test]
    fn what_was_told_and_then_not_counted_is_taken_back() {
        let (map, budget, mut counter) = (Map::default(), Budget::new("ci", 10), 2);
        budget.charge(&map, "core", 0);
        tell(&budget, &map, &mut counter, 0);
        assert_eq!((counter, left(&budget, &map, "core", 0)), (3, 7));
        budget.refund(&map, "core", 0);
        assert_eq!(left(&budget, &map, "core", 0), 8, "at once");
        tell(&budget, &map, &mut counter, 1_000);
        assert_eq!((counter, left(&budget, &map, "core", 1_000)), (2, 8));
        // While it is being told, and when that fails.
        budget.charge(&map, "core", 2_000);
        let report = budget.reports(&map, 9, 2_000).remove(0);
        budget.refund(&map, "core", 2_000);
        budget.unheard(&map, &report);
        assert_eq!(left(&budget, &map, "core", 2_000), 8);
        assert_eq!(
            budget.reports(&map, 9, 2_000),
            [],
            "nothing is left to tell"
        );
    }

    #[test]
    fn a_late_refund_leaves_the_next_hour_alone() {
        let (map, budget) = (Map::default(), Budget::new("ci", 10));
        let (before, after) = (HOUR * 1_000 - 1, HOUR * 1_000);
        budget.charge(&map, "core", before);
        budget.charge(&map, "core", after);
        budget.refund(&map, "core", before);
        assert_eq!(left(&budget, &map, "core", after), 9);
    }

    #[test]
    fn what_could_not_be_told_is_told_later_and_only_once() {
        let (map, budget) = (Map::default(), Budget::new("ci", 10));
        budget.charge(&map, "core", 0);
        let report = budget.reports(&map, 9, 0).remove(0);
        assert!(budget.reports(&map, 9, 0).is_empty(), "being told");
        budget.charge(&map, "core", 0);
        budget.unheard(&map, &report);
        assert_eq!(budget.reports(&map, 9, 0)[0].amount, 2);
        assert_eq!(left(&budget, &map, "core", 0), 8);
    }
}
