//! GitHub Apps as credentials: their tokens come and go without a client noticing, and one that
//! gets none leaves the work to the rest of the pool.

use e2e::proxy::Setup;
use e2e::{apps, burst, wait, GitHub, Proxy, REGISTRY};
use github_simulator::log::{Cost, Entry};
use github_simulator::{Action, App, Fault, Options};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

const EXCHANGES: &str = "/app/installations/";
const ISSUES: &str = "/repos/octocat/hello-world/issues";
const REVALIDATED: &str = "github-proxy; hit; detail=revalidated";

fn thing(number: usize) -> String {
    format!("/users/octocat?number={number}")
}

/// A GitHub that knows the App with these installations.
async fn github_with(installations: &[u64], token_seconds: u64) -> GitHub {
    let app = apps::app(installations, token_seconds);
    GitHub::start_with(Options::default().app(app)).await
}

/// A proxy without personal access tokens.
fn without_tokens(github: &GitHub) -> Setup {
    Setup::bare()
        .env("GITHUB_API_URL", &github.api_url())
        .env("GITHUB_RATE_POLL_INTERVAL", "0")
        .registry(REGISTRY)
}

/// A proxy with the token A.
fn with_token(github: &GitHub) -> Setup {
    let (name, secret, _) = e2e::github::CREDENTIALS[0];
    without_tokens(github).env(&format!("GITHUB_PAT_{name}"), secret)
}

async fn state(proxy: &Proxy, credential: &str, expected: f64) {
    let what = format!("credential {credential} in state {expected}");
    let labels = [("credential", credential)];
    proxy
        .stats_when(&what, |stats| {
            let mut states = stats.of("github_proxy_credential_state", &labels);
            states.next().is_some_and(|it| it.value == expected)
        })
        .await;
}

async fn exchanges(proxy: &Proxy, credential: &str, result: &str) -> u64 {
    let labels = [("credential", credential), ("result", result)];
    let stats = proxy.stats().await;
    stats.sum("github_proxy_token_exchanges", &labels)
}

fn of_installation(entry: &Entry, installation: u64) -> bool {
    let token = entry.token.as_deref();
    token.is_some_and(|it| it.starts_with(&format!("installation-{installation}-")))
}

/// Tokens that live for seconds, under load: every request is answered, each rotation is one
/// exchange for all workers, and what is cached stays free of charge through all of them.
#[tokio::test(flavor = "multi_thread")]
async fn rotations_are_unnoticed() {
    const THINGS: usize = 6;
    const ROTATIONS: usize = 5;
    let github = Arc::new(github_with(&[7], 4).await);
    let proxy = Arc::new(
        apps::with_app(without_tokens(&github), "X", 7)
            .start()
            .await,
    );
    let enough = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..6 {
        let (proxy, enough) = (Arc::clone(&proxy), Arc::clone(&enough));
        clients.spawn(async move {
            let mut number = client;
            while !enough.load(Ordering::SeqCst) {
                let response = proxy.get(&thing(number % THINGS)).await;
                assert_eq!(response.status, 200, "{response:?}");
                assert_ne!(response.cache(), "github-proxy; hit; detail=stale-if-error");
                number += 1;
                tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            }
            number - client
        });
    }
    let of_exchange = |github: &GitHub| github.requests_to(EXCHANGES);
    wait::until("some rotations", || {
        let exchanged = of_exchange(&github).len();
        async move { (exchanged > ROTATIONS).then_some(()) }
    })
    .await;
    enough.store(true, Ordering::SeqCst);
    let answered: usize = clients.join_all().await.into_iter().sum();

    let entries = github.requests();
    let refused: Vec<_> = entries.iter().filter(|it| it.status >= Some(400)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let (paid, free): (Vec<_>, Vec<_>) = entries
        .iter()
        .filter(|it| it.target.starts_with("/users"))
        .partition(|it| it.cost == Cost::Counted);
    assert_eq!(
        paid.len(),
        THINGS,
        "of {answered} answers, {} free",
        free.len()
    );
    let used: BTreeSet<_> = free.iter().filter_map(|it| it.token.clone()).collect();
    assert!(used.len() >= ROTATIONS, "{used:?}");
    // A token is replaced when half of its life is over: two in a row would be one too many.
    let times: Vec<f64> = of_exchange(&github)
        .iter()
        .map(|it| it.started_ms)
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] > 1000.0),
        "{times:?}"
    );
    assert_eq!(
        exchanges(&proxy, "X", "ok").await as usize,
        of_exchange(&github).len()
    );
    assert_eq!(exchanges(&proxy, "X", "failed").await, 0);
    state(&proxy, "X", 0.0).await;
}

/// The App by its id and by its client id; its key in PKCS#1 and PKCS#8, in one line, in a file.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_app_works() {
    let github = github_with(&[1, 2, 3, 4], 3600).await;
    let mut setup = without_tokens(&github);
    for (name, installation) in [("ONE", 1), ("TWO", 2), ("THREE", 3), ("FOUR", 4)] {
        setup = apps::with_app(setup, name, installation);
    }
    let file = setup.folder().join("app.pem");
    std::fs::write(&file, apps::pkcs8_key().replace('\n', "\r\n")).expect("a file");
    let setup = setup
        .env("GITHUB_APP_TWO_ID", apps::CLIENT_ID)
        .env("GITHUB_APP_TWO_PEM", &apps::pkcs8_key())
        .env("GITHUB_APP_THREE_PEM", &apps::KEY.replace('\n', "\\n"))
        .unset("GITHUB_APP_FOUR_PEM")
        .env("GITHUB_APP_FOUR_PEM_FILE", &file.display().to_string());
    let proxy = setup.start().await;
    for name in ["ONE", "TWO", "THREE", "FOUR"] {
        state(&proxy, name, 0.0).await;
        assert_eq!(exchanges(&proxy, name, "ok").await, 1);
    }
    assert_eq!(github.requests_to(EXCHANGES).len(), 4);
    for response in burst(40, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    let entries = github.requests_to("/users");
    for installation in 1..=4 {
        assert!(entries.iter().any(|it| of_installation(it, installation)));
    }
}

/// Before the first token is there, requests wait for it: reads, and writes with their bodies.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_requests_wait_for_the_first_token() {
    let github = github_with(&[7], 3600).await;
    github.fail_next(1, EXCHANGES, Action::Delay { milliseconds: 3500 });
    let proxy = apps::with_app(without_tokens(&github), "X", 7)
        .start()
        .await;
    let body = |number: usize| {
        let text = format!("{number}").repeat(10_000);
        json!({"title": format!("issue {number}"), "body": text}).to_string()
    };
    let responses = burst(24, |number| match number % 3 {
        0 => proxy.request("POST", ISSUES).body(body(number)),
        _ => proxy.request("GET", &thing(number % 8)),
    })
    .await;
    for response in &responses {
        assert!([200, 201].contains(&response.status), "{response:?}");
    }
    let entries = github.requests_to(ISSUES);
    assert_eq!(entries.len(), 8);
    let sent: BTreeSet<_> = entries.iter().map(|it| it.body_text.clone()).collect();
    let expected = (0..24).step_by(3).map(|number| Some(body(number)));
    assert_eq!(sent, expected.collect());
    assert_eq!(github.requests_to(EXCHANGES).len(), 1);
}

/// That the first exchange fails once is nothing that a client should notice.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_requests_outwait_a_failed_exchange() {
    let github = github_with(&[7], 3600).await;
    let failure = Action::Status {
        status: 502,
        body: None,
        headers: Default::default(),
    };
    github.fail_next(1, EXCHANGES, failure);
    let proxy = apps::with_app(without_tokens(&github), "X", 7)
        .start()
        .await;
    for response in burst(6, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
}

/// An App that gets no token, whatever the reason, leaves the requests to the rest of the pool,
/// and says so in stats and log. It serves once the reason is gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_a_token_is_left_out() {
    let github = github_with(&[7, 8], 3600).await;
    github.change_installation(8, |installation| installation.suspended = true);
    // GitHub holds another key of this one.
    let other = App {
        id: 4712,
        public_key: Some("another".to_owned()),
        client_id: None,
        ..apps::app(&[9], 3600)
    };
    github.add_app(other);
    let mut setup = with_token(&github);
    for (name, installation) in [
        ("MALFORMED", 7),
        ("SUSPENDED", 8),
        ("WRONG", 9),
        ("NOBODY", 10),
    ] {
        setup = apps::with_app(setup, name, installation);
    }
    let setup = setup.env("GITHUB_APP_WRONG_ID", "4712").env(
        "GITHUB_APP_MALFORMED_PEM",
        &apps::KEY.replacen("MIIE", "MIIF", 1),
    );
    let proxy = setup.start().await;
    for response in burst(30, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    for name in ["MALFORMED", "SUSPENDED", "WRONG", "NOBODY"] {
        state(&proxy, name, 3.0).await;
        assert!(exchanges(&proxy, name, "failed").await >= 1);
        assert_eq!(exchanges(&proxy, name, "ok").await, 0);
        let line = format!("credential {name}: no installation token: ");
        let stderr = proxy.process().stderr();
        assert_eq!(stderr.matches(&line).count(), 1, "said once: {stderr}");
    }
    let entries = github.requests_to("/users");
    assert!(entries.iter().all(|it| it.token.as_deref() == Some("A")));

    github.change_installation(8, |installation| installation.suspended = false);
    state(&proxy, "SUSPENDED", 0.0).await;
    let stderr = proxy.process().stderr();
    assert!(
        stderr.contains("credential SUSPENDED: ready again"),
        "{stderr}"
    );
    github.reset_log();
    for response in burst(10, |number| proxy.request("GET", &thing(100 + number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    let entries = github.requests_to("/users");
    assert!(entries.iter().any(|it| of_installation(it, 8)));
}

/// The endpoint that exchanges tokens is down, slow or returns nonsense: the old token serves
/// for as long as it lives, then the rest of the pool does, and the App comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_exchange_costs_no_request() {
    let nonsense = |body: &str| Action::Status {
        status: 201,
        body: Some(body.to_owned()),
        headers: Default::default(),
    };
    let failures = [
        Action::Hang,
        Action::Reset,
        Action::NotHttp,
        Action::Garbage,
        nonsense("<html>"),
        nonsense(r#"{"token":"ghs_x"}"#),
        nonsense(r#"{"token":"ghs_x\r\nx: y","expires_at":"2999-01-01T00:00:00Z"}"#),
        nonsense(r#"{"token":"ghs_x","expires_at":"2001-01-01T00:00:00Z"}"#),
        nonsense(&"[".repeat(100_000)),
    ];
    // An installation each, so that all fail at the same time.
    let numbers: Vec<u64> = (1..=failures.len() as u64).collect();
    let github = github_with(&numbers, 4).await;
    let mut setup = with_token(&github);
    for number in &numbers {
        setup = apps::with_app(setup, &format!("X{number}"), *number);
    }
    let proxy = setup.start().await;
    for number in &numbers {
        state(&proxy, &format!("X{number}"), 0.0).await;
    }
    for (number, action) in numbers.iter().zip(failures) {
        github.fault(Fault {
            times: None,
            ..Fault::next(1, &format!("{EXCHANGES}{number}/"), action)
        });
    }
    let (github, proxy) = (&github, &proxy);
    let (mut next, apps_that_fail) = (0.., numbers.len());
    wait::until("all Apps to be without a token", || {
        let first = 10 * next.next().expect("a number");
        async move {
            for response in burst(10, |it| proxy.request("GET", &thing(first + it))).await {
                assert_eq!(response.status, 200, "{response:?}");
            }
            let stats = proxy.stats().await;
            // The one that hangs is waited for.
            let broken = stats.of("github_proxy_credential_state", &[]);
            let broken = broken.filter(|it| it.value == 3.0).count();
            (broken >= apps_that_fail - 1).then_some(())
        }
    })
    .await;
    let entries = github.requests_to("/users");
    let refused: Vec<_> = entries.iter().filter(|it| it.status >= Some(400)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    github.clear_faults();
    for number in &numbers[1..] {
        state(proxy, &format!("X{number}"), 0.0).await;
    }
}

/// A token that GitHub takes back before its time is replaced, and the App serves on.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_back_is_replaced() {
    let github = github_with(&[7], 3600).await;
    let proxy = apps::with_app(with_token(&github), "X", 7).start().await;
    state(&proxy, "X", 0.0).await;
    let kept = proxy.get(&thing(0)).await;
    assert_eq!(kept.status, 200);
    github.revoke_token("installation-7-1");
    let (github, proxy) = (&github, &proxy);
    let mut next = 1..;
    wait::until("the App to serve with a new token", || {
        let path = thing(next.next().expect("a number"));
        async move {
            let response = proxy.get(&path).await;
            assert_eq!(response.status, 200, "{response:?}");
            let entries = github.requests_to("/users");
            let serves = entries
                .iter()
                .any(|it| it.token.as_deref() == Some("installation-7-2"));
            serves.then_some(())
        }
    })
    .await;
    let entries = github.requests();
    let refused = entries.iter().filter(|it| it.outcome == "bad_credentials");
    assert!(refused.count() <= 1);
    assert_eq!(proxy.get(&thing(0)).await.cache(), REVALIDATED);
}

/// A new registry takes effect without a new token, and even while a token is being exchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_the_tokens() {
    let github = github_with(&[7], 3600).await;
    github.fail_next(1, EXCHANGES, Action::Delay { milliseconds: 2500 });
    let proxy = apps::with_app(without_tokens(&github), "X", 7)
        .start()
        .await;
    let reloaded = |times: u64| {
        let proxy = &proxy;
        async move {
            proxy.replace_registry(&format!(
                "{REGISTRY}# {times}\n  - name: more{times}\n    token: t{times}\n"
            ));
            proxy
                .stats_when("the reload", |stats| {
                    let labels = [("result", "applied")];
                    stats.sum("github_proxy_config_reloads", &labels) == times
                })
                .await;
        }
    };
    reloaded(1).await;
    for response in burst(6, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    reloaded(2).await;
    for response in burst(6, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!((response.status, response.cache()), (200, REVALIDATED));
    }
    assert_eq!(github.requests_to(EXCHANGES).len(), 1);
}
