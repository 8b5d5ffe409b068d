//! Connections of every kind: kept alive, HTTP/2 with many requests at once, one that asks before
//! it sends, clients that leave in the middle.

use e2e::cache_status::{COALESCED, MISS, REVALIDATED};
use e2e::http::Http2;
use e2e::{burst, raw, TOKEN};
use github_simulator::{Content, Document};
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use tokio::task::JoinSet;

/// A hundred requests at once over one HTTP/2 connection, and so on one worker, are one to GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn http2_requests_share_an_answer() {
    let (github, proxy) = e2e::start().await;
    let document = Document {
        delay_ms: 500,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/1", document);
    let connection = Http2::connect(proxy.address()).await;
    for expected in [[COALESCED, MISS], ["", REVALIDATED]] {
        github.reset_log();
        let mut running = JoinSet::new();
        for _ in 0..100 {
            running.spawn(
                connection
                    .clone()
                    .outcome(proxy.request("GET", "/things/1")),
            );
        }
        let mut seen = Vec::new();
        for outcome in running.join_all().await {
            let response = outcome.expect("a whole answer");
            assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
            seen.push(response.cache().to_owned());
        }
        seen.sort();
        seen.dedup();
        assert!(seen.contains(&expected[1].to_owned()), "{seen:?}");
        assert_eq!(github.paid(""), usize::from(expected[0] == COALESCED));
    }
}

/// What Envoy notes after a body that it decompressed is not GitHub's, and not the client's business.
#[tokio::test(flavor = "multi_thread")]
async fn http2_answers_have_no_trailers() {
    let (_github, proxy) = e2e::start().await;
    let connection = Http2::connect(proxy.address()).await;
    for _ in 0..2 {
        let outcome = connection
            .clone()
            .outcome(proxy.request("GET", "/users/octocat"))
            .await;
        assert_eq!(outcome.expect("a whole answer").trailers, None);
    }
}

/// Different wishes about one resource, all at once on a cold cache: each gets its own answer.
#[tokio::test(flavor = "multi_thread")]
async fn different_wishes_do_not_mix() {
    let (github, proxy) = e2e::start().await;
    let document = Document {
        delay_ms: 500,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/1", document);
    for _ in 0..2 {
        let answers = burst(60, |number| match number % 6 {
            0 => proxy.request("HEAD", "/things/1"),
            1 => proxy
                .request("GET", "/things/1")
                .header("if-none-match", "\"other\""),
            2 => proxy
                .request("GET", "/things/1")
                .header("if-none-match", "*"),
            3 => proxy
                .request("GET", "/things/1")
                .header("range", "bytes=0-3"),
            4 => proxy
                .request("GET", "/things/1")
                .header("cache-control", "no-store"),
            _ => proxy.request("GET", "/things/1"),
        })
        .await;
        for (number, answer) in answers.iter().enumerate() {
            // The order of the answers is not that of the requests: look at each kind's share.
            assert!(
                [200, 206, 304].contains(&answer.status),
                "{number}: {answer:?}"
            );
            match answer.status {
                206 => assert_eq!(&answer.body[..], b"{\"n\""),
                304 => assert!(answer.body.is_empty()),
                _ => assert!(answer.body.is_empty() || answer.json() == json!({"n": 1})),
            }
        }
        let share = |status: u16| answers.iter().filter(|it| it.status == status).count();
        let empty = answers
            .iter()
            .filter(|it| it.status == 200 && it.body.is_empty());
        assert_eq!((share(304), empty.count()), (10, 10));
        assert_eq!(share(200) + share(206), 50);
    }
}

/// Two requests on one connection, the second sent before the first is answered, are answered in
/// order.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_alive() {
    let (github, proxy) = e2e::start().await;
    let slow = Document {
        delay_ms: 300,
        ..Document::json(json!({"order": "first"}))
    };
    github.put("/things/slow", slow);
    github.put_json("/things/fast", json!({"order": "second"}));
    let request = |target: &str, more: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: x\r\nuser-agent: e2e\r\nauthorization: token {TOKEN}\r\n{more}\r\n"
        )
    };
    let both = request("/things/slow", "") + &request("/things/fast", "connection: close\r\n");
    let answer = raw::until_closed(proxy.address(), both.as_bytes()).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (first, second) = (answer.find("\"first\""), answer.find("\"second\""));
    assert!(first.is_some() && first < second, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
}

/// Some proxies in front speak HTTP/1.0 (nginx by default): no chunks, the end is that of the
/// connection.
#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_is_answered() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/1", json!({"order": "only"}));
    for _ in 0..2 {
        let request = format!(
            "GET /things/1 HTTP/1.0\r\nhost: x\r\nuser-agent: e2e\r\nauthorization: token {TOKEN}\r\n\r\n"
        );
        let answer = raw::until_closed(proxy.address(), request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(raw::status(&answer), 200, "{answer}");
        assert!(answer.ends_with("\r\n\r\n{\"order\":\"only\"}"), "{answer}");
    }
    assert_eq!(github.counted(), 1);
}

/// curl asks before it sends a large body; it is told to go on, and when it may not, why.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_before_it_sends_is_answered() {
    let (github, proxy) = e2e::start().await;
    let file = proxy.folder().join("upload");
    std::fs::write(&file, vec![b'x'; 3 << 20]).expect("a temporary file");
    let upload = |token: &str| {
        let mut command = Command::new("curl");
        command.args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_upload}",
            "-X",
            "POST",
        ]);
        command.args([
            "-H",
            "Expect: 100-continue",
            "-H",
            &format!("Authorization: token {token}"),
        ]);
        command.args([
            "--expect100-timeout",
            "60",
            "--data-binary",
            &format!("@{}", file.display()),
        ]);
        command.arg(format!("http://{}/things/upload", proxy.address()));
        let output = command.output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let sent = upload(TOKEN);
    assert!(
        sent.ends_with(&(3 << 20).to_string()) && !sent.starts_with('0'),
        "{sent}"
    );
    assert_eq!(github.requests()[0].body_length, Some(3 << 20));
    assert!(upload("wrong").starts_with("401 "));
    assert_eq!(github.requests().len(), 1);
}

/// Clients that leave at any moment, in the head or in a body of either direction, leave nothing
/// behind: everybody else is served.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_do_no_harm() {
    let (github, proxy) = e2e::start().await;
    let slow = Document {
        delay_ms: 60,
        ..Document::json(json!({"n": 1}))
    };
    github.put("/things/slow", slow);
    let mut long = Document::new(Content::Generated(3_000_000));
    long.chunk_delay_ms = 5;
    github.put("/things/long", long);
    for round in 0..10 {
        let mut leaving = JoinSet::new();
        for number in 0..20 {
            let request = match number % 3 {
                0 => proxy.request("GET", "/things/slow"),
                1 => proxy.request("GET", "/things/long"),
                _ => proxy
                    .request("POST", "/things/upload")
                    .body(vec![b'x'; 1 << 20]),
            };
            leaving.spawn(request.outcome());
        }
        tokio::time::sleep(Duration::from_millis(10 * round)).await;
        leaving.abort_all();
        let response = proxy.get("/things/slow").await;
        assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
    }
    let answers = burst(20, |_| proxy.request("GET", "/things/slow")).await;
    assert!(answers.iter().all(|it| it.status == 200));
    let stats = proxy.stats().await;
    for name in [
        "envoy_wasm_envoy_wasm_runtime_v8_vm_failure",
        "envoy_wasm_vm_reload_success",
    ] {
        assert_eq!(stats.sum(name, &[]), 0, "{name}");
    }
}
