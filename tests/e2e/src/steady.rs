//! A steady load: requests that are sent by the clock, whatever became of those before (an open
//! loop), so that a proxy that stalls is found out.

use crate::http::Outcome;
use crate::Proxy;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// A load that goes on until it is stopped.
pub struct Steady {
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    sent: AtomicUsize,
    under_way: AtomicUsize,
    done: Mutex<Vec<(Duration, Outcome)>>,
}

/// What became of a load.
pub struct Report {
    /// From the first request to the last.
    pub lasted: Duration,
    /// How long each took, and its answer, in the order of their ends.
    pub outcomes: Vec<(Duration, Outcome)>,
}

impl Steady {
    /// Sends `rate` requests a second to `target`, each over a connection of its own.
    pub fn start(proxy: &Arc<Proxy>, target: &str, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared::default());
        let (proxy, target) = (Arc::clone(proxy), target.to_owned());
        let (stopped, kept) = (Arc::clone(&stop), Arc::clone(&shared));
        let sender = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_secs(1) / rate);
            // What the clock missed is made up for.
            clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !stopped.load(Ordering::SeqCst) {
                clock.tick().await;
                let request = proxy.request("GET", &target);
                let kept = Arc::clone(&kept);
                kept.sent.fetch_add(1, Ordering::SeqCst);
                kept.under_way.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let began = Instant::now();
                    let outcome = request.outcome().await;
                    kept.done.lock().unwrap().push((began.elapsed(), outcome));
                    kept.under_way.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            stop,
            shared,
            sender,
        }
    }

    /// Requests sent so far.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Stops sending and waits for the answers to all that was sent.
    pub async fn stop(self, began: Instant) -> Report {
        self.stop.store(true, Ordering::SeqCst);
        self.sender
            .await
            .expect("the load goes on until it is stopped");
        let lasted = began.elapsed();
        crate::wait::until("the last answers", || async {
            (self.shared.under_way.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
        let outcomes = std::mem::take(&mut *self.shared.done.lock().unwrap());
        Report { lasted, outcomes }
    }
}

impl Report {
    /// The time within which `percent` of the requests were answered.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<_> = self.outcomes.iter().map(|(time, _)| *time).collect();
        times.sort();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or_default()
    }
}
