//! What is measured rather than counted: the states of the credentials, what the pools have
//! left, the memory of the VMs. One worker looks once a second and sets the gauges for all, so
//! that they are there from the start, and change when time alone changes something. It also
//! brings the memory level down to its bounds, which a new configuration may have lowered.

mod shown;

use self::shown::Shown;
use crate::cache::memory::{Change, Memory};
use crate::metric::Metric;
use crate::pool::Pool;
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};

/// Between two looks, milliseconds.
const INTERVAL: u64 = 1_000;
/// A VM says again how large it is, milliseconds.
const REPEAT: u64 = 20_000;
/// A VM that has said nothing for so long is gone, and so is a credential that has been missing
/// for so long, milliseconds.
const GONE: u64 = 60_000;
/// VMs that are remembered: one for each worker, some of those that crashed.
const MOST_VMS: usize = 256;

/// Where it is noted when the next look is due, who has gauges, and how large the VMs are.
const KEY: &str = "survey";

/// What all VMs share.
#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    next: u64,
    vms: Vec<Vm>,
    credentials: Vec<Shown>,
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
    memory: &Memory,
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
            shown::follow(&mut ledger.credentials, pool, now);
        }
        let stored = postcard::to_allocvec(&ledger).ok();
        (stored, due.then_some(ledger))
    });
    let Some(Some(Ledger {
        vms, credentials, ..
    })) = due
    else {
        return Vec::new();
    };
    let total = vms
        .iter()
        .fold(0u64, |sum, vm| sum.saturating_add(vm.bytes));
    let largest = vms.iter().map(|vm| vm.bytes).max().unwrap_or(0);
    let mut metrics = Metric::vm_memory(total, largest).to_vec();
    let shrunk = memory.shrink(shared, now);
    if shrunk != Change::default() {
        metrics.extend(Metric::memory(shrunk));
    }
    for member in pool.members() {
        let state = member.state(shared, now);
        metrics.push(Metric::credential_state(&member.name, state));
    }
    metrics.extend(pools(pool, shared, now));
    metrics.extend(shown::clear(&credentials, pool, shared));
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
    let rates = pool.names().into_iter().flat_map(|name| {
        let resources = pool.known(shared, name, now).into_iter();
        resources.flat_map(move |(resource, rate)| Metric::pool(name, &resource, &rate))
    });
    rates.collect()
}

#[cfg(test)]
mod tests;
