//! What the status page adds up: for each client, what became of its requests and what they cost.
//!
//! The same numbers are in Envoy's stats, but a filter cannot list those. Each worker keeps what
//! is new to itself and adds it to the common sums once a second: one key in shared data, one
//! update, and no cost for a request. They start at zero with Envoy.

use crate::metric::{named, Metric};
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels of `cache`, in the order in which they are kept.
pub const OUTCOMES: [&str; 7] = [
    "hit",
    "revalidated",
    "coalesced",
    "stale",
    "miss",
    "bypass",
    "none",
];
/// Clients beyond this many (removed ones included) are not told apart.
const MOST_CLIENTS: usize = 4_096;
/// What they are called together; no client can have this name.
const OTHERS: &str = "(others)";
/// How long a worker keeps news to itself, milliseconds.
const GRAIN: u64 = 500;
const KEY: &str = "tally";

const ANSWERS: &str = "github_proxy_requests";
const DENIALS: &str = "github_proxy_denied";
/// The stats that tell of a client.
const FAMILIES: [&str; 3] = [ANSWERS, DENIALS, "github_proxy_upstream_requests"];

/// The sums of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Answers, by [`OUTCOMES`].
    pub answers: [u64; OUTCOMES.len()],
    /// Refusals of the proxy; each is an answer as well.
    pub denied: u64,
    /// Requests that GitHub counted.
    pub counted: u64,
    /// Requests that GitHub answered and did not count.
    pub free: u64,
    /// When there was the last of any of these, Unix milliseconds.
    pub seen_at: u64,
}

/// Sums by client; `-` is who had no valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(BTreeMap<String, Row>);

impl Row {
    /// All answers.
    pub fn requests(&self) -> u64 {
        self.answers.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn answers_of(&mut self, cache: &str) -> &mut u64 {
        let [hit, revalidated, coalesced, stale, miss, bypass, none] = &mut self.answers;
        match cache {
            "hit" => hit,
            "revalidated" => revalidated,
            "coalesced" => coalesced,
            "stale" => stale,
            "miss" => miss,
            "bypass" => bypass,
            _ => none,
        }
    }

    /// Adds the sums of another row.
    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut u64, n: u64| *to = to.saturating_add(n);
        for (to, n) in self.answers.iter_mut().zip(other.answers) {
            add(to, n);
        }
        add(&mut self.denied, other.denied);
        add(&mut self.counted, other.counted);
        add(&mut self.free, other.free);
        self.seen_at = self.seen_at.max(other.seen_at);
    }
}

impl Tally {
    /// The common sums.
    pub fn get(shared: &dyn SharedData) -> Self {
        let stored = shared.get(KEY).map(|(bytes, _)| read(&bytes));
        stored.unwrap_or_default()
    }

    /// The clients that were seen, by name.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.0.iter().map(|(name, row)| (name.as_str(), row))
    }

    /// One client.
    pub fn row(&self, client: &str) -> Option<&Row> {
        self.0.get(client)
    }

    /// Takes notice of a stat that tells of a client.
    fn note(&mut self, metric: &Metric, now: u64) {
        let family = metric.family;
        if !FAMILIES.contains(&family) {
            return;
        }
        let label = |name| metric.label(name).unwrap_or_default();
        let row = self.of(&named(label("client")));
        row.seen_at = row.seen_at.max(now);
        let sum = match family {
            ANSWERS => row.answers_of(label("cache")),
            DENIALS => &mut row.denied,
            _ if label("cost") == "free" => &mut row.free,
            _ => &mut row.counted,
        };
        *sum = sum.saturating_add(1);
    }

    fn of(&mut self, client: &str) -> &mut Row {
        let known = self.0.contains_key(client);
        let client = if known || self.0.len() < MOST_CLIENTS {
            client
        } else {
            OTHERS
        };
        self.0.entry(client.to_owned()).or_default()
    }

    fn add(&mut self, other: &Self) {
        for (client, row) in &other.0 {
            self.of(client).add(row);
        }
    }
}

/// What one worker has not told the others yet.
#[derive(Debug, Default)]
pub struct News {
    tally: Tally,
    told_at: u64,
}

impl News {
    /// Takes notice of a stat that tells of a client.
    pub fn note(&mut self, metric: &Metric, now: u64) {
        self.tally.note(metric, now);
    }

    /// Adds what is new to the common sums, if some time went by.
    pub fn tell(&mut self, shared: &dyn SharedData, now: u64) {
        if self.tally.0.is_empty() || now.saturating_sub(self.told_at) < GRAIN {
            return;
        }
        let told = update(shared, KEY, |bytes| {
            let mut sums = read(bytes);
            sums.add(&self.tally);
            (postcard::to_allocvec(&sums).ok(), ())
        });
        if told.is_some() {
            self.tally = Tally::default();
            self.told_at = now;
        }
    }
}

fn read(bytes: &[u8]) -> Tally {
    postcard::from_bytes(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn workers_add_up_what_they_saw() {
        let map = Map::default();
        let (mut one, mut two) = (News::default(), News::default());
        one.note(&Metric::request("a.b.", "GET", 200, "revalidated"), 1_000);
        one.note(&Metric::upstream("a.b.", "A", "core", 304, true), 1_000);
        one.note(&Metric::prediction("match"), 1_000);
        two.note(&Metric::request("a.b.", "GET", 200, "miss"), 2_000);
        two.note(&Metric::upstream("a.b.", "A", "core", 200, false), 2_000);
        two.note(&Metric::request("-", "GET", 401, "none"), 3_000);
        two.note(&Metric::denied("-", "no_token"), 3_000);
        one.tell(&map, 3_000);
        two.tell(&map, 3_000);
        let sums = Tally::get(&map);
        let expected = Row {
            answers: [0, 1, 0, 0, 1, 0, 0],
            denied: 0,
            counted: 1,
            free: 1,
            seen_at: 2_000,
        };
        assert_eq!(sums.row("a.b."), Some(&expected));
        let anonymous = sums.row("-").unwrap();
        assert_eq!((anonymous.requests(), anonymous.denied), (1, 1));
        assert_eq!(sums.rows().count(), 2);
    }

    #[test]
    fn news_is_told_once_and_not_all_the_time() {
        let map = Map::default();
        let mut news = News::default();
        let request = Metric::request("a", "GET", 200, "hit");
        let told = || Tally::get(&map).row("a").map_or(0, Row::requests);
        news.note(&request, 1_000);
        news.tell(&map, 1_000);
        news.note(&request, 1_100);
        news.tell(&map, 1_100);
        assert_eq!(told(), 1);
        news.tell(&map, 1_500);
        news.tell(&map, 9_000);
        assert_eq!(told(), 2);
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let mut tally = Tally::default();
        for number in 0..MOST_CLIENTS + 5 {
            let name = format!("client-{number}");
            tally.note(&Metric::request(&name, "GET", 200, "hit"), 0);
        }
        assert_eq!(tally.rows().count(), MOST_CLIENTS + 1);
        assert_eq!(tally.row(OTHERS).map(Row::requests), Some(5));
    }
}
