//! Statuses that tell a client to go elsewhere, to come back later, or that there is nothing: they
//! pass as GitHub sends them, and lead to the proxy where they lead to the API.

use e2e::cache_status::REVALIDATED;
use e2e::{raw, GitHub, Proxy, TOKEN};
use github_simulator::{BaseUrl, Content, Document, Options};
use serde_json::json;

async fn start() -> (GitHub, Proxy) {
    let github = GitHub::start_with(Options {
        base_url: BaseUrl::github_com(),
        ..Options::default()
    });
    let github = github.await;
    let proxy = Proxy::before(&github).start().await;
    (github, proxy)
}

fn document(status: u16, fields: &[(&str, &str)]) -> Document {
    let mut document = Document::json(json!({"message": "of the simulator"}));
    document.status = status;
    let fields = fields
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    document.headers.extend(fields);
    document
}

/// A redirect keeps its status, and so the method with which a client follows it. One within the API
/// leads to the client's own mount; one to another host is left alone; none is followed here.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_to_where_the_client_came_in() {
    let (github, proxy) = start().await;
    let root = format!("http://{}", proxy.address());
    for (to, own) in [
        (
            "https://api.github.com/repositories/1004",
            Some("/repositories/1004"),
        ),
        ("https://api.github.com/user?a=b#c", Some("/user?a=b#c")),
        (
            "https://codeload.github.com/octocat/x/zip/main?token=t",
            None,
        ),
        ("https://api.github.com.example/user", None),
        ("/relative", None),
    ] {
        for status in [301, 302, 303, 307, 308] {
            for method in ["GET", "POST"] {
                let mut moved = document(status, &[("location", to)]);
                moved.method = Some(method.to_owned());
                github.put("/things/moved", moved);
                for mount in ["", "/api/v3"] {
                    let target = format!("{mount}/things/moved");
                    let response = proxy.request(method, &target).send().await;
                    let expected = own.map(|path| format!("{root}{mount}{path}"));
                    let expected = expected.as_deref().unwrap_or(to);
                    let got = (response.status, response.header("location"));
                    assert_eq!(got, (status, expected), "{method} {target}");
                }
            }
        }
    }
    assert!(github
        .requests()
        .iter()
        .all(|it| it.target == "/things/moved"));
}

/// A renamed repository: the client is sent on by its number, on its own mount, and finds it there.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_found_again() {
    let (github, proxy) = start().await;
    for mount in ["", "/api/v3"] {
        let moved = proxy.get(&format!("{mount}/repos/octocat/old-name")).await;
        assert_eq!(moved.status, 301, "{moved:?}");
        let root = format!("http://{}", proxy.address());
        let location = moved
            .header("location")
            .strip_prefix(&root)
            .expect("the proxy");
        assert!(
            location.starts_with(&format!("{mount}/repositories/")),
            "{location}"
        );
        assert_eq!(moved.json()["url"], moved.header("location"));
        let found = proxy.get(location).await;
        assert_eq!(
            (found.status, found.json()["name"].clone()),
            (200, json!("new-name"))
        );
    }
    assert!(github.requests().iter().all(|it| it.token.is_some()));
}

/// Statistics that are not ready yet are asked for again, and not remembered.
#[tokio::test(flavor = "multi_thread")]
async fn come_back_later_is_never_remembered() {
    let (github, proxy) = start().await;
    let fields = [("retry-after", "3"), ("etag", "\"early\"")];
    github.put("/things/stats", document(202, &fields));
    for _ in 0..2 {
        let early = proxy.get("/things/stats").await;
        assert_eq!((early.status, early.header("retry-after")), (202, "3"));
        assert!(!early.cache().contains("stored"), "{}", early.cache());
    }
    github.put_json("/things/stats", json!([1]));
    assert_eq!(proxy.get("/things/stats").await.json(), json!([1]));
    assert_eq!(proxy.get("/things/stats").await.cache(), REVALIDATED);
    assert_eq!(github.paid("/things/stats"), 3);
}

/// What is gone and what may not be shown is told as GitHub tells it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_or_blocked_says_so() {
    let (_github, proxy) = start().await;
    for (target, status, member) in [
        ("/repos/octo-org/no-issues/issues", 410, "message"),
        ("/repos/octo-org/blocked", 451, "block"),
        ("/repos/octo-org/nothing", 404, "documentation_url"),
    ] {
        for mount in ["", "/api/v3"] {
            for _ in 0..2 {
                let response = proxy.get(&format!("{mount}{target}")).await;
                assert_eq!(response.status, status, "{target}: {response:?}");
                assert!(response.json().get(member).is_some(), "{response:?}");
            }
        }
    }
}

/// Answers without content have none, and no length but where that is 0 (RFC 9110 §15.3.5, §15.3.6).
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_content_have_none() {
    let (github, proxy) = start().await;
    for (status, method) in [(204, "DELETE"), (204, "PUT"), (204, "GET"), (205, "POST")] {
        let mut empty = Document::new(Content::Empty);
        empty.status = status;
        empty.method = Some(method.to_owned());
        github.put("/things/none", empty);
        let request = format!(
            "{method} /things/none HTTP/1.1\r\nhost: x\r\nuser-agent: e2e\r\ncontent-length: 0\r\n\
             accept-encoding: gzip\r\nconnection: close\r\nauthorization: token {TOKEN}\r\n\r\n"
        );
        let answer = raw::until_closed(proxy.address(), request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert_eq!(raw::status(&answer), status, "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(!answer.contains("transfer-encoding"), "{answer}");
        assert_eq!(
            answer.contains("content-length: 0"),
            status == 205,
            "{answer}"
        );
    }
}

/// A file is the property of whoever wrote it: its raw content, whole or in part, is never changed,
/// even where it is JSON with URLs of the API and its type says so.
#[tokio::test(flavor = "multi_thread")]
async fn raw_contents_are_never_changed() {
    let (github, proxy) = start().await;
    let file =
        r#"{"url": "https://api.github.com/user", "_links": {"self": "https://api.github.com"}}"#;
    for kind in [
        "application/vnd.github.raw+json; charset=utf-8",
        "application/vnd.github.v3.raw",
    ] {
        let mut raw = Document::new(Content::Text(file.to_owned()));
        raw.content_type = Some(kind.to_owned());
        let path = format!("/things/{}", kind.len());
        github.put(&path, raw);
        for _ in 0..2 {
            let whole = proxy.get(&path).await;
            assert_eq!(
                (whole.status, &whole.body[..]),
                (200, file.as_bytes()),
                "{kind}"
            );
        }
        let request = proxy.request("GET", &path).header("range", "bytes=0-30");
        let part = request.send().await;
        assert_eq!(
            (part.status, &part.body[..]),
            (206, &file.as_bytes()[..31]),
            "{kind}"
        );
        assert_eq!(
            part.header("content-range"),
            format!("bytes 0-30/{}", file.len())
        );
    }
    let mut json = Document::json(json!({"url": "https://api.github.com/user"}));
    json.content_type = Some("application/json".to_owned());
    github.put("/things/part", json);
    let request = proxy
        .request("GET", "/things/part")
        .header("range", "bytes=0-20");
    let part = request.send().await;
    assert_eq!(
        (part.status, &part.body[..]),
        (206, &b"{\"url\":\"https://api.g"[..])
    );
}
