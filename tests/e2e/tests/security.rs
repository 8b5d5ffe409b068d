//! Nobody gets past the proxy without a token, and no secret gets out of it: neither a client's
//! token towards GitHub, nor a GitHub credential towards anybody else.

use base64::{engine::general_purpose::STANDARD, Engine};
use e2e::github::CREDENTIALS;
use e2e::redis::{Access, Redis};
use e2e::{process, raw, traces, GitHub, Proxy, Request, READ_ONLY_TOKEN, TOKEN};
use github_simulator::faults::Action;
use github_simulator::Document;
use serde_json::json;

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// What reached GitHub, all of it, for searching.
fn log_of(github: &GitHub) -> Vec<u8> {
    serde_json::to_vec(&github.requests()).expect("a log")
}

/// Checks that each request that reached GitHub carries one credential of the pool, and nothing
/// of any client's.
fn only_pool_credentials_reached(github: &GitHub) {
    for entry in github.requests() {
        let sent: Vec<_> = entry
            .headers
            .iter()
            .filter(|(name, _)| name == "authorization")
            .collect();
        assert_eq!(sent.len(), 1, "{entry:?}");
        assert!(entry.token.is_some(), "{entry:?}");
    }
    traces::none_of([TOKEN, READ_ONLY_TOKEN], "GitHub's log", &log_of(github));
}

/// Every form in which GitHub takes a token is taken, and what goes on is a credential of the
/// pool and nothing of the client's.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_token_is_accepted_and_none_is_passed_on() {
    let (github, proxy) = e2e::start().await;
    for form in [
        format!("token {TOKEN}"),
        format!("Token {TOKEN}"),
        format!("Bearer {TOKEN}"),
        format!("bearer {TOKEN}"),
        format!("BEARER   {TOKEN}"),
        basic(&format!("anyone:{TOKEN}")),
        basic(&format!("x-access-token:{TOKEN}")),
        basic(&format!("x-oauth-basic:{TOKEN}")),
        basic(&format!(":{TOKEN}")),
        basic(&format!("{TOKEN}:")),
        basic(&format!("{TOKEN}:x-oauth-basic")),
    ] {
        for (method, target) in [
            ("GET", "/users/octocat"),
            ("GET", "/rate_limit"),
            ("POST", "/graphql"),
        ] {
            let request = proxy.request(method, target).header("authorization", &form);
            let response = request.body(r#"{"query":"{viewer{login}}"}"#).send().await;
            assert_eq!(response.status, 200, "{form}: {response:?}");
        }
    }
    // The same token where it could slip through beside the Authorization field.
    for (name, value) in [
        ("proxy-authorization", format!("token {TOKEN}")),
        ("cookie", format!("session={TOKEN}")),
    ] {
        let response = proxy
            .request("GET", "/users/hubot")
            .header(name, &value)
            .send()
            .await;
        assert_eq!(response.status, 200);
    }
    only_pool_credentials_reached(&github);
}

/// A request that may not go out does not: no token, a wrong one, one that is almost right, or a
/// method outside the client's scopes. The refusals look like GitHub's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_unauthenticated_or_out_of_scope_reaches_github() {
    let (github, proxy) = e2e::start().await;
    // What is in the cache is guarded as well.
    assert_eq!(proxy.get("/users/octocat").await.status, 200);
    github.reset_log();

    let lower = TOKEN.to_lowercase();
    for form in [
        None,
        Some(String::new()),
        Some("token".to_owned()),
        Some("token ".to_owned()),
        Some(TOKEN.to_owned()),
        Some(format!("Digest {TOKEN}")),
        Some("token wrong".to_owned()),
        Some(format!("token {lower}")),
        Some(format!("token {}", &TOKEN[1..])),
        Some(format!("token {TOKEN}x")),
        Some(format!("token {TOKEN} x")),
        Some(basic("octocat:wrong")),
        Some(format!("Basic {TOKEN}")),
        Some("Basic !!!".to_owned()),
        Some(format!("Bearer {}", CREDENTIALS[0].1)),
    ] {
        for (method, target) in [
            ("GET", "/users/octocat"),
            ("HEAD", "/users/octocat"),
            ("GET", "/rate_limit"),
            ("POST", "/repos/octocat/hello-world/issues"),
            ("OPTIONS", "/"),
            ("GET", "/../"),
        ] {
            let request = proxy.request(method, target);
            let request = match &form {
                Some(form) => request.header("authorization", form),
                None => request.without("authorization"),
            };
            let response = request.send().await;
            assert_eq!(
                response.status, 401,
                "{method} {target} {form:?}: {response:?}"
            );
            assert!(!response.header("www-authenticate").is_empty());
            if method != "HEAD" {
                let body = response.json();
                assert_eq!(body["message"], "Bad credentials");
                assert_eq!(body["status"], "401");
                assert!(body["documentation_url"].is_string());
            }
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let request = proxy.request(method, "/repos/octocat/hello-world");
        let request = request.header("authorization", &format!("token {READ_ONLY_TOKEN}"));
        let response = request.send().await;
        assert_eq!(response.status, 403, "{method}: {response:?}");
        if method != "HEAD" {
            let body = response.json();
            assert_eq!(body["status"], "403");
            let message = body["message"].as_str().expect("a message");
            assert!(
                message.contains("read_only") && message.contains(method),
                "{message}"
            );
            assert!(!message.contains(".*"), "the rules are told: {message}");
        }
    }
    assert!(github.requests().is_empty(), "{:?}", github.requests());
}

/// A client that presents several tokens is refused or served as one of them; GitHub sees one
/// credential of the pool at most.
#[tokio::test(flavor = "multi_thread")]
async fn several_authorization_fields_let_nothing_through() {
    let (github, proxy) = e2e::start().await;
    let (good, bad) = (format!("token {TOKEN}"), "token wrong".to_owned());
    for (first, second) in [(&good, &good), (&good, &bad), (&bad, &good), (&bad, &bad)] {
        let request = Request::new(proxy.address(), "GET", "/users/octocat");
        let request = request
            .also("authorization", first)
            .also("authorization", second);
        let response = request.send().await;
        assert!([200, 400, 401].contains(&response.status), "{response:?}");
        if first == second && *first == bad {
            assert_eq!(response.status, 401);
        }
    }
    only_pool_credentials_reached(&github);
}

/// No credential of the pool, and no password of Redis, shows up in anything that leaves the
/// stack: answers to clients, Envoy's log, access log, statistics and configuration, Redis, and the
/// command lines of the processes.
#[tokio::test(flavor = "multi_thread")]
async fn no_credential_leaves_the_stack() {
    let github = GitHub::start().await;
    let redis = Redis::start_with(Access::Password, 3, "").await;
    let setup = Proxy::before(&github).redis(&redis);
    let access_log = setup.folder().join("access.log");
    let setup = setup
        .argument("--access-log")
        .argument(&access_log.display().to_string());
    let proxy = setup.start().await;
    let secrets = || {
        let credentials = CREDENTIALS.iter().map(|(_, secret, _)| *secret);
        credentials.chain([Redis::password(), TOKEN, READ_ONLY_TOKEN])
    };

    github.put_json("/things/secret", json!({"n": 1}));
    github.put(
        "/things/echo",
        Document {
            status: 404,
            ..Document::json(json!({"a": 1}))
        },
    );
    github.fail_next(
        1,
        "/things/fails",
        Action::Status {
            status: 500,
            body: None,
            headers: Default::default(),
        },
    );
    github.fail_next(1, "/things/resets", Action::Reset);
    for (method, target) in [
        ("GET", "/things/secret"),
        ("GET", "/things/secret"),
        ("HEAD", "/things/secret"),
        ("GET", "/things/echo"),
        ("GET", "/things/fails"),
        ("GET", "/things/resets"),
        ("GET", "/user"),
        ("GET", "/rate_limit"),
        ("GET", "/things/secret/..%2f"),
        ("POST", "/repos/octocat/hello-world/issues"),
        ("PUT", "/nothing"),
    ] {
        let response = proxy.request(method, target).send().await;
        traces::none_of(
            secrets(),
            &format!("{method} {target}"),
            &response.everything(),
        );
    }
    // A credential that GitHub does not know any more is no reason to show it.
    github.revoke_token("A");
    github.revoke_token("B");
    github.revoke_token("C");
    for target in ["/things/secret", "/things/other", "/user"] {
        let response = proxy.get(target).await;
        traces::none_of(secrets(), target, &response.everything());
    }

    for target in [
        "/config_dump?include_eds",
        "/stats?histogram_buckets=detailed",
        "/stats/prometheus",
        "/clusters",
        "/listeners",
        "/server_info",
        "/init_dump",
    ] {
        let page = proxy.admin(target).await;
        assert_eq!(page.status, 200, "{target}");
        traces::none_of(secrets(), target, &page.body);
    }
    assert!(!redis.keys().is_empty());
    traces::none_of(secrets(), "Redis", &redis.everything());

    let own = proxy.process().id();
    for (id, name) in process::children(own)
        .into_iter()
        .chain([(own, "run".to_owned())])
    {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).expect("a command line");
        traces::none_of(secrets(), &format!("the command line of {name}"), &line);
    }
    let log = std::fs::read(&access_log).expect("an access log");
    assert!(String::from_utf8_lossy(&log).contains("/things/secret"));
    traces::none_of(secrets(), "the access log", &log);
    let ended = proxy.stop().await;
    traces::none_of(secrets(), "standard output", ended.stdout.as_bytes());
    traces::none_of(secrets(), "the log", ended.stderr.as_bytes());
}

/// What `config` prints, in every format, holds digests of the clients' tokens and names of the
/// credentials' variables, and no secret.
#[test]
fn printed_configuration_holds_no_secret() {
    let mut setup = e2e::proxy::Setup::bare().registry(e2e::REGISTRY);
    for (name, secret, _) in CREDENTIALS {
        setup = setup.env(&format!("GITHUB_PAT_{name}"), secret);
    }
    let url = format!(
        "redis://:{}@localhost",
        Redis::password().replace(['/', ' ', '@', ':'], "_")
    );
    let setup = setup.env("CACHE_BACKEND_URL", &url);
    for format in ["bootstrap", "filter", "ecds", "wasmplugin", "envoyfilter"] {
        let output = setup.command("config").args(["--format", format]).output();
        let output = output.expect("the command runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{format}: {error}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("GITHUB_PAT_A") && text.contains("token_sha256"),
            "{format}: {text}"
        );
        let secrets = CREDENTIALS.iter().map(|(_, secret, _)| *secret);
        let secrets: Vec<_> = secrets
            .chain([TOKEN, READ_ONLY_TOKEN, "p_ss_w_rd_7Zq2Lm9XtVb4"])
            .collect();
        traces::none_of(secrets.iter().copied(), format, &output.stdout);
        traces::none_of(secrets, format, &output.stderr);
    }
}

/// Fields with which a client could steer Envoy have no effect and go no further, nor do those
/// that say where the client is.
#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_steer_envoy() {
    let (github, proxy) = e2e::start().await;
    let slow = Document {
        delay_ms: 400,
        ..Document::json(json!({"slow": true}))
    };
    github.put("/things/slow", slow);
    let fields = [
        ("x-envoy-upstream-rq-timeout-ms", "20"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "10"),
        ("x-envoy-expected-rq-timeout-ms", "10"),
        ("x-envoy-max-retries", "3"),
        ("x-envoy-retry-on", "5xx,retriable-4xx,connect-failure"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-original-path", "/user"),
        ("x-envoy-original-dst-host", "127.0.0.1:1"),
        ("x-envoy-decorator-operation", "x"),
        ("x-envoy-force-trace", "1"),
        ("x-envoy-internal", "true"),
        ("x-envoy-external-address", "10.0.0.1"),
        ("x-envoy-upstream-alt-stat-name", "leak"),
        ("x-envoy-upstream-stream-duration-ms", "10"),
        ("x-envoy-ip-tags", "a"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "10.1.2.3"),
        ("forwarded", "for=10.1.2.3"),
        ("via", "1.1 somewhere"),
        ("cookie", "a=b"),
    ];
    let steered = |method: &str, target: &str| {
        let request = proxy.request(method, target);
        fields.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    };
    let response = steered("GET", "/things/slow").send().await;
    assert_eq!(
        (response.status, response.json()),
        (200, json!({"slow": true}))
    );

    let fails = Action::Status {
        status: 503,
        body: None,
        headers: Default::default(),
    };
    github.fail_next(1, "/things/fails", fails);
    github.put_json("/things/fails", json!({}));
    let response = steered("GET", "/things/fails").send().await;
    assert_eq!(response.status, 503);
    assert_eq!(github.requests_to("/things/fails").len(), 1);
    let response = steered("POST", "/graphql")
        .body(r#"{"query":"{viewer{login}}"}"#)
        .send()
        .await;
    assert_eq!(response.status, 200);

    for response_field in response.headers.keys() {
        assert!(
            !response_field.as_str().starts_with("x-envoy"),
            "{response:?}"
        );
    }
    let expected_host = github.api_address().to_string();
    for entry in github.requests() {
        assert_eq!(entry.header("host"), Some(expected_host.as_str()));
        for (name, value) in &entry.headers {
            let foreign = name.starts_with("x-envoy")
                || name.starts_with("x-forwarded")
                || ["x-request-id", "x-real-ip", "forwarded", "via", "cookie"]
                    .contains(&name.as_str());
            assert!(!foreign, "{name}: {value} reached GitHub");
        }
    }
}

/// Requests that two servers could read differently are refused, and whatever host the client
/// names, GitHub is who is asked.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_and_foreign_hosts_go_nowhere() {
    let (github, proxy) = e2e::start().await;
    let authorization = format!("authorization: token {TOKEN}");
    let host = format!("host: {}", proxy.address());

    // NUL inside a field, a space in a name, two lengths, two hosts.
    for text in [
        format!("GET /user HTTP/1.1\r\n{host}\r\n{authorization}\r\nx: a\0b\r\n\r\n"),
        format!("GET /user HTTP/1.1\r\n{host}\r\n{authorization}\r\nx y: a\r\n\r\n"),
        format!("GET /user HTTP/1.1\r\n{host}\r\n{authorization}\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        format!("GET /user HTTP/1.1\r\n{authorization}\r\n\r\n"),
        format!("GET /us er HTTP/1.1\r\n{host}\r\n{authorization}\r\n\r\n"),
        format!("GET /user\r\n{host}\r\n{authorization}\r\n\r\n"),
    ] {
        let text = text.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nconnection: close\r\n");
        let answer = raw::exchange(proxy.address(), text.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = raw::status(&answer);
        assert!([400, 426].contains(&status) || answer.is_empty(), "{text:?} was answered {answer:?}");
    }
    assert!(github.requests().is_empty(), "{:?}", github.requests());
    // A lone CR ends no line (RFC 9112 §2.2).
    let text = format!(
        "GET /user HTTP/1.1\r\n{host}\r\n{authorization}\r\nuser-agent: e2e\r\nx: a\rx-smuggled: b\r\n\r\n"
    );
    raw::exchange(proxy.address(), text.as_bytes()).await;
    assert!(github
        .requests()
        .iter()
        .all(|it| it.header("x-smuggled").is_none()));
    github.reset_log();

    let agent = "user-agent: e2e";
    for (target, host) in [
        ("/user", "host: evil.example"),
        ("/user", "host: api.github.com"),
        ("http://evil.example/user", "host: evil.example"),
        ("http://evil.example:1/user", "host: localhost"),
    ] {
        let answer = raw::get(proxy.address(), target, &[host, &authorization, agent]).await;
        assert_eq!(raw::status(&answer), 200, "{target} {host}: {answer}");
    }
    let expected_host = github.api_address().to_string();
    for entry in github.requests() {
        assert_eq!(entry.header("host"), Some(expected_host.as_str()));
        assert_eq!(entry.target, "/user");
    }
    only_pool_credentials_reached(&github);
}

/// What the proxy puts into an answer cannot be used to smuggle fields into it.
#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_no_field_of_the_clients_making() {
    let (_github, proxy) = e2e::start().await;
    let host = format!("host: {}", proxy.address());
    let authorization = format!("authorization: token {READ_ONLY_TOKEN}");
    let agent = "user-agent: e2e";
    for target in [
        "/users/octocat%0d%0aset-cookie:%20a=b",
        "/users/octocat?a=%0d%0aset-cookie:%20a=b",
        "/users/octocat%0aset-cookie:%20a=b",
        "/users/%E5%98%8A%E5%98%8Dset-cookie:%20a=b",
    ] {
        let answer = raw::get(proxy.address(), target, &[&host, &authorization, agent]).await;
        assert!(raw::status(&answer) >= 200, "{answer}");
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap_or_default()
            .to_lowercase();
        assert!(!head.contains("set-cookie"), "{answer}");
    }
}

/// A client may not turn its request into one of another method on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_override_does_not_get_around_the_scopes() {
    let (github, proxy) = e2e::start().await;
    for name in ["x-http-method-override", "x_http_method_override"] {
        let request = proxy.request("GET", "/repos/octocat/hello-world");
        let request = request.header("authorization", &format!("token {READ_ONLY_TOKEN}"));
        let response = request.header(name, "DELETE").send().await;
        assert!([200, 400, 403].contains(&response.status), "{response:?}");
        for entry in github.requests() {
            assert_eq!(entry.header(name), None);
        }
    }
}
