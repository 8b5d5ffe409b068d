//! The control port, GitHub Apps, and the examples of GitHub's OpenAPI description.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends by a panic"
)]

mod common;

use common::{field, Fixture};
use github_simulator::{App, Installation, Options};
use jsonwebtoken::{encode, Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{json, Value};
use std::time::{SystemTime, UNIX_EPOCH};

async fn control(fixture: &Fixture, method: Method, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", fixture.simulator.control_url());
    let request = reqwest::Client::new().request(method, url).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_can_be_done_in_rust_can_be_done_over_http() {
    let fixture = Fixture::usual().await;
    let post = |path: &'static str, body: Value| control(&fixture, Method::POST, path, body);
    let document = json!({"path": "/x", "document": {"content": {"json": {"z": 1, "a": 2}}}});
    assert_eq!(post("/documents", document).await.0, 200);
    let text = fixture
        .get("/x")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(text, r#"{"z":1,"a":2}"#);
    assert_eq!(post("/touch", json!({"path": "/x"})).await.0, 200);
    assert_eq!(fixture.read("/x").await.1["version"], 1);
    assert_eq!(post("/touch", json!({"path": "/missing"})).await.0, 404);

    let fault = json!({"prefix": "/x", "times": 1, "action": {"status": {"status": 503}}});
    assert_eq!(post("/faults", fault).await.0, 200);
    assert_eq!(fixture.status("/x").await, 503);
    let quota = json!({"owner": "A", "resource": "core", "limit": 1, "window_seconds": 60});
    assert_eq!(post("/quotas", quota).await.0, 200);
    assert_eq!(fixture.status("/x").await, 200);
    assert_eq!(fixture.status("/x").await, 403);
    let token = json!({"name": "B", "value": "ghp_b", "owner": {"user": "hubot"}});
    assert_eq!(post("/tokens", token).await.0, 200);
    let request = fixture
        .bare(Method::GET, "/user")
        .header("authorization", "token ghp_b");
    assert_eq!(
        request.send().await.unwrap().json::<Value>().await.unwrap()["login"],
        "hubot"
    );
    assert_eq!(
        control(&fixture, Method::DELETE, "/tokens/B", json!({}))
            .await
            .0,
        200
    );
    assert_eq!(post("/faults", json!({"odd": 1})).await.0, 400);

    let (_, log) = control(&fixture, Method::GET, "/log?after=5", json!({})).await;
    let last = log.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["target"], &last["token"]),
        (&"/user".into(), &"B".into())
    );
    assert_eq!(last["authorization"], "token ghp_b");
    let (_, counters) = control(&fixture, Method::GET, "/counters", json!({})).await;
    assert_eq!(counters["by_token"]["A"]["rate_limited"], 1);
    assert_eq!(
        control(&fixture, Method::DELETE, "/log", json!({})).await.0,
        200
    );
    assert!(fixture.simulator.requests().is_empty());
}

fn jwt(issuer: &str, from_now: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let claims = json!({"iss": issuer, "iat": now - 60, "exp": now + from_now});
    let key = include_bytes!("../testdata/app-private-key.pem");
    let key = EncodingKey::from_rsa_pem(key).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

#[tokio::test]
async fn an_app_exchanges_its_jwt_for_installation_tokens() {
    let app = App {
        id: 7,
        client_id: Some("Iv1.seven".to_owned()),
        slug: "seven".to_owned(),
        public_key: Some(include_str!("../testdata/app-public-key.pem").to_owned()),
        installations: vec![Installation {
            id: 70,
            account: "octo-org".to_owned(),
            suspended: false,
            token_seconds: 3600,
        }],
    };
    let fixture = Fixture::new(Options::default().app(app)).await;
    let exchange = |jwt: String| {
        let path = "/app/installations/70/access_tokens";
        let request = fixture
            .bare(Method::POST, path)
            .header("authorization", format!("Bearer {jwt}"));
        async move {
            let response = request.send().await.unwrap();
            (
                response.status().as_u16(),
                response.json::<Value>().await.unwrap(),
            )
        }
    };
    assert_eq!(exchange(jwt("8", 500)).await.0, 401);
    assert_eq!(exchange(jwt("7", -1)).await.0, 401);
    assert_eq!(exchange(jwt("7", 5000)).await.0, 401);
    let forged = format!(
        "{}AAAA",
        jwt("7", 500).rsplit_once('.').unwrap().0.to_owned() + "."
    );
    assert_eq!(exchange(forged).await.0, 401);
    assert_eq!(exchange(jwt("Iv1.seven", 500)).await.0, 201);
    let (status, minted) = exchange(jwt("7", 500)).await;
    assert_eq!(status, 201);
    let token = format!("token {}", minted["token"].as_str().unwrap());
    let read = || {
        fixture
            .bare(Method::GET, "/installation/repositories")
            .header("authorization", &token)
    };
    let response = read().send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(field(&response, "x-ratelimit-limit"), "5000");
    let entry = fixture.simulator.requests().pop().unwrap();
    assert_eq!(entry.owner, "installation/70");

    assert!(fixture
        .simulator
        .change_installation(70, |found| found.suspended = true));
    assert_eq!(read().send().await.unwrap().status(), 403);
    assert_eq!(exchange(jwt("7", 500)).await.0, 403);
    fixture.simulator.change_installation(70, |found| {
        found.suspended = false;
        found.token_seconds = 0;
    });
    let (_, minted) = exchange(jwt("7", 500)).await;
    let token = format!("token {}", minted["token"].as_str().unwrap());
    let late = fixture
        .bare(Method::GET, "/zen")
        .header("authorization", token);
    assert_eq!(late.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn every_example_of_githubs_description_is_served_as_published() {
    let file = github_simulator::catalogue::installed();
    let file =
        file.expect("GitHub's OpenAPI description: run scripts/setup, or set GITHUB_OPENAPI");
    let options = Options::default().quota("*", "*", 1_000_000, 3600);
    let fixture = Fixture::new(options).await;
    let examples = fixture.simulator.load_openapi(&file).unwrap();
    assert!(examples.len() > 500, "{}", examples.len());
    for example in examples {
        let response = fixture.get(&example.path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", example.path);
        let text = response.text().await.unwrap();
        assert_eq!(text, example.body.to_string(), "{}", example.operation);
    }
}
