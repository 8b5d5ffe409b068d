//! Carries out what a step asked for.

use crate::host;
use crate::stream::Stream;
use crate::vm::{Callout, Chore, Pending, Purpose, Vm};
use github_proxy_core::cache::cluster::{self, Call, Operation};
use github_proxy_core::cache::key::Key;
use github_proxy_core::flight::{Waiter, Wake};
use github_proxy_core::header::Headers;
use github_proxy_core::metric::Metric;
use github_proxy_core::request::{Deposit, Effect, Event};
use proxy_wasm::types::MapType;
use std::time::Duration;

/// Asks a worker's root to do one of its chores; shorter than any wake-up.
pub const DO_CHORE: &[u8] = b"c";

/// How long GitHub may take over a request that is sent again; it is buffered, not streamed.
const RESEND_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// Carries out effects in order. Calls that could not be made are returned as events that
    /// say so, since the request waits for an answer.
    pub fn carry_out(&self, effects: Vec<Effect>) -> (Outcome, Vec<Event>) {
        let mut outcome = Outcome::Held;
        let mut failed = Vec::new();
        // Asked for once, since most steps record several stats.
        let mut now = None;
        for effect in effects {
            match effect {
                Effect::Note(note, text) => host::note(note.as_str(), &text),
                Effect::Ask(call) => {
                    if !self.ask(&call) {
                        failed.push(unanswered(call.operation));
                    }
                }
                Effect::Claim(key) => {
                    let give_back = Deposit {
                        key,
                        entry: None,
                        unlock: true,
                    };
                    if !self.leave_to_root(give_back, |it| Chore::Claim(self.id, it)) {
                        failed.push(unanswered(Operation::Lock));
                    }
                }
                Effect::Resend {
                    cluster,
                    headers,
                    body,
                } => {
                    if !self.resend(&cluster, &headers, &body) {
                        failed.push(Event::Resent(None));
                    }
                }
                Effect::Deposit(deposit) => {
                    self.leave_to_root(deposit, Chore::Deposit);
                }
                Effect::Forward(edits) => {
                    host::edit(MapType::HttpRequestHeaders, edits);
                    outcome = Outcome::Released;
                }
                Effect::Pass(edits) => {
                    host::edit(MapType::HttpResponseHeaders, edits);
                    outcome = Outcome::Released;
                }
                Effect::Substitute { status, headers } => {
                    host::substitute(status, &headers);
                    self.substituted.set(true);
                    outcome = Outcome::Released;
                }
                Effect::Reply(reply) => {
                    self.lost.set(reply.lost());
                    host::reply(reply.status, &reply.headers, reply.body.bytes());
                    outcome = Outcome::Replied;
                }
                Effect::ReplaceBody(body) if self.in_body.get() => host::replace_body(body.bytes()),
                // The body is over (its end came with trailers): there is nothing to replace.
                Effect::ReplaceBody(_) => {}
                Effect::Wake { waiter, key, wake } => tell(waiter, key, wake),
                Effect::Record(metric) => {
                    let now = *now.get_or_insert_with(host::now);
                    self.vm.news.borrow_mut().note(&metric, now);
                    self.vm.metrics.borrow_mut().record(metric);
                }
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
        let purpose = Purpose::Ask(call.operation);
        dispatch(
            &self.vm,
            cluster,
            &fields(call),
            None,
            timeout,
            self.id,
            purpose,
        )
    }

    /// Sends the request to GitHub past the filter chain.
    fn resend(&self, cluster: &str, headers: &Headers, body: &[u8]) -> bool {
        let body = (!body.is_empty()).then_some(body);
        let headers = host::texts(headers);
        let fields: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_ref())).collect();
        dispatch(
            &self.vm,
            cluster,
            &fields,
            body,
            RESEND_TIMEOUT,
            self.id,
            Purpose::Resend,
        )
    }

    /// Leaves a call to the root, since one of this request would be cancelled with it: a write
    /// would be lost, and a claim that Redis grants just then would be held by nobody. `false`
    /// when there is no cluster.
    fn leave_to_root(&self, deposit: Deposit, chore: impl FnOnce(Box<Pending>) -> Chore) -> bool {
        let cache = &self.proxy.config.cache;
        let Some(cluster) = &cache.cluster else {
            return false;
        };
        self.vm
            .chores
            .borrow_mut()
            .push_back(chore(Box::new(Pending {
                deposit,
                cluster: cluster.clone(),
                timeout: Duration::from_millis(cache.timeout_milliseconds),
                ttl: cache.ttl_seconds,
            })));
        host::enqueue(self.vm.queue.get(), DO_CHORE);
        true
    }
}

/// Says that a call to the cluster could not be made.
pub fn unanswered(operation: Operation) -> Event {
    Event::Cluster {
        operation,
        status: 0,
        body: Vec::new(),
    }
}

/// Puts a wake-up into the queue of the worker that it is for.
pub fn tell(waiter: Waiter, key: Key, wake: Wake) {
    let wake_up: WakeUp = (waiter.context, key.0, wake);
    if let Ok(message) = postcard::to_allocvec(&wake_up) {
        host::enqueue(waiter.queue, &message);
    }
}

/// Claims a key for a request; `false` when the call could not be made.
pub fn claim(vm: &Vm, root: u32, context: u32, give_back: Box<Pending>) -> bool {
    let call = Call::lock(&give_back.deposit.key);
    let (cluster, timeout) = (give_back.cluster.clone(), give_back.timeout);
    let purpose = Purpose::Claim(context, give_back);
    dispatch(vm, &cluster, &fields(&call), None, timeout, root, purpose)
}

/// Makes the next call of a deposit: the write, then the release of the claim.
pub fn advance(vm: &Vm, root: u32, mut pending: Box<Pending>) {
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
    let purpose = Purpose::Deposit(call.operation, pending);
    if !dispatch(vm, &cluster, &fields(&call), body, timeout, root, purpose) {
        let metric = Metric::cache_error(call.operation.as_str());
        vm.metrics.borrow_mut().record(metric);
    }
}

/// Takes the answer to a call of a deposit.
pub fn deposited(
    vm: &Vm,
    root: u32,
    operation: Operation,
    pending: Box<Pending>,
    status: u16,
    body: &[u8],
) {
    let worked = cluster::written(operation, status, body).is_ok();
    vm.worker.borrow_mut().breaker.record(worked, host::now());
    if !worked {
        let metric = Metric::cache_error(operation.as_str());
        vm.metrics.borrow_mut().record(metric);
    }
    advance(vm, root, pending);
}

/// A call to Webdis as header fields.
pub fn fields(call: &Call) -> [(&str, &str); 3] {
    [
        (":method", call.method),
        (":path", call.path.as_str()),
        (":authority", call.authority.as_str()),
    ]
}

/// Makes a callout on behalf of `owner`, which must be in effect.
pub fn dispatch(
    vm: &Vm,
    cluster: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
    timeout: Duration,
    owner: u32,
    purpose: Purpose,
) -> bool {
    match host::call(cluster, headers.to_vec(), body, timeout) {
        Some(token) => {
            let sent_at = host::now();
            let callout = Callout {
                owner,
                purpose,
                sent_at,
            };
            vm.calls.borrow_mut().insert(token, callout);
            true
        }
        None => false,
    }
}
