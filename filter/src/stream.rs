//! One request: Envoy's callbacks as events, and Envoy's actions from what came of them.

use crate::effects::Outcome;
use crate::host::{self, Shared};
use crate::vm::Vm;
use github_proxy_core::flight::Waiter;
use github_proxy_core::metric::Metric;
use github_proxy_core::request::{step, Event, Phase, Proxy, World};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use std::cell::RefCell;
use std::rc::Rc;

/// The state of one request, reachable from its own callbacks and from its worker's root.
pub struct Stream {
    /// Its context id.
    pub id: u32,
    /// The configuration under which it arrived.
    pub proxy: Rc<Proxy>,
    /// Its worker.
    pub vm: Rc<Vm>,
    phase: RefCell<Phase>,
}

impl Stream {
    /// A request that has not arrived yet.
    pub fn new(id: u32, proxy: Rc<Proxy>, vm: Rc<Vm>) -> Rc<Self> {
        let phase = RefCell::new(Phase::Arrived);
        let stream = Rc::new(Self {
            id,
            proxy,
            vm,
            phase,
        });
        let mut streams = stream.vm.streams.borrow_mut();
        streams.insert(id, Rc::clone(&stream));
        drop(streams);
        stream
    }

    /// Takes an event and does what it leads to.
    pub fn take(&self, event: Event) -> Outcome {
        let mut outcome = Outcome::Held;
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let phase = self.phase.take();
            let (phase, effects) = {
                let mut worker = self.vm.worker.borrow_mut();
                let mut world = World {
                    proxy: &self.proxy,
                    shared: &Shared,
                    worker: &mut worker,
                    now: host::now(),
                };
                step(phase, event, &mut world)
            };
            self.vm.tick_for(self.id, phase.wants_ticks());
            self.phase.replace(phase);
            let (then, failed) = self.carry_out(effects);
            if then != Outcome::Held {
                outcome = then;
            }
            events.extend(failed.into_iter().map(|call| Event::Cluster {
                operation: call.operation,
                status: 0,
                body: Vec::new(),
            }));
        }
        outcome
    }

    /// Takes an event outside this request's own callbacks, with the request in effect.
    pub fn take_later(&self, event: Event) {
        if self.take(event) == Outcome::Released {
            host::resume_request();
        }
    }

    /// Takes the answer of the cache cluster to one of this request's calls.
    pub fn answered(&self, token: u32, headers: usize, body_size: usize) {
        let Some(callout) = self.vm.calls.borrow_mut().remove(&token) else {
            return;
        };
        let duration = host::now().saturating_sub(callout.sent_at);
        let metric = Metric::cache_duration(callout.operation.as_str(), duration);
        self.vm.metrics.borrow_mut().record(metric);
        self.take_later(Event::Cluster {
            operation: callout.operation,
            status: host::callout_status(headers),
            body: host::body(BufferType::HttpCallResponseBody, body_size),
        });
    }

    fn is_collecting(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Collecting(_))
    }

    fn is_closed(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Closed(_))
    }
}

/// Envoy's view of a request.
pub struct Http(pub Rc<Stream>);

impl Context for Http {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        self.0.answered(token, headers, body);
    }
}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let me = Waiter {
            queue: self.0.vm.queue.get(),
            context: self.0.id,
        };
        let headers = host::headers(MapType::HttpRequestHeaders);
        action(self.0.take(Event::Request { headers, me }))
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        // A reply of the filter's own comes back through here.
        if self.0.is_closed() {
            return Action::Continue;
        }
        let event = Event::Response {
            headers: host::headers(MapType::HttpResponseHeaders),
            local: host::is_local_response(),
            end,
        };
        match self.0.take(event) {
            Outcome::Held => Action::Continue,
            outcome => action(outcome),
        }
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if self.0.is_collecting() {
            let chunk = host::body(BufferType::HttpResponseBody, size);
            self.0.take(Event::Body { chunk, end });
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if self.0.is_collecting() {
            self.0.take(Event::Body {
                chunk: Vec::new(),
                end: true,
            });
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        self.0.take(Event::Gone);
        self.0.vm.streams.borrow_mut().remove(&self.0.id);
    }
}

fn action(outcome: Outcome) -> Action {
    match outcome {
        Outcome::Released => Action::Continue,
        Outcome::Held | Outcome::Replied => Action::Pause,
    }
}
