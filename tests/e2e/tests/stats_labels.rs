//! The labels of the statistics, for names of clients and credentials that are legal and awkward.

use e2e::{GitHub, Proxy};
use serde_json::json;
use std::collections::BTreeSet;

/// Names that are legal and awkward.
const NAMES: [&str; 8] = [
    "a.b-c_d",
    "0",
    "1.2.3",
    "x.method",
    "client.cache",
    "UPPER.lower-9_",
    "a..b",
    "n123456789012345678901234567890123456789012345678901234567890.z",
];

/// Those, and some of the words that stand in stats, joined by all that may stand between them.
fn names() -> Vec<String> {
    let words = [
        "client",
        "cache",
        "github_proxy_requests",
        "status",
        "GET",
        "7",
    ];
    let joints = [".", "-", "_", "..", ".-."];
    let mut names: Vec<String> = NAMES.map(str::to_owned).to_vec();
    for (number, joint) in joints.iter().cycle().take(20).enumerate() {
        let word = |at: usize| words[(number * 5 + at) % words.len()];
        let name = [word(0), joint, word(1), joint, word(number)].concat();
        // Joints may also come last.
        names.push(format!("{name}{number}{joint}").chars().take(63).collect());
    }
    names
}

fn token(name: &str) -> String {
    format!("token-of-{name}-0123456789")
}

fn registry() -> String {
    let mut text = "version: 1\nclients:\n".to_owned();
    for name in names() {
        let token = token(&name);
        text.push_str(&format!(
            "  - name: '{name}'\n    token: {token}\n    scopes:\n"
        ));
        text.push_str("      - method: GET\n        path: /things/.*\n");
    }
    text
}

/// As a label: Envoy would drop a dot at the end, so it is written in another way.
fn shown(name: &str) -> String {
    match name.strip_suffix('.') {
        Some(rest) => format!("{rest}%2E"),
        None => name.to_owned(),
    }
}

/// Every legal client name comes out as it is, in every metric that has one, and takes nothing of
/// the labels beside it along. So does that of a credential.
#[tokio::test(flavor = "multi_thread")]
async fn labels_survive_awkward_names() {
    let github = GitHub::start().await;
    let mut setup = Proxy::before(&github).registry(&registry());
    let credentials = [".a", "b..", "c.client.-"];
    for (name, (plain, secret, _)) in credentials.iter().zip(e2e::github::CREDENTIALS) {
        setup = setup.unset(&format!("GITHUB_PAT_{plain}"));
        setup = setup.env(&format!("GITHUB_PAT_{name}"), secret);
    }
    let proxy = setup.start().await;
    github.put_json("/things/1", json!({"n": 1}));
    let names = names();
    let send = |method: &'static str, target: &'static str, name: &str| {
        let request = proxy.request(method, target);
        request
            .header("authorization", &format!("token {}", token(name)))
            .send()
    };
    for name in &names {
        assert_eq!(send("GET", "/things/1", name).await.status, 200);
        assert_eq!(send("GET", "/user", name).await.status, 403);
    }
    let stats = proxy
        .stats_when("a request and a denial of every client", |stats| {
            names.iter().all(|name| {
                let name = &shown(name);
                stats.sum(
                    "github_proxy_requests",
                    &[("client", name), ("method", "GET"), ("status", "200")],
                ) == 1
                    && stats.sum(
                        "github_proxy_requests",
                        &[("client", name), ("status", "403"), ("cache", "none")],
                    ) == 1
                    && stats.sum(
                        "github_proxy_denied",
                        &[("client", name), ("reason", "scope")],
                    ) == 1
                    && stats.sum(
                        "github_proxy_upstream_requests",
                        &[("client", name), ("resource", "core")],
                    ) == 1
            })
        })
        .await;
    let expected: BTreeSet<String> = names.iter().map(|name| shown(name)).collect();
    let credentials: BTreeSet<String> = credentials.map(shown).into();
    let states = stats.values("github_proxy_credential_state", "credential");
    assert_eq!(states, credentials);
    let used = stats.values("github_proxy_upstream_requests", "credential");
    assert_eq!(used, credentials);
    for metric in [
        "github_proxy_requests",
        "github_proxy_denied",
        "github_proxy_upstream_requests",
    ] {
        assert_eq!(stats.values(metric, "client"), expected, "{metric}");
    }
    for sample in &stats.0 {
        let known = ["requests", "denied", "upstream_requests"];
        let ours = sample.name.strip_prefix("github_proxy_");
        assert!(
            ours.is_none_or(|name| !name.contains("client") && !name.contains('=')),
            "{sample:?}"
        );
        let labels: Vec<&str> = sample.labels.keys().map(String::as_str).collect();
        if ours.is_some_and(|name| known.contains(&name)) {
            assert!(labels.contains(&"client"), "{sample:?}");
        }
    }
}
