//! Exchanges and polls: when they are due, and what their answers change.

use super::*;
use crate::config::Config;
use crate::generation::InForce;
use crate::shared::testing::Map;

fn answer(status: u16, body: &[u8], retry_after: Option<u64>) -> Exchange<'_> {
    Exchange::Answered {
        status,
        body,
        retry_after,
    }
}

fn poll(status: u16, body: &[u8], retry_after: Option<u64>) -> Poll<'_> {
    Poll {
        status,
        body,
        retry_after,
    }
}

fn proxy() -> Proxy {
    let json = r#"{"upstream":{"authority":"ghes.example","base_path":"/api/v3"},"clients":[],
        "credentials":[{"name":"A","pat_env":"GITHUB_PAT_A"},
            {"name":"X","app_id":"7","installation_id":"9","pem_env":"GITHUB_APP_X_PEM"}]}"#;
    let secrets = |name: &str| Some(format!("secret-of-{name}"));
    let config = Config::from_json(json.as_bytes(), secrets).unwrap();
    Proxy::new(config, InForce::default())
}

fn warned(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Warn(_)))
}

#[test]
fn a_token_is_exchanged_by_one_worker_and_again_before_it_ends() {
    let (proxy, map) = (proxy(), Map::default());
    assert!(is_urgent(&proxy.pool, &map, 0));
    let chores = due(&proxy, &map, 0);
    let [Chore::Exchange {
        member: 1, path, ..
    }] = chores.as_slice()
    else {
        panic!("{chores:?}")
    };
    assert_eq!(path, "/api/v3/app/installations/9/access_tokens");
    assert!(
        due(&proxy, &map, 1).is_empty(),
        "another worker has nothing to do"
    );
    let body = br#"{"token":"ghs_1","expires_at":"1970-01-01T01:00:00Z"}"#;
    exchanged(&proxy, &map, 1, answer(201, body, None), 2);
    assert!(!is_urgent(&proxy.pool, &map, 3));
    let is_exchange = |chore: &Chore<'_>| matches!(chore, Chore::Exchange { .. });
    assert!(!due(&proxy, &map, 2_999_000).iter().any(is_exchange));
    assert!(due(&proxy, &map, 3_000_001).iter().any(is_exchange));
}

#[test]
fn a_failed_exchange_is_reported_once_and_tried_again() {
    let (proxy, map) = (proxy(), Map::default());
    due(&proxy, &map, 0);
    assert!(warned(&exchanged(
        &proxy,
        &map,
        1,
        answer(404, b"", None),
        10
    )));
    assert!(due(&proxy, &map, 1_009).is_empty());
    assert_eq!(due(&proxy, &map, 1_300).len(), 1);
    assert!(!warned(&exchanged(
        &proxy,
        &map,
        1,
        Exchange::Unsigned,
        1_400
    )));
    let body = br#"{"token":"ghs_1","expires_at":"1970-01-01T01:00:00Z"}"#;
    let good = answer(201, body, None);
    assert!(
        warned(&exchanged(&proxy, &map, 1, good, 9_000)),
        "ready again"
    );
}

#[test]
fn an_exchange_is_not_tried_again_before_github_allows_it() {
    let (proxy, map) = (proxy(), Map::default());
    due(&proxy, &map, 0);
    exchanged(&proxy, &map, 1, answer(429, b"", Some(30)), 10);
    let is_exchange = |chore: &Chore<'_>| matches!(chore, Chore::Exchange { .. });
    assert!(!due(&proxy, &map, 30_009).iter().any(is_exchange));
    assert!(due(&proxy, &map, 40_000).iter().any(is_exchange));
}

#[test]
fn polls_tell_rates_and_find_refused_credentials() {
    let (proxy, map) = (proxy(), Map::default());
    due(&proxy, &map, 0);
    assert!(!due(&proxy, &map, 50_000)
        .iter()
        .any(|c| matches!(c, Chore::Poll { .. })));
    let chores = due(&proxy, &map, 70_000);
    assert!(chores
        .iter()
        .any(|c| matches!(c, Chore::Poll { member: 0, path, .. } if path == "/api/v3/rate_limit")));
    let body =
        br#"{"resources":{"core":{"limit":10,"used":9,"remaining":1,"reset":100},"b;d":{}}}"#;
    polled(&proxy, &map, 0, poll(200, body, None), 70_001);
    let member = &proxy.pool.members[0];
    assert_eq!(member.rates.get(&map, "core").unwrap().left(70_001), 1);
    assert!(warned(&polled(
        &proxy,
        &map,
        0,
        poll(401, b"", None),
        70_002
    )));
    assert_eq!(member.state(&map, 70_002), 3);
    assert!(warned(&polled(
        &proxy,
        &map,
        0,
        poll(200, body, None),
        70_003
    )));
    assert_eq!(member.state(&map, 70_003), 0);
    polled(&proxy, &map, 0, poll(401, b"", None), 70_003);
    polled(&proxy, &map, 0, poll(503, b"", None), 70_003);
    assert_eq!(member.state(&map, 70_003), 3, "nobody said that it is");
    let off = br#"{"message":"Rate limiting is not enabled."}"#;
    assert!(warned(&polled(
        &proxy,
        &map,
        0,
        poll(404, off, None),
        70_003
    )));
    assert_eq!(member.state(&map, 70_003), 0);
    let limited = poll(429, b"", Some(30));
    assert!(warned(&polled(&proxy, &map, 0, limited, 70_004)));
    assert_eq!(member.state(&map, 100_003), 2);
    assert_eq!(member.state(&map, 100_004), 0);
}
