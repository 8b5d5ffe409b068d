//! What a client did lately, as far as the answers that it may be given depend on it: when it
//! last changed something, and until when it wants answers from the cache.
//!
//! Kept in shared data, one key a client, so that all workers of an Envoy know. Other replicas
//! do not: there an answer may be as old as the client allowed, whatever it wrote here.

use crate::shared::{update, SharedData};

/// What is known of a client; all zero at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// When the last request that may have changed something was over, Unix milliseconds. Each is
    /// later than the one before, if need be by a millisecond that is still to come.
    pub wrote_at: u64,
    /// Until when it may want cached answers, Unix milliseconds: until then its documents are
    /// read, since a query that is not known to be one counts as a write.
    pub caches_until: u64,
}

impl History {
    /// What is known of `client`.
    pub fn of(shared: &dyn SharedData, client: &str) -> Self {
        shared
            .get(&key(client))
            .map_or_else(Self::default, |(bytes, _)| Self::read(&bytes))
    }

    /// Notes that something that it may have changed is over at `now`.
    pub fn wrote(shared: &dyn SharedData, client: &str, now: u64) {
        Self::change(shared, client, |it| {
            it.wrote_at = now.max(it.wrote_at.saturating_add(1));
        });
    }

    /// Notes that it wants answers that are at most `millis` old.
    pub fn caches(shared: &dyn SharedData, client: &str, millis: u64, now: u64) {
        if Self::of(shared, client).caches_until >= now.saturating_add(millis) {
            return;
        }
        // Twice as long, so as not to write with every request.
        let until = now.saturating_add(millis.saturating_mul(2));
        Self::change(shared, client, |it| {
            it.caches_until = it.caches_until.max(until);
        });
    }

    fn change(shared: &dyn SharedData, client: &str, edit: impl Fn(&mut Self)) {
        update(shared, &key(client), |bytes| {
            let before = Self::read(bytes);
            let mut after = before;
            edit(&mut after);
            let changed = (after != before).then(|| after.written());
            (changed, ())
        });
    }

    fn read(bytes: &[u8]) -> Self {
        let numbers = bytes.split_first_chunk::<8>().and_then(|(first, rest)| {
            let second = rest.first_chunk::<8>()?;
            Some((u64::from_be_bytes(*first), u64::from_be_bytes(*second)))
        });
        let (wrote_at, caches_until) = numbers.unwrap_or_default();
        Self {
            wrote_at,
            caches_until,
        }
    }

    fn written(self) -> Vec<u8> {
        [self.wrote_at.to_be_bytes(), self.caches_until.to_be_bytes()].concat()
    }
}

/// Clients are those of the configuration: one key each.
fn key(client: &str) -> String {
    format!("history/{client}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn both_times_only_go_forward_and_clients_are_apart() {
        let map = Map::default();
        assert_eq!(History::of(&map, "a"), History::default());
        History::wrote(&map, "a", 5_000);
        History::wrote(&map, "a", 5_000);
        History::caches(&map, "a", 1_000, 5_000);
        History::caches(&map, "a", 100, 5_000);
        let expected = History {
            wrote_at: 5_001,
            caches_until: 7_000,
        };
        assert_eq!(History::of(&map, "a"), expected);
        assert_eq!(History::of(&map, "b"), History::default());
        assert_eq!(map.keys(), 1);
    }

    #[test]
    fn bytes_of_another_form_are_no_history() {
        assert_eq!(History::read(b"short"), History::default());
    }
}
