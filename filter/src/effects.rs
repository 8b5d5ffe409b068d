//! Carries out what a step asked for.

use crate::host;
use crate::stream::Stream;
use crate::vm::{Callout, Pending, Vm};
use github_proxy_core::cache::cluster::{self, Call};
use github_proxy_core::cache::key::Key;
use github_proxy_core::flight::{Waiter, Wake};
use github_proxy_core::metric::Metric;
use github_proxy_core::request::{Deposit, Effect};
use proxy_wasm::types::MapType;
use std::time::Duration;

/// Asks a worker's root to make one of its pending writes; shorter than any wake-up.
pub const MAKE_DEPOSIT: &[u8] = b"d";

/// What a wake-up says: to which context, of which flight, what.
pub type WakeUp = (u32, [u8; 32], Wake);

/// What became of the message in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It waits.
    #[default]
    Held,
    /// It goes on.
    Released,
    /// The client was answered.
    Replied,
}

impl Stream {
    /// Carries out effects in order; calls that could not be made are returned, since their
    /// requests wait for an answer.
    pub fn carry_out(&self, effects: Vec<Effect>) -> (Outcome, Vec<Call>) {
        let mut outcome = Outcome::Held;
        let mut failed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Identify(client) => host::identify(&client),
                Effect::Ask(call) => {
                    if !self.ask(&call) {
                        failed.push(call);
                    }
                }
                Effect::Deposit(deposit) => self.deposit(deposit),
                Effect::Forward(edits) => {
                    host::edit(MapType::HttpRequestHeaders, edits);
                    outcome = Outcome::Released;
                }
                Effect::Pass(edits) => {
                    host::edit(MapType::HttpResponseHeaders, edits);
                    outcome = Outcome::Released;
                }
                Effect::Reply(reply) => {
                    host::reply(reply.status, &reply.headers, reply.body.bytes());
                    outcome = Outcome::Replied;
                }
                Effect::Wake { waiter, key, wake } => tell(waiter, key, wake),
                Effect::Record(metric) => self.vm.metrics.borrow_mut().record(metric),
                Effect::Warn(line) => log::warn!("{line}"),
            }
        }
        (outcome, failed)
    }

    /// Calls the cache cluster on behalf of this request.
    fn ask(&self, call: &Call) -> bool {
        let cache = &self.proxy.config.cache;
        let Some(cluster) = &cache.cluster else {
            return false;
        };
        let timeout = Duration::from_millis(cache.timeout_milliseconds);
        let callout = Callout {
            owner: self.id,
            operation: call.operation,
            sent_at: host::now(),
            deposit: None,
        };
        dispatch(&self.vm, cluster, call, None, timeout, callout)
    }

    /// Leaves a write to the root: a callout of this request would be cancelled with it.
    fn deposit(&self, deposit: Deposit) {
        let cache = &self.proxy.config.cache;
        let Some(cluster) = &cache.cluster else {
            return;
        };
        self.vm.deposits.borrow_mut().push_back(Pending {
            deposit,
            cluster: cluster.clone(),
            timeout: Duration::from_millis(cache.timeout_milliseconds),
            ttl: cache.ttl_seconds,
        });
        host::enqueue(self.vm.queue.get(), MAKE_DEPOSIT);
    }
}

/// Puts a wake-up into the queue of the worker that it is for.
pub fn tell(waiter: Waiter, key: Key, wake: Wake) {
    let wake_up: WakeUp = (waiter.context, key.0, wake);
    if let Ok(message) = postcard::to_allocvec(&wake_up) {
        host::enqueue(waiter.queue, &message);
    }
}

/// Makes the next call of a deposit: the write, then the release of the claim.
pub fn advance(vm: &Vm, root: u32, mut pending: Pending) {
    let key = pending.deposit.key;
    let entry = pending.deposit.entry.take();
    let (call, body) = match &entry {
        Some(entry) => (Call::set(&key, pending.ttl), Some(entry.encoded())),
        None if pending.deposit.unlock => {
            pending.deposit.unlock = false;
            (Call::unlock(&key), None)
        }
        None => return,
    };
    let (cluster, timeout) = (pending.cluster.clone(), pending.timeout);
    let callout = Callout {
        owner: root,
        operation: call.operation,
        sent_at: host::now(),
        deposit: Some(pending),
    };
    if !dispatch(vm, &cluster, &call, body, timeout, callout) {
        let metric = Metric::cache_error(call.operation.as_str());
        vm.metrics.borrow_mut().record(metric);
    }
}

/// Takes the answer to a call of a deposit.
pub fn deposited(vm: &Vm, root: u32, callout: Callout, status: u16, body: &[u8]) {
    let worked = cluster::written(callout.operation, status, body).is_ok();
    vm.worker.borrow_mut().breaker.record(worked, host::now());
    if !worked {
        let metric = Metric::cache_error(callout.operation.as_str());
        vm.metrics.borrow_mut().record(metric);
    }
    if let Some(pending) = callout.deposit {
        advance(vm, root, pending);
    }
}

fn dispatch(
    vm: &Vm,
    cluster: &str,
    call: &Call,
    body: Option<&[u8]>,
    timeout: Duration,
    callout: Callout,
) -> bool {
    let headers = vec![
        (":method", call.method),
        (":path", call.path.as_str()),
        (":authority", call.authority.as_str()),
    ];
    match host::call(cluster, headers, body, timeout) {
        Some(token) => {
            vm.calls.borrow_mut().insert(token, callout);
            true
        }
        None => false,
    }
}
