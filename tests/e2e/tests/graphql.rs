//! GraphQL scopes: a client that may only query gets its queries through as they are, and nothing
//! else of it ever reaches GitHub.

use bytes::Bytes;
use e2e::cache_status::METHOD;
use e2e::http::Http2;
use e2e::{GitHub, Proxy, Request, Response, REGISTRY};
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

/// The token of the client `queries`, whose one scope is `graphql: query`.
const QUERIES: &str = "queries-only-token";
/// The token of the client `reader`, who may GET everything and query.
const READER: &str = "get-and-query-token";

async fn start() -> (GitHub, Proxy) {
    let github = GitHub::start().await;
    let registry = format!(
        "{REGISTRY}  - name: queries
    token: {QUERIES}
    scopes:
      - graphql: query
  - name: reader
    token: {READER}
    scopes:
      - method: GET|HEAD
        path: .*
      - method: POST
        path: /graphql|/repos/.*
        graphql: query
"
    );
    let proxy = Proxy::before(&github).registry(&registry).start().await;
    (github, proxy)
}

/// A request of the client with that token.
fn post(proxy: &Proxy, token: &str, body: impl Into<Bytes>) -> Request {
    let request = proxy.request("POST", "/graphql").body(body);
    request.header("authorization", &format!("bearer {token}"))
}

fn query(document: &str) -> String {
    json!({ "query": document }).to_string()
}

fn is_refused(response: &Response, client: &str) {
    assert_eq!(response.status, 403, "{response:?}");
    let message = format!("Client {client} is not allowed to POST this resource");
    assert_eq!(response.json()["message"], message);
    assert_eq!(response.json()["status"], "403");
    assert!(response.json()["documentation_url"].is_string());
}

const VIEWER: &str = "query Who { viewer { login } }";

/// Answers to queries are what they are without the proxy, and bodies arrive byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn queries_pass_as_they_are() {
    let (github, proxy) = start().await;
    let documents = [
        json!({"query": VIEWER}).to_string(),
        json!({"query": VIEWER, "operationName": "Who", "variables": {"a": [1, null]}}).to_string(),
        "\n {\"query\" : \"{ viewer { login } } # mutation { x }\\n\"}  ".to_owned(),
        query("query mutation { viewer { login } }"),
        query("fragment F on User { login } { viewer { ...F } }"),
        json!({
            "query": "query A { viewer { login } } mutation B { createIssue(input: {}) { issue { id } } }",
            "operationName": "A",
        })
        .to_string(),
    ];
    for document in documents {
        github.reset_log();
        for mount in ["/graphql", "/api/graphql"] {
            let request = proxy.request("POST", mount).body(document.clone());
            let token = format!("bearer {QUERIES}");
            let response = request.header("authorization", &token).send().await;
            assert_eq!(
                (response.status, response.cache()),
                (200, METHOD),
                "{document}"
            );
            let login = &response.json()["data"]["viewer"]["login"];
            assert!(login.is_string(), "{document} {response:?}");
            assert_eq!(response.header("x-ratelimit-resource"), "graphql");
        }
        for entry in github.requests() {
            assert_eq!(entry.body_sha256, Some(sha256(document.as_bytes())));
        }
        assert_eq!(github.requests().len(), 2);
    }
}

/// What changes something, what could, and what cannot be told: refused, and never sent.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_queries_reaches_github() {
    let (github, proxy) = start().await;
    let create = "mutation Make { createIssue(input: {}) { issue { id } } }";
    let both = format!("{VIEWER} {create}");
    let bodies: Vec<Vec<u8>> = [
        query(create),
        query(&format!("# a query\r{create}")),
        query(&format!("fragment F on Issue {{ id }} {create}")),
        query(&both),
        json!({"query": both, "operationName": "Make"}).to_string(),
        json!({"query": both, "operationName": "Other"}).to_string(),
        json!({"query": both, "operationName": ["Who"]}).to_string(),
        query("subscription { issues { id } }"),
        query("{ viewer { login }"),
        query(""),
        json!([{"query": VIEWER}, {"query": create}]).to_string(),
        "[]".to_owned(),
        format!(r#"{{"query":"{VIEWER}","query":"{create}"}}"#),
        format!(r#"{{"query":"{VIEWER}","qu\u0065ry":"{create}"}}"#),
        format!("\u{feff}{}", query(VIEWER)),
        query(VIEWER).replace('{', "{,"),
        format!("query={VIEWER}"),
        VIEWER.to_owned(),
        String::new(),
        // Nested so deep that a naive parser would overflow its stack.
        query(&"{a".repeat(300_000)),
        query(&format!("{{a(b:{}", "[".repeat(300_000))),
        "[".repeat(900_000),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([vec![0xff; 5_000], (0..=255).cycle().take(70_000).collect()])
    .collect();
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        for (token, client) in [(QUERIES, "queries"), (READER, "reader")] {
            let response = post(&proxy, token, body.clone()).send().await;
            println!("{shown}");
            is_refused(&response, client);
        }
    }
    // Even when the document is fine, GitHub must see the same one.
    let fine = query(VIEWER);
    let compressed = post(&proxy, QUERIES, fine.clone()).header("content-encoding", "gzip");
    is_refused(&compressed.send().await, "queries");
    let beside = format!("/graphql?query={}", "mutation%7Ba%7D");
    let beside = proxy.request("POST", &beside).body(fine.clone());
    let beside = beside.header("authorization", &format!("bearer {QUERIES}"));
    is_refused(&beside.send().await, "queries");
    for (method, path) in [
        ("GET", "/graphql"),
        ("PUT", "/graphql"),
        ("POST", "/graphql/"),
        ("POST", "/GraphQL"),
        ("POST", "/user"),
        ("GET", "/user"),
    ] {
        let request = proxy.request(method, path).body(fine.clone());
        let request = request.header("authorization", &format!("bearer {QUERIES}"));
        assert_eq!(request.send().await.status, 403, "{method} {path}");
    }
    assert_eq!(github.requests().len(), 0, "{:?}", github.requests());
    // Nothing crashed on the way.
    let stats = proxy.stats().await;
    let denied = [("client", "queries"), ("reason", "scope")];
    assert_eq!(stats.sum("github_proxy_denied", &denied), 24 + 2 + 6);
    let response = post(&proxy, QUERIES, fine).send().await;
    assert_eq!(response.status, 200);
}

/// Other scopes of the same client are as before, also the one that says `graphql: query` for
/// more than GraphQL; and clients without that key are not looked into.
#[tokio::test(flavor = "multi_thread")]
async fn other_scopes_are_as_before() {
    let (github, proxy) = start().await;
    let bearer = format!("bearer {READER}");
    let read = proxy
        .request("GET", "/users/octocat")
        .header("authorization", &bearer);
    assert_eq!(read.send().await.status, 200);
    let label = json!({"name": "fresh", "color": "ffffff"}).to_string();
    let write = proxy
        .request("POST", "/repos/octocat/hello-world/labels")
        .body(label);
    assert_eq!(
        write.header("authorization", &bearer).send().await.status,
        201
    );
    let response = post(&proxy, READER, query(VIEWER)).send().await;
    assert_eq!(response.status, 200);
    // The client `test` may do everything: GitHub judges.
    let id = repository_id(&proxy).await;
    let make = json!({
        "query": "mutation($id: ID!) { createIssue(input: {repositoryId: $id, title: \"t\"}) { issue { number } } }",
        "variables": {"id": id},
    });
    let made = proxy
        .request("POST", "/graphql")
        .body(make.to_string())
        .send()
        .await;
    assert!(
        made.json()["data"]["createIssue"]["issue"]["number"].is_u64(),
        "{made:?}"
    );
    for body in ["", "{", "[]", "mutation { a }"] {
        github.reset_log();
        let response = proxy.request("POST", "/graphql").body(body).send().await;
        assert_ne!(response.status, 403);
        let log = github.requests();
        assert_eq!(log.len(), 1, "{body}");
        assert_eq!(log[0].body_sha256, Some(sha256(body.as_bytes())), "{body}");
    }
}

async fn repository_id(proxy: &Proxy) -> Value {
    let find = "{ repository(owner: \"octocat\", name: \"hello-world\") { id } }";
    let found = proxy
        .request("POST", "/graphql")
        .body(query(find))
        .send()
        .await;
    found.json()["data"]["repository"]["id"].clone()
}

/// A query of any framing arrives whole: in many small pieces, of unknown length, with trailers'
/// framing, over HTTP/2. One that is too long to be read is refused; a client that may do
/// everything may send it.
#[tokio::test(flavor = "multi_thread")]
async fn long_queries_are_read_whole_up_to_a_limit() {
    let (github, proxy) = start().await;
    let sized = |length: usize| {
        let empty = json!({"query": VIEWER, "variables": {"padding": ""}}).to_string();
        let padding = "x".repeat(length - empty.len());
        json!({"query": VIEWER, "variables": {"padding": padding}}).to_string()
    };
    for length in [1_000, 70_000, 400_000, 786_432] {
        github.reset_log();
        let body = Bytes::from(sized(length));
        let pieces: Vec<Bytes> = body
            .chunks(1 + length / 97)
            .map(Bytes::copy_from_slice)
            .collect();
        let whole = post(&proxy, QUERIES, body.clone()).send().await;
        let chunked = post(&proxy, QUERIES, "")
            .chunked(pieces.clone())
            .send()
            .await;
        let http2 = Http2::connect(proxy.address()).await;
        let request = post(&proxy, QUERIES, "").chunked(pieces);
        let second = http2.outcome(request).await.expect("a whole answer");
        for response in [whole, chunked, second] {
            assert_eq!(response.status, 200, "{length} {response:?}");
            assert!(response.json()["data"]["viewer"]["login"].is_string());
        }
        let log = github.requests();
        assert_eq!(log.len(), 3);
        for entry in log {
            assert_eq!(entry.body_sha256, Some(sha256(&body)), "{length}");
        }
    }
    github.reset_log();
    let long = Bytes::from(sized(786_433));
    let pieces: Vec<Bytes> = long.chunks(16_000).map(Bytes::copy_from_slice).collect();
    is_refused(&post(&proxy, QUERIES, long.clone()).send().await, "queries");
    is_refused(
        &post(&proxy, QUERIES, "").chunked(pieces).send().await,
        "queries",
    );
    let longer = vec![Bytes::from(sized(500_000)), Bytes::from(sized(500_000))];
    is_refused(
        &post(&proxy, QUERIES, "").chunked(longer).send().await,
        "queries",
    );
    assert_eq!(github.requests().len(), 0);
    let free = proxy
        .request("POST", "/graphql")
        .body(long.clone())
        .send()
        .await;
    assert_eq!(free.status, 200);
    assert_eq!(github.requests()[0].body_sha256, Some(sha256(&long)));
}

/// Fields after the body end it, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_trailers_is_read_to_its_end() {
    let (github, proxy) = start().await;
    let http2 = Http2::connect(proxy.address()).await;
    let create = query("mutation { createIssue(input: {}) { issue { id } } }");
    for (body, status) in [(query(VIEWER), 200), (create, 403), (String::new(), 403)] {
        let pieces = body
            .as_bytes()
            .chunks(7)
            .map(Bytes::copy_from_slice)
            .collect();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-after", HeaderValue::from_static("1"));
        let request = post(&proxy, QUERIES, "").chunked_with_trailers(pieces, trailers);
        let response = http2
            .clone()
            .outcome(request)
            .await
            .expect("a whole answer");
        assert_eq!(response.status, status, "{response:?}");
    }
    assert_eq!(github.requests().len(), 1);
}

/// Whatever bytes come: the filter answers, GitHub sees none of it, and no worker's VM ends.
#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_end_the_filter() {
    let (github, proxy) = start().await;
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "\\",
        "\\\"",
        ":",
        ",",
        "#",
        "\n",
        "...",
        "@",
        "$",
        "!",
        "query",
        "mutation",
        "fragment ",
        " on ",
        "1.5e9",
        "\u{feff}",
        "\u{1f600}",
        "\0",
        "null",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let http2 = Http2::connect(proxy.address()).await;
    for number in 0..300 {
        let length = random(80);
        let text: String = (0..length).map(|_| pieces[random(pieces.len())]).collect();
        let body = match number % 3 {
            0 => (0..length).map(|_| random(256) as u8).collect(),
            1 => text.into_bytes(),
            // A mutation that follows makes sure that none of them is a fine query by chance.
            _ => query(&format!("{text} mutation {{ a }}")).into_bytes(),
        };
        let request = post(&proxy, QUERIES, body.clone());
        let response = http2
            .clone()
            .outcome(request)
            .await
            .expect("a whole answer");
        assert_eq!(response.status, 403, "{}", String::from_utf8_lossy(&body));
    }
    assert_eq!(github.requests().len(), 0);
    let response = post(&proxy, QUERIES, query(VIEWER)).send().await;
    assert_eq!(response.status, 200);
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The body that was held back to be read goes out again on another credential.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_was_read_fails_over() {
    let (github, proxy) = start().await;
    github.exhaust("A", "graphql");
    github.exhaust("B", "graphql");
    for _ in 0..3 {
        let response = post(&proxy, QUERIES, query(VIEWER)).send().await;
        assert_eq!(
            response.json()["data"]["viewer"]["login"],
            "monalisa",
            "{response:?}"
        );
    }
    github.exhaust("C", "graphql");
    let response = post(&proxy, QUERIES, query(VIEWER)).send().await;
    assert_eq!(response.status, 403);
    assert_eq!(response.header("x-ratelimit-remaining"), "0");
}

/// Whatever a query-only client calls its body, GitHub is told to read it as it was read here.
#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_a_body_that_was_read_is_json() {
    let (github, proxy) = start().await;
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-16",
    ] {
        github.reset_log();
        let response = post(&proxy, QUERIES, query(VIEWER))
            .header("content-type", kind)
            .send()
            .await;
        assert_eq!(response.status, 200);
        let log = github.requests();
        let types: Vec<&str> = log[0]
            .headers
            .iter()
            .filter(|(n, _)| n == "content-type")
            .map(|(_, v)| v.as_str())
            .collect();
        assert_eq!(types, ["application/json"], "{kind}");
    }
}
