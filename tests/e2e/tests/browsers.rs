//! Scripts in browsers: they are let in, and may read what they need, as at GitHub.

use e2e::cache_status::{MISS, REVALIDATED};
use e2e::{Request, Response};
use github_simulator::Action;

const ORIGIN: (&str, &str) = ("origin", "https://app.example");

fn cors(response: &Response) -> Vec<(String, String)> {
    let fields = response.headers.iter();
    let fields = fields.filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let text = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        let mut names: Vec<String> = value
            .to_str()
            .expect("text")
            .split(',')
            .map(|it| it.trim().to_ascii_lowercase())
            .collect();
        names.sort();
        (name.to_string(), names.join(", "))
    };
    let mut fields: Vec<_> = fields.map(text).collect();
    fields.sort();
    fields
}

/// Before a request with a token a browser asks without one. The proxy says what GitHub says, and
/// asks nobody; with anything but such a question nobody gets in.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_needs_no_token() {
    let (github, proxy) = e2e::start().await;
    let ask = |address, target: &str| {
        let request = Request::new(address, "OPTIONS", target).header(ORIGIN.0, ORIGIN.1);
        let request = request.header("access-control-request-method", "PATCH");
        request
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .send()
    };
    let direct = ask(github.api_address(), "/user").await;
    github.reset_log();
    for target in [
        "/user",
        "/api/v3/user",
        "/api/graphql",
        "/api/uploads/x",
        "/%zz",
    ] {
        let response = ask(proxy.address(), target).await;
        assert_eq!((response.status, response.body.len()), (204, 0), "{target}");
        let (ours, theirs) = (cors(&response), cors(&direct));
        for (name, value) in &theirs {
            let ours = ours.iter().find(|(known, _)| known == name);
            let ours = ours.map_or("", |(_, value)| value.as_str());
            for item in value.split(", ") {
                assert!(
                    ours.split(", ").any(|it| it == item),
                    "{name}: no {item} in {ours}"
                );
            }
        }
    }
    let unasked = Request::new(proxy.address(), "OPTIONS", "/user")
        .send()
        .await;
    assert_eq!(unasked.status, 401);
    let get = Request::new(proxy.address(), "GET", "/user").header(ORIGIN.0, ORIGIN.1);
    assert_eq!(get.send().await.status, 401);
    assert!(github.requests().is_empty(), "{:?}", github.requests());
}

/// A script may read the answer and its fields wherever it comes from: GitHub, the cache, or the
/// proxy itself that refuses.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_may_be_read() {
    let (github, proxy) = e2e::start().await;
    let direct = Request::new(github.api_address(), "GET", "/users/octocat")
        .send()
        .await;
    let expected = cors(&direct);
    assert_eq!(expected.len(), 2, "{direct:?}");
    let get = |target: &str| proxy.request("GET", target).header(ORIGIN.0, ORIGIN.1);
    for cache in [MISS, REVALIDATED] {
        let response = get("/users/octocat").send().await;
        assert_eq!(
            (response.cache(), cors(&response)),
            (cache, expected.clone())
        );
    }
    let known = get("/users/octocat")
        .header("if-none-match", "*")
        .send()
        .await;
    assert_eq!((known.status, cors(&known)), (304, expected.clone()));
    let read_only = format!("token {}", e2e::READ_ONLY_TOKEN);
    for (request, status) in [
        (get("/rate_limit"), 200),
        (get("/users/octocat").without("authorization"), 401),
        (
            get("/users/octocat").header("authorization", "token nope"),
            401,
        ),
        (get("/%zz"), 400),
        (
            proxy
                .request("POST", "/user")
                .header("authorization", &read_only),
            403,
        ),
    ] {
        let response = request.send().await;
        assert_eq!(
            (response.status, cors(&response)),
            (status, expected.clone()),
            "{response:?}"
        );
        assert_eq!(
            response.header("x-github-media-type"),
            "github.v3; format=json"
        );
    }
    // Whom to ask about an answer that GitHub confirmed.
    assert!(!get("/users/octocat")
        .send()
        .await
        .header("x-github-request-id")
        .is_empty());
    github.fail_next(9, "/users", Action::Reset);
    let stale = get("/users/octocat").send().await;
    assert_eq!((stale.status, cors(&stale)), (200, expected.clone()));
    let lost = get("/users/hubot").send().await;
    assert_eq!((lost.status, cors(&lost)), (502, expected));
}
