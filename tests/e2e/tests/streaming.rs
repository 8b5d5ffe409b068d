//! Answers stream: the client has each part before GitHub sends the next one, however large the
//! whole is and whatever happens to it on the way.

use e2e::cache_status::REVALIDATED;
use e2e::lockstep::{Client, Upstream};
use e2e::{Proxy, Request, REGISTRY, TOKEN};

/// A proxy before an upstream that the test plays itself. With one worker, so that requests of
/// two connections go out on the same one.
async fn start() -> (Upstream, Proxy) {
    let (upstream, address) = Upstream::listen().await;
    let setup = e2e::proxy::Setup::bare()
        .env("GITHUB_API_URL", &format!("http://{address}"))
        .env("GITHUB_PAT_A", "ghp_k3WqZx81LsVbNf7RyTa0HcPmUo52DjGiE9XA")
        .env("GITHUB_RATE_POLL_INTERVAL", "0")
        .registry(REGISTRY)
        .workers(1);
    (upstream, setup.start().await)
}

const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");

/// Events that come one by one arrive one by one: as text, and as JSON, in which URLs are changed,
/// whether they are kept or not.
#[tokio::test(flavor = "multi_thread")]
async fn each_part_arrives_before_the_next_is_sent() {
    let (mut upstream, proxy) = start().await;
    for (kind, more) in [
        ("text/event-stream", ("cache-control", "no-store")),
        ("application/json", ("cache-control", "no-store")),
        ("application/json", ("etag", "\"kept\"")),
    ] {
        let mut client = Client::connect(proxy.address()).await;
        client.send_head("GET", "/events", &[]).await;
        upstream.accept().await;
        let fields = [
            CHUNKED,
            ("content-type", kind),
            more,
            ("connection", "close"),
        ];
        upstream.answer("200 OK", &fields).await;
        let head = client.receive_head().await;
        assert_eq!(head.split(' ').nth(1), Some("200"), "{head}");
        for number in 0..20 {
            let api = format!("http://{}", upstream.address());
            let sent = format!("{{\"url\":\"{api}/{number}\"}},\n");
            let expected = if kind == "application/json" {
                sent.replace(&api, "http://proxy.example")
            } else {
                sent.clone()
            };
            upstream.send_chunk(sent.as_bytes()).await;
            let received = client.receive(expected.len()).await;
            assert_eq!(String::from_utf8_lossy(&received), expected, "{kind}");
        }
        upstream.send_chunk(b"").await;
    }
}

/// A gigabyte passes through a proxy that never has more than a part of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_streams() {
    let (mut upstream, proxy) = start().await;
    let mut client = Client::connect(proxy.address()).await;
    client.send_head("GET", "/archive", &[]).await;
    upstream.accept().await;
    let fields = [
        CHUNKED,
        ("content-type", "application/zip"),
        ("etag", "\"large\""),
    ];
    upstream.answer("200 OK", &fields).await;
    client.receive_head().await;
    let part = vec![b'x'; 4 << 20];
    for _ in 0..256 {
        let (_, received) = tokio::join!(upstream.send_chunk(&part), client.receive(part.len()));
        assert!(received == part);
    }
    upstream.send_chunk(b"").await;
}

/// Fields after a body (RFC 9110 §6.5) cost nothing of it: it arrives whole, with its URLs changed,
/// and is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_trailers_arrives_whole() {
    let (mut upstream, proxy) = start().await;
    let body = r#"{"n":1}"#;
    let ask = || {
        let request = Request::new(proxy.address(), "GET", "/trailers");
        let request = request.header("authorization", &format!("token {TOKEN}"));
        tokio::spawn(request.outcome())
    };
    let asked = ask();
    upstream.accept().await;
    let fields = [
        CHUNKED,
        ("content-type", "application/json"),
        ("etag", "\"t\""),
        ("trailer", "x-sum"),
    ];
    upstream.answer("200 OK", &fields).await;
    upstream
        .send(format!("{:x}\r\n{body}\r\n0\r\nx-sum: 1\r\n\r\n", body.len()).as_bytes())
        .await;
    let response = asked.await.expect("a task").expect("a whole answer");
    assert_eq!(
        (response.status, &response.body[..]),
        (200, body.as_bytes())
    );
    let asked = ask();
    let head = upstream.next().await;
    assert!(
        head.to_ascii_lowercase().contains("if-none-match: \"t\""),
        "{head}"
    );
    upstream
        .answer("304 Not Modified", &[("etag", "\"t\"")])
        .await;
    let response = asked.await.expect("a task").expect("a whole answer");
    assert_eq!(
        (response.cache(), &response.body[..]),
        (REVALIDATED, body.as_bytes())
    );
}
