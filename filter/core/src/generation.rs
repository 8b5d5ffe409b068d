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
    /// How many the command has refused, as far as it was told.
    told: u64,
    /// How many were taken over after the first one.
    pub applied: u64,
    /// How many were refused, by the filter or by the command.
    pub refused: u64,
    /// When the first one came, Unix milliseconds.
    pub started_at: u64,
    /// When the one in force was taken over, Unix milliseconds.
    pub applied_at: u64,
}

/// What a VM makes of a configuration that it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It takes it over. So many were refused by the command before: a configuration with more of
    /// them than the last one is that one, offered again to tell it.
    Accepted(u64),
    /// It refuses it.
    Refused,
}

/// What has to be counted of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// One was taken over.
    Applied,
    /// So many were refused.
    Refused(u64),
}

impl Generation {
    /// As of now.
    pub fn get(shared: &dyn SharedData) -> Self {
        let stored = shared.get(KEY).map(|(bytes, _)| bytes);
        stored.map_or_else(Self::default, |bytes| read(&bytes))
    }

    /// Takes notice of a configuration, by its digest. `None` when another VM has counted it.
    pub fn offered(
        shared: &dyn SharedData,
        digest: [u8; 32],
        offer: Offer,
        now: u64,
    ) -> Option<News> {
        let counted = update(shared, KEY, |bytes| {
            let mut generation = read(bytes);
            if generation.digest == digest {
                return (None, None);
            }
            generation.digest = digest;
            let news = generation.take(offer, now);
            (postcard::to_allocvec(&generation).ok(), news)
        });
        counted.flatten()
    }

    fn take(&mut self, offer: Offer, now: u64) -> Option<News> {
        let Offer::Accepted(told) = offer else {
            self.refused = self.refused.saturating_add(1);
            return Some(News::Refused(1));
        };
        let more = told.saturating_sub(self.told);
        self.told = told;
        if self.started_at == 0 {
            (self.started_at, self.applied_at) = (now, now);
            return None;
        }
        if more > 0 {
            self.refused = self.refused.saturating_add(more);
            return Some(News::Refused(more));
        }
        self.applied = self.applied.saturating_add(1);
        self.applied_at = now;
        Some(News::Applied)
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
        let offered = |n, offer, now| Generation::offered(&map, [n; 32], offer, now);
        let accepted = Offer::Accepted(0);
        assert_eq!(offered(1, accepted, 5), None);
        assert_eq!(offered(1, accepted, 6), None, "the next worker");
        assert_eq!(offered(2, accepted, 7), Some(News::Applied));
        assert_eq!(offered(2, accepted, 8), None);
        assert_eq!(offered(3, Offer::Refused, 9), Some(News::Refused(1)));
        let generation = Generation::get(&map);
        assert_eq!((generation.applied, generation.refused), (1, 1));
        assert_eq!((generation.started_at, generation.applied_at), (5, 7));
    }

    #[test]
    fn what_the_command_refused_is_counted_and_is_no_new_configuration() {
        let map = Map::default();
        let offered = |n, told| Generation::offered(&map, [n; 32], Offer::Accepted(told), 5);
        assert_eq!(offered(1, 0), None);
        assert_eq!(offered(2, 1), Some(News::Refused(1)));
        assert_eq!(offered(2, 1), None);
        assert_eq!(offered(3, 3), Some(News::Refused(2)));
        assert_eq!(offered(4, 3), Some(News::Applied));
        let generation = Generation::get(&map);
        assert_eq!((generation.applied, generation.refused), (1, 3));
    }
}
