use super::*;
use crate::config::Config;
use crate::generation::{Generation, InForce, Offer};
use crate::metric::Metric;
use crate::pool::rate::Rate;
use crate::shared::testing::Map;
use crate::tally::News;
use serde_json::{json, Value};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: u64 = 1_700_000_000_000;
const SECRETS: [&str; 3] = ["ghp_S3CR3T", "client-S3CR3T", "another-S3CR3T"];

/// What the worker that is asked goes by, though another has taken over number 2.
const IN_FORCE: InForce = InForce {
    number: 1,
    since: NOW - 60_000,
};

fn proxy() -> Proxy {
    let json = json!({
        "upstream": { "authority": "api.github.com" },
        "credentials": [
            { "name": "BOT_1", "pat_env": "GITHUB_PAT_BOT_1" },
            { "name": "X", "app_id": "7", "installation_id": "9", "pem_env": "GITHUB_APP_X_PEM" },
        ],
        "clients": [
            { "name": "ci", "token": SECRETS[1], "budget": 10 },
            { "name": "bots", "token": SECRETS[2], "priority": "low" },
        ],
    });
    let secrets = |_: &str| Some(SECRETS[0].to_owned());
    let config = Config::from_json(json.to_string().as_bytes(), secrets).unwrap();
    Proxy::new(config, IN_FORCE)
}

fn ask(method: &str, target: &str, accept: Option<&str>, map: &Map) -> Reply {
    let mut fields = vec![(":method", method), (":path", target)];
    fields.extend(accept.map(|accept| ("accept", accept)));
    let fields = fields.into_iter();
    let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let headers = Headers::new(fields.collect());
    assert!(is_meant(&headers), "{target}");
    answer(&headers, &proxy(), map, NOW)
}

fn content_type(reply: &Reply) -> &str {
    reply.headers.text("content-type").unwrap()
}

#[test]
fn the_page_and_the_numbers_have_their_places() {
    let map = Map::default();
    for (target, accept, expected) in [
        ("/-/github-proxy/", None, "text/html; charset=utf-8"),
        (
            "/-/github-proxy/?x",
            Some("text/html,*/*;q=0.8"),
            "text/html; charset=utf-8",
        ),
        (
            "/-/github-proxy/",
            Some("application/json"),
            "application/json",
        ),
        (
            "/-/github-proxy/status.json",
            Some("text/html"),
            "application/json",
        ),
    ] {
        let reply = ask("GET", target, accept, &map);
        assert_eq!(
            (reply.status, content_type(&reply)),
            (200, expected),
            "{target}"
        );
        assert_eq!(ask("HEAD", target, accept, &map).status, 200);
    }
    let moved = ask("GET", "/-/github-proxy", None, &map);
    assert_eq!(moved.headers.text("location"), Some("/-/github-proxy/"));
    assert_eq!(
        (
            moved.status,
            ask("GET", "/-/github-proxy/x", None, &map).status
        ),
        (308, 404)
    );
    assert_eq!(ask("GET", "/-/github-proxyx", None, &map).status, 404);
    let refused = ask("POST", "/-/github-proxy/", None, &map);
    assert_eq!(
        (refused.status, refused.headers.text("allow")),
        (405, Some("GET, HEAD"))
    );
}

#[test]
fn the_policy_lets_the_page_run_what_it_brings_and_nothing_else() {
    let page = ask("GET", "/-/github-proxy/", None, &Map::default());
    let policy = page.headers.text("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    for element in ["script", "style"] {
        assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1);
        assert!(source(element).len() > 50);
    }
    for foreign in ["http://", "https://", "src=", "@import", "url(", "onclick"] {
        assert!(!PAGE.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_numbers_are_those_of_the_pool_and_of_the_clients() {
    let (map, proxy) = (Map::default(), proxy());
    for (number, offer, ago) in [
        (1, Offer::Accepted(0), 60_000),
        (2, Offer::Refused, 20_000),
        (3, Offer::Accepted(0), 10_000),
    ] {
        Generation::offered(&map, None, [number; 32], offer, NOW - ago);
    }
    let mut news = News::default();
    for cache in ["miss", "revalidated", "revalidated", "none"] {
        news.note(&Metric::request("ci", "GET", 200, cache), NOW - 5_000);
    }
    news.note(&Metric::upstream("ci", "BOT_1", "core", 200, false), NOW);
    news.note(&Metric::denied("removed", "scope"), NOW);
    news.tell(&map, NOW);
    let rate = Rate {
        resource: "core".parse().unwrap(),
        limit: 5_000,
        remaining: 4_000,
        used: 1_000,
        reset: NOW / 1_000 + 60,
    };
    proxy.pool.members()[0].rates.learn(&map, &rate, NOW);
    crate::budget::Budget::new("ci", 10).charge(&map, "core", NOW);

    let reply = ask("GET", "/-/github-proxy/status.json", None, &map);
    let report: Value = serde_json::from_slice(reply.body.bytes()).unwrap();
    let at = |pointer: &str| report.pointer(pointer).cloned().unwrap_or_default();
    for (pointer, expected) in [
        ("/upstream", json!("api.github.com")),
        ("/started_at", json!(NOW / 1_000 - 60)),
        (
            "/configuration",
            json!({"generation": 1, "applied_at": NOW / 1_000 - 60, "refused": 1}),
        ),
        ("/totals/requests", json!(4)),
        ("/totals/cache/revalidated", json!(2)),
        ("/totals/credit_ratio", json!(0.3333)),
        ("/pools/0/name", json!("default")),
        ("/pools/0/limits/core/remaining", json!(4_000)),
        ("/clients/0/name", json!("ci")),
        ("/clients/0/counted", json!(1)),
        ("/clients/0/seen_at", json!(NOW / 1_000)),
        ("/clients/0/budget/limit", json!(10)),
        ("/clients/0/budget/resources/core/remaining", json!(9)),
        ("/clients/1/priority", json!("low")),
        ("/clients/1/requests", json!(0)),
        ("/clients/2/name", json!("removed")),
        ("/clients/2/denied", json!(1)),
        ("/clients/2/removed", json!(true)),
        ("/credentials/0/state", json!("ready")),
        ("/credentials/0/limits/0/remaining", json!(4_000)),
        ("/credentials/0/limits/0/known", json!(true)),
        ("/credentials/1/kind", json!("app")),
        ("/credentials/1/limits", json!([])),
    ] {
        assert_eq!(at(pointer), expected, "{pointer}");
    }
    let text = report.to_string();
    for secret in SECRETS {
        let digest = hex::encode(Sha256::digest(secret));
        assert!(!text.contains(secret) && !text.contains(&digest), "{text}");
    }
}
