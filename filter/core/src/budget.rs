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
        self.change(shared, |lines| {
            open(lines, resource, hour);
            let line = find(lines, resource, hour);
            line.map(|line| line.fresh = line.fresh.saturating_add(1))
                .is_some()
        });
    }

    /// Takes the charge of `charged_at` back, which was not counted after all. One of an hour
    /// that is over is nobody's concern any more.
    pub fn refund(&self, shared: &dyn SharedData, resource: &str, charged_at: u64) {
        self.change(shared, |lines| {
            let line = find(lines, resource, hour(charged_at));
            line.map(|line| line.fresh = line.fresh.saturating_sub(1))
                .is_some()
        });
    }

    /// Sees to it that what the others spend of `resource` is heard of in this hour.
    pub fn watch(&self, shared: &dyn SharedData, resource: &str, now: u64) {
        self.change(shared, |lines| open(lines, resource, hour(now)));
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
        self.change(shared, |lines| {
            let line = find(lines, &report.resource, report.hour);
            line.map(|line| {
                (line.telling, line.pending) = (false, 0);
                settle(line);
            })
            .is_some()
        });
    }

    /// Changes the account; `edit` says whether it did.
    fn change(&self, shared: &dyn SharedData, edit: impl Fn(&mut Vec<Line>) -> bool) {
        update(shared, &self.key(), |bytes| {
            let mut lines = read(bytes);
            let changed = edit(&mut lines);
            (changed.then(|| write(&lines)).flatten(), ())
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
mod tests;
