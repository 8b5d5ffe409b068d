//! What the requests of one worker share: its queue, its stats, who waits for what.
//!
//! It belongs to the VM, not to a root context: a reload makes a new root in the same VM, and
//! requests that are in flight then must still be woken, by the new one.

use crate::host::{self, Metrics, Shared};
use crate::stream::Stream;
use github_proxy_core::budget::{Budget, Report};
use github_proxy_core::cache::cluster::Operation;
use github_proxy_core::metric::Metric;
use github_proxy_core::request::{Deposit, Worker};
use github_proxy_core::shared::count;
use github_proxy_core::tally::News;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// How often waiting requests look at the clock.
const SLOW_TICK: Duration = Duration::from_secs(1);
/// How often they do while one of them yields to another replica.
const FAST_TICK: Duration = Duration::from_millis(20);

thread_local! {
    /// A wasm VM has one thread, and proxy-wasm no other place that outlives a root context.
    static VM: Rc<Vm> = Rc::new(Vm::default());
}

/// The state of one worker.
#[derive(Default)]
pub struct Vm {
    /// The number of this VM, once it has one.
    number: Cell<Option<u64>>,
    /// The number of the configuration that it was offered last.
    pub offer: Cell<Option<u64>>,
    /// The id of the queue that wakes it.
    pub queue: Cell<u32>,
    /// What the decisions keep between requests.
    pub worker: RefCell<Worker>,
    /// What the status page has not been told yet.
    pub news: RefCell<News>,
    /// Ids of stats.
    pub metrics: RefCell<Metrics>,
    /// Requests in flight, by context id.
    pub streams: RefCell<HashMap<u32, Rc<Stream>>>,
    /// Callouts in flight, by token.
    pub calls: RefCell<HashMap<u32, Callout>>,
    /// Calls to the cache cluster that wait for the root to make them.
    pub chores: RefCell<VecDeque<Chore>>,
    /// Requests that want to hear of time going by; `true` for those in a hurry.
    ticking: RefCell<HashMap<u32, bool>>,
    /// Whether the pool's upkeep is in a hurry.
    urgent: Cell<bool>,
    fast: Cell<bool>,
}

/// A callout in flight.
pub struct Callout {
    /// For which context.
    pub owner: u32,
    /// What for.
    pub purpose: Purpose,
    /// When it went out, Unix milliseconds.
    pub sent_at: u64,
}

/// What a callout is for.
pub enum Purpose {
    /// A request asks the cache cluster.
    Ask(Operation),
    /// A request, by its context, claims a key; what gives the claim back when it is gone.
    Claim(u32, Box<Pending>),
    /// A request goes out again, on another credential.
    Resend,
    /// A write to the cache cluster, which outlives its request, and what is left to do after.
    Deposit(Operation, Box<Pending>),
    /// An App's token, by the index of the credential.
    Exchange(usize),
    /// A credential's rates, by its index.
    Poll(usize),
    /// What a client spent, for the other replicas.
    Report(Budget, Report),
    /// A counter's end.
    Expire,
}

/// A call to the cache cluster that has to outlive its request.
pub enum Chore {
    /// To write something.
    Deposit(Box<Pending>),
    /// To claim a key for a request, by its context; what gives the claim back.
    Claim(u32, Box<Pending>),
}

/// A deposit, with where it goes.
pub struct Pending {
    /// What is written.
    pub deposit: Deposit,
    /// Envoy's cluster.
    pub cluster: String,
    /// Of one call.
    pub timeout: Duration,
    /// Life of the entry, seconds.
    pub ttl: u64,
}

/// The state of this worker.
pub fn current() -> Rc<Vm> {
    VM.with(Rc::clone)
}

impl Vm {
    /// Readies the worker for a new root context: its queue now wakes that one.
    pub fn adopt(&self) {
        // Unique among all VMs: a name that several share wakes only one of them.
        let name = format!("worker/{}", self.number());
        if let Some(queue) = host::register_queue(&name) {
            self.queue.set(queue);
        }
        // The first tick comes soon: tokens may have to be exchanged.
        self.urgent.set(true);
        self.fast.set(true);
        host::tick_every(FAST_TICK);
    }

    /// A number that no other VM of this Envoy has.
    pub fn number(&self) -> u64 {
        let number = self.number.get().or_else(|| count(&Shared, "workers"));
        self.number.set(number);
        number.unwrap_or_default()
    }

    /// Changes stats.
    pub fn record(&self, changes: Vec<Metric>) {
        let mut metrics = self.metrics.borrow_mut();
        for change in changes {
            metrics.record(change);
        }
    }

    /// Whether the pool's upkeep wants the next tick soon.
    pub fn set_urgent(&self, urgent: bool) {
        self.urgent.set(urgent);
        self.pace();
    }

    /// Asks for (or no longer for) ticks on behalf of a request.
    pub fn tick_for(&self, context: u32, wish: Option<bool>) {
        let mut ticking = self.ticking.borrow_mut();
        let before = match wish {
            Some(hurry) => ticking.insert(context, hurry),
            None => ticking.remove(&context),
        };
        drop(ticking);
        if before != wish {
            self.pace();
        }
    }

    fn pace(&self) {
        let fast = self.urgent.get() || self.ticking.borrow().values().any(|hurry| *hurry);
        if self.fast.replace(fast) != fast {
            host::tick_every(if fast { FAST_TICK } else { SLOW_TICK });
        }
    }

    /// The requests that want to hear of time going by.
    pub fn ticking(&self) -> HashSet<u32> {
        self.ticking.borrow().keys().copied().collect()
    }

    /// Counts how long the cluster took over a call that went out at `sent_at`.
    pub fn took(&self, operation: Operation, sent_at: u64) {
        let duration = host::now().saturating_sub(sent_at);
        let metric = Metric::cache_duration(operation.as_str(), duration);
        self.metrics.borrow_mut().record(metric);
    }

    /// Whether callouts of a context are under way.
    pub fn awaits(&self, owner: u32) -> bool {
        self.calls.borrow().values().any(|call| call.owner == owner)
    }

    /// A request in flight.
    pub fn stream(&self, context: u32) -> Option<Rc<Stream>> {
        self.streams.borrow().get(&context).cloned()
    }
}
