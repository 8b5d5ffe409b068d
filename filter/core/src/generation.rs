//! Which configuration is in force, by number: what every VM of an Envoy has to agree on, though
//! each of them configures itself.

use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};

const KEY: &str = "configuration";

/// The configurations since Envoy started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Of the last configuration that was offered.
    digest: [u8; 32],
    /// How many were taken over after the first one.
    pub applied: u64,
    /// How many were refused.
    pub refused: u64,
    /// When the first one came, Unix milliseconds.
    pub started_at: u64,
    /// When the one in force was taken over, Unix milliseconds.
    pub applied_at: u64,
}

impl Generation {
    /// As of now.
    pub fn get(shared: &dyn SharedData) -> Self {
        let stored = shared.get(KEY).map(|(bytes, _)| bytes);
        stored.map_or_else(Self::default, |bytes| read(&bytes))
    }

    /// Takes notice of a configuration that a VM was offered, by its digest. Whether it is a
    /// change that no VM has counted yet.
    pub fn offered(shared: &dyn SharedData, digest: [u8; 32], accepted: bool, now: u64) -> bool {
        let counted = update(shared, KEY, |bytes| {
            let mut generation = read(bytes);
            if generation.digest == digest {
                return (None, false);
            }
            generation.digest = digest;
            let first = generation.started_at == 0;
            if first {
                generation.started_at = now;
            } else if accepted {
                generation.applied = generation.applied.saturating_add(1);
            } else {
                generation.refused = generation.refused.saturating_add(1);
            }
            if accepted {
                generation.applied_at = now;
            }
            (postcard::to_allocvec(&generation).ok(), !first)
        });
        counted.unwrap_or(false)
    }
}

fn read(bytes: &[u8]) -> Generation {
    postcard::from_bytes(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_change_is_counted_once_and_the_first_configuration_is_none() {
        let map = Map::default();
        let offered = |n, accepted, now| Generation::offered(&map, [n; 32], accepted, now);
        assert!(!offered(1, true, 5));
        assert!(!offered(1, true, 6), "the next worker");
        assert!(offered(2, true, 7));
        assert!(!offered(2, true, 8));
        assert!(offered(3, false, 9));
        let generation = Generation::get(&map);
        assert_eq!((generation.applied, generation.refused), (1, 1));
        assert_eq!((generation.started_at, generation.applied_at), (5, 7));
    }
}
