//! The status page: what it shows is what happened, it is where operators come in and nowhere
//! else, it tells no secret, and it works in a real browser without asking anybody else.

use e2e::browser::Browser;
use e2e::github::CREDENTIALS;
use e2e::{traces, wait, GitHub, Proxy, READ_ONLY_TOKEN, TOKEN};
use serde_json::{json, Value};

const PAGE: &str = "/-/github-proxy/";
const NUMBERS: &str = "/-/github-proxy/status.json";

/// Two answers of each kind that the page tells apart.
async fn traffic(github: &GitHub, proxy: &Proxy) {
    github.put_json("/things/1", json!({"n": 1}));
    for _ in 0..3 {
        assert_eq!(proxy.get("/things/1").await.status, 200);
    }
    let token = format!("Bearer {READ_ONLY_TOKEN}");
    let forbidden = proxy.request("DELETE", "/things/1");
    let forbidden = forbidden.header("authorization", &token).send().await;
    assert_eq!(forbidden.status, 403);
}

/// The numbers once they are as wanted: workers tell them a moment later.
async fn numbers_when(proxy: &Proxy, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, || async {
        let numbers = proxy.admin(NUMBERS).await.json();
        wanted(&numbers).then_some(numbers)
    })
    .await
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut entries = list.as_array().expect("a list").iter();
    let entry = entries.find(|entry| entry["name"] == name);
    entry.unwrap_or_else(|| panic!("{name} is not in {list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_those_of_the_traffic() {
    let (github, proxy) = e2e::start().await;
    traffic(&github, &proxy).await;
    let numbers = numbers_when(&proxy, "all requests", |it| it["totals"]["requests"] == 4).await;
    let totals = &numbers["totals"];
    assert_eq!(
        (&totals["counted"], &totals["free"], &totals["denied"]),
        (&json!(1), &json!(2), &json!(1))
    );
    assert_eq!(
        (&totals["cache"]["miss"], &totals["cache"]["revalidated"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(totals["credit_ratio"], 0.3333);
    let client = named(&numbers["clients"], "test");
    assert_eq!(
        (&client["requests"], &client["counted"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(named(&numbers["clients"], "read_only")["denied"], 1);
    let used: u64 = numbers["credentials"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|it| it["limits"].as_array().expect("a list"))
        .map(|limit| {
            limit["limit"].as_u64().unwrap_or(0) - limit["remaining"].as_u64().unwrap_or(0)
        })
        .sum();
    assert_eq!(used, 1);
    assert_eq!(numbers["cache"]["entries"], 1);
    assert_eq!(numbers["configuration"]["generation"], 1);

    // What GitHub says of a credential is shown, and so is a change of the registry.
    github.revoke_token("A");
    for number in 0..3 {
        proxy.get(&format!("/users/octocat?{number}")).await;
    }
    let state = |it: &Value| named(&it["credentials"], "A")["state"] == "broken";
    numbers_when(&proxy, "a broken credential", state).await;
    proxy.replace_registry("version: 1\nclients:\n  - name: new\n    token: t\n    budget: 7\n");
    let reloaded =
        |it: &Value| it["configuration"]["generation"] == 2 && it["totals"]["requests"] == 7;
    let numbers = numbers_when(&proxy, "a reload", reloaded).await;
    assert_eq!(named(&numbers["clients"], "new")["budget"]["limit"], 7);
    let gone = named(&numbers["clients"], "test");
    assert_eq!(
        (&gone["removed"], &gone["requests"]),
        (&json!(true), &json!(6))
    );
}

/// Programs ask for JSON by its path or by `Accept`, browsers get the page; what is wrong is
/// refused; the rest of the admin interface is beside it; and none of it tells a secret.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_operators_and_tells_no_secret() {
    let (github, proxy) = e2e::start().await;
    traffic(&github, &proxy).await;
    let page = proxy.admin(PAGE).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let admin = |method, target| proxy.admin_request(method, target);
    let json = admin("GET", PAGE)
        .header("accept", "application/json")
        .send()
        .await;
    assert_eq!(json.header("content-type"), "application/json");
    let head = admin("HEAD", PAGE).send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), page.body.len().to_string());
    let refused = admin("POST", PAGE).send().await;
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, "GET, HEAD")
    );
    assert_eq!(proxy.admin("/-/github-proxy/secrets").await.status, 404);
    assert_eq!(
        proxy.admin("/-/github-proxy").await.header("location"),
        PAGE
    );
    assert_eq!(proxy.admin("/ready").await.body.as_ref(), b"LIVE\n");
    assert_eq!(proxy.admin("/no-such-place").await.status, 404);

    // A page of another site cannot have an operator's browser stop Envoy.
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
    ] {
        let request = admin("POST", "/reset_counters");
        let answer = request.header("sec-fetch-site", site).send().await;
        assert_eq!(answer.status, status, "{site}");
    }
    assert_eq!(admin("POST", "/reset_counters").send().await.status, 200);

    let mut secrets = vec![TOKEN, READ_ONLY_TOKEN];
    secrets.extend(CREDENTIALS.map(|(_, secret, _)| secret));
    for (what, answer) in [("the page", &page), ("the numbers", &json)] {
        traces::none_of(secrets.iter().copied(), what, &answer.everything());
    }

    // Where clients come in, it is a path as any other: GitHub's.
    let request = proxy.request("GET", NUMBERS);
    assert_eq!(request.without("authorization").send().await.status, 401);
    let answer = proxy.get(NUMBERS).await;
    assert_eq!(answer.status, 404);
    assert_eq!(github.requests_to(NUMBERS).len(), 1);
}

/// A page of another site cannot make its own name lead there, nor send anything from where the
/// browser names it as the origin; operators and programs come in by the names that they have.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_do_not_get_in() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github)
        .argument("--admin-host")
        .argument("Ops.example.com");
    let proxy = setup.start().await;
    let ask = |method: &'static str, target: &'static str, host: &str, origin: Option<&str>| {
        let request = proxy.admin_request(method, target).header("host", host);
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        async move { request.send().await.status }
    };
    for (host, status) in [
        ("127.0.0.1", 200),
        ("10.0.0.7:9901", 200),
        ("[::1]:9901", 200),
        ("localhost:9901", 200),
        ("LOCALHOST", 200),
        ("proxy:9901", 200),
        ("github-proxy.default.svc:9901", 200),
        ("github-proxy.default.svc.cluster.local", 200),
        ("host.docker.internal:9901", 200),
        ("ops.example.com:9901", 200),
        ("OPS.example.com", 200),
        ("evil.com", 403),
        ("evil.com:9901", 403),
        ("ops.example.com.evil.com", 403),
        ("1.2.3.4.evil.com", 403),
        ("evil.com.", 403),
        ("svc.evil", 403),
        ("evilsvc.com", 403),
    ] {
        assert_eq!(ask("GET", NUMBERS, host, None).await, status, "{host}");
        assert_eq!(ask("GET", "/stats", host, None).await, status, "{host}");
        let reset = ask("POST", "/reset_counters", host, None).await;
        assert_eq!(reset, status, "{host}");
        // Balancers and Prometheus come by any name, and change nothing.
        for target in ["/ready", "/stats/prometheus?usedonly"] {
            assert_eq!(ask("GET", target, host, None).await, 200, "{host}");
        }
    }
    for (host, origin, status) in [
        ("127.0.0.1:9901", "http://127.0.0.1:9901", 200),
        ("ops.example.com", "https://OPS.example.com", 200),
        ("127.0.0.1:9901", "http://127.0.0.1:3000", 403),
        ("127.0.0.1:9901", "http://evil.com", 403),
        ("127.0.0.1:9901", "null", 403),
        ("evil.com", "http://evil.com", 403),
    ] {
        for (method, target) in [("POST", "/reset_counters"), ("GET", NUMBERS)] {
            let answer = ask(method, target, host, Some(origin)).await;
            assert_eq!(answer, status, "{method} {host} {origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_it_live_and_asks_nobody_else() {
    let (github, proxy) = e2e::start().await;
    traffic(&github, &proxy).await;
    let browser = Browser::start().await;
    let origin = format!("http://{}", proxy.admin_address());
    browser.open(&format!("{origin}/-/github-proxy")).await;

    let until = |selector: &'static str, text: &'static str| {
        let browser = &browser;
        wait::until(text, move || async move {
            browser.text(selector).await.contains(text).then_some(())
        })
    };
    until("#state", "live").await;
    until("#tiles div:nth-child(1)", "4\n1 refused").await;
    until("#tiles div:nth-child(2)", "1\n33.3 per 100 served").await;
    until("#tiles div:nth-child(3)", "66.7 %\n2 of 3 served").await;
    until("[data-client=test]", "default\t3\t1\t2\t0").await;
    let credentials = browser.text("#credentials").await;
    for (name, ..) in CREDENTIALS {
        assert!(
            credentials.contains(&format!("{name} token")),
            "{credentials}"
        );
    }
    assert!(credentials.contains("4,999\t5,000"), "{credentials}");

    // It follows what happens, without being loaded again.
    browser.value("window.here = true").await;
    proxy.get("/things/1").await;
    until("#tiles div:nth-child(1)", "5\n1 refused").await;
    github.revoke_token("A");
    for number in 0..3 {
        proxy.get(&format!("/users/octocat?{number}")).await;
    }
    until("#credentials .broken", "broken").await;
    assert_eq!(browser.value("window.here").await, true);

    // On a phone nothing is wider than the screen.
    let phone = json!({"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true});
    browser.emulate("setDeviceMetricsOverride", phone).await;
    let width = browser.value("document.documentElement.scrollWidth").await;
    assert_eq!(width, 360);

    let asked = browser.requested().await;
    assert!(asked.len() > 2, "{asked:?}");
    for url in asked {
        let own = url.starts_with(&origin) || url.starts_with("data:,");
        assert!(own, "{url} was asked for");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}
