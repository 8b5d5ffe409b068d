//! Everything that an operator changes while the proxy runs: settings and credentials in the
//! environment file, clients in the registry. Good versions take effect without a lost request,
//! bad ones are refused, counted, and change nothing.

use e2e::http::Http2;
use e2e::proxy::Setup;
use e2e::steady::Steady;
use e2e::{apps, github, traces, GitHub, Proxy, REGISTRY};
use github_simulator::{Options, Token};
use rustix::process::Signal;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const A: (&str, &str, &str) = github::CREDENTIALS[0];
const B: (&str, &str, &str) = github::CREDENTIALS[1];
const C: (&str, &str, &str) = github::CREDENTIALS[2];

/// A proxy whose credentials and settings are in an environment file.
struct FromFile {
    setup: Setup,
    file: PathBuf,
}

impl FromFile {
    fn before(github: &GitHub, lines: &[String]) -> Self {
        let setup = Setup::bare()
            .env("GITHUB_API_URL", &github.api_url())
            .registry(REGISTRY);
        let file = setup.folder().join("env");
        write(&file, lines);
        let path = file.display().to_string();
        let setup = setup.argument("--env-file").argument(&path);
        Self { setup, file }
    }
}

fn pat(name: &str, secret: &str) -> String {
    format!("GITHUB_PAT_{name}={secret}")
}

/// Replaces a file whole.
fn write(path: &Path, lines: &[String]) {
    let new = path.with_extension("new");
    std::fs::write(&new, lines.join("\n")).expect("a file in the temporary folder");
    std::fs::rename(&new, path).expect("the same folder");
}

/// The names of the credentials that served the requests to `prefix`, in order.
fn served(github: &GitHub, prefix: &str) -> Vec<String> {
    let entries = github.requests_to(prefix).into_iter();
    entries.filter_map(|entry| entry.token).collect()
}

/// What is asked for in vain, so that GitHub is asked each time.
async fn ask(proxy: &Proxy, name: &str) -> u16 {
    proxy.get(&format!("/users/octocat?{name}")).await.status
}

/// A credential that is added serves, one that is removed does not any more, one whose token is
/// replaced sends the new one; and no token can be read where Envoy's configuration can.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_change_without_a_restart() {
    let github = GitHub::start().await;
    let from_file = FromFile::before(&github, &[pat("A", A.1)]);
    let file = from_file.file.clone();
    let proxy = from_file.setup.start().await;
    assert_eq!(ask(&proxy, "first=1").await, 200);
    assert_eq!(served(&github, "/users/octocat?first"), ["A"]);

    write(&file, &[pat("B", B.1)]);
    proxy
        .until_said("reloaded: 2 clients, 1 credential\n", 1)
        .await;
    for number in 0..4 {
        assert_eq!(ask(&proxy, &format!("second={number}")).await, 200);
    }
    assert_eq!(served(&github, "/users/octocat?second"), ["B"; 4]);
    // The representation that A paid for is there for B, at no cost.
    assert_eq!(ask(&proxy, "first=1").await, 200);
    assert_eq!(github.paid("/users/octocat?first"), 1);
    // Of A, which is gone, no gauge tells any more.
    let removed = [("credential", A.0)];
    proxy
        .stats_when("gauges that are 0", |stats| {
            let mut limits = stats.of("github_proxy_rate_limit_limit", &removed);
            limits.next().is_some_and(|limit| limit.value == 0.0)
        })
        .await;

    // Refused by GitHub, and replaced: the new one serves at once.
    let rotated = "ghp_z4RbYt90KcXw2VnQe7SuMd61LpHj83FaZoXD";
    github.revoke_token("B");
    assert_eq!(ask(&proxy, "third=1").await, 503);
    github.add_token(Token::of_user("NEW", rotated, B.2));
    write(&file, &[pat("B", rotated)]);
    proxy
        .until_said("reloaded: 2 clients, 1 credential\n", 2)
        .await;
    assert_eq!(ask(&proxy, "third=2").await, 200);
    assert_eq!(served(&github, "/users/octocat?third=2"), ["NEW"]);

    let dump = proxy.admin("/config_dump").await.body;
    assert!(String::from_utf8_lossy(&dump).contains("pat_sealed"));
    traces::none_of([A.1, B.1, rotated], "the configuration", &dump);
    let stats = proxy.stats().await;
    let applied = [("result", "applied")];
    assert_eq!(stats.sum("github_proxy_config_reloads", &applied), 2);
}

/// The file of an App's private key is followed: a key that GitHub knows gets a token at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_app_changes_with_its_file() {
    let options = Options::default().app(apps::app(&[7], 3_600));
    let github = GitHub::start_with(options).await;
    let setup = Setup::bare()
        .env("GITHUB_API_URL", &github.api_url())
        .env("GITHUB_APP_X_ID", &apps::ID.to_string())
        .env("GITHUB_APP_X_INSTALLATION_ID", "7")
        .registry(REGISTRY);
    let key = setup.folder().join("app.pem");
    write(&key, &[apps::KEY.replacen("MIIE", "MIIF", 1)]);
    let setup = setup.env("GITHUB_APP_X_PEM_FILE", &key.display().to_string());
    let proxy = setup.start().await;
    assert_eq!(ask(&proxy, "before").await, 503);
    write(&key, &[apps::KEY.to_owned()]);
    proxy
        .until_said("reloaded: 2 clients, 1 credential\n", 1)
        .await;
    assert_eq!(ask(&proxy, "after").await, 200);
    let dump = proxy.admin("/config_dump").await.body;
    let lines = apps::KEY.lines().filter(|line| line.len() == 64);
    traces::none_of(lines.map(|line| &line[8..40]), "the configuration", &dump);
}

/// What changes after the files were read and before Envoy serves is taken up as well: the
/// stand-in for Envoy lets another client in, and then is Envoy.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_it_starts_takes_effect() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github);
    let (stand_in, next) = (setup.folder().join("envoy"), setup.folder().join("next"));
    let token = "the-token-of-a-new-client";
    let new = format!("version: 1\nclients:\n  - name: new\n    token: {token}\n");
    std::fs::write(&next, new).expect("a file in the temporary folder");
    let script = format!(
        "#!/bin/sh\nmv '{}' '{}'\nexec '{}' \"$@\"\n",
        next.display(),
        setup.folder().join("clients.yaml").display(),
        e2e::binaries::envoy().display()
    );
    std::fs::write(&stand_in, script).expect("a file in the temporary folder");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stand_in, executable).expect("its owner");
    let setup = setup.argument("--envoy");
    let proxy = setup
        .argument(&stand_in.display().to_string())
        .start()
        .await;
    proxy.until_said("reloaded: 1 client, ", 1).await;
    assert_eq!(ask(&proxy, "old").await, 401);
    let request = proxy.request("GET", "/users/octocat");
    let request = request.header("authorization", &format!("token {token}"));
    assert_eq!(request.send().await.status, 200);
}

/// A setting takes effect at the next request.
#[tokio::test(flavor = "multi_thread")]
async fn settings_change_without_a_restart() {
    let github = GitHub::start().await;
    let from_file = FromFile::before(&github, &[pat("A", A.1)]);
    let file = from_file.file.clone();
    let proxy = from_file.setup.start().await;
    ask(&proxy, "x").await;
    let again = proxy.get("/users/octocat?x").await;
    assert_eq!(again.cache(), "github-proxy; hit; detail=revalidated");
    write(&file, &[pat("A", A.1), "CACHE_SERVE_FRESH=3600".to_owned()]);
    proxy.until_said("reloaded: ", 1).await;
    assert_eq!(
        proxy.get("/users/octocat?x").await.cache(),
        "github-proxy; hit"
    );
    // Without a cache, what is there is not served, and goes.
    write(&file, &[pat("A", A.1), "CACHE_MEMORY_BYTES=0".to_owned()]);
    proxy.until_said("reloaded: ", 2).await;
    for _ in 0..2 {
        let miss = proxy.get("/users/octocat?x").await;
        assert_eq!(miss.cache(), "github-proxy; fwd=miss");
    }
    let stats = proxy.stats_when("an empty cache", |stats| {
        stats.sum("github_proxy_cache_entries", &[]) == 0
    });
    stats.await;
}

/// Removing a client takes effect at once, also for the connections that it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_client_is_out_on_its_open_connections_too() {
    let (_github, proxy) = e2e::start().await;
    let connection = Http2::connect(proxy.address()).await;
    let ask = || {
        connection
            .clone()
            .outcome(proxy.request("GET", "/users/octocat"))
    };
    assert_eq!(ask().await.expect("an answer").status, 200);
    proxy.replace_registry("version: 1\nclients: []\n");
    proxy.until_said("reloaded: 0 clients", 1).await;
    assert_eq!(ask().await.expect("an answer").status, 401);
}

/// What is faulty is refused with its place, and so is what only a restart can change; both are
/// counted, and what runs goes on. SIGHUP reads everything at once, and does not end it.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_over_is_refused_and_counted() {
    let github = GitHub::start().await;
    let good = [pat("A", A.1), pat("B", B.1)];
    let from_file = FromFile::before(&github, &good);
    let file = from_file.file.clone();
    let proxy = from_file.setup.start().await;
    let bad = [
        (
            format!("CACHE_TTL=soon\n{}", pat("A", A.1)),
            "CACHE_TTL: expected a whole number",
        ),
        (
            format!("what is this\n{}", pat("A", A.1)),
            "env:1: expected NAME=VALUE",
        ),
        (String::new(), "GITHUB_PAT_<NAME>: expected at least one"),
        (
            format!("GITHUB_API_URL=https://example.com\n{}", pat("A", A.1)),
            "GITHUB_API_URL: a change takes effect at a restart only",
        ),
        (
            format!("CACHE_BACKEND_URL=redis://127.0.0.1:1\n{}", pat("A", A.1)),
            "CACHE_BACKEND_URL: a change takes effect at a restart only",
        ),
    ];
    for (refusals, (text, reason)) in bad.iter().enumerate() {
        write(&file, std::slice::from_ref(text));
        proxy
            .until_said("the running one stays", refusals + 1)
            .await;
        proxy.until_said(reason, 1).await;
        assert_eq!(ask(&proxy, &format!("bad={refusals}")).await, 200);
    }
    let refused = |stats: &e2e::stats::Stats| {
        stats.sum("github_proxy_config_reloads", &[("result", "refused")])
    };
    let all = bad.len() as u64;
    proxy
        .stats_when("every refusal", |stats| refused(stats) == all)
        .await;
    write(&file, &good);
    proxy
        .until_said("reloaded: 2 clients, 2 credentials, nothing changed", 1)
        .await;
    proxy.process().signal(Signal::HUP);
    proxy
        .until_said("reloaded: 2 clients, 2 credentials, nothing changed", 2)
        .await;
    assert_eq!(ask(&proxy, "after").await, 200);
    // Envoy has nothing to complain about: it never saw any of them.
    assert_eq!(proxy.said("][critical]"), 0);
    traces::none_of(
        [A.1, B.1],
        "standard error",
        proxy.process().stderr().as_bytes(),
    );
}

/// The simulator stands in for GitHub for as long as the proxy runs, and its clients can change.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_follows_its_registry_and_takes_no_credentials() {
    let setup = Setup::bare().registry(REGISTRY);
    let file = setup.folder().join("env");
    write(&file, &[]);
    let setup = setup.env("GITHUB_PROXY_ENV_FILE", &file.display().to_string());
    let proxy = setup.start().await;
    proxy.replace_registry("version: 1\nclients: []\n");
    proxy
        .until_said("reloaded: 0 clients, 3 credentials", 1)
        .await;
    assert_eq!(ask(&proxy, "x").await, 401);
    write(&file, &[pat("A", A.1)]);
    proxy
        .until_said("credentials take effect at a restart only", 1)
        .await;
}

/// What a campaign of reloads under a steady load came to.
struct Campaign {
    load: e2e::steady::Report,
    /// From a good file's appearance to the first request under it.
    live: Vec<Duration>,
    refused: usize,
}

/// Reloads under a load of `rate` requests a second: each good registry lets a new client in and
/// the one before it out; every fourth one is bad; every fifth good one comes with another set of
/// credentials.
async fn campaign(rate: u32, reloads: usize) -> Campaign {
    let github = GitHub::start().await;
    let credentials = [pat("A", A.1), pat("B", B.1)];
    let from_file = FromFile::before(&github, &credentials);
    let file = from_file.file.clone();
    let proxy = Arc::new(from_file.setup.start().await);
    github.put_json("/things/1", json!({"n": 1}));
    let first = proxy.get("/things/1").await;
    let left = first.header("x-ratelimit-remaining").to_owned();
    let began = Instant::now();
    let load = Steady::start(&proxy, "/things/1", rate);
    let (mut live, mut refused) = (Vec::new(), 0);
    for number in 1..=reloads {
        let client = |number: usize| format!("the-token-of-client-{number}");
        let registry = format!(
            "{REGISTRY}  - name: c{number}\n    token: {}\n",
            client(number)
        );
        let ask = |token: String| {
            let request = proxy.request("GET", "/things/1");
            let request = request.header("authorization", &format!("token {token}"));
            async move { request.send().await.status }
        };
        if number % 4 == 0 {
            proxy.replace_registry(&format!("{registry}    scopes: none\n"));
            refused += 1;
            proxy.until_said("the running one stays", refused).await;
            assert_eq!(ask(client(number)).await, 401);
            assert_eq!(ask(client(number - 1)).await, 200);
            continue;
        }
        let replaced = Instant::now();
        proxy.replace_registry(&registry);
        if number % 5 == 0 {
            let third = pat("C", C.1);
            let with_third = number % 10 == 5;
            let third = with_third.then_some(third);
            write(&file, &[&credentials[..], third.as_slice()].concat());
        }
        while ask(client(number)).await != 200 {
            assert!(
                replaced.elapsed() < Duration::from_secs(30),
                "not taken over"
            );
        }
        live.push(replaced.elapsed());
        // Whoever is not in the file any more is out in the same moment.
        assert_eq!(ask(client(number - 1)).await, 401);
    }
    let load = load.stop(began).await;
    for (_, outcome) in &load.outcomes {
        let answer = outcome.as_ref().expect("no request fails");
        assert_eq!((answer.status, answer.json()), (200, json!({"n": 1})));
    }
    // What was paid for once stays in the cache, and the proxy knows as before what is left.
    assert_eq!(github.counted(), 1);
    let before: u64 = left.parse().expect("a number");
    for (_, outcome) in &load.outcomes {
        let answer = outcome.as_ref().expect("no request fails");
        let left: u64 = answer
            .header("x-ratelimit-remaining")
            .parse()
            .expect("a number");
        // A third credential adds its limit, and takes nothing from what is known of the others.
        assert!(
            [before, before + 5_000].contains(&left),
            "{left}, {before} before"
        );
    }
    Campaign {
        load,
        live,
        refused,
    }
}

/// No request fails, nothing is paid for twice, and each good version takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_a_steady_load_cost_no_request() {
    let campaign = campaign(50, 8).await;
    assert_eq!((campaign.live.len(), campaign.refused), (6, 2));
}

/// The figures of `scripts/bench_reload`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: scripts/bench_reload runs it"]
async fn figures_of_reloads_under_a_steady_load() {
    let Campaign {
        load,
        live,
        refused,
    } = campaign(200, 20).await;
    let requests = load.outcomes.len();
    let seconds = load.lasted.as_secs_f64();
    let millis = |time: Duration| time.as_millis();
    println!(
        "requests: {requests} in {seconds:.1} s ({:.0}/s), failed: 0",
        requests as f64 / seconds
    );
    for percent in [50, 99, 100] {
        println!(
            "answered within: {} ms ({percent} %)",
            millis(load.percentile(percent))
        );
    }
    let slowest = live.iter().max().copied().unwrap_or_default();
    let sum: Duration = live.iter().sum();
    println!("reloads: {} good, {refused} bad", live.len());
    println!(
        "live after: {} ms on average, {} ms at most",
        millis(sum / live.len().max(1) as u32),
        millis(slowest)
    );
}
