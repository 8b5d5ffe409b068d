//! When GitHub fails: what is in the cache stands in where that is allowed, marked as what it is;
//! otherwise clients see GitHub's own error, or one in its shape.

use e2e::cache_status::{MISS, REVALIDATED, STALE};
use e2e::{burst, GitHub, Proxy};
use github_simulator::{Action, Ban, Document};
use serde_json::json;

fn status(status: u16) -> Action {
    Action::Status {
        status,
        body: None,
        headers: Default::default(),
    }
}

fn every_failure() -> Vec<Action> {
    vec![
        status(500),
        status(502),
        status(503),
        Action::Reset,
        Action::Close,
        Action::NotHttp,
    ]
}

/// Whatever way GitHub fails in, what is known is served, says how old it is and that it is
/// stale, and survives; once GitHub is back it is confirmed at no cost.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_thing_outlives_every_failure() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/known", json!({"n": 1}));
    let first = proxy.get("/things/known").await;
    assert_eq!(first.cache(), MISS);
    for failure in every_failure() {
        github.fail_next(3, "/things/known", failure.clone());
        for _ in 0..2 {
            let stale = proxy.get("/things/known").await;
            assert_eq!((stale.status, stale.cache()), (200, STALE), "{failure:?}");
            assert_eq!(stale.body, first.body);
            assert!(stale.header("age").parse::<u64>().is_ok(), "{stale:?}");
        }
        let request = proxy.request("GET", "/things/known");
        let known = request
            .header("if-none-match", first.header("etag"))
            .send()
            .await;
        assert_eq!((known.status, known.cache()), (304, STALE));
        github.clear_faults();
        let fresh = proxy.get("/things/known").await;
        assert_eq!((fresh.cache(), &fresh.body), (REVALIDATED, &first.body));
        assert_eq!(fresh.headers.get("age"), None);
    }
    assert_eq!(github.counted(), 1);
}

/// Without anything to stand in, clients see GitHub's error as it came, or one in GitHub's shape
/// where there was no answer, and it is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_thing_fails_as_github_does() {
    let (github, proxy) = e2e::start().await;
    for (number, failure) in every_failure().into_iter().enumerate() {
        let path = format!("/things/{number}");
        github.put_json(&path, json!({"n": number}));
        github.fail_next(1, &path, failure.clone());
        let failed = proxy.get(&path).await;
        let expected = match failure {
            Action::Status { status, .. } => status,
            _ => 502,
        };
        assert_eq!(failed.status, expected, "{failure:?}: {failed:?}");
        let body = failed.json();
        assert!(body["message"].is_string(), "{body}");
        if expected == 502 && !matches!(failure, Action::Status { .. }) {
            assert_eq!(body["status"], "502");
            assert!(body["documentation_url"].is_string());
        }
        let fine = proxy.get(&path).await;
        assert_eq!(
            (fine.status, fine.cache(), fine.json()),
            (200, MISS, json!({"n": number}))
        );
    }
    // GitHub's error pages are HTML at times; they pass as they are.
    let mut headers = std::collections::BTreeMap::new();
    headers.insert("x-unicorn".to_owned(), "1".to_owned());
    let page = "<html>Unicorn!</html>".to_owned();
    github.fail_next(
        1,
        "/things/html",
        Action::Status {
            status: 502,
            body: Some(page.clone()),
            headers,
        },
    );
    let failed = proxy.get("/things/html").await;
    assert_eq!(
        (failed.status, failed.header("x-unicorn"), &failed.body[..]),
        (502, "1", page.as_bytes())
    );
}

/// A write that fails is sent once: whether it took effect nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn writes_are_not_repeated() {
    let (github, proxy) = e2e::start().await;
    for failure in every_failure() {
        github.reset_log();
        github.fail_next(5, "/repos/octocat/hello-world/issues", failure.clone());
        let request = proxy.request("POST", "/repos/octocat/hello-world/issues");
        let response = request.body(r#"{"title":"once"}"#).send().await;
        assert!(response.status >= 500, "{failure:?}: {response:?}");
        assert_eq!(github.requests().len(), 1, "{failure:?}");
        github.clear_faults();
    }
}

/// Stale answers can be turned off, and then clients see every failure.
#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_can_be_turned_off() {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github)
        .env("CACHE_STALE_IF_ERROR", "0")
        .start()
        .await;
    github.put_json("/things/known", json!({"n": 1}));
    proxy.get("/things/known").await;
    github.fail_next(1, "/things/known", status(503));
    assert_eq!(proxy.get("/things/known").await.status, 503);
    github.fail_next(1, "/things/known", Action::Reset);
    assert_eq!(proxy.get("/things/known").await.status, 502);
    assert_eq!(proxy.get("/things/known").await.cache(), REVALIDATED);
}

/// A GitHub that is not there at all: known things are served, unknown ones are 502 in GitHub's
/// shape, and the proxy comes back with GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn github_may_be_down_altogether() {
    // In a runtime of its own, with which its connections end.
    let elsewhere = tokio::runtime::Runtime::new().expect("a runtime");
    let github = elsewhere.spawn(GitHub::start()).await.expect("a simulator");
    let address = github.api_address();
    let proxy = Proxy::before(&github).start().await;
    github.put_json("/things/known", json!({"n": 1}));
    proxy.get("/things/known").await;
    drop(github);
    elsewhere.shutdown_background();
    let stale = proxy.get("/things/known").await;
    assert_eq!(
        (stale.status, stale.cache(), stale.json()),
        (200, STALE, json!({"n": 1}))
    );
    let unknown = proxy.get("/things/unknown").await;
    assert_eq!(
        (unknown.status, unknown.json()["status"].clone()),
        (502, json!("502"))
    );
    let write = proxy.request("POST", "/graphql").body("{}").send().await;
    assert_eq!(write.status, 502);

    let options = github_simulator::Options {
        listen: address,
        ..Default::default()
    };
    let github = GitHub::start_with(options).await;
    github.put_json("/things/known", json!({"n": 1}));
    let back = proxy.get("/things/known").await;
    assert_eq!((back.status, back.json()), (200, json!({"n": 1})));
}

/// A failure is not shared: of many equal requests of which only the first meets it, the others
/// are answered.
#[tokio::test(flavor = "multi_thread")]
async fn followers_do_not_fail_with_their_leader() {
    let (github, proxy) = e2e::start().await;
    for failure in [status(502), Action::Reset] {
        let document = Document {
            delay_ms: 300,
            ..Document::json(json!({"n": 1}))
        };
        let path = format!("/things/{}", failure.as_str());
        github.put(&path, document);
        github.fail_next(1, &path, failure.clone());
        let answers = burst(20, |_| proxy.request("GET", &path)).await;
        let failed = answers.iter().filter(|it| it.status != 200).count();
        assert!(failed <= 1, "{failed} of 20 failed after {failure:?}");
    }
}

/// A leader that hangs up takes nobody with it.
#[tokio::test(flavor = "multi_thread")]
async fn followers_survive_a_leader_that_leaves() {
    let (github, proxy) = e2e::start().await;
    let document = Document {
        delay_ms: 1_000,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/slow", document);
    let leader = tokio::spawn(proxy.request("GET", "/things/slow").outcome());
    e2e::wait::until("the leader's request", || async {
        (!github.requests().is_empty()).then_some(())
    })
    .await;
    let followers = burst(10, |_| proxy.request("GET", "/things/slow"));
    let abort = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        leader.abort();
    };
    let (answers, ()) = tokio::join!(followers, abort);
    for answer in answers {
        assert_eq!((answer.status, answer.json()), (200, json!({"n": 1})));
    }
}

/// Nor does one that hangs up, or is cut off, in the middle of the body: the others get all of it.
#[tokio::test(flavor = "multi_thread")]
async fn followers_survive_a_leader_that_ends_within_the_body() {
    let (github, proxy) = e2e::start().await;
    let body = json!({"text": "x".repeat(3_000)});
    for path in ["/things/left", "/things/cut"] {
        let mut document = Document::json(body.clone());
        document.chunk_bytes = Some(10);
        document.chunk_delay_ms = 40;
        github.put(path, document);
        if path == "/things/cut" {
            github.fail_next(1, path, Action::Truncate { after_bytes: 20 });
        }
        let leader = tokio::spawn(proxy.request("GET", path).outcome());
        e2e::wait::until("the leader's request", || async {
            (!github.requests_to(path).is_empty()).then_some(())
        })
        .await;
        let followers = burst(10, |_| proxy.request("GET", path));
        let abort = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            if path == "/things/left" {
                leader.abort();
            }
        };
        let (answers, ()) = tokio::join!(followers, abort);
        for answer in answers {
            assert_eq!(
                (answer.status, answer.json()),
                (200, body.clone()),
                "{path}"
            );
        }
    }
}

/// With nothing left of the pool's rate limits, what is known is served as stale, and what is not
/// is refused as GitHub refuses, with the earliest reset; GitHub is not asked in vain again and
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_says_when_it_will_be_refilled() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/known", json!({"n": 1}));
    proxy.get("/things/known").await;
    for name in ["A", "B", "C"] {
        github.exhaust(name, "core");
    }
    // Each credential finds out once.
    for number in 0..10 {
        proxy.get(&format!("/things/unknown-{number}")).await;
    }
    github.reset_log();
    let known = proxy.get("/things/known").await;
    assert_eq!((known.status, known.cache()), (200, STALE));
    let refused = proxy.get("/things/unknown").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert!(refused
        .header("retry-after")
        .parse::<u64>()
        .is_ok_and(|it| it > 0));
    assert!(refused.header("x-ratelimit-reset").parse::<u64>().is_ok());
    assert!(refused.json()["message"]
        .as_str()
        .is_some_and(|it| it.contains("rate limit")));
    assert!(github.requests().is_empty(), "{:?}", github.requests());
    // Another resource has limits of its own.
    let search = proxy.get("/search/repositories?q=hello").await;
    assert_eq!(search.status, 200, "{search:?}");
}

/// A secondary limit is no reason to forget what is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_limit_is_bridged_by_the_cache() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/known", json!({"n": 1}));
    proxy.get("/things/known").await;
    github.ban("*", Ban::default());
    for (_, _, login) in e2e::github::CREDENTIALS {
        github.ban(&format!("user/{login}"), Ban::default());
    }
    let known = proxy.get("/things/known").await;
    assert_eq!((known.status, known.cache()), (200, STALE), "{known:?}");
    let unknown = proxy.get("/things/unknown").await;
    assert!([403, 429].contains(&unknown.status), "{unknown:?}");
    assert!(unknown
        .header("retry-after")
        .parse::<u64>()
        .is_ok_and(|it| it > 0));
}
