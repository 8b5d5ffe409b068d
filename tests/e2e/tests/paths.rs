//! Scopes hold whatever a path is disguised as: what is matched is what is sent.

use e2e::{raw, GitHub, Proxy};
use serde_json::json;

const REGISTRY: &str = "version: 1
clients:
  - name: widgets
    token: the-token-of-the-widgets-client
    scopes:
      - method: GET|HEAD
        path: /repos/octocat/widgets(/.*)?
      - method: post
        path: /repos/[^/]+/widgets/issues
";

/// Every way of writing a path is either refused or reaches GitHub in the one form that the
/// client's scopes were asked about.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_matched_is_what_is_sent() {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github).registry(REGISTRY).start().await;
    github.put_json("/repos/octocat/widgets", json!({}));
    let host = format!("host: {}", proxy.address());
    let token = "authorization: token the-token-of-the-widgets-client";
    let ask = |target: &'static str| {
        let host = host.clone();
        let address = proxy.address();
        async move { raw::get(address, target, &[&host, token, "user-agent: e2e"]).await }
    };

    let sent = [
        ("/repos/octocat/widgets", "/repos/octocat/widgets"),
        ("/repos/octocat/widgets/", "/repos/octocat/widgets/"),
        ("/api/v3/repos/octocat/widgets", "/repos/octocat/widgets"),
        ("//repos///octocat/widgets", "/repos/octocat/widgets"),
        ("/./repos/octocat/./widgets", "/repos/octocat/widgets"),
        ("/repos/octocat/other/../widgets", "/repos/octocat/widgets"),
        (
            "/repos/octocat/other/%2e%2E/widgets",
            "/repos/octocat/widgets",
        ),
        ("/%72epos/octocat/%77idgets", "/repos/octocat/widgets"),
        (
            "/repos/octocat/widgets?a=../../x&b=%2e%2e//",
            "/repos/octocat/widgets?a=../../x&b=%2e%2e//",
        ),
        (
            "/repos/octocat/widgets/branches/feature%2Fx",
            "/repos/octocat/widgets/branches/feature%2Fx",
        ),
        (
            "/repos/octocat/widgets/git/ref/heads%2Fmain",
            "/repos/octocat/widgets/git/ref/heads%2Fmain",
        ),
        (
            "/repos/octocat/widgets/contents/a%20b%C3%A9",
            "/repos/octocat/widgets/contents/a%20b%C3%A9",
        ),
        (
            "/repos/octocat/widgets/contents/...",
            "/repos/octocat/widgets/contents/...",
        ),
        (
            "/repos/octocat/widgets/compare/v1.0...v1.1",
            "/repos/octocat/widgets/compare/v1.0...v1.1",
        ),
    ];
    for (target, expected) in sent {
        github.reset_log();
        let answer = ask(target).await;
        assert!(
            [200, 404].contains(&raw::status(&answer)),
            "{target}: {answer}"
        );
        let reached: Vec<String> = github.requests().into_iter().map(|it| it.target).collect();
        assert_eq!(reached, [expected], "{target}");
    }

    github.reset_log();
    for target in [
        "/",
        "/user",
        "/repos/octocat/widgets-secret",
        "/repos/octocat/Widgets",
        "/repos/octocat/widgets%2Fx/..",
        "/repos/octocat/widgets/../secret",
        "/repos/octocat/widgets/%2e%2e/secret",
        "/repos/octocat/widgets/.%2E/secret",
        "/repos/octocat/widgets/x/../../secret",
        "/api/v3/repos/octocat/widgets/../secret",
        "/api/v3//repos/octocat/secret",
        "/api/v3/api/v3/repos/octocat/widgets",
        "/api/uploads/repos/octocat/secret",
        "/api/graphql",
        "/graphql",
        "/repos/octocat%2Fwidgets",
        "/x/repos/octocat/widgets",
        "/repos/octocat/secret?/repos/octocat/widgets",
    ] {
        let answer = ask(target).await;
        assert!(
            [400, 403].contains(&raw::status(&answer)),
            "{target}: {answer}"
        );
    }
    for target in [
        "/repos/octocat/widgets/..%2fsecret",
        "/repos/octocat/widgets/%2e%2e%2fsecret",
        "/repos/octocat/widgets/..%2F..%2Fsecret",
        "/repos/octocat/widgets/%252e%252e/secret",
        "/repos/octocat/widgets/%252e%252e%252fsecret",
        "/repos/octocat/widgets/..;/secret",
        "/repos/octocat/widgets/..;a=b/secret",
        "/repos/octocat/widgets/%2e%2e;/secret",
        "/repos/octocat/widgets/..%5csecret",
        "/repos/octocat/widgets/..%255csecret",
        "/repos/octocat/widgets\\..\\secret",
        "/repos/octocat/widgets/x%00",
        "/repos/octocat/widgets/x%0a",
        "/repos/octocat/widgets/x%250a",
        "/repos/octocat/widgets#/../secret",
        "/repos/octocat/widgets/%zz",
    ] {
        let answer = ask(target).await;
        assert_eq!(raw::status(&answer), 400, "{target}: {answer}");
    }
    assert!(github.requests().is_empty(), "{:?}", github.requests());
}

/// Methods are matched whole and in any case; a scope for one method is none for another.
#[tokio::test(flavor = "multi_thread")]
async fn methods_are_matched_whole() {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github).registry(REGISTRY).start().await;
    github.add_repo("octocat", "widgets", 1);
    for (method, target, status) in [
        ("GET", "/repos/octocat/widgets", 200),
        ("HEAD", "/repos/octocat/widgets", 200),
        ("POST", "/repos/octocat/widgets/issues", 201),
        ("POST", "/repos/octocat/widgets/issues/1/comments", 403),
        ("DELETE", "/repos/octocat/widgets", 403),
        ("PATCH", "/repos/octocat/widgets/issues", 403),
        ("OPTIONS", "/repos/octocat/widgets", 403),
    ] {
        let request = proxy.request(method, target);
        let request = request.header("authorization", "token the-token-of-the-widgets-client");
        let response = request.body(r#"{"title":"t"}"#).send().await;
        assert_eq!(response.status, status, "{method} {target}: {response:?}");
    }
}
