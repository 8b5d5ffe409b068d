//! A real Prometheus scrapes a real proxy under load of all kinds: every query of every panel, every
//! recording rule and every query of the documentation returns data, and every alert can be
//! evaluated.

use e2e::dashboards::{self, filled};
use e2e::prometheus::{observability, unix_seconds, Prometheus, Sample};
use e2e::{apps, wait, GitHub, Proxy, Redis, Request};
use github_simulator::{Action, Document, Fault, Options};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

const REGISTRY: &str = "version: 1
clients:
  - name: ci
    token: token-of-ci-0123456789
  - name: team.bot-2
    token: token-of-bot-0123456789
  - name: thrifty
    token: token-of-thrifty-0123456789
    budget: 1
  - name: late
    tokens: [{ token: token-of-late-0123456789, expires: 2020-01-01 }]
  - name: reader
    token: token-of-reader-0123456789
    scopes: [{ method: GET, path: /things/.* }]
";

/// Clients that do all that is counted: new things, known ones, equal ones at once, failures of
/// GitHub with and without a stored copy, what is not allowed, what no token is sent for.
struct Load {
    enough: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn start(proxy: &Proxy) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicUsize::new(0));
        let (stop, count, address) = (Arc::clone(&enough), Arc::clone(&rounds), proxy.address());
        let task = tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let round = count.load(Ordering::Relaxed);
                let send = |method: &str, target: &str, client: &str| {
                    let token = format!("token token-of-{client}-0123456789");
                    let request = Request::new(address, method, target);
                    request.header("authorization", &token)
                };
                let new = format!("/things/{}", round % 500);
                let slow = format!("/things/slow-{}", round % 500);
                let failing = format!("/failing/{round}");
                let unshared = format!("/users/octocat?number={round}");
                for request in [
                    send("GET", &new, "ci"),
                    send("GET", "/things/0", "bot"),
                    send("GET", "/things/stale", "ci"),
                    send("GET", &failing, "bot"),
                    send("GET", &unshared, "thrifty"),
                    send("GET", "/search/issues?q=repo:octocat/hello-world", "bot"),
                    send("POST", "/graphql", "bot").body(r#"{"query":"{viewer{login}}"}"#),
                    send("DELETE", "/things/0", "reader"),
                    send("GET", "/user", "nobody"),
                    send("GET", "/user", "late"),
                    send("GET", "/things/..%2f", "ci"),
                    send("GET", "/user", "ci").without("authorization"),
                ] {
                    request.send().await;
                }
                // Two equal ones at once: one waits for the other.
                let pair = [(); 2].map(|()| tokio::spawn(send("GET", &slow, "ci").outcome()));
                for one in pair {
                    one.await.expect("a task").expect("an answer");
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            enough,
            rounds,
            task,
        }
    }

    /// Waits for so many rounds from now on.
    async fn rounds(&self, more: usize) {
        let goal = self.rounds.load(Ordering::Relaxed) + more;
        wait::until("clients that go on", || async {
            (self.rounds.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    async fn stop(self) {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.expect("every request is answered");
    }
}

fn fill(github: &GitHub) {
    for number in 0..500 {
        github.put_json(&format!("/things/{number}"), json!({"n": number}));
        let slow = Document {
            delay_ms: 60,
            ..Document::json(json!({"n": number}))
        };
        github.put(&format!("/things/slow-{number}"), slow);
    }
    github.put_json("/things/stale", json!({"n": "old"}));
}

/// From now on GitHub fails for some, and does not accept one credential any more.
fn break_some(github: &GitHub) {
    for prefix in ["/things/stale", "/failing"] {
        github.fault(Fault {
            prefix: prefix.to_owned(),
            method: None,
            token: None,
            skip: 0,
            times: None,
            action: Action::Status {
                status: 500,
                body: None,
                headers: BTreeMap::new(),
            },
        });
    }
    github.revoke_token("C");
}

/// When to look at a query: one that takes a value at each full minute shows what is there now
/// at the next one.
fn moment(expression: &str) -> u64 {
    let now = unix_seconds();
    if expression.contains(":1m]") {
        (now / 60 + 1) * 60
    } else {
        now
    }
}

/// The values of an expression, once there is one; NaN, a ratio of nothing to nothing, is none.
async fn data(prometheus: &Prometheus, place: &str, expression: &str) -> Vec<Sample> {
    let what = format!("data for {place}: {expression}");
    wait::until(&what, || async {
        let result = prometheus.query_at(expression, moment(expression)).await;
        let samples = result.unwrap_or_else(|error| panic!("{place}: {expression}: {error}"));
        let has_data = samples.iter().any(|(_, value)| value.is_finite());
        has_data.then_some(samples)
    })
    .await
}

/// A query of the documentation. One that only selects names a case which need not have happened
/// here; what it selects by must exist.
fn evident(query: &str) -> String {
    if query.contains('(') {
        return query.to_owned();
    }
    let mut parts = query.split('"');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let (Some(_), Some(rest)) = (parts.next(), parts.next()) {
        text = text.trim_end_matches('=').to_owned() + "=~\".+\"" + rest;
    }
    text
}

/// The queries in code of a document: what selects or computes.
fn queries_in(document: &str) -> Vec<String> {
    let path = observability().join("..").join(document);
    let text = std::fs::read_to_string(path).expect("a document");
    let mut prose = text.split("```").step_by(2);
    let spans = prose
        .by_ref()
        .flat_map(|part| part.split('`').skip(1).step_by(2));
    spans
        .filter(|span| span.contains("github_proxy_") && span.contains(['(', '{']))
        .filter(|span| !span.contains("label_values"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_rule_and_documented_query_returns_data() {
    let options = Options::default().app(apps::app(&[7], 3600));
    let (github, redis) = (GitHub::start_with(options).await, Redis::start().await);
    fill(&github);
    let setup = Proxy::before(&github).redis(&redis).registry(REGISTRY);
    let setup = setup.env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = apps::with_app(setup, "APP", 7).start().await;
    let prometheus = Prometheus::scraping(proxy.admin_address()).await;
    let load = Load::start(&proxy);
    load.rounds(2).await;
    break_some(&github);
    load.rounds(4).await;

    let instance = proxy.admin_address().to_string();
    let all = [("job", ".*"), ("instance", ".*"), ("credential", ".*")];
    let one = [
        ("job", "github-proxy"),
        ("instance", &instance),
        ("credential", "A|B|C|APP"),
    ];
    let grafanas = [("__range", "1h"), ("__rate_interval", "1m"), ("limit", "5")];
    let mut outages = None;
    let mut count = 0;
    for dashboard in dashboards::all() {
        for query in dashboard.queries() {
            for chosen in [all, one] {
                let values = [&chosen[..], &grafanas[..]].concat();
                let expression = filled(&query.expression, &values);
                let samples = data(&prometheus, &query.place, &expression).await;
                if query.place.contains("Outages avoided") {
                    outages = Some(samples);
                }
            }
            count += 1;
        }
        for (selector, label) in dashboard.variables() {
            let selector = filled(&selector, &all);
            let path = format!("label/{label}/values");
            let found = prometheus.api(&path, &[("match[]", &selector)]).await;
            let found = found.expect("values");
            assert_ne!(found, json!([]), "{selector} {label}");
        }
    }
    assert!(count > 40, "{count} queries");
    let (_, hours) = &outages.expect("that panel")[0];
    assert!(
        *hours > 0.0,
        "more than 5 requests in the past hour: {hours}"
    );

    let rules = prometheus.api("rules", &[]).await.expect("rules");
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules: Vec<_> = groups
        .flat_map(|group| group["rules"].as_array().expect("rules"))
        .collect();
    assert!(rules.len() > 20);
    for rule in rules {
        let name = rule["name"].as_str().expect("a name");
        let is_fine = rule["health"] == "ok" && rule["lastError"].is_null();
        assert!(is_fine, "{rule:#}");
        let expression = rule["query"].as_str().expect("a query");
        if rule["type"] == "recording" {
            data(&prometheus, "a recording rule", name).await;
        } else if let Err(error) = prometheus.query(expression).await {
            panic!("{name}: {error}");
        }
    }

    // What is broken here is on its way to somebody; that the proxy is there is not.
    let broken = r#"ALERTS{alertname="GithubProxyCredentialBroken", credential="C"}"#;
    data(&prometheus, "an alert", broken).await;
    data(
        &prometheus,
        "an alert",
        r#"ALERTS{alertname="GithubProxyErrors"}"#,
    )
    .await;
    let silent = r#"ALERTS{alertname=~"GithubProxyAbsent|GithubProxyPredictionFails"}"#;
    assert_eq!(prometheus.query(silent).await, Ok(Vec::new()));

    let mut documented = 0;
    for document in ["README.md", "docs/stats.md", "docs/operations.md"] {
        for query in queries_in(document) {
            data(&prometheus, document, &evident(&query)).await;
            documented += 1;
        }
    }
    assert!(documented > 25, "{documented} queries");
    load.stop().await;
}

/// What panels show is what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn panels_show_what_happened() {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github).start().await;
    // The series are there, with 0, before the requests that are to be seen.
    github.put_json("/things/1", json!({"n": 1}));
    github.put_json("/things/2", json!({"n": 2}));
    proxy.get("/things/1").await;
    proxy.get("/things/1").await;
    let prometheus = Prometheus::scraping(proxy.admin_address()).await;
    let seen = r#"github_proxy_requests{client="test", cache="revalidated"}"#;
    data(&prometheus, "a first scrape", seen).await;
    for _ in 0..8 {
        proxy.get("/things/1").await;
    }
    for _ in 0..2 {
        github.touch("/things/1");
        proxy.get("/things/1").await;
    }
    let grown = format!("{seen} == 9");
    data(&prometheus, "all requests", &grown).await;
    let miss = r#"sum(github_proxy_requests{client="test"}) == 12"#;
    data(&prometheus, "all requests", miss).await;

    let values = [
        ("job", ".*"),
        ("instance", ".*"),
        ("__range", "1h"),
        ("limit", "5"),
    ];
    let usage = dashboards::all()
        .into_iter()
        .find(|it| it.name == "usage.json");
    let queries = usage.expect("that dashboard").queries();
    let panel = |title: &str| {
        let mut queries = queries.iter();
        let query = queries.find(|it| it.place.ends_with(&format!("\"{title}\"")));
        let query = query.unwrap_or_else(|| panic!("no panel {title}"));
        filled(&query.expression, &values)
    };
    // `increase` extrapolates to the ends of its window, so that no exact number can be expected;
    // shares and orders are kept.
    let value = async |title: &str| {
        let samples = data(&prometheus, title, &panel(title)).await;
        assert_eq!(samples.len(), 1, "{title}: {samples:?}");
        samples[0].1
    };
    let (requests, counted) = (value("Requests").await, value("Counted by GitHub").await);
    assert!(requests > counted && counted > 0.0, "{requests}, {counted}");
    assert_eq!(value("Answers 5xx").await, 0.0);
    let free = value("Served free").await;
    assert!((0.6..1.0).contains(&free), "8 of 10 were free: {free}");
    let saved = value("Credits saved").await;
    assert!(saved > 0.0 && saved < requests, "{saved} of {requests}");
    let spenders = data(&prometheus, "Top spenders", &panel("Top spenders")).await;
    assert_eq!(spenders.len(), 1);
    assert_eq!(spenders[0].0["client"], "test");
}
