//! The root context of a configuration: takes it or refuses it, and passes on what arrives
//! for the requests of its worker (wake-ups, ticks, answers to callouts).

use crate::effects::{advance, claim, deposited, tell, unanswered, WakeUp, DO_CHORE};
use crate::host::{self, Shared};
use crate::stream::{Http, Stream};
use crate::upkeep;
use crate::vm::{self, Callout, Chore, Pending, Purpose, Vm};
use github_proxy_core::cache::cluster::{self, Operation};
use github_proxy_core::cache::key::Key;
use github_proxy_core::config::Config;
use github_proxy_core::flight::{self, Waiter};
use github_proxy_core::generation::{Generation, InForce, News, Offer};
use github_proxy_core::metric::Metric;
use github_proxy_core::pool::refusal;
use github_proxy_core::pool::upkeep::{Exchange, Poll};
use github_proxy_core::request::{Event, Proxy};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// One configuration in one VM.
pub struct Root {
    id: u32,
    vm: Rc<Vm>,
    proxy: Option<Rc<Proxy>>,
    /// Replaced by another configuration; kept until its callouts are answered.
    retired: bool,
}

impl Root {
    /// A root without a configuration.
    pub fn new(id: u32) -> Self {
        Self {
            id,
            vm: vm::current(),
            proxy: None,
            retired: false,
        }
    }

    /// Counts a reload once, though every VM configures itself, and tells which one it is.
    fn count_reload(&self, configuration: &[u8], offer: Offer) -> InForce {
        let digest = Sha256::digest(configuration).into();
        let after = self.vm.offer.get();
        let noticed = Generation::offered(&Shared, after, digest, offer, host::now());
        self.vm.offer.set(Some(noticed.offer));
        if let Some(news) = noticed.news {
            let metric = match news {
                News::Applied => Metric::config_reloads("applied", 1),
                News::Refused(number) => Metric::config_reloads("refused", number),
            };
            self.vm.metrics.borrow_mut().record(metric);
        }
        noticed.in_force
    }

    /// Delivers a message of another request, or of one's own worker.
    fn deliver(&self, message: &[u8]) {
        if message == DO_CHORE {
            let chore = self.vm.chores.borrow_mut().pop_front();
            match chore {
                Some(Chore::Deposit(pending)) => advance(&self.vm, self.id, pending),
                Some(Chore::Claim(context, give_back)) => self.claim(context, give_back),
                None => {}
            }
            return;
        }
        let Ok((context, key, wake)) = postcard::from_bytes::<WakeUp>(message) else {
            return;
        };
        match self.vm.stream(context) {
            Some(stream) => self.on_behalf_of(&stream, Event::Woken(wake)),
            // It left just when it was its turn: the next one's.
            None => self.pass_over(Key(key), context),
        }
    }

    fn claim(&self, context: u32, give_back: Box<Pending>) {
        if let Some(stream) = self.vm.stream(context) {
            if !claim(&self.vm, self.id, context, give_back) {
                self.on_behalf_of(&stream, unanswered(Operation::Lock));
            }
        }
    }

    fn pass_over(&self, key: Key, context: u32) {
        let gone = Waiter {
            queue: self.vm.queue.get(),
            context,
        };
        for (waiter, wake) in flight::leave(&Shared, &key, gone, host::now()) {
            tell(waiter, key, wake);
        }
    }

    /// Takes the answer to a callout of the root's own.
    fn finish(&self, callout: Callout, headers: usize, body: &[u8]) {
        let Some(proxy) = &self.proxy else {
            return;
        };
        let status = host::callout_status(headers);
        let retry_after = || refusal::seconds(&host::callout_field(headers, "retry-after")?);
        let effects = match callout.purpose {
            Purpose::Deposit(operation, pending) => {
                self.vm.took(operation, callout.sent_at);
                deposited(&self.vm, self.id, operation, pending, status, body);
                return;
            }
            Purpose::Claim(context, give_back) => {
                self.vm.took(Operation::Lock, callout.sent_at);
                let granted = cluster::granted(status, body);
                let stream = self.vm.stream(context);
                // Nobody is there to hold it, or nobody knows: Redis may yet grant it.
                let adrift = granted.map_or(true, |granted| granted && stream.is_none());
                if let Some(stream) = stream {
                    let body = body.to_vec();
                    let answer = Event::Cluster {
                        operation: Operation::Lock,
                        status,
                        body,
                    };
                    self.on_behalf_of(&stream, answer);
                }
                if adrift {
                    advance(&self.vm, self.id, give_back);
                }
                return;
            }
            Purpose::Exchange(member) => {
                let answer = Exchange::Answered {
                    status,
                    body,
                    retry_after: retry_after(),
                };
                upkeep::exchanged(proxy, member, answer)
            }
            Purpose::Poll(member) => {
                let answer = Poll {
                    status,
                    body,
                    retry_after: retry_after(),
                };
                upkeep::polled(proxy, member, answer)
            }
            Purpose::Report(budget, report) => {
                upkeep::reported(&self.vm, self.id, proxy, &budget, &report, status, body);
                return;
            }
            Purpose::Expire | Purpose::Ask(_) | Purpose::Resend => return,
        };
        upkeep::carry_out(&self.vm, effects);
    }

    fn on_behalf_of(&self, stream: &Stream, event: Event) {
        if host::act_for(stream.id) {
            stream.take_later(event);
            host::act_for(self.id);
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        let owner = self.vm.calls.borrow().get(&token).map(|call| call.owner);
        let Some(owner) = owner else {
            return;
        };
        // A request's call that was made while this root was in charge: its answer can only
        // be read on the request's behalf.
        if let Some(stream) = self.vm.stream(owner) {
            if host::act_for(owner) {
                stream.answered(token, headers, body_size);
                host::act_for(self.id);
            }
            return;
        }
        let Some(callout) = self.vm.calls.borrow_mut().remove(&token) else {
            return;
        };
        let body = host::body(BufferType::HttpCallResponseBody, body_size);
        self.finish(callout, headers, &body);
        if self.retired && !self.vm.awaits(self.id) {
            host::done();
        }
    }

    /// Envoy would cancel the callouts of a root that it lets go: a token that was exchanged,
    /// a write to the cache. So it is asked to wait for them.
    fn on_done(&mut self) -> bool {
        self.retired = self.vm.awaits(self.id);
        !self.retired
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = host::configuration();
        let secrets = |name: &str| std::env::var(name).ok();
        match Config::from_json(&configuration, secrets) {
            Ok(config) if !upkeep::can_sign(&config) => {
                log::error!(
                    "github-proxy: configuration refused: credentials: a GitHub App needs Envoy's \
                     \"sign\" function: use Envoy 1.37 or later, or personal access tokens only"
                );
                self.count_reload(&configuration, Offer::Refused);
                false
            }
            Ok(config) => {
                self.vm.record(Metric::at_start(&config));
                let refused = config.refused;
                self.vm.adopt();
                let in_force = self.count_reload(&configuration, Offer::Accepted(refused));
                self.proxy = Some(Rc::new(Proxy::new(config, in_force)));
                true
            }
            Err(errors) => {
                for error in errors {
                    log::error!("github-proxy: configuration refused: {error}");
                }
                self.count_reload(&configuration, Offer::Refused);
                false
            }
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        while let Some(message) = host::dequeue(queue) {
            self.deliver(&message);
        }
    }

    fn on_tick(&mut self) {
        if !self.retired {
            // What was put there for a root that was replaced before it looked.
            self.on_queue_ready(self.vm.queue.get());
        }
        self.vm.news.borrow_mut().tell(&Shared, host::now());
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !self.retired) {
            upkeep::run(&self.vm, self.id, proxy);
        }
        for context in self.vm.ticking() {
            if let Some(stream) = self.vm.stream(context) {
                self.on_behalf_of(&stream, Event::Tick);
            }
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        let proxy = Rc::clone(self.proxy.as_ref()?);
        let stream = Stream::new(context_id, proxy, Rc::clone(&self.vm));
        Some(Box::new(Http(stream)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
