//! The port to what all workers of one Envoy share: proxy-wasm shared data.
//!
//! Keys can never be removed or listed and nothing expires, so whoever uses this keeps to a
//! bounded set of keys. Values are replaced as a whole, guarded by a version.

/// Bytes under keys, shared by all workers of one Envoy and kept over a reload.
pub trait SharedData {
    /// The value and its version, or `None` when the key was never written.
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes a value; with a `version` only if the key still has it, or was never written.
    /// `false` when it has another.
    fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool;
}

/// How often a contended update is tried before it is given up. Each failure means that
/// another worker made progress, so this is never reached with a sane number of workers.
const MOST_TRIES: usize = 64;

/// A version that no key has: writing with it succeeds only where nothing was written yet.
const NEVER: u32 = u32::MAX;

/// Replaces the value of `key` by what `change` makes of it, atomically. `change` runs again
/// when another worker was faster; `None` from it leaves the value as it is.
/// Returns `change`'s second result, or `None` when the update was given up.
pub fn update<T>(
    shared: &dyn SharedData,
    key: &str,
    mut change: impl FnMut(&[u8]) -> (Option<Vec<u8>>, T),
) -> Option<T> {
    for _ in 0..MOST_TRIES {
        let (old, version) = match shared.get(key) {
            Some((value, version)) => (value, version),
            None => (Vec::new(), NEVER),
        };
        let (new, result) = change(&old);
        match new {
            None => return Some(result),
            Some(new) if shared.set(key, &new, Some(version)) => return Some(result),
            Some(_) => {}
        }
    }
    None
}

/// Counts up under `key` and returns what stood there before; 0 at first. Nobody else gets the
/// same number. `None` when the update was given up.
pub fn count(shared: &dyn SharedData, key: &str) -> Option<u64> {
    update(shared, key, |bytes| {
        let before = bytes.first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
        let after = before.wrapping_add(1);
        (Some(after.to_be_bytes().to_vec()), before)
    })
}

#[cfg(test)]
pub(crate) mod testing {
    //! A stand-in that behaves as Envoy's shared data does.
    use super::SharedData;
    use std::cell::RefCell;
    use std::collections::HashMap;

    /// Shared data of one imaginary Envoy.
    #[derive(Default)]
    pub struct Map {
        values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
    }

    impl Map {
        pub fn keys(&self) -> usize {
            self.values.borrow().len()
        }

        /// Everything stored, for searches.
        pub fn dump(&self) -> Vec<u8> {
            let values = self.values.borrow();
            values.values().flat_map(|(v, _)| v.clone()).collect()
        }
    }

    impl SharedData for Map {
        fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.values.borrow().get(key).cloned()
        }

        fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
            let mut values = self.values.borrow_mut();
            let current = values.get(key).map_or(0, |(_, v)| *v);
            if version.is_some_and(|v| current != 0 && v != current) {
                return false;
            }
            values.insert(key.to_owned(), (value.to_vec(), current + 1));
            true
        }
    }

    #[test]
    fn a_counter_gives_each_number_once() {
        let map = Map::default();
        let numbers = [(); 3].map(|()| super::count(&map, "k"));
        assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn the_first_of_two_first_writes_is_not_overwritten() {
        let map = Map::default();
        let mut first = true;
        let result = super::update(&map, "k", |old| {
            if std::mem::take(&mut first) {
                map.set("k", &[9], None);
            }
            (Some(vec![1]), old.to_vec())
        });
        assert_eq!(result, Some(vec![9]));
    }

    #[test]
    fn a_lost_race_is_tried_again_on_the_new_value() {
        let map = Map::default();
        map.set("k", &[1], None);
        let mut first = true;
        let result = super::update(&map, "k", |old| {
            if std::mem::take(&mut first) {
                map.set("k", &[9], None);
            }
            (Some(vec![old[0] + 1]), old[0])
        });
        assert_eq!(result, Some(9));
        assert_eq!(map.get("k").unwrap().0, [10]);
    }
}
