//! State in shared data that is read with every request, for every credential, and changes
//! rarely. Beside each value there is a stamp: an empty value whose version changes with every
//! change. To look at a stamp costs a quarter of what it costs to read a value, so a worker keeps
//! what it has read until the stamp is another.

use crate::shared::{self, SharedData};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// What one worker knows of one value.
pub struct Watched<T> {
    key: String,
    stamp: String,
    seen: RefCell<Option<Seen<T>>>,
}

struct Seen<T> {
    /// The version of the stamp before the value was read.
    version: u32,
    value: Rc<T>,
}

/// Prints no value: an App's token may be in it.
impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.key).finish()
    }
}

impl<T: Default + DeserializeOwned> Watched<T> {
    /// Nothing is known yet of the value under `key`, which only [`update`] changes.
    pub fn new(key: String) -> Self {
        Self {
            stamp: stamp(&key),
            key,
            seen: RefCell::new(None),
        }
    }

    /// The present value; one that was never written is the default.
    pub fn get(&self, shared: &dyn SharedData) -> Rc<T> {
        let Some((_, version)) = shared.get(&self.stamp) else {
            return Rc::default();
        };
        let mut seen = self.seen.borrow_mut();
        match seen.as_ref() {
            Some(seen) if seen.version == version => Rc::clone(&seen.value),
            _ => {
                let value = Rc::new(read(shared, &self.key));
                *seen = Some(Seen {
                    version,
                    value: Rc::clone(&value),
                });
                value
            }
        }
    }
}

/// Reads a value without looking at its stamp.
pub fn read<T: Default + DeserializeOwned>(shared: &dyn SharedData, key: &str) -> T {
    let stored = shared.get(key);
    stored.map_or_else(T::default, |(bytes, _)| decode(&bytes))
}

/// Reads bytes that were stored; what cannot be read is the default.
pub fn decode<T: Default + DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).unwrap_or_default()
}

/// Changes a value as [`shared::update`] does, and its stamp after it: who saw the stamp of before
/// reads again.
pub fn update<T>(
    shared: &dyn SharedData,
    key: &str,
    change: impl FnMut(&[u8]) -> (Option<Vec<u8>>, T),
) -> Option<T> {
    let result = shared::update(shared, key, change);
    shared.set(&stamp(key), &[], None);
    result
}

fn stamp(key: &str) -> String {
    format!("{key}/stamp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;
    use std::cell::Cell;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Shared data that counts how often the value itself is read.
    #[derive(Default)]
    struct Counting {
        map: Map,
        reads: Cell<usize>,
    }

    impl SharedData for Counting {
        fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.reads.set(self.reads.get() + usize::from(key == "k"));
            self.map.get(key)
        }

        fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
            self.map.set(key, value, version)
        }
    }

    fn write(shared: &Counting, value: u64) {
        update(shared, "k", |_| (postcard::to_allocvec(&value).ok(), ()));
    }

    #[test]
    fn a_value_is_read_once_for_each_change_whoever_made_it() {
        let shared = Counting::default();
        let [one, two] = [(); 2].map(|()| Watched::<u64>::new("k".into()));
        assert_eq!((*one.get(&shared), shared.reads.get()), (0, 0));
        for value in [7, 8] {
            write(&shared, value);
            shared.reads.set(0);
            assert_eq!([(); 3].map(|()| *one.get(&shared)), [value; 3]);
            assert_eq!(shared.reads.get(), 1);
            assert_eq!(*two.get(&shared), value);
        }
    }

    #[test]
    fn what_is_written_while_it_is_read_is_read_again() {
        /// Writes the next value when the stamp is looked at.
        struct Racing(Counting, Cell<u64>);
        impl SharedData for Racing {
            fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
                let found = self.0.get(key);
                if key != "k" && self.1.get() > 0 {
                    write(&self.0, self.1.take());
                }
                found
            }

            fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
                self.0.set(key, value, version)
            }
        }
        let racing = Racing(Counting::default(), Cell::new(2));
        write(&racing.0, 1);
        let watched = Watched::<u64>::new("k".into());
        watched.get(&racing);
        assert_eq!(*watched.get(&racing), 2);
    }
}
