//! Budgets of clients, alone and over replicas, and what clients of low priority leave to the
//! others.

use e2e::{wait, GitHub, Proxy, Redis, Request, Response};
use github_simulator::{Document, EtagMode, Options};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const THRIFTY: &str = "dGhyaWZ0eS10b2tlbi10aHJpZnR5LXRva2VuLTEyMzQ=";
const OTHER: &str = "b3RoZXItdG9rZW4tb3RoZXItdG9rZW4tb3RoZXItMTI=";

/// `thrifty` with more keys, and `other` without any.
fn registry(more: &str) -> String {
    format!(
        "version: 1\nclients:\n  - name: thrifty\n    token: {THRIFTY}\n    {more}\n  - name: other\n    token: {OTHER}\n"
    )
}

async fn get(proxy: &Proxy, token: &str, number: usize) -> Response {
    Request::new(
        proxy.address(),
        "GET",
        &format!("/users/octocat?number={number}"),
    )
    .header("authorization", &format!("token {token}"))
    .send()
    .await
}

/// Budgets are of the hour of Unix time: a test must not run across its end.
async fn within_one_hour() {
    const MARGIN: u64 = 40;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left = 3_600 - now.expect("a clock").as_secs() % 3_600;
    if left < MARGIN {
        tokio::time::sleep(Duration::from_secs(left)).await;
    }
}

/// A budget is what GitHub counts: it bounds a client's new things, not what is confirmed for
/// free, and nobody else. The refusal has GitHub's shape and says when the hour is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_bounds_what_a_client_costs() {
    within_one_hour().await;
    let github = GitHub::start().await;
    let setup = Proxy::before(&github)
        .registry(&registry("budget: 3"))
        .workers(2);
    let proxy = setup.start().await;
    for number in 0..3 {
        let response = get(&proxy, THRIFTY, number).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-ratelimit-limit"), "3");
        assert_eq!(
            response.header("x-ratelimit-remaining"),
            (2 - number).to_string()
        );
    }
    let refused = get(&proxy, THRIFTY, 3).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(
        refused.json()["message"],
        "API rate limit exceeded for client thrifty"
    );
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let reset: u64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset % 3_600, 0, "an hour of Unix time");
    for number in 0..3 {
        let again = get(&proxy, THRIFTY, number).await;
        assert_eq!(
            (again.status, again.cache()),
            (200, "github-proxy; hit; detail=revalidated")
        );
    }
    assert_eq!(get(&proxy, OTHER, 3).await.status, 200);
    // Bought by another, free for all.
    assert_eq!(get(&proxy, THRIFTY, 3).await.status, 200);
    assert_eq!(github.counted(), 4);
    let labels = [("client", "thrifty"), ("reason", "budget")];
    let stats = proxy.stats_when("the denial", |stats| {
        stats.sum("github_proxy_denied", &labels) == 1
    });
    stats.await;
}

/// Replicas that share a Redis share the budgets: each learns what the others spent, also one
/// that spends nothing, or has just been started.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_a_budget() {
    within_one_hour().await;
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let setup = || {
        Proxy::before(&github)
            .registry(&registry("budget: 6"))
            .redis(&redis)
    };
    let (here, there) = (setup().start().await, setup().start().await);
    for number in 0..6 {
        let proxy = if number < 4 { &here } else { &there };
        assert_eq!(get(proxy, THRIFTY, number).await.status, 200);
    }
    for (proxy, number) in [(&here, 0), (&there, 5)] {
        wait::until("the replicas to have reconciled", || async move {
            let response = get(proxy, THRIFTY, number).await;
            (response.header("x-ratelimit-remaining") == "0").then_some(())
        })
        .await;
        assert_eq!(get(proxy, THRIFTY, 100).await.status, 403);
    }
    let late = setup().start().await;
    wait::until("the new replica to have heard of the others", || async {
        let limits = Request::new(late.address(), "GET", "/rate_limit")
            .header("authorization", &format!("token {THRIFTY}"));
        let core = &limits.send().await.json()["resources"]["core"];
        (core["remaining"] == 0).then_some(())
    })
    .await;
    assert_eq!(get(&late, THRIFTY, 101).await.status, 403);
    assert_eq!(github.counted(), 6);
}

/// What GitHub does not count costs nothing, also where the other replicas had been told of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_too_early_is_taken_back() {
    within_one_hour().await;
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    github.set_etags("", EtagMode::BodyOnly);
    let slow = Document {
        delay_ms: 3_000,
        ..Document::json(json!({"slow": true}))
    };
    github.put("/things/slow", slow);
    let setup = Proxy::before(&github)
        .registry(&registry("budget: 2"))
        .redis(&redis);
    let proxy = setup.start().await;
    let known = Request::new(github.api_address(), "GET", "/things/slow");
    let known = known.header("user-agent", "test").send().await;
    let etag = known.header("etag").to_owned();
    // A counter is the only value there: nothing is stored, and claims have longer keys.
    let counter_stands_at = |wanted: &'static str| {
        let redis = &redis;
        wait::until("the counter", move || async move {
            let counters = redis.keys().into_iter().filter(|key| key.len() == 64);
            let sums: Vec<String> = counters.map(|key| redis.cli(&["GET", &key])).collect();
            (sums.iter().map(|sum| sum.trim()).eq([wanted])).then_some(())
        })
    };
    for _ in 0..3 {
        let request = Request::new(proxy.address(), "GET", "/things/slow")
            .header("authorization", &format!("token {THRIFTY}"))
            .header("if-none-match", &etag);
        let (response, ()) = tokio::join!(request.send(), counter_stands_at("1"));
        assert_eq!(response.status, 304, "{response:?}");
        assert_eq!(response.header("x-ratelimit-remaining"), "2");
        counter_stands_at("0").await;
    }
    for (number, status) in [(0, 200), (1, 200), (2, 403)] {
        assert_eq!(get(&proxy, THRIFTY, number).await.status, status);
    }
}

/// A client of low priority leaves the last part of each limit to the others, but may go on
/// asking what costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn low_priority_leaves_the_reserve_to_others() {
    let mut options = Options::default();
    for login in ["octocat", "hubot", "monalisa"] {
        options = options.quota(&format!("user/{login}"), "core", 10, 3600);
    }
    let github = GitHub::start_with(options).await;
    let setup = Proxy::before(&github)
        .registry(&registry("priority: low"))
        .env("LOW_PRIORITY_RESERVE_PERCENT", "50")
        .env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = setup.start().await;
    wait::until("all limits to be known", || {
        let proxy = &proxy;
        async move {
            let stats = proxy.stats().await;
            (stats.sum("github_proxy_rate_limit_limit", &[("resource", "core")]) == 30)
                .then_some(())
        }
    })
    .await;
    let mut served = 0;
    while get(&proxy, THRIFTY, served).await.status == 200 {
        served += 1;
        assert!(served <= 15, "the reserve was touched");
    }
    assert_eq!(served, 15);
    assert_eq!(get(&proxy, THRIFTY, 0).await.status, 200, "free");
    for number in 100..115 {
        assert_eq!(get(&proxy, OTHER, number).await.status, 200, "{number}");
    }
    assert_eq!(get(&proxy, OTHER, 200).await.status, 403);
    assert_eq!(github.counted(), 30);
}
