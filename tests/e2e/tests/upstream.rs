//! GitHub's side: TLS with a certificate that is verified, and a GitHub Enterprise Server below a
//! path.

use e2e::tls::{Authority, Terminator};
use e2e::{GitHub, Proxy};
use github_simulator::{Mount, Options};
use serde_json::json;

/// GitHub is believed only with a certificate for its very name from an authority that is trusted:
/// with another name, or from somebody else, nothing is sent to it.
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_verified() {
    let github = GitHub::start().await;
    let (trusted, stranger) = (Authority::new(), Authority::new());
    github.put_json("/things/1", json!({"n": 1}));
    for (issuer, name, host, served) in [
        (&trusted, "localhost", "localhost", true),
        (&trusted, "127.0.0.1", "127.0.0.1", true),
        (&trusted, "api.github.com", "localhost", false),
        (&trusted, "localhost.example", "localhost", false),
        (&trusted, "localhost", "127.0.0.1", false),
        (&stranger, "localhost", "localhost", false),
    ] {
        let front = Terminator::start(&issuer.issue(&[name]), github.api_address()).await;
        let setup = Proxy::before(&github);
        let bundle = trusted.write(setup.folder());
        let url = format!("https://{host}:{}", front.port());
        let setup = setup.env("GITHUB_API_URL", &url);
        let setup = setup.env("SSL_CERT_FILE", &bundle.display().to_string());
        let proxy = setup.start().await;
        github.reset_log();
        let response = proxy.get("/things/1").await;
        let case = format!("{name} at {host}");
        if served {
            assert_eq!(
                (response.status, response.json()),
                (200, json!({"n": 1})),
                "{case}"
            );
            let host = github.requests()[0].header("host").map(str::to_owned);
            assert_eq!(host, Some(format!("{}:{}", url_host(&url), front.port())));
        } else {
            assert_eq!(response.status, 502, "{case}: {response:?}");
            assert_eq!(response.json()["status"], "502");
            assert!(github.requests().is_empty(), "{case}");
        }
    }
}

fn url_host(url: &str) -> &str {
    let authority = url.trim_start_matches("https://");
    authority.split(':').next().unwrap_or_default()
}

/// A GitHub Enterprise Server has REST, GraphQL and uploads at three places; clients may use these
/// or those of api.github.com.
#[tokio::test(flavor = "multi_thread")]
async fn an_enterprise_server_lies_below_a_path() {
    let options = Options {
        mount: Mount::EnterpriseServer,
        ..Options::default()
    };
    let github = GitHub::start_with(options).await;
    let url = format!("{}/api/v3", github.api_url());
    let proxy = Proxy::before(&github)
        .env("GITHUB_API_URL", &url)
        .start()
        .await;
    let query = || r#"{"query":"{viewer{login}}"}"#;
    for (method, target, reached, status) in [
        ("GET", "/users/octocat", "/api/v3/users/octocat", 200),
        ("GET", "/api/v3/users/octocat", "/api/v3/users/octocat", 200),
        ("POST", "/graphql", "/api/graphql", 200),
        ("POST", "/api/graphql", "/api/graphql", 200),
        ("POST", "/api/v3/graphql", "/api/graphql", 200),
        (
            "GET",
            "/repos/octocat/hello-world/issues?page=2",
            "/api/v3/repos/octocat/hello-world/issues?page=2",
            200,
        ),
        (
            "POST",
            "/api/uploads/repos/octocat/hello-world/things",
            "/api/uploads/repos/octocat/hello-world/things",
            404,
        ),
    ] {
        let before = github.requests().last().map_or(0, |entry| entry.id);
        let request = proxy.request(method, target);
        let request = if method == "POST" {
            request.body(query())
        } else {
            request
        };
        let response = request.send().await;
        assert_eq!(response.status, status, "{method} {target}: {response:?}");
        let targets: Vec<String> = github
            .requests_after(before)
            .into_iter()
            .map(|it| it.target)
            .collect();
        assert_eq!(targets, [reached], "{method} {target}");
    }
    // Both ways of writing a path are one entry.
    assert_eq!(
        github.requests_to("/api/v3/users/octocat")[1].status,
        Some(304)
    );
}

/// The mounts of a GitHub Enterprise Server work before api.github.com too: clients that only know
/// one need no change.
#[tokio::test(flavor = "multi_thread")]
async fn clients_of_an_enterprise_server_need_no_change() {
    let (github, proxy) = e2e::start().await;
    for (method, target, reached) in [
        ("GET", "/users/octocat", "/users/octocat"),
        ("GET", "/api/v3/users/octocat", "/users/octocat"),
        ("POST", "/api/graphql", "/graphql"),
        ("POST", "/api/v3/graphql", "/graphql"),
        ("POST", "/graphql", "/graphql"),
        ("GET", "/api/v3", "/"),
        ("GET", "/api/v3/", "/"),
    ] {
        let before = github.requests().last().map_or(0, |entry| entry.id);
        let request = proxy
            .request(method, target)
            .body(r#"{"query":"{viewer{login}}"}"#);
        let response = request.send().await;
        assert_eq!(response.status, 200, "{method} {target}: {response:?}");
        let targets: Vec<String> = github
            .requests_after(before)
            .into_iter()
            .map(|it| it.target)
            .collect();
        assert_eq!(targets, [reached], "{method} {target}");
    }
}
