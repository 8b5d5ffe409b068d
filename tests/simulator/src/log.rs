//! The log of what reached the API, and counters of what was charged.
//!
//! An entry appears when a request's head has arrived and is completed when its answer is known,
//! so that requests that hang or are given up are seen too. The log keeps raw Authorization
//! values: looking for tokens that should not be there is what it is for.

use crate::auth::Identity;
use crate::request::{Received, Request};
use hyper::header::HeaderMap;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// What a request cost its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// Counted against the primary limit.
    Counted,
    /// Admitted and not counted.
    Free,
    /// Refused or failed before any limit was asked.
    None,
}

/// One request that reached the API.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its number, from 1, never used twice.
    pub id: u64,
    /// When its head had arrived, in Unix milliseconds.
    pub started_ms: f64,
    /// From then until the answer's head was known, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Method.
    pub method: String,
    /// Path and query as sent, mount included.
    pub target: String,
    /// Header fields, in order, values as Latin-1 text.
    pub headers: Vec<(String, String)>,
    /// The raw Authorization value.
    pub authorization: Option<String>,
    /// The name of the token, when it was valid.
    pub token: Option<String>,
    /// Whose limits it used.
    pub owner: String,
    /// Requests in flight when it arrived, itself included.
    pub in_flight: u64,
    /// Length of the request body, once read.
    pub body_length: Option<u64>,
    /// Hex SHA-256 of the request body.
    pub body_sha256: Option<String>,
    /// Its first 64 KiB as text.
    pub body_text: Option<String>,
    /// Status of the answer; absent while there is none, and when the connection was cut.
    pub status: Option<u16>,
    /// The resource whose limit applied.
    pub resource: Option<String>,
    /// What it cost.
    pub cost: Cost,
    /// `ok`, `not_modified`, `rate_limited`, `secondary`, `secondary_early`, `bad_credentials`,
    /// `no_user_agent`, `suspended`, or `fault:` and its kind.
    pub outcome: String,
    /// Whether the whole answer was handed to the connection, or given up.
    pub finished: bool,
}

impl Entry {
    /// A request header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// All requests.
    pub requests: u64,
    /// Counted against a primary limit.
    pub counted: u64,
    /// Admitted free of charge.
    pub free: u64,
    /// Answered 304.
    pub not_modified: u64,
    /// Refused for a primary limit.
    pub rate_limited: u64,
    /// Refused for a secondary limit.
    pub secondary: u64,
}

/// Counters since the last reset.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// Everything.
    pub total: Count,
    /// By token name; `-` without a valid one.
    pub by_token: BTreeMap<String, Count>,
    /// By owner and resource, as `user/octocat core`.
    pub by_owner: BTreeMap<String, Count>,
    /// The most requests in flight at once.
    pub max_in_flight: u64,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Entry>,
    next: u64,
    counters: Counters,
    in_flight: u64,
    in_flight_of: HashMap<String, u64>,
}

/// The log, shared by all connections.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Mutex<Inner>>,
    kept: usize,
}

impl Log {
    /// A log of the last `kept` requests.
    pub fn new(kept: usize) -> Self {
        Self {
            inner: Arc::default(),
            kept,
        }
    }

    /// Enters a request whose head has arrived.
    pub fn open(&self, target: &str, request: &Request, who: &Identity, now: f64) -> Ticket {
        let mut inner = self.inner.lock();
        inner.next += 1;
        inner.in_flight += 1;
        let owner = who.owner_key();
        let of_owner = inner.in_flight_of.entry(owner.clone()).or_default();
        *of_owner += 1;
        let of_owner = *of_owner;
        inner.counters.max_in_flight = inner.counters.max_in_flight.max(inner.in_flight);
        let headers = fields(&request.headers);
        let entry = Entry {
            id: inner.next,
            started_ms: now * 1000.0,
            duration_ms: None,
            method: request.method.clone(),
            target: target.to_owned(),
            authorization: headers
                .iter()
                .find(|(name, _)| name == "authorization")
                .map(|(_, value)| value.clone()),
            headers,
            token: who.token().map(str::to_owned),
            owner: owner.clone(),
            in_flight: inner.in_flight,
            body_length: None,
            body_sha256: None,
            body_text: None,
            status: None,
            resource: None,
            cost: Cost::None,
            outcome: "open".to_owned(),
            finished: false,
        };
        let id = entry.id;
        inner.entries.push_back(entry);
        if inner.entries.len() > self.kept {
            inner.entries.pop_front();
        }
        Ticket {
            log: self.clone(),
            id,
            owner,
            in_flight: of_owner,
        }
    }

    /// The entries with a number above `after`.
    pub fn entries(&self, after: u64) -> Vec<Entry> {
        let inner = self.inner.lock();
        inner
            .entries
            .iter()
            .filter(|entry| entry.id > after)
            .cloned()
            .collect()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.inner.lock().counters.clone()
    }

    /// Empties the log and sets all counters to zero; numbers go on.
    pub fn reset(&self) {
        let mut inner = self.inner.lock();
        inner.entries.clear();
        inner.counters = Counters::default();
    }
}

/// An open entry; dropping it says that the answer has left.
pub struct Ticket {
    log: Log,
    id: u64,
    owner: String,
    in_flight: u64,
}

impl Ticket {
    /// The entry's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Requests of this owner in flight when it arrived, itself included.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Notes the request body.
    pub fn received(&self, body: &Received) {
        let start = body
            .bytes
            .get(..body.bytes.len().min(64 << 10))
            .unwrap_or_default();
        self.edit(|entry| {
            entry.body_length = Some(body.length);
            entry.body_sha256 = Some(body.sha256.clone());
            entry.body_text = Some(String::from_utf8_lossy(start).into_owned());
        });
    }

    /// Notes the answer and counts it.
    pub fn answered(
        &self,
        status: Option<u16>,
        resource: Option<&str>,
        cost: Cost,
        outcome: &str,
        now: f64,
    ) {
        self.edit(|entry| {
            entry.duration_ms = Some(now * 1000.0 - entry.started_ms);
            entry.status = status;
            entry.resource = resource.map(str::to_owned);
            entry.cost = cost;
            outcome.clone_into(&mut entry.outcome);
        });
        let mut inner = self.log.inner.lock();
        let token = inner.entry(self.id).and_then(|entry| entry.token.clone());
        let by_owner = format!("{} {}", self.owner, resource.unwrap_or("-"));
        let counters = &mut inner.counters;
        for count in [
            &mut counters.total,
            counters
                .by_token
                .entry(token.unwrap_or_else(|| "-".to_owned()))
                .or_default(),
            counters.by_owner.entry(by_owner).or_default(),
        ] {
            count.requests += 1;
            count.counted += u64::from(cost == Cost::Counted);
            count.free += u64::from(cost == Cost::Free);
            count.not_modified += u64::from(status == Some(304));
            count.rate_limited += u64::from(outcome == "rate_limited");
            count.secondary += u64::from(outcome.starts_with("secondary"));
        }
    }

    fn edit(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.log.inner.lock().entry(self.id) {
            change(entry);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.edit(|entry| entry.finished = true);
        let mut inner = self.log.inner.lock();
        inner.in_flight = inner.in_flight.saturating_sub(1);
        if let Some(count) = inner.in_flight_of.get_mut(&self.owner) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Inner {
    /// Entries are in the order of their numbers; a search from the end finds open ones soonest.
    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.id == id)
    }
}

fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let text = value
                .as_bytes()
                .iter()
                .map(|byte| char::from(*byte))
                .collect();
            (name.as_str().to_owned(), text)
        })
        .collect()
}
