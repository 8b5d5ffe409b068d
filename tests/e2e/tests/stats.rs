//! The statistics: every documented metric, with its labels, adding up with what GitHub saw.

use e2e::cache_status::HIT;
use e2e::stats::Stats;
use e2e::{apps, burst, GitHub, Proxy, Redis};
use github_simulator::log::Cost;
use github_simulator::{Action, Document};
use serde_json::json;
use std::collections::BTreeMap;

/// What is counted under labels that are known beforehand begins with 0, so that its first event
/// is a rise; and what is measured is there before the first request.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_told_at_the_start_is() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let setup = apps::with_app(Proxy::before(&github).redis(&redis), "APP", 7);
    let proxy = setup.start().await;
    let stats = proxy
        .stats_when("the first look", |stats| {
            stats.of("github_proxy_credential_state", &[]).count() == 4
        })
        .await;
    for (name, label, expected) in [
        ("failovers", "reason", 3),
        ("etag_prediction", "result", 4),
        ("config_reloads", "result", 2),
        ("cache_errors", "operation", 6),
        ("token_exchanges", "result", 2),
        ("denied", "client", 2),
    ] {
        let name = format!("github_proxy_{name}");
        assert_eq!(
            stats.values(&name, label).len(),
            expected,
            "{}",
            stats.ours()
        );
    }
    for name in [
        "failovers",
        "config_reloads",
        "denied",
        "cache_evictions",
        "cache_bytes",
    ] {
        let name = format!("github_proxy_{name}");
        assert!(stats.of(&name, &[]).count() > 0, "{}", stats.ours());
        assert_eq!(stats.sum(&name, &[]), 0, "{}", stats.ours());
    }
    let memory = stats.sum("github_proxy_vm_memory_bytes", &[]);
    let largest = stats.sum("github_proxy_vm_memory_largest_bytes", &[]);
    assert!(largest > 65_536 && memory >= largest, "{memory}, {largest}");
}

/// Each outcome has its own label, and a refusal its reason.
#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_is_counted_under_its_name() {
    let github = GitHub::start().await;
    let registry = format!(
        "{}  - name: late\n    tokens:\n      - token: token-of-late-0123456789\n        expires: 2020-01-01T00:00:00Z\n",
        e2e::REGISTRY
    );
    let proxy = Proxy::before(&github).registry(&registry).start().await;
    let slow = Document {
        delay_ms: 1_000,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/slow", slow);
    github.put_json("/things/1", json!({"n": 1}));

    burst(5, |_| proxy.request("GET", "/things/slow")).await; // 1 miss, 4 coalesced
    proxy.get("/things/1").await; // miss
    proxy.get("/things/1").await; // revalidated
    github.fail_next(
        2,
        "/things/1",
        Action::Status {
            status: 500,
            body: None,
            headers: BTreeMap::new(),
        },
    );
    proxy.get("/things/1").await; // stale
    github.clear_faults();
    let unstored = proxy
        .request("GET", "/things/1")
        .header("cache-control", "no-store");
    unstored.send().await; // bypass
    proxy
        .request("POST", "/graphql")
        .body(r#"{"query":"{viewer{login}}"}"#)
        .send()
        .await; // bypass
    let refuse = |target: &'static str, authorization: Option<&'static str>| {
        let request = proxy.request("DELETE", target);
        match authorization {
            Some(value) => request.header("authorization", value).send(),
            None => request.without("authorization").send(),
        }
    };
    refuse("/user", None).await;
    refuse("/user", Some("token wrong")).await;
    refuse("/user", Some("token token-of-late-0123456789")).await;
    refuse(
        "/user",
        Some("token oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU="),
    )
    .await;
    proxy.get("/things/..%2f").await;

    let requests = |stats: &Stats, cache: &str| {
        stats.sum(
            "github_proxy_requests",
            &[("client", "test"), ("cache", cache)],
        )
    };
    let denied = |stats: &Stats, client: &str, reason: &str| {
        stats.sum(
            "github_proxy_denied",
            &[("client", client), ("reason", reason)],
        )
    };
    proxy
        .stats_when("all outcomes", |stats| {
            requests(stats, "miss") == 2
                && requests(stats, "coalesced") == 4
                && requests(stats, "revalidated") == 1
                && requests(stats, "stale") == 1
                && requests(stats, "bypass") == 2
                && requests(stats, "none") == 1
                && denied(stats, "-", "no_token") == 1
                && denied(stats, "-", "bad_token") == 1
                && denied(stats, "late", "expired_token") == 1
                && denied(stats, "read_only", "scope") == 1
                && denied(stats, "test", "path") == 1
        })
        .await;

    // What may be answered without asking has a label of its own.
    let proxy = Proxy::before(&github)
        .env("CACHE_SERVE_FRESH", "60")
        .start()
        .await;
    proxy.get("/things/1").await;
    let hit = proxy.get("/things/1").await;
    assert_eq!(hit.cache(), HIT);
    proxy
        .stats_when("a hit", |stats| requests(stats, "hit") == 1)
        .await;
}

/// The counters of requests to GitHub are GitHub's own: by credential, status and cost; and the
/// gauges of the rate limit say what GitHub's last answer said.
#[tokio::test(flavor = "multi_thread")]
async fn counters_add_up_with_githubs_log() {
    let (github, proxy) = e2e::start().await;
    for number in 0..5 {
        github.put_json(&format!("/things/{number}"), json!({"n": number}));
    }
    for round in 0..6 {
        for number in 0..5 {
            proxy.get(&format!("/things/{number}")).await;
        }
        github.touch(&format!("/things/{round}"));
        proxy.get("/things/missing").await;
        proxy.get("/search/issues?q=repo:octocat/hello-world").await;
        proxy
            .request("POST", "/graphql")
            .body(r#"{"query":"{viewer{login}}"}"#)
            .send()
            .await;
    }

    let mut expected: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for entry in github.requests() {
        let cost = if entry.cost == Cost::Counted {
            "counted"
        } else {
            "free"
        };
        let token = entry.token.expect("a credential of the pool");
        let status = entry.status.expect("an answer").to_string();
        *expected
            .entry((token, status, cost.to_owned()))
            .or_default() += 1;
    }
    let name = "github_proxy_upstream_requests";
    let total: u64 = expected.values().sum();
    let stats = proxy
        .stats_when("all upstream requests", |stats| {
            stats.sum(name, &[]) == total
        })
        .await;
    for ((credential, status, cost), count) in &expected {
        let labels = [
            ("credential", credential.as_str()),
            ("status", status),
            ("cost", cost),
        ];
        assert_eq!(
            stats.sum(name, &labels),
            *count,
            "{labels:?}\n{}",
            stats.ours()
        );
    }
    assert_eq!(
        stats.values(name, "resource"),
        ["core", "graphql", "search"].map(str::to_owned).into()
    );

    let by_owner = github.counters().by_owner;
    for (credential, _, login) in e2e::github::CREDENTIALS {
        for (resource, limit) in [("core", 5_000), ("search", 30)] {
            let labels = [("credential", credential), ("resource", resource)];
            let Some(used) = by_owner
                .get(&format!("user/{login} {resource}"))
                .map(|it| it.counted)
            else {
                continue;
            };
            let gauge = |name: &str| stats.sum(&format!("github_proxy_rate_limit_{name}"), &labels);
            assert_eq!(gauge("limit"), limit, "{labels:?}\n{}", stats.ours());
            assert_eq!(gauge("used"), used, "{labels:?}\n{}", stats.ours());
            assert_eq!(gauge("remaining"), limit - used, "{labels:?}");
            assert!(gauge("reset") > 1_700_000_000, "{labels:?}");
        }
        assert_eq!(
            stats.sum(
                "github_proxy_credential_state",
                &[("credential", credential)]
            ),
            0
        );
    }
    let predictions =
        |result: &str| stats.sum("github_proxy_etag_prediction", &[("result", result)]);
    assert!(
        predictions("match") > 0 && predictions("confirmed") > 0,
        "{}",
        stats.ours()
    );
    assert_eq!(predictions("mismatch") + predictions("refuted"), 0);
}

/// Every metric that the documentation lists is there under its name, histograms included, and
/// no label holds a path, a token, or a client that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn every_metric_exists_and_cardinality_is_bounded() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let setup = Proxy::before(&github).redis(&redis);
    let proxy = setup.env("CACHE_MEMORY_BYTES", "320000").start().await;
    for number in 0..60 {
        let path = format!("/things/{number}");
        github.put_json(&path, json!({"text": "x".repeat(6_000)}));
        proxy.get(&path).await;
        proxy.get(&path).await;
    }
    for number in 0..30 {
        let bad = format!("token made-up-{number}");
        let request = proxy.request("GET", &format!("/made-up/{number}"));
        let request = request.header("user-agent", &format!("made-up/{number}"));
        request.header("authorization", &bad).send().await;
        let request = proxy.request("GET", &format!("/made-up/{number}"));
        request
            .header("user-agent", &format!("made-up/{number}"))
            .send()
            .await;
    }
    proxy.replace_registry(
        "version: 1\nclients:\n  - name: later\n    token: the-token-of-a-later-client\n",
    );
    // Envoy makes histograms up every few seconds.
    let stats = proxy
        .stats_when("a reload, and histograms", |stats| {
            stats.sum("github_proxy_config_reloads", &[("result", "applied")]) == 1
                && stats.sum("github_proxy_upstream_duration_milliseconds_count", &[]) > 0
        })
        .await;
    for (name, labels) in [
        ("requests", vec!["client", "method", "status", "cache"]),
        ("denied", vec!["client", "reason"]),
        (
            "upstream_requests",
            vec!["client", "credential", "resource", "status", "cost"],
        ),
        ("rate_limit_limit", vec!["credential", "resource"]),
        ("rate_limit_remaining", vec!["credential", "resource"]),
        ("rate_limit_used", vec!["credential", "resource"]),
        ("rate_limit_reset", vec!["credential", "resource"]),
        ("credential_state", vec!["credential"]),
        ("request_duration_milliseconds_count", vec!["cache"]),
        ("upstream_duration_milliseconds_count", vec![]),
        ("cache_duration_milliseconds_count", vec!["operation"]),
        ("cache_bytes", vec![]),
        ("cache_entries", vec![]),
        ("cache_evictions", vec![]),
        ("etag_prediction", vec!["result"]),
        ("config_reloads", vec!["result"]),
    ] {
        let name = format!("github_proxy_{name}");
        let sample = stats.of(&name, &[]).next();
        let sample = sample.unwrap_or_else(|| panic!("{name} is missing:\n{}", stats.ours()));
        for label in labels {
            assert!(
                sample.labels.contains_key(label),
                "{name} has no {label}: {sample:?}"
            );
        }
    }
    let bytes = stats.sum("github_proxy_cache_bytes", &[]);
    assert!(bytes > 0 && bytes <= 320_000, "{bytes}");
    for sample in stats
        .0
        .iter()
        .filter(|it| it.name.starts_with("github_proxy_"))
    {
        for value in sample.labels.values() {
            assert!(
                !value.contains("made-up") && !value.contains('/'),
                "{sample:?}"
            );
        }
    }
    let clients = stats.values("github_proxy_requests", "client");
    assert_eq!(clients, ["-", "test"].map(str::to_owned).into());
}
