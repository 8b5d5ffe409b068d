//! Entity tags, conditions and encodings, over real HTTP.

mod common;

use common::{field, Fixture, TOKEN};
use github_simulator::{Content, Document, EtagMode, Token};
use serde_json::json;
use sha2::{Digest, Sha256};

fn formula(values: &[&str], body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for value in values {
        hash.update(format!("{value}:"));
    }
    hash.update(body);
    format!("\"{}\"", hex::encode(hash.finalize()))
}

#[tokio::test]
async fn the_tag_follows_the_observed_formula() {
    let fixture = Fixture::usual().await;
    let body: serde_json::Value =
        serde_json::from_str(include_str!("../testdata/observed-user.json")).unwrap();
    fixture.simulator.put_json("/users/bored-engineer", body);
    let bare = |accept: &str| {
        fixture
            .bare(reqwest::Method::GET, "/users/bored-engineer")
            .header("accept", accept.to_owned())
    };
    let v3 = "application/vnd.github.v3+json";
    let response = bare(v3).send().await.unwrap();
    assert_eq!(
        field(&response, "etag"),
        "\"125f46f7d22cd8f41ea1534256ba85a45f4a0e3dcf995da9fecfe3361b93407d\""
    );
    let token = Token::of_user("H", "hunter2", "octocat");
    fixture.simulator.add_token(token);
    let response = bare(v3)
        .header("authorization", "Bearer hunter2")
        .send()
        .await
        .unwrap();
    assert_eq!(
        field(&response, "etag"),
        "\"2c3b29a72c9c09135a89fe51c46613393b445efabdf6f02105dc1561237093a4\""
    );
}

#[tokio::test]
async fn a_matching_tag_is_a_304_that_costs_nothing_and_says_the_limits() {
    let fixture = Fixture::usual().await;
    let first = fixture
        .get("/repos/octocat/hello-world")
        .send()
        .await
        .unwrap();
    let etag = field(&first, "etag").to_owned();
    let remaining = field(&first, "x-ratelimit-remaining").to_owned();
    let list = format!("\"other\", W/{etag}");
    let second = fixture
        .get("/repos/octocat/hello-world")
        .header("if-none-match", list)
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), 304);
    assert_eq!(field(&second, "etag"), etag);
    assert_eq!(field(&second, "x-ratelimit-remaining"), remaining);
    assert_eq!(field(&second, "content-length"), "");
    assert_eq!(fixture.simulator.counted(), 1);
    let entry = fixture.simulator.requests().pop().unwrap();
    assert_eq!(
        (entry.outcome.as_str(), entry.token.as_deref()),
        ("not_modified", Some("A"))
    );

    assert!(fixture.simulator.touch("/repos/octocat/hello-world"));
    let third = fixture
        .get("/repos/octocat/hello-world")
        .header("if-none-match", &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(third.status(), 200);
    assert_eq!(fixture.simulator.counted(), 2);
}

#[tokio::test]
async fn a_304_without_credentials_is_counted() {
    let fixture = Fixture::usual().await;
    let request = fixture
        .bare(reqwest::Method::GET, "/zen")
        .header("if-none-match", "*");
    assert_eq!(request.send().await.unwrap().status(), 304);
    assert_eq!(fixture.simulator.counted(), 1);
}

#[tokio::test]
async fn if_modified_since_works_where_last_modified_is_sent_and_ranks_second() {
    let fixture = Fixture::usual().await;
    let path = "/repos/octocat/hello-world/issues/1";
    let first = fixture.get(path).send().await.unwrap();
    let date = field(&first, "last-modified").to_owned();
    assert!(!date.is_empty());
    let same = fixture.get(path).header("if-modified-since", &date);
    assert_eq!(same.send().await.unwrap().status(), 304);
    let both = fixture
        .get(path)
        .header("if-modified-since", &date)
        .header("if-none-match", "\"x\"");
    assert_eq!(both.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_compressed_body_has_the_same_tag_but_weak() {
    let fixture = Fixture::usual().await;
    fixture.simulator.put_json("/x", json!({"a": 1}));
    let response = fixture
        .get("/x")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(field(&response, "content-encoding"), "gzip");
    let accept = "*/*";
    let authorization = format!("token {TOKEN}");
    let expected = formula(&[accept, &authorization], br#"{"a":1}"#);
    assert_eq!(field(&response, "etag"), format!("W/{expected}"));
    let again = fixture
        .get("/x")
        .header("accept-encoding", "gzip")
        .header("if-none-match", &expected)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(field(&again, "etag"), format!("W/{expected}"));
    assert_eq!(field(&again, "content-encoding"), "");
}

#[tokio::test]
async fn layout_for_people_does_not_change_the_tag() {
    let fixture = Fixture::usual().await;
    fixture.simulator.put_json("/x", json!({"a": []}));
    let plain = fixture.get("/x").send().await.unwrap();
    let pretty = fixture.get_as("curl/8.5.0", "/x").send().await.unwrap();
    assert_eq!(field(&plain, "etag"), field(&pretty, "etag"));
    assert_eq!(plain.text().await.unwrap(), r#"{"a":[]}"#);
    assert_eq!(pretty.text().await.unwrap(), "{\n  \"a\": [\n\n  ]\n}\n");
}

#[tokio::test]
async fn tags_can_be_made_unpredictable_below_a_path() {
    let fixture = Fixture::usual().await;
    fixture.simulator.put_json("/opaque/1", json!({}));
    fixture
        .simulator
        .set_etags("/opaque", EtagMode::PerCredential);
    let response = fixture.get("/opaque/1").send().await.unwrap();
    let etag = field(&response, "etag").to_owned();
    assert_ne!(etag, formula(&["*/*", &format!("token {TOKEN}")], b"{}"));
    let again = fixture
        .get("/opaque/1")
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    fixture.simulator.set_etags("/opaque", EtagMode::None);
    let response = fixture.get("/opaque/1").send().await.unwrap();
    assert_eq!(field(&response, "etag"), "");
}

#[tokio::test]
async fn head_has_the_fields_of_get_and_no_body() {
    let fixture = Fixture::usual().await;
    let get = fixture
        .get("/repos/octocat/hello-world")
        .send()
        .await
        .unwrap();
    let head = fixture
        .send(reqwest::Method::HEAD, "/repos/octocat/hello-world")
        .send()
        .await
        .unwrap();
    for name in ["etag", "content-length", "content-type", "last-modified"] {
        assert_eq!(field(&get, name), field(&head, name), "{name}");
    }
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn ranges_of_bodies_that_are_not_json() {
    let fixture = Fixture::usual().await;
    fixture
        .simulator
        .put("/blob", Document::new(Content::Generated(1 << 20)));
    let whole = fixture
        .get("/blob")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(whole.len(), 1 << 20);
    let part = fixture
        .get("/blob")
        .header("range", "bytes=1000-2000")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(field(&part, "content-range"), "bytes 1000-2000/1048576");
    assert_eq!(part.bytes().await.unwrap(), whole.slice(1000..2001));
}
