//! The access log of the shipped configuration: a JSON object for each request that tells who
//! asked for what, how it was served and what it cost, and never a secret.

use e2e::github::CREDENTIALS;
use e2e::{traces, wait, GitHub, Proxy, READ_ONLY_TOKEN, TOKEN};
use github_simulator::log::Entry;
use rustix::process::Signal;
use serde_json::{json, Value};

/// The last request that reached GitHub.
fn asked(github: &GitHub) -> Entry {
    github.requests().pop().expect("a request at GitHub")
}

fn lines(log: &str) -> Vec<Value> {
    let parsed = log.lines().map(serde_json::from_str);
    parsed.map(|line| line.expect("a JSON object")).collect()
}

/// What a line says of the fields that do not depend on time.
fn told(line: &Value) -> Value {
    let fields = [
        "client",
        "method",
        "path",
        "status",
        "cache_status",
        "credential",
        "resource",
        "cost",
        "request_id",
        "trace_id",
    ];
    let told = fields.map(|field| (field.to_owned(), line[field].clone()));
    Value::Object(told.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_its_line() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github);
    let path = setup.folder().join("access.log");
    let setup = setup
        .argument("--access-log")
        .argument(&path.display().to_string());
    let proxy = setup.start().await;
    github.put_json("/things/1", json!({"n": 1}));

    // One after the other, so that the lines are in this order.
    let (id, trace) = ("an-id-of-the-client", "4bf92f3577b34da6a3ce929d0e0e4736");
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let request = proxy.request("GET", "/api/v3/things/1?private=query");
    let request = request.header("x-request-id", id);
    let request = request
        .header("traceparent", &parent)
        .header("tracestate", "a=1,b=2");
    request.send().await;
    let first = asked(&github);
    assert_eq!(
        first.header("traceparent"),
        Some(parent.as_str()),
        "passed on as it is"
    );
    assert_eq!(first.header("tracestate"), Some("a=1,b=2"));
    proxy.get("/api/v3/things/1?private=query").await;
    let second = asked(&github);
    let anonymous = proxy.request("GET", "/things/1?private=query");
    anonymous.without("authorization").send().await;
    let forbidden = proxy.request("DELETE", "/things/1?private=query");
    let token = format!("token {READ_ONLY_TOKEN}");
    forbidden.header("authorization", &token).send().await;
    proxy.get("/things/%252e%252e/1?private=query").await;
    for (name, ..) in CREDENTIALS.iter().take(2) {
        github.exhaust(name, "core");
    }
    for number in 0..2 {
        proxy.get(&format!("/users/octocat?private={number}")).await;
    }
    let last = asked(&github);
    assert_eq!((last.status, last.token.as_deref()), (Some(200), Some("C")));

    proxy.process().signal(Signal::TERM);
    let (_, _folder) = proxy.end().await;
    let log = std::fs::read_to_string(&path).expect("a log");
    let lines = lines(&log);
    let line = |changes: Value| {
        let mut line = json!({
            "client": null, "method": "GET", "path": "/things/1", "status": 200,
            "cache_status": null, "credential": null, "resource": null, "cost": null,
            "request_id": null, "trace_id": null,
        });
        for (key, value) in changes.as_object().expect("an object") {
            line[key] = value.clone();
        }
        line
    };
    let expected = [
        line(json!({
            "client": "test", "cache_status": "github-proxy; fwd=miss; stored",
            "credential": first.token, "resource": "core", "cost": "counted",
            "request_id": id, "trace_id": trace,
        })),
        line(json!({
            "client": "test", "cache_status": "github-proxy; hit; detail=revalidated",
            "credential": second.token, "resource": "core", "cost": "free",
        })),
        line(json!({"status": 401})),
        line(json!({"client": "read_only", "method": "DELETE", "status": 403})),
        line(json!({"client": "test", "path": "/things/%252e%252e/1", "status": 400})),
    ];
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(&told(line), expected);
    }
    // Refused on the credentials that are used up, and served by the one that is not.
    let failover = lines.last().expect("a line");
    assert_eq!(
        (
            &failover["credential"],
            &failover["cost"],
            &failover["status"]
        ),
        (&json!("C"), &json!("counted"), &json!(200))
    );
    assert_eq!(lines.len(), 7);

    for line in &lines {
        let time = line["time"].as_str().expect("a time");
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        for number in ["duration_milliseconds", "bytes_received", "bytes_sent"] {
            assert!(line[number].is_u64(), "{number}: {line}");
        }
        let asked = line["credential"].is_string();
        assert_eq!(line["github_request_id"].is_string(), asked, "{line}");
        assert_eq!(line["upstream_milliseconds"].is_u64(), asked, "{line}");
        assert!(line["details"].is_string(), "{line}");
    }
    assert!(!log.contains("private"), "{log}");
    let mut secrets = vec![TOKEN, READ_ONLY_TOKEN];
    secrets.extend(CREDENTIALS.map(|(_, secret, _)| secret));
    traces::none_of(secrets, "the access log", log.as_bytes());
}

/// `-` is standard output, whatever that is.
#[tokio::test(flavor = "multi_thread")]
async fn it_may_go_to_standard_output() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github)
        .argument("--access-log")
        .argument("-");
    let proxy = setup.start().await;
    assert_eq!(proxy.get("/users/octocat").await.status, 200);
    let line = wait::until("a line", || async {
        let output = proxy.process().stdout();
        let line = output.lines().find(|line| line.starts_with('{'));
        line.map(|line| serde_json::from_str::<Value>(line).expect("a JSON object"))
    })
    .await;
    assert_eq!(
        (&line["client"], &line["path"]),
        (&json!("test"), &json!("/users/octocat"))
    );
}
