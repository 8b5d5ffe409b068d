//! Which configuration is in force, by number: what every VM of an Envoy has to agree on, though
//! each of them configures itself.

use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const KEY: &str = "configuration";

/// How many offers a VM may be behind the others.
const LOG: usize = 16;

/// The configurations since Envoy started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The last offers, oldest first.
    log: VecDeque<Offered>,
    /// How many offers there were.
    offers: u64,
    /// How many the command has refused, as far as it was told.
    told: u64,
    /// How many were refused, by the filter or by the command.
    pub refused: u64,
    /// When the first one came, Unix milliseconds.
    pub started_at: u64,
    /// The last one that was taken over.
    in_force: InForce,
}

/// One configuration among those that were taken over. Each VM takes them over by itself, so that
/// for a moment some go by an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// 1 for the first one since Envoy started.
    pub number: u64,
    /// When it was taken over, Unix milliseconds.
    pub since: u64,
}

/// One offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Offered {
    number: u64,
    digest: [u8; 32],
    /// After it.
    in_force: InForce,
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

/// What a VM learns of a configuration that it was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// The number of the offer, from 1.
    pub offer: u64,
    /// What the VM goes by now.
    pub in_force: InForce,
    /// What it has to count: nothing where another VM was first.
    pub news: Option<News>,
}

impl Generation {
    /// As of now.
    pub fn get(shared: &dyn SharedData) -> Self {
        let stored = shared.get(KEY).map(|(bytes, _)| bytes);
        stored.map_or_else(Self::default, |bytes| read(&bytes))
    }

    /// Takes notice of a configuration, by its digest, in a VM whose last offer was number
    /// `after`. Every VM is offered the same ones in the same order, each at its own pace: what
    /// stands in the log from there on is known, and an older one is offered anew.
    pub fn offered(
        shared: &dyn SharedData,
        after: Option<u64>,
        digest: [u8; 32],
        offer: Offer,
        now: u64,
    ) -> Noticed {
        let noticed = update(shared, KEY, |bytes| {
            let mut generation = read(bytes);
            if let Some(known) = generation.known(after, digest) {
                return (None, known);
            }
            let noticed = generation.take(digest, offer, now);
            (postcard::to_allocvec(&generation).ok(), noticed)
        });
        noticed.unwrap_or_default()
    }

    fn known(&self, after: Option<u64>, digest: [u8; 32]) -> Option<Noticed> {
        let mut log = self.log.iter();
        let same = |it: &&Offered| it.digest == digest;
        let known = match after {
            Some(after) => log.find(|it| it.number >= after && same(it)),
            None => log.rfind(same),
        }?;
        Some(Noticed {
            offer: known.number,
            in_force: known.in_force,
            news: None,
        })
    }

    fn take(&mut self, digest: [u8; 32], offer: Offer, now: u64) -> Noticed {
        let news = self.count(offer, now);
        self.offers = self.offers.saturating_add(1);
        let (number, in_force) = (self.offers, self.in_force);
        while self.log.len() >= LOG {
            self.log.pop_front();
        }
        self.log.push_back(Offered {
            number,
            digest,
            in_force,
        });
        Noticed {
            offer: number,
            in_force,
            news,
        }
    }

    fn count(&mut self, offer: Offer, now: u64) -> Option<News> {
        let Offer::Accepted(told) = offer else {
            self.refused = self.refused.saturating_add(1);
            return Some(News::Refused(1));
        };
        let more = told.saturating_sub(self.told);
        self.told = told;
        let number = self.in_force.number.saturating_add(1);
        let next = InForce { number, since: now };
        if self.started_at == 0 {
            (self.started_at, self.in_force) = (now, next);
            return None;
        }
        if more > 0 {
            self.refused = self.refused.saturating_add(more);
            return Some(News::Refused(more));
        }
        self.in_force = next;
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

    /// One VM of an Envoy.
    struct Vm<'a> {
        map: &'a Map,
        after: Option<u64>,
    }

    impl Vm<'_> {
        /// What it has to count of an offer, and the number of what it goes by then.
        fn is_offered(&mut self, digest: u8, offer: Offer, now: u64) -> (Option<News>, u64) {
            let noticed = Generation::offered(self.map, self.after, [digest; 32], offer, now);
            self.after = Some(noticed.offer);
            (noticed.news, noticed.in_force.number)
        }
    }

    const ACCEPTED: Offer = Offer::Accepted(0);

    #[test]
    fn a_change_is_counted_once_and_the_first_configuration_is_none() {
        let map = Map::default();
        let [mut one, mut two] = [0; 2].map(|_| Vm {
            map: &map,
            after: None,
        });
        assert_eq!(one.is_offered(1, ACCEPTED, 5), (None, 1));
        assert_eq!(two.is_offered(1, ACCEPTED, 6), (None, 1));
        assert_eq!(one.is_offered(2, ACCEPTED, 7), (Some(News::Applied), 2));
        assert_eq!(two.is_offered(2, ACCEPTED, 8), (None, 2));
        assert_eq!(two.is_offered(2, ACCEPTED, 8), (None, 2), "unchanged");
        let refused = Offer::Refused;
        assert_eq!(one.is_offered(3, refused, 9), (Some(News::Refused(1)), 2));
        assert_eq!(two.is_offered(3, refused, 9), (None, 2));
        let generation = Generation::get(&map);
        assert_eq!((generation.started_at, generation.refused), (5, 1));
        let in_force = InForce {
            number: 2,
            since: 7,
        };
        assert_eq!(generation.in_force, in_force);
    }

    #[test]
    fn a_vm_that_is_behind_counts_nothing_and_goes_by_what_it_was_offered() {
        let map = Map::default();
        let [mut fast, mut slow] = [0; 2].map(|_| Vm {
            map: &map,
            after: None,
        });
        fast.is_offered(1, ACCEPTED, 5);
        assert_eq!(fast.is_offered(2, ACCEPTED, 6), (Some(News::Applied), 2));
        assert_eq!(fast.is_offered(1, ACCEPTED, 7), (Some(News::Applied), 3));
        assert_eq!(slow.is_offered(1, ACCEPTED, 7), (None, 3), "its first");
        assert_eq!(fast.is_offered(2, ACCEPTED, 8), (Some(News::Applied), 4));
        assert_eq!(fast.is_offered(3, ACCEPTED, 9), (Some(News::Applied), 5));
        assert_eq!(slow.is_offered(2, ACCEPTED, 9), (None, 4));
        assert_eq!(slow.is_offered(3, ACCEPTED, 9), (None, 5));
    }

    #[test]
    fn what_the_command_refused_is_counted_and_is_no_new_configuration() {
        let map = Map::default();
        let mut vm = Vm {
            map: &map,
            after: None,
        };
        let mut offered = |n, told| vm.is_offered(n, Offer::Accepted(told), 5);
        assert_eq!(offered(1, 0), (None, 1));
        assert_eq!(offered(2, 1), (Some(News::Refused(1)), 1));
        assert_eq!(offered(3, 3), (Some(News::Refused(2)), 1));
        assert_eq!(offered(4, 3), (Some(News::Applied), 2));
        assert_eq!(Generation::get(&map).refused, 3);
    }

    #[test]
    fn the_log_is_bounded() {
        let map = Map::default();
        let mut vm = Vm {
            map: &map,
            after: None,
        };
        for number in 1..=40 {
            vm.is_offered(number, ACCEPTED, 5);
        }
        let generation = Generation::get(&map);
        assert_eq!((generation.log.len(), generation.offers), (LOG, 40));
    }
}
