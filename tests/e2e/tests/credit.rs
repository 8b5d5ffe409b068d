//! The measure of success: no version of a representation is paid for twice, whoever asks,
//! through whichever worker, replica and credential, and nobody gets an old one.

use e2e::cache_status::REVALIDATED;
use e2e::{burst, wait, GitHub, Proxy, Redis};
use github_simulator::log::Cost;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

fn bodies(responses: &[e2e::Response]) -> Vec<Value> {
    let mut bodies: Vec<Value> = Vec::new();
    for response in responses {
        assert_eq!(response.status, 200, "{response:?}");
        let body = response.json();
        if !bodies.contains(&body) {
            bodies.push(body);
        }
    }
    bodies
}

/// 100 equal GETs at once, over all `proxies`; then the resource changes and 100 more follow.
async fn bursts_cost_one_request_each(github: &GitHub, proxies: &[&Proxy]) {
    let path = "/things/burst";
    github.put_json(path, json!({"n": 1}));
    github.reset_log();
    let request = |number: usize| proxies[number % proxies.len()].request("GET", path);

    let first = burst(100, request).await;
    assert_eq!(bodies(&first), [json!({"n": 1})]);
    assert_eq!(github.paid(""), 1);

    github.touch(path);
    github.reset_log();
    let second = burst(100, request).await;
    assert_eq!(bodies(&second), [json!({"n": 1, "version": 1})]);
    assert_eq!(github.paid(""), 1);
}

/// 100 equal GETs one after the other, with two changes in between.
async fn one_after_the_other(github: &GitHub, proxies: &[&Proxy]) {
    let path = "/things/sequence";
    github.put_json(path, json!({"n": 1}));
    github.reset_log();
    for number in 0..100 {
        if number == 40 || number == 70 {
            github.touch(path);
        }
        let version = u64::from(number >= 40) + u64::from(number >= 70);
        let response = proxies[number % proxies.len()].get(path).await;
        assert_eq!(response.status, 200);
        let seen = response.json()["version"].as_u64().unwrap_or(0);
        assert_eq!(seen, version, "answer {number}: {response:?}");
    }
    assert_eq!(github.paid(""), 3);
}

/// Readers read for as long as a writer changes the resource again and again: every answer is at
/// least as new as the resource was when its request was sent, and each version is paid for at
/// most once.
async fn never_stale(github: &Arc<GitHub>, proxies: &[Arc<Proxy>]) {
    const VERSIONS: u64 = 25;
    let path = "/things/changing";
    github.put_json(path, json!({"n": 1}));
    github.reset_log();
    let written = Arc::new(AtomicU64::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (proxy, written) = (
            Arc::clone(&proxies[number % proxies.len()]),
            Arc::clone(&written),
        );
        readers.spawn(async move {
            let mut reads = 0;
            loop {
                let before = written.load(Ordering::SeqCst);
                let response = proxy.get(path).await;
                assert_eq!(response.status, 200, "{response:?}");
                let seen = response.json()["version"].as_u64().unwrap_or(0);
                assert!(
                    seen >= before,
                    "{seen} was answered when {before} was written"
                );
                reads += 1;
                if before == VERSIONS {
                    return reads;
                }
            }
        });
    }
    for _ in 0..VERSIONS {
        let before = github.counters().total.requests;
        github.touch(path);
        written.fetch_add(1, Ordering::SeqCst);
        // The next change comes once somebody has asked.
        wait::until("a reader", || async move {
            (github.counters().total.requests > before).then_some(())
        })
        .await;
    }
    let reads: u64 = readers.join_all().await.into_iter().sum();
    let paid = github.paid("") as u64;
    assert!(
        paid <= VERSIONS + 1,
        "{reads} reads of {} versions cost {paid}",
        VERSIONS + 1
    );
}

/// With the cache in memory: two workers and three credentials, one counted request for each
/// version. That the requests did spread over both workers is looked at, too.
#[tokio::test(flavor = "multi_thread")]
async fn in_memory_each_version_is_paid_for_once() {
    let github = Arc::new(GitHub::start().await);
    let proxy = Arc::new(Proxy::before(&github).start().await);
    bursts_cost_one_request_each(&github, &[&proxy]).await;
    one_after_the_other(&github, &[&proxy]).await;
    never_stale(&github, &[Arc::clone(&proxy)]).await;

    let stats = proxy
        .admin("/stats?filter=worker_.*downstream_cx_total")
        .await;
    let text = String::from_utf8_lossy(&stats.body).into_owned();
    // The status page has a listener of its own.
    let listener = format!("listener.127.0.0.1_{}.", proxy.address().port());
    let busy = text
        .lines()
        .filter(|line| line.starts_with(&listener) && !line.ends_with(": 0"));
    assert_eq!(busy.count(), 2, "{text}");
}

/// With the cache in Redis, the same.
#[tokio::test(flavor = "multi_thread")]
async fn in_redis_each_version_is_paid_for_once() {
    let (github, redis) = (Arc::new(GitHub::start().await), Redis::start().await);
    let proxy = Arc::new(Proxy::before(&github).redis(&redis).start().await);
    bursts_cost_one_request_each(&github, &[&proxy]).await;
    one_after_the_other(&github, &[&proxy]).await;
    never_stale(&github, &[proxy]).await;
}

/// Two proxies that share a Redis are one cache; and one that starts later, after both are gone,
/// pays for nothing that they had.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_share_a_redis_pay_once_together() {
    let (github, redis) = (Arc::new(GitHub::start().await), Redis::start().await);
    let start = || Proxy::before(&github).redis(&redis).start();
    let (one, two) = tokio::join!(start(), start());
    let (one, two) = (Arc::new(one), Arc::new(two));
    bursts_cost_one_request_each(&github, &[&one, &two]).await;
    one_after_the_other(&github, &[&one, &two]).await;
    never_stale(&github, &[Arc::clone(&one), Arc::clone(&two)]).await;
    drop((one, two));

    github.reset_log();
    let third = start().await;
    for path in ["/things/burst", "/things/sequence", "/things/changing"] {
        let response = third.get(path).await;
        assert_eq!(response.cache(), REVALIDATED);
    }
    assert_eq!(github.paid(""), 0);
}

/// A credential that never saw a representation confirms it all the same, at no cost: the
/// validator that it would have got is computed.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_credential_fetched_every_other_one_confirms() {
    let (github, proxy) = e2e::start().await;
    let path = "/things/shared";
    github.put_json(path, json!({"n": 1}));
    // What is paid for in between makes another credential the richest.
    for number in 0..8 {
        assert_eq!(proxy.get(path).await.json(), json!({"n": 1}));
        let other = format!("/things/other-{number}");
        github.put_json(&other, json!({}));
        proxy.get(&other).await;
    }
    let entries = github.requests_to(path);
    let credentials: BTreeSet<_> = entries.iter().map(|it| it.token.clone()).collect();
    assert_eq!(credentials.len(), 3, "{credentials:?}");
    let paid = entries.iter().filter(|it| it.cost == Cost::Counted);
    assert_eq!(paid.count(), 1);
    assert!(entries[1..].iter().all(|it| it.status == Some(304)));
}
