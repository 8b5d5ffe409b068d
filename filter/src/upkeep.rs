//! The pool's chores, carried out: tokens of Apps are signed for and exchanged, rates polled.
//! Whichever worker ticks first takes a chore on for all.

use crate::effects::{dispatch, fields};
use crate::host::{self, CannotSign, Shared};
use crate::vm::{Purpose, Vm};
use github_proxy_core::budget::{Budget, Report};
use github_proxy_core::cache::cluster::{self, Call, Operation};
use github_proxy_core::config::{Config, CredentialKind};
use github_proxy_core::metric::Metric;
use github_proxy_core::pool::app;
use github_proxy_core::pool::upkeep::{self, Chore, Exchange, Poll, TIMEOUT_MILLIS};
use github_proxy_core::request::{Effect, Proxy};
use github_proxy_core::survey;
use std::time::Duration;

/// GitHub refuses requests without a User-Agent.
const USER_AGENT: (&str, &str) = ("user-agent", "github-proxy");
const ACCEPT: (&str, &str) = ("accept", "application/vnd.github+json");

/// Whether this Envoy can sign for the Apps of a configuration, if it has any.
pub fn can_sign(config: &Config) -> bool {
    let app = config.credentials.iter().find_map(|it| match &it.kind {
        CredentialKind::App { key, .. } => Some(key),
        CredentialKind::Pat { .. } => None,
    });
    app.is_none_or(|key| host::sign(key.expose(), "") != Err(CannotSign::NoFunction))
}

/// Does what is due. `root` must be in effect.
pub fn run(vm: &Vm, root: u32, proxy: &Proxy) {
    for chore in upkeep::due(proxy, &Shared, host::now()) {
        let effects = start(vm, root, proxy, chore);
        carry_out(vm, effects);
    }
    report(vm, root, proxy);
    let metrics = survey::look(
        &proxy.pool,
        &proxy.memory,
        &Shared,
        vm.number(),
        host::memory(),
        host::now(),
    );
    vm.record(metrics);
    vm.set_urgent(upkeep::is_urgent(&proxy.pool, &Shared, host::now()));
}

/// Tells the other replicas what clients spent of their budgets, and hears of them.
fn report(vm: &Vm, root: u32, proxy: &Proxy) {
    for (budget, report) in upkeep::reports(proxy, &Shared, host::now()) {
        let call = Call::add(&report.counter, report.amount);
        let purpose = Purpose::Report(budget.clone(), report.clone());
        let open = vm.worker.borrow_mut().breaker.admits(host::now());
        if !open || !ask(vm, root, proxy, &call, purpose) {
            budget.unheard(&Shared, &report);
        }
    }
}

/// Takes the sum over all replicas.
pub fn reported(
    vm: &Vm,
    root: u32,
    proxy: &Proxy,
    budget: &Budget,
    report: &Report,
    status: u16,
    body: &[u8],
) {
    let sum = cluster::sum(status, body, report.amount);
    vm.worker
        .borrow_mut()
        .breaker
        .record(sum.is_ok(), host::now());
    match sum {
        Ok(sum) => {
            budget.heard(&Shared, report, sum);
            // The first to add to it.
            if report.amount > 0 && sum == report.amount.unsigned_abs() {
                ask(
                    vm,
                    root,
                    proxy,
                    &Call::expire(&report.counter),
                    Purpose::Expire,
                );
            }
        }
        Err(cluster::Failed) => {
            budget.unheard(&Shared, report);
            let metric = Metric::cache_error(Operation::Add.as_str());
            vm.metrics.borrow_mut().record(metric);
        }
    }
}

/// Calls the cache cluster on behalf of the root.
fn ask(vm: &Vm, root: u32, proxy: &Proxy, call: &Call, purpose: Purpose) -> bool {
    let cache = &proxy.config.cache;
    let Some(cluster) = &cache.cluster else {
        return false;
    };
    let timeout = Duration::from_millis(cache.timeout_milliseconds);
    dispatch(vm, cluster, &fields(call), None, timeout, root, purpose)
}

fn start(vm: &Vm, root: u32, proxy: &Proxy, chore: Chore<'_>) -> Vec<Effect> {
    match chore {
        Chore::Exchange {
            member,
            signing_input,
            key,
            path,
        } => {
            let Ok(signature) = host::sign(key.expose(), &signing_input) else {
                return exchanged(proxy, member, Exchange::Unsigned);
            };
            let bearer = format!("Bearer {}", app::jwt(&signing_input, &signature));
            let purpose = Purpose::Exchange(member);
            if !send(vm, root, proxy, ("POST", &path), &bearer, purpose) {
                let nothing = Exchange::Answered {
                    status: 0,
                    body: &[],
                    retry_after: None,
                };
                return exchanged(proxy, member, nothing);
            }
        }
        Chore::Poll {
            member,
            authorization,
            path,
        } => {
            let purpose = Purpose::Poll(member);
            if !send(
                vm,
                root,
                proxy,
                ("GET", &path),
                authorization.expose(),
                purpose,
            ) {
                let nothing = Poll {
                    status: 0,
                    body: &[],
                    retry_after: None,
                };
                return polled(proxy, member, nothing);
            }
        }
    }
    Vec::new()
}

fn send(
    vm: &Vm,
    root: u32,
    proxy: &Proxy,
    (method, path): (&str, &str),
    authorization: &str,
    purpose: Purpose,
) -> bool {
    let upstream = &proxy.config.upstream.api;
    let headers = [
        (":method", method),
        (":path", path),
        (":authority", upstream.authority.as_str()),
        ("authorization", authorization),
        ACCEPT,
        USER_AGENT,
    ];
    let timeout = Duration::from_millis(TIMEOUT_MILLIS);
    dispatch(
        vm,
        &upstream.cluster,
        &headers,
        None,
        timeout,
        root,
        purpose,
    )
}

/// Takes the answer to an exchange.
pub fn exchanged(proxy: &Proxy, member: usize, answer: Exchange<'_>) -> Vec<Effect> {
    upkeep::exchanged(proxy, &Shared, member, answer, host::now())
}

/// Takes the answer to a poll.
pub fn polled(proxy: &Proxy, member: usize, answer: Poll<'_>) -> Vec<Effect> {
    upkeep::polled(proxy, &Shared, member, answer, host::now())
}

/// Chores lead to stats and log lines only.
pub fn carry_out(vm: &Vm, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Record(metric) => vm.metrics.borrow_mut().record(metric),
            Effect::Warn(line) => log::warn!("{line}"),
            other => log::error!("a chore asked for {other:?}, which only a request can"),
        }
    }
}
