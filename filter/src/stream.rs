//! One request: Envoy's callbacks as events, and Envoy's actions from what came of them.

use crate::effects::Outcome;
use crate::host::{self, Shared};
use crate::vm::{Purpose, Vm};
use github_proxy_core::flight::Waiter;
use github_proxy_core::header::Headers;
use github_proxy_core::request::{step, Event, Phase, Proxy, World};
use github_proxy_core::status;
use github_proxy_core::upstream::Edit;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use std::cell::{Cell, Ref, RefCell};
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
    /// Whether a part of the response's body is in hand: only then can it be replaced.
    pub in_body: Cell<bool>,
    /// Whether the upstream's response has another header section, and so another body.
    pub substituted: Cell<bool>,
    /// What Envoy takes off the reply that it was given.
    pub lost: Cell<Vec<Edit>>,
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
            in_body: Cell::new(false),
            substituted: Cell::new(false),
            lost: Cell::default(),
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
                    connection: &host::Downstream,
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
            events.extend(failed);
        }
        outcome
    }

    /// Takes an event outside this request's own callbacks, with the request in effect.
    pub fn take_later(&self, event: Event) {
        if self.take(event) == Outcome::Released {
            host::resume_request();
        }
    }

    /// Takes the answer to one of this request's callouts.
    pub fn answered(&self, token: u32, headers: usize, body_size: usize) {
        let Some(callout) = self.vm.calls.borrow_mut().remove(&token) else {
            return;
        };
        match callout.purpose {
            Purpose::Ask(operation) => {
                self.vm.took(operation, callout.sent_at);
                self.take_later(Event::Cluster {
                    operation,
                    status: host::callout_status(headers),
                    body: host::body(BufferType::HttpCallResponseBody, body_size),
                });
            }
            Purpose::Resend => {
                // No headers at all: nothing came, or more than Envoy buffers.
                let answer = (headers > 0).then(|| {
                    let headers = host::headers(MapType::HttpCallResponseHeaders);
                    let body = host::body(BufferType::HttpCallResponseBody, body_size);
                    (headers, body)
                });
                if self.take(Event::Resent(answer)) == Outcome::Released {
                    host::resume_response();
                }
            }
            // The root's.
            _ => {}
        }
    }

    /// Takes an event of the upstream's response, in one of its callbacks.
    fn take_response(&self, event: Event) -> Action {
        match self.take(event) {
            Outcome::Replied => Action::Pause,
            Outcome::Released | Outcome::Held => self.pause_or_continue(),
        }
    }

    /// Takes what is in hand of the request's body.
    fn take_request_body(&self, size: usize, end: bool) -> Action {
        let chunk = host::body(BufferType::HttpRequestBody, size);
        match self.take(Event::RequestBody { chunk, end }) {
            Outcome::Replied => Action::Pause,
            Outcome::Released | Outcome::Held => self.pause_or_continue_request(),
        }
    }

    fn pause_or_continue_request(&self) -> Action {
        if self.phase().holds_request() {
            Action::Pause
        } else {
            Action::Continue
        }
    }

    /// Whether this is for the status page: the path is as any other where clients come in.
    fn is_for_status_page(&self, headers: &Headers) -> bool {
        status::is_meant(headers)
            && host::filter_chain().as_deref() == Some(status::FILTER_CHAIN.as_bytes())
    }

    fn show_status(&self, headers: &Headers) {
        self.vm.news.borrow_mut().tell(&Shared, host::now());
        self.phase.replace(Phase::Closed(None));
        let reply = status::answer(headers, &self.proxy, &Shared, host::now());
        host::reply(reply.status, &reply.headers, reply.body.bytes());
    }

    /// The request is over, which Envoy says twice. It cancels the callouts that it still had.
    fn end(&self) {
        if self.vm.streams.borrow_mut().remove(&self.id).is_none() {
            return;
        }
        let had_calls = self.phase().awaits_callout();
        self.take(Event::Gone);
        if had_calls {
            let mut calls = self.vm.calls.borrow_mut();
            calls.retain(|_, call| call.owner != self.id);
        }
    }

    /// A response goes on unless it is held back: one that nobody expected is Envoy's own.
    fn pause_or_continue(&self) -> Action {
        if self.phase().holds_response() {
            Action::Pause
        } else {
            Action::Continue
        }
    }

    fn phase(&self) -> Ref<'_, Phase> {
        self.phase.borrow()
    }
}

/// Envoy's view of a request.
pub struct Http(pub Rc<Stream>);

impl Context for Http {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        self.0.answered(token, headers, body);
    }

    // For a stream that ends without having been logged.
    fn on_done(&mut self) -> bool {
        self.0.end();
        true
    }
}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let me = Waiter {
            queue: self.0.vm.queue.get(),
            context: self.0.id,
        };
        let headers = host::headers(MapType::HttpRequestHeaders);
        if self.0.is_for_status_page(&headers) {
            self.0.show_status(&headers);
            return Action::Pause;
        }
        action(self.0.take(Event::Request { headers, me, end }))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if self.0.phase().wants_request_body(size, end) {
            return self.0.take_request_body(size, end);
        }
        self.0.pause_or_continue_request()
    }

    // A held request must not go on, with the client's own token, because its trailers came. One
    // that is being read ends with them.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.0.phase().reads_request() {
            return self.0.take_request_body(usize::MAX, true);
        }
        self.0.pause_or_continue_request()
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        // A reply of the filter's own comes back through here.
        if matches!(*self.0.phase(), Phase::Closed(_)) {
            host::edit(MapType::HttpResponseHeaders, self.0.lost.take());
            return Action::Continue;
        }
        let headers = host::headers(MapType::HttpResponseHeaders);
        self.0.take_response(Event::Response {
            local: host::is_local_response(&headers),
            headers,
            end,
        })
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        let wanted = self.0.phase().wants_response_body();
        let action = if wanted {
            let chunk = host::body(BufferType::HttpResponseBody, size);
            self.0.in_body.set(true);
            let action = self.0.take_response(Event::Body { chunk, end });
            self.0.in_body.set(false);
            action
        } else {
            self.0.pause_or_continue()
        };
        let replaced = self.0.substituted.get() && !wanted;
        if replaced || self.0.phase().discards_response() {
            host::replace_body(&[]);
        }
        action
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        host::drop_envoys_trailers();
        if !self.0.phase().wants_response_body() {
            return self.0.pause_or_continue();
        }
        let chunk = Vec::new();
        self.0.take_response(Event::Body { chunk, end: true })
    }

    fn on_log(&mut self) {
        self.0.end();
    }
}

fn action(outcome: Outcome) -> Action {
    match outcome {
        Outcome::Released => Action::Continue,
        Outcome::Held | Outcome::Replied => Action::Pause,
    }
}
