//! What is measured rather than counted: the states of the credentials, what the pools have
//! left, the memory of the VMs. One worker looks once a second and sets the gauges for all, so
//! that they are there from the start, and change when time alone changes something.

use crate::metric::Metric;
use crate::pool::Pool;
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};

/// Between two looks, milliseconds.
const INTERVAL: u64 = 1_000;
/// A VM says again how large it is, milliseconds.
const REPEAT: u64 = 20_000;
/// A VM that has said nothing for so long is gone, milliseconds.
const GONE: u64 = 60_000;
/// VMs that are remembered: one for each worker, some of those that crashed.
const MOST_VMS: usize = 256;

/// Where the next look is noted, and the sizes of the VMs.
const KEY: &str = "survey";

/// What all VMs share.
#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    next: u64,
    vms: Vec<Vm>,
}

/// A WebAssembly VM, which only its own code can measure.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Vm {
    number: u64,
    bytes: u64,
    at: u64,
}

/// Notes the size of a VM, and looks if nobody did for a second. `number` tells the VMs of an
/// Envoy apart; `bytes` is its memory; `now` Unix milliseconds.
pub fn look(
    pool: &Pool,
    shared: &dyn SharedData,
    number: u64,
    bytes: u64,
    now: u64,
) -> Vec<Metric> {
    let due = update(shared, KEY, |stored| {
        let mut ledger: Ledger = postcard::from_bytes(stored).unwrap_or_default();
        let due = now >= ledger.next;
        if !note(&mut ledger.vms, number, bytes, now) && !due {
            return (None, None);
        }
        if due {
            ledger.next = now.saturating_add(INTERVAL);
        }
        let stored = postcard::to_allocvec(&ledger).ok();
        (stored, due.then_some(ledger.vms))
    });
    let Some(Some(vms)) = due else {
        return Vec::new();
    };
    let total = vms
        .iter()
        .fold(0u64, |sum, vm| sum.saturating_add(vm.bytes));
    let largest = vms.iter().map(|vm| vm.bytes).max().unwrap_or(0);
    let mut metrics = Metric::vm_memory(total, largest).to_vec();
    for member in pool.members() {
        let state = member.state(shared, now);
        metrics.push(Metric::credential_state(&member.name, state));
    }
    metrics.extend(pools(pool, shared, now));
    metrics
}

/// Keeps a VM's size and forgets those that are gone; whether that is worth writing.
fn note(vms: &mut Vec<Vm>, number: u64, bytes: u64, now: u64) -> bool {
    let known = vms.iter().find(|vm| vm.number == number);
    if known.is_some_and(|vm| vm.bytes == bytes && now.saturating_sub(vm.at) < REPEAT) {
        return false;
    }
    vms.retain(|vm| vm.number != number && now.saturating_sub(vm.at) < GONE);
    if vms.len() >= MOST_VMS {
        return false;
    }
    let at = now;
    vms.push(Vm { number, bytes, at });
    true
}

/// What GitHub has said of the credentials of each pool.
fn pools(pool: &Pool, shared: &dyn SharedData, now: u64) -> Vec<Metric> {
    let mut names: Vec<&str> = pool.members().iter().map(|it| it.pool.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let rates = names.into_iter().flat_map(|name| {
        let resources = pool.known(shared, name, now).into_iter();
        resources.flat_map(move |(resource, rate)| Metric::pool(name, &resource, &rate))
    });
    rates.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credential, CredentialKind};
    use crate::pool::rate::Pace;
    use crate::secret::Secret;
    use crate::shared::testing::Map;

    fn bytes(vms: &[Vm]) -> Vec<u64> {
        vms.iter().map(|vm| vm.bytes).collect()
    }

    #[test]
    fn a_vm_is_noted_when_it_grew_or_was_quiet_and_forgotten_when_it_is_gone() {
        let mut vms = Vec::new();
        assert!(note(&mut vms, 1, 10, 0));
        assert!(note(&mut vms, 2, 20, 0));
        assert!(!note(&mut vms, 1, 10, 19_999), "nothing new");
        assert!(note(&mut vms, 1, 11, 19_999));
        assert!(note(&mut vms, 2, 20, 20_000), "it is still there");
        assert_eq!(bytes(&vms), [11, 20]);
        assert!(note(&mut vms, 2, 20, 79_999));
        assert_eq!(bytes(&vms), [20], "the first has been quiet for a minute");
    }

    #[test]
    fn the_number_of_vms_is_bounded() {
        let mut vms = Vec::new();
        for number in 0..1_000 {
            note(&mut vms, number, 1, 0);
        }
        assert_eq!(vms.len(), MOST_VMS);
    }

    #[test]
    fn one_of_the_workers_looks_once_a_second() {
        let map = Map::default();
        let credential = Credential {
            name: "BOT".to_owned(),
            pool: "default".to_owned(),
            user: None,
            kind: CredentialKind::Pat {
                token: Secret::new("token".to_owned()),
            },
        };
        let pace = Pace {
            points_per_minute: 0,
            concurrency: 0,
        };
        let pool = Pool::new(&[credential], pace);
        let names = |metrics: Vec<Metric>| -> Vec<_> {
            metrics
                .iter()
                .map(|it| (it.name.clone(), it.value))
                .collect()
        };
        let first = names(look(&pool, &map, 1, 10, 5_000));
        assert!(first.contains(&("github_proxy_vm_memory_bytes".to_owned(), 10)));
        assert!(look(&pool, &map, 2, 30, 5_100).is_empty());
        let second = names(look(&pool, &map, 1, 10, 6_000));
        assert!(second.contains(&("github_proxy_vm_memory_bytes".to_owned(), 40)));
        assert!(second.contains(&("github_proxy_vm_memory_largest_bytes".to_owned(), 30)));
        let state = "credential=.=BOT;.;github_proxy_credential_state".to_owned();
        assert!(second.contains(&(state, 0)));
    }
}
