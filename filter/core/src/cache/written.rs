//! When what is behind a path was last changed through this Envoy: what is stored of before may
//! not answer by itself any more, for nobody (RFC 9111 §4.4).
//!
//! Paths share a bounded number of places in shared data, so a write to one may hold for another
//! as well. That costs a question to GitHub, and no more. Other replicas do not know.

use crate::shared::{update, SharedData};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How many places there are.
const PLACES: u64 = 256;

/// Notes that `path`, normalised and without its query, was changed by `now`, Unix milliseconds.
pub fn note(shared: &dyn SharedData, path: &str, now: u64) {
    update(shared, &key(path), |bytes| {
        let later = (now > read(bytes)).then(|| now.to_be_bytes().to_vec());
        (later, ())
    });
}

/// When `path` may last have been changed, Unix milliseconds; 0 when it was not.
pub fn at(shared: &dyn SharedData, path: &str) -> u64 {
    let found = shared.get(&key(path));
    found.map_or(0, |(bytes, _)| read(&bytes))
}

fn read(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |it| u64::from_be_bytes(*it))
}

/// GitHub takes the names of users and repositories in any case.
fn key(path: &str) -> String {
    let mut hasher = DefaultHasher::new();
    path.to_ascii_lowercase().hash(&mut hasher);
    format!("written/{}", hasher.finish() % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn the_last_write_counts_in_any_case_and_keys_are_bounded() {
        let map = Map::default();
        assert_eq!(at(&map, "/repos/o/r"), 0);
        note(&map, "/repos/O/r", 7);
        note(&map, "/repos/o/r", 5);
        assert_eq!(at(&map, "/repos/o/R"), 7);
        for number in 0..2_000 {
            note(&map, &format!("/{number}"), 9);
        }
        assert!(map.keys() <= 256);
    }
}
