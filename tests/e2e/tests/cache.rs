//! Clients see GitHub: whatever the cache does, answers are GitHub's, and what can be confirmed is
//! paid for once, whatever its status and however its entity tag comes about.

use e2e::cache_status::{COALESCED, METHOD, MISS, REPLACED, REVALIDATED, UNSTORED};
use e2e::{burst, GitHub, Proxy, Redis, Response};
use github_simulator::{Content, Document, EtagMode, Options};
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// `Cache-Status` tells what happened, in the documented forms, and the answers of a cold, a
/// warm and a changed resource are GitHub's, field by field.
#[tokio::test(flavor = "multi_thread")]
async fn cold_warm_and_changed_answers_are_githubs() {
    let (github, proxy) = e2e::start().await;
    let mut document = Document::json(json!({"n": 1}));
    document
        .headers
        .insert("x-poll-interval".to_owned(), "60".to_owned());
    github.put("/things/1", document);

    let miss = proxy.get("/things/1").await;
    let hit = proxy.get("/things/1").await;
    github.touch("/things/1");
    let replaced = proxy.get("/things/1").await;
    let again = proxy.get("/things/1").await;
    let seen = [&miss, &hit, &replaced, &again].map(Response::cache);
    assert_eq!(seen, [MISS, REVALIDATED, REPLACED, REVALIDATED]);
    assert_eq!(hit.body, miss.body);
    assert_eq!(again.body, replaced.body);
    assert_eq!(replaced.json(), json!({"n": 1, "version": 1}));
    for name in [
        "content-type",
        "etag",
        "vary",
        "x-poll-interval",
        "x-github-media-type",
        "server",
    ] {
        assert!(
            !miss.header(name).is_empty(),
            "{name} is missing in {miss:?}"
        );
        assert_eq!(hit.header(name), miss.header(name), "{name}");
    }
    for response in [&miss, &hit, &replaced] {
        for name in [
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ] {
            assert!(
                response.header(name).parse::<u64>().is_ok(),
                "{name}: {response:?}"
            );
        }
        assert_eq!(
            response.header("x-ratelimit-limit"),
            "15000",
            "the pool's, of three users"
        );
    }
    let post = proxy
        .request("POST", "/graphql")
        .body(r#"{"query":"{viewer{login}}"}"#);
    assert_eq!(post.send().await.cache(), METHOD);
}

/// A 304 brings the stored fields up to date: `Link` changes while the body and its tag do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_304_refreshes_the_stored_fields() {
    let (github, proxy) = e2e::start().await;
    let path = "/things/page";
    let put = |link: Option<&str>| {
        let mut document = Document::json(json!([1, 2, 3]));
        let link = link.map(|link| ("link".to_owned(), link.to_owned()));
        document.headers.extend(link);
        github.put(path, document);
    };
    put(None);
    let first = proxy.get(path).await;
    assert_eq!(first.header("link"), "");
    for link in [
        "<https://x.example/?page=2>; rel=\"next\"",
        "<https://x.example/?page=3>; rel=\"next\"",
    ] {
        put(Some(link));
        for _ in 0..2 {
            let response = proxy.get(path).await;
            assert_eq!(
                (response.cache(), response.header("link")),
                (REVALIDATED, link)
            );
            assert_eq!(response.body, first.body);
            assert_eq!(response.header("etag"), first.header("etag"));
        }
    }
    assert_eq!(github.paid(path), 1);
}

/// A server whose tags nobody can compute (a GitHub Enterprise Server) is revalidated by the
/// credential that fetched the entry: the version is still paid for once.
#[tokio::test(flavor = "multi_thread")]
async fn unpredictable_tags_keep_to_the_credential_that_fetched() {
    let options = Options {
        etags: EtagMode::PerCredential,
        ..Options::default()
    };
    let github = GitHub::start_with(options).await;
    let proxy = Proxy::before(&github).start().await;
    for number in 0..3 {
        github.put_json(&format!("/things/{number}"), json!({"n": number}));
    }
    for round in 0..10 {
        for number in 0..3 {
            let response = proxy.get(&format!("/things/{number}")).await;
            let expected = if round == 0 { MISS } else { REVALIDATED };
            assert_eq!(
                (response.json(), response.cache()),
                (json!({"n": number}), expected)
            );
        }
    }
    assert_eq!(github.paid("/things/"), 3);
    for number in 0..3 {
        let entries = github.requests_to(&format!("/things/{number}"));
        let by: BTreeSet<_> = entries.into_iter().map(|it| it.token).collect();
        assert_eq!(by.len(), 1, "{by:?}");
    }
    github.touch("/things/1");
    assert_eq!(proxy.get("/things/1").await.cache(), REPLACED);
    assert_eq!(proxy.get("/things/1").await.cache(), REVALIDATED);
}

/// Tags that suddenly cannot be computed any more do no harm: no answer is wrong, and after one
/// paid request the credential that fetched it keeps the entry.
#[tokio::test(flavor = "multi_thread")]
async fn tags_that_stop_being_predictable_do_no_harm() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/1", json!({"n": 1}));
    for _ in 0..3 {
        proxy.get("/things/1").await;
    }
    github.set_etags("/things", EtagMode::PerCredential);
    github.reset_log();
    for _ in 0..8 {
        let response = proxy.get("/things/1").await;
        assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
    }
    assert_eq!(github.paid("/things/1"), 1);
}

/// Without any validator there is nothing to confirm: every request is paid for, except those
/// that waited for the same answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_validator_is_fetched_anew() {
    let options = Options {
        etags: EtagMode::None,
        ..Options::default()
    };
    let github = GitHub::start_with(options).await;
    let proxy = Proxy::before(&github).start().await;
    github.put_json("/things/1", json!({"n": 1}));
    for _ in 0..2 {
        let response = proxy.get("/things/1").await;
        assert_eq!(
            (response.json(), response.cache()),
            (json!({"n": 1}), UNSTORED)
        );
    }
    assert_eq!(github.paid("/things/1"), 2);
}

/// Redirects, missing, gone and empty things are answered as GitHub answers them, and what can be
/// confirmed is paid for once.
#[tokio::test(flavor = "multi_thread")]
async fn statuses_other_than_200_pass_through() {
    let (github, proxy) = e2e::start().await;
    github.add_repo("octocat", "old-name", 0);
    github.rename_repo("octocat", "old-name", "new-name");
    let moved = proxy.get("/repos/octocat/old-name").await;
    assert_eq!(moved.status, 301, "{moved:?}");
    assert!(!moved.header("location").is_empty());
    assert!(moved.json()["message"].is_string());

    for status in [202, 204, 301, 302, 307, 403, 404, 409, 410, 422, 451] {
        let path = format!("/things/status-{status}");
        let body = if status == 204 {
            Content::Empty
        } else {
            Content::Json(json!({"status": status}))
        };
        let document = Document {
            status,
            etag: Some("\"same\"".to_owned()),
            ..Document::new(body)
        };
        github.put(&path, document);
        for _ in 0..3 {
            let response = proxy.get(&path).await;
            assert_eq!(response.status, status, "{response:?}");
            if status != 204 {
                assert_eq!(response.json(), json!({"status": status}));
            }
        }
    }
    github.put_json("/things/empty", json!([]));
    for _ in 0..3 {
        assert_eq!(proxy.get("/things/empty").await.json(), json!([]));
    }
    assert_eq!(github.paid("/things/empty"), 1);
}

/// Equal requests that wait together share one answer even where there is nothing to store: fifty
/// at once for what does not exist cost one request.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_thing_is_asked_for_once_at_a_time() {
    let (github, proxy) = e2e::start().await;
    let body = Content::Json(json!({"message": "Not Found"}));
    let missing = Document {
        status: 404,
        delay_ms: 1_500,
        ..Document::new(body)
    };
    github.put("/things/missing", missing);
    let answers = burst(50, |_| proxy.request("GET", "/things/missing")).await;
    let shared = answers.iter().filter(|it| it.cache().contains("collapsed"));
    assert_eq!(shared.count(), 49);
    for answer in &answers {
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json(), json!({"message": "Not Found"}));
    }
    assert_eq!(github.requests_to("/things/missing").len(), 1);
}

/// A follower's `Cache-Status` says so, in the form of RFC 9211.
#[tokio::test(flavor = "multi_thread")]
async fn followers_say_that_they_followed() {
    let (github, proxy) = e2e::start().await;
    let document = Document {
        delay_ms: 1_500,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/slow", document);
    let answers = burst(10, |_| proxy.request("GET", "/things/slow")).await;
    let mut forms: Vec<&str> = answers.iter().map(Response::cache).collect();
    forms.sort_unstable();
    forms.dedup();
    assert_eq!(forms, [COALESCED, MISS]);
}

/// Bodies come out of the cache as they went in, byte for byte, whatever is in them.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_kept_byte_for_byte() {
    let (github, proxy) = e2e::start().await;
    let all: Vec<u8> = (0..=255).collect();
    let encoded = {
        use base64::{engine::general_purpose::STANDARD, Engine};
        STANDARD.encode(&all)
    };
    github.put("/things/bytes", Document::new(Content::Base64(encoded)));
    let text: Value = json!({"s": "é\u{1F600}\u{2028} \\ \" \u{7f}", "n": 1.0e30, "empty": {}});
    github.put_json("/things/text", text.clone());
    for _ in 0..2 {
        assert_eq!(&proxy.get("/things/bytes").await.body[..], &all[..]);
        assert_eq!(proxy.get("/things/text").await.json(), text);
    }
}

/// An entry lives so long after GitHub last confirmed it, in memory and in Redis.
#[tokio::test(flavor = "multi_thread")]
async fn entries_expire() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    for setup in [Proxy::before(&github), Proxy::before(&github).redis(&redis)] {
        let proxy = setup.env("CACHE_TTL", "1").start().await;
        github.put_json("/things/1", json!({"n": 1}));
        assert_eq!(proxy.get("/things/1").await.cache(), MISS);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(proxy.get("/things/1").await.cache(), MISS);
    }
}

/// Without memory, Redis is the cache; without both, every answer is right all the same.
#[tokio::test(flavor = "multi_thread")]
async fn memory_can_be_turned_off() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    for (setup, paid) in [
        (Proxy::before(&github).redis(&redis), 1),
        (Proxy::before(&github), 25),
    ] {
        let proxy = setup.env("CACHE_MEMORY_BYTES", "0").start().await;
        github.put_json("/things/1", json!({"n": 1}));
        github.reset_log();
        for response in burst(20, |_| proxy.request("GET", "/things/1")).await {
            assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
        }
        for _ in 0..5 {
            assert_eq!(proxy.get("/things/1").await.json(), json!({"n": 1}));
        }
        assert!(
            github.paid("/things/1") <= paid,
            "{} were paid for",
            github.paid("/things/1")
        );
    }
}
