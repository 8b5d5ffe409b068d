//! Authentication, primary and secondary limits, over real HTTP.

mod common;

use common::{field, Fixture};
use github_simulator::{Ban, Options, Token};
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn without_a_user_agent_nothing_is_served() {
    let fixture = Fixture::usual().await;
    let url = format!("{}/zen", fixture.simulator.api_url());
    let response = reqwest::Client::new().get(url).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.text().await.unwrap().contains("User-Agent"));
}

#[tokio::test]
async fn unknown_and_revoked_tokens_are_bad_credentials() {
    let fixture = Fixture::usual().await;
    let request = fixture
        .bare(Method::GET, "/user")
        .header("authorization", "token nonsense");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(field(&response, "x-ratelimit-limit"), "60");
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (&body["message"], &body["status"]),
        (&"Bad credentials".into(), &"401".into())
    );

    assert_eq!(fixture.status("/user").await, 200);
    assert!(fixture.simulator.revoke_token("A"));
    assert_eq!(fixture.status("/user").await, 401);
}

#[tokio::test]
async fn tokens_of_one_user_share_a_limit_that_others_do_not_use() {
    let options = Options::default()
        .quota("*", "core", 2, 3600)
        .token("B", "ghp_b", "octocat");
    let fixture = Fixture::new(options.token("C", "ghp_c", "hubot")).await;
    let with = |token: &str| {
        fixture
            .bare(Method::GET, "/zen")
            .header("authorization", format!("token {token}"))
            .send()
    };
    assert_eq!(fixture.status("/zen").await, 200);
    let response = with("ghp_b").await.unwrap();
    assert_eq!(field(&response, "x-ratelimit-remaining"), "0");
    let response = with("ghp_b").await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(field(&response, "x-ratelimit-used"), "2");
    let body: Value = response.json().await.unwrap();
    assert!(body["message"]
        .as_str()
        .unwrap()
        .starts_with("API rate limit exceeded for user ID"));
    assert_eq!(with("ghp_c").await.unwrap().status(), 200);
    // Asking how one stands is free, and other resources go on.
    let (status, body) = fixture.read("/rate_limit").await;
    assert_eq!(
        (status, &body["resources"]["core"]["remaining"]),
        (200, &0.into())
    );
    assert_eq!(fixture.status("/search/issues?q=x").await, 200);
    fixture.simulator.reset_windows("A", "core");
    assert_eq!(fixture.status("/zen").await, 200);
}

#[tokio::test]
async fn a_refused_write_changes_nothing() {
    let fixture = Fixture::usual().await;
    fixture.simulator.exhaust("A", "core");
    let wanted = serde_json::json!({"title": "x"});
    let path = "/repos/octocat/hello-world/issues";
    let (status, _) = fixture.json(Method::POST, path, wanted).await;
    assert_eq!(status, 403);
    fixture.simulator.reset_windows("A", "*");
    let (_, body) = fixture.read(path).await;
    assert_ne!(body[0]["title"], "x");
}

#[tokio::test]
async fn graphql_says_inside_a_200_that_it_is_limited() {
    let fixture = Fixture::usual().await;
    fixture.simulator.exhaust("A", "graphql");
    let query = serde_json::json!({"query": "{viewer{login}}"});
    let (status, body) = fixture.json(Method::POST, "/graphql", query).await;
    assert_eq!(
        (status, &body["errors"][0]["type"]),
        (200, &"RATE_LIMIT".into())
    );
}

#[tokio::test]
async fn a_secondary_limit_is_announced_and_prolonged_by_early_retries() {
    let fixture = Fixture::usual().await;
    let ban = Ban {
        seconds: 1000,
        status: 429,
        prolong_seconds: 500,
        ..Ban::default()
    };
    fixture.simulator.ban("A", ban);
    let response = fixture.get("/zen").send().await.unwrap();
    assert_eq!(response.status(), 429);
    let first: u64 = field(&response, "retry-after").parse().unwrap();
    let response = fixture.get("/zen").send().await.unwrap();
    let second: u64 = field(&response, "retry-after").parse().unwrap();
    assert!(second > first);
    let outcomes: Vec<String> = fixture
        .simulator
        .requests()
        .into_iter()
        .map(|entry| entry.outcome)
        .collect();
    assert_eq!(outcomes, ["secondary", "secondary_early"]);
    fixture.simulator.lift_ban("*");
    assert_eq!(fixture.status("/zen").await, 200);
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let fixture = Fixture::usual().await;
    let mut token = Token::of_user("old", "ghp_old", "octocat");
    token.expires = Some(1);
    fixture.simulator.add_token(token);
    let request = fixture
        .bare(Method::GET, "/zen")
        .header("authorization", "Bearer ghp_old");
    assert_eq!(request.send().await.unwrap().status(), 401);
}
