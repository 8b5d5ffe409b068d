//! Coalescing: equal requests in flight wait for one answer, across all workers of an Envoy.
//!
//! One request leads, the others wait, and whoever waits may share an answer to a question
//! that was asked after it arrived. So those who come while the leader has not asked yet share
//! its answer; those who come later form the next round, whose question is free, since the
//! entry is there by then. Nobody is ever answered with what was true before it asked. The one
//! exception is a cold key, where asking twice would cost: all share the first answer.
//! A leader that leaves hands its place on. The table lives in a fixed number of shared-data
//! keys; its size is bounded by the requests in flight.

use crate::cache::key::Key;
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};

/// Keys of the table.
const TABLES: u64 = 256;
/// A leader that said nothing for so long is gone with its worker, milliseconds.
pub const LEASE_MILLIS: u64 = 30_000;

/// A request, by its worker's queue and its context there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waiter {
    /// The shared queue of its worker.
    pub queue: u32,
    /// Its context id on that worker.
    pub context: u32,
}

/// An answer that several share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status that GitHub gave the leader.
    pub status: u16,
    /// Whether the leader held an entry when it asked.
    pub warm: bool,
    /// Whether the answer is kept for followers only, not as an entry.
    pub followers_only: bool,
}

/// What a waiter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wake {
    /// The answer is in the memory level.
    Answered(Answer),
    /// The flight is yours now.
    Lead,
    /// There is no answer to share: go by yourself.
    Alone,
}

/// How a flight ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// The answer is in the memory level.
    Shared(Answer),
    /// The leader left: the next one leads.
    HandedOn,
    /// The answer was for the leader alone. So are those of others who ask for something of their
    /// own: they go by themselves, side by side. Of the rest the next one leads.
    Private,
    /// The answer cannot be shared, nor would the next one's be.
    Dissolved,
}

/// Whether a request leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It asks GitHub.
    Leads,
    /// It waits to be woken.
    Waits,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flight {
    key: [u8; 32],
    leader: Waiter,
    since: u64,
    /// The leader's question is out, and later arrivals must not share its answer.
    closed: bool,
    /// They share the leader's answer.
    sharing: Vec<Waiter>,
    /// They are the next round.
    next: Vec<Waiter>,
    /// Those of both whose question may have an answer for themselves alone.
    private: Vec<Waiter>,
}

/// Joins the flight of `key`, or starts it. A flight whose leader is gone is taken over.
/// `private`: its question may have an answer that is for itself alone.
pub fn join(shared: &dyn SharedData, key: &Key, me: Waiter, private: bool, now: u64) -> Joined {
    change(shared, key, |flights| {
        let known = flights.iter_mut().find(|flight| flight.key == key.0);
        match known {
            Some(flight) if now.saturating_sub(flight.since) < LEASE_MILLIS => {
                if flight.closed {
                    flight.next.push(me);
                } else {
                    flight.sharing.push(me);
                }
                flight.private.extend(private.then_some(me));
                Joined::Waits
            }
            Some(flight) => {
                flight.leader = me;
                flight.since = now;
                flight.closed = false;
                Joined::Leads
            }
            None => {
                flights.push(Flight {
                    key: key.0,
                    leader: me,
                    since: now,
                    closed: false,
                    sharing: Vec::new(),
                    next: Vec::new(),
                    private: Vec::new(),
                });
                Joined::Leads
            }
        }
    })
    // Without the table every request is on its own.
    .unwrap_or(Joined::Leads)
}

/// The leader asks now, about an entry that it has: later arrivals are the next round.
pub fn close(shared: &dyn SharedData, key: &Key, me: Waiter) {
    change(shared, key, |flights| {
        if let Some(flight) = flights
            .iter_mut()
            .find(|f| f.key == key.0 && f.leader == me)
        {
            flight.closed = true;
        }
    });
}

/// Whether somebody waits to share the answer to the question of `me`, who leads.
pub fn is_shared(shared: &dyn SharedData, key: &Key, me: Waiter) -> bool {
    let table = shared.get(&name(key.spread() % TABLES));
    let flights = table.and_then(|(bytes, _)| postcard::from_bytes::<Vec<Flight>>(&bytes).ok());
    let mut flights = flights.unwrap_or_default().into_iter();
    flights.any(|it| it.key == key.0 && it.leader == me && !it.sharing.is_empty())
}

/// Ends the flight that `me` leads; returns whom to wake, and with what.
pub fn land(
    shared: &dyn SharedData,
    key: &Key,
    me: Waiter,
    landing: Landing,
    now: u64,
) -> Vec<(Waiter, Wake)> {
    change(shared, key, |flights| {
        let place = flights
            .iter()
            .position(|flight| flight.key == key.0 && flight.leader == me);
        let Some(place) = place else {
            return Vec::new();
        };
        let flight = flights.swap_remove(place);
        let mut wakes = Vec::new();
        let (mut waiting, mut private) = (flight.sharing, flight.private);
        match landing {
            Landing::Shared(answer) => {
                let answered = waiting.drain(..).map(|w| (w, Wake::Answered(answer)));
                wakes.extend(answered);
                waiting = flight.next;
            }
            Landing::HandedOn => waiting.extend(flight.next),
            Landing::Private => {
                waiting.extend(flight.next);
                waiting.retain(|waiter| !private.contains(waiter));
                wakes.extend(private.drain(..).map(|waiter| (waiter, Wake::Alone)));
            }
            Landing::Dissolved => {
                waiting.extend(flight.next);
                wakes.extend(waiting.drain(..).map(|waiter| (waiter, Wake::Alone)));
            }
        }
        if !waiting.is_empty() {
            let leader = waiting.remove(0);
            private.retain(|waiter| waiting.contains(waiter));
            wakes.push((leader, Wake::Lead));
            flights.push(Flight {
                key: key.0,
                leader,
                since: now,
                closed: false,
                sharing: waiting,
                next: Vec::new(),
                private,
            });
        }
        wakes
    })
    .unwrap_or_default()
}

/// Takes a request that is gone, or no longer waits, out of its flight. If it led, the next
/// one does.
pub fn leave(shared: &dyn SharedData, key: &Key, me: Waiter, now: u64) -> Vec<(Waiter, Wake)> {
    change(shared, key, |flights| {
        for flight in flights.iter_mut().filter(|flight| flight.key == key.0) {
            flight.sharing.retain(|waiter| *waiter != me);
            flight.next.retain(|waiter| *waiter != me);
            flight.private.retain(|waiter| *waiter != me);
        }
    });
    land(shared, key, me, Landing::HandedOn, now)
}

fn change<T>(
    shared: &dyn SharedData,
    key: &Key,
    mut edit: impl FnMut(&mut Vec<Flight>) -> T,
) -> Option<T> {
    update(shared, &name(key.spread() % TABLES), |bytes| {
        let mut flights: Vec<Flight> = postcard::from_bytes(bytes).unwrap_or_default();
        let result = edit(&mut flights);
        (postcard::to_allocvec(&flights).ok(), result)
    })
}

fn name(table: u64) -> String {
    format!("flight/{table}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    const KEY: Key = Key([1; 32]);
    const ANSWER: Answer = Answer {
        status: 304,
        warm: true,
        followers_only: false,
    };

    fn waiter(context: u32) -> Waiter {
        Waiter {
            queue: context % 2,
            context,
        }
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn one_leads_and_those_before_the_question_share_its_answer() {
        let map = Map::default();
        assert_eq!(join(&map, &KEY, waiter(1), false, 0), Joined::Leads);
        assert_eq!(join(&map, &KEY, waiter(2), false, 0), Joined::Waits);
        close(&map, &KEY, waiter(1));
        assert_eq!(join(&map, &KEY, waiter(3), false, 0), Joined::Waits);
        assert_eq!(join(&map, &KEY, waiter(4), false, 0), Joined::Waits);
        // 3 came after the question: it leads the next round, and 4 shares with it.
        assert_eq!(
            land(&map, &KEY, waiter(1), Landing::Shared(ANSWER), 1),
            [(waiter(2), Wake::Answered(ANSWER)), (waiter(3), Wake::Lead)]
        );
        assert_eq!(
            land(&map, &KEY, waiter(3), Landing::Shared(ANSWER), 2),
            [(waiter(4), Wake::Answered(ANSWER))]
        );
        assert_eq!(join(&map, &KEY, waiter(5), false, 3), Joined::Leads);
    }

    #[test]
    fn a_leader_that_leaves_takes_nobody_with_it() {
        let map = Map::default();
        for n in 1..=3 {
            join(&map, &KEY, waiter(n), false, 0);
        }
        assert_eq!(leave(&map, &KEY, waiter(2), 0), []);
        assert_eq!(leave(&map, &KEY, waiter(1), 0), [(waiter(3), Wake::Lead)]);
        assert_eq!(leave(&map, &KEY, waiter(3), 0), []);
        assert_eq!(join(&map, &KEY, waiter(4), false, 0), Joined::Leads);
    }

    #[test]
    fn an_answer_nobody_can_share_sets_all_free() {
        let map = Map::default();
        for n in 1..=3 {
            join(&map, &KEY, waiter(n), false, 0);
        }
        assert_eq!(
            land(&map, &KEY, waiter(1), Landing::Dissolved, 0),
            [(waiter(2), Wake::Alone), (waiter(3), Wake::Alone)]
        );
        assert_eq!(land(&map, &KEY, waiter(1), Landing::Dissolved, 0), []);
    }

    /// Conditional requests for what nobody has stored, or HEADs, need not queue for each other.
    #[test]
    fn an_answer_for_one_alone_sets_those_free_who_want_another_such() {
        let map = Map::default();
        join(&map, &KEY, waiter(1), true, 0);
        assert!(!is_shared(&map, &KEY, waiter(1)));
        for n in 2..=6 {
            join(&map, &KEY, waiter(n), n % 2 == 0, 0);
        }
        assert!(is_shared(&map, &KEY, waiter(1)));
        leave(&map, &KEY, waiter(6), 0);
        assert_eq!(
            land(&map, &KEY, waiter(1), Landing::Private, 0),
            [
                (waiter(2), Wake::Alone),
                (waiter(4), Wake::Alone),
                (waiter(3), Wake::Lead)
            ]
        );
        assert_eq!(
            land(&map, &KEY, waiter(3), Landing::Shared(ANSWER), 1),
            [(waiter(5), Wake::Answered(ANSWER))]
        );
    }

    #[test]
    fn a_flight_without_a_sign_of_life_is_taken_over() {
        let map = Map::default();
        join(&map, &KEY, waiter(1), false, 0);
        assert_eq!(
            join(&map, &KEY, waiter(2), false, LEASE_MILLIS - 1),
            Joined::Waits
        );
        assert_eq!(
            join(&map, &KEY, waiter(3), false, LEASE_MILLIS),
            Joined::Leads
        );
        // The old leader turns up after all: it has nothing to land.
        assert_eq!(land(&map, &KEY, waiter(1), Landing::Shared(ANSWER), 0), []);
        assert_eq!(
            land(&map, &KEY, waiter(3), Landing::Shared(ANSWER), 0),
            [(waiter(2), Wake::Answered(ANSWER))]
        );
    }

    #[test]
    fn flights_of_one_table_do_not_touch_each_other() {
        let map = Map::default();
        let mut other = KEY;
        other.0[31] = 9;
        join(&map, &KEY, waiter(1), false, 0);
        assert_eq!(join(&map, &other, waiter(2), false, 0), Joined::Leads);
        assert_eq!(land(&map, &KEY, waiter(1), Landing::HandedOn, 0), []);
        assert_eq!(join(&map, &other, waiter(3), false, 0), Joined::Waits);
    }
}
