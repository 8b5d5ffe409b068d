//! Faults, slow and large bodies, and the log of what was received, over real HTTP.

mod common;

use common::{field, Fixture};
use github_simulator::log::Cost;
use github_simulator::{Action, Content, Document};
use std::io::{Read, Write};

#[tokio::test]
async fn a_status_on_demand_is_not_charged() {
    let fixture = Fixture::usual().await;
    let action = Action::Status {
        status: 502,
        body: None,
        headers: [("x-odd".to_owned(), "1".to_owned())].into(),
    };
    fixture.simulator.fail_next(1, "/repos", action);
    assert_eq!(fixture.status("/zen").await, 200);
    let response = fixture
        .get("/repos/octocat/hello-world")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), field(&response, "x-odd")),
        (502, "1")
    );
    assert_eq!(fixture.status("/repos/octocat/hello-world").await, 200);
    let entries = fixture.simulator.requests_to("/repos");
    assert_eq!(
        (entries[0].cost, entries[0].outcome.as_str()),
        (Cost::None, "fault:status")
    );
    assert_eq!(entries[1].cost, Cost::Counted);
    assert_eq!(fixture.simulator.counted(), 2);
}

#[tokio::test]
async fn connections_are_reset_closed_and_spoilt() {
    let fixture = Fixture::usual().await;
    for action in [Action::Reset, Action::Close, Action::NotHttp] {
        fixture.simulator.fail_next(1, "", action.clone());
        let simulator = fixture.simulator.api_address();
        let read = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(simulator).unwrap();
            stream
                .write_all(b"GET /zen HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            let mut bytes = Vec::new();
            let end = stream.read_to_end(&mut bytes);
            (bytes, end.err().map(|error| error.kind()))
        });
        let (bytes, end) = read.await.unwrap();
        match action {
            Action::Reset => assert_eq!(end, Some(std::io::ErrorKind::ConnectionReset)),
            Action::Close => assert_eq!((bytes.len(), end), (0, None)),
            _ => assert!(bytes.starts_with(b"\x00\x01 this is not HTTP"), "{bytes:?}"),
        }
        let entry = fixture.simulator.requests().pop().unwrap();
        assert_eq!((entry.status, entry.finished), (None, true));
    }
}

#[tokio::test]
async fn a_truncated_body_announces_all_of_itself() {
    let fixture = Fixture::usual().await;
    fixture
        .simulator
        .fail_next(1, "/repos", Action::Truncate { after_bytes: 100 });
    let mut response = fixture
        .get("/repos/octocat/hello-world")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let length: usize = field(&response, "content-length").parse().unwrap();
    assert!(length > 100);
    let mut received = 0;
    let failed = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(failed && received <= 100, "{received}");
}

#[tokio::test]
async fn slow_and_garbled_bodies() {
    let fixture = Fixture::usual().await;
    let slow = Action::Slow {
        chunk_bytes: 7,
        milliseconds: 1,
    };
    let (_, whole) = fixture.read("/users/octocat").await;
    fixture.simulator.fail_next(1, "/users", slow);
    assert_eq!(fixture.read("/users/octocat").await, (200, whole));
    fixture.simulator.fail_next(1, "/users", Action::Garbage);
    let response = fixture.get("/users/octocat").send().await.unwrap();
    assert!(response.json::<serde_json::Value>().await.is_err());
}

#[tokio::test]
async fn a_request_that_hangs_is_in_the_log() {
    let fixture = Fixture::usual().await;
    fixture.simulator.fail_next(1, "/zen", Action::Hang);
    let hanging = tokio::spawn(fixture.get("/zen").send());
    while fixture.simulator.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let (_, _) = fixture.read("/user").await;
    let entries = fixture.simulator.requests();
    assert_eq!((entries[0].finished, entries[1].in_flight), (false, 2));
    hanging.abort();
    while !fixture.simulator.requests()[0].finished {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_large_document_is_streamed_and_can_be_checked() {
    let fixture = Fixture::usual().await;
    let length = 96 << 20;
    fixture
        .simulator
        .put("/large", Document::new(Content::Generated(length)));
    let mut response = fixture.get("/large").send().await.unwrap();
    let generated = github_simulator::stream::Generated { seed: 0, length };
    let mut at = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        let next = at + chunk.len() as u64;
        assert_eq!(chunk, generated.bytes(at, next));
        at = next;
    }
    assert_eq!(at, length);
}

#[tokio::test]
async fn the_length_of_a_document_can_be_left_unsaid() {
    let fixture = Fixture::usual().await;
    let mut document = Document::new(Content::Text("abcdef".to_owned()));
    document.chunked = true;
    document.chunk_bytes = Some(4);
    fixture.simulator.put("/stream", document);
    let response = fixture.get("/stream").send().await.unwrap();
    assert_eq!(field(&response, "content-length"), "");
    assert_eq!(field(&response, "transfer-encoding"), "chunked");
    assert_eq!(response.text().await.unwrap(), "abcdef");
}

#[tokio::test]
async fn http_2_is_spoken_without_tls() {
    let fixture = Fixture::usual().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .user_agent("x")
        .build()
        .unwrap();
    let url = format!("{}/zen", fixture.simulator.api_url());
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let head = client.head(&url).send().await.unwrap();
    assert_eq!(field(&response, "etag"), field(&head, "etag"));
    fixture.simulator.fail_next(1, "/zen", Action::Reset);
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
}
