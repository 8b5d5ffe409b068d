//! The pool of credentials: while one of them can serve, no client sees a rate limit of
//! another. What reached "GitHub" is looked at in its log.

use e2e::{burst, wait, GitHub, Proxy, Response};
use github_simulator::log::Entry;
use github_simulator::{Ban, Document, Options, Token};
use serde_json::{json, Value};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ISSUES: &str = "/repos/octocat/hello-world/issues";
const STALE: &str = "github-proxy; hit; detail=stale-if-error";

/// Three credentials with so many requests each.
async fn github_with_limits(limit: u64, window_seconds: u64) -> GitHub {
    GitHub::start_with(Options::default().quota("*", "core", limit, window_seconds)).await
}

/// A proxy that learns the limits from the answers alone.
async fn proxy_before(github: &GitHub) -> Proxy {
    let setup = Proxy::before(github).env("GITHUB_RATE_POLL_INTERVAL", "0");
    setup.start().await
}

/// A representation of its own for each number.
fn thing(number: usize) -> String {
    format!("/users/octocat?number={number}")
}

/// Gets so many things, one after the other, all of which must be there.
async fn get_things(proxy: &Proxy, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let response = proxy.get(&thing(number)).await;
        assert_eq!(response.status, 200, "{number}: {response:?}");
    }
}

fn refused(github: &GitHub) -> Vec<Entry> {
    let mut entries = github.requests();
    entries.retain(|entry| !matches!(entry.outcome.as_str(), "ok" | "not_modified"));
    entries
}

fn sent_on<'a>(entries: &'a [Entry], token: &str) -> Vec<&'a Entry> {
    let of_token = |entry: &&Entry| entry.token.as_deref() == Some(token);
    entries.iter().filter(of_token).collect()
}

fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

fn number(response: &Response, field: &str) -> u64 {
    let text = response.header(field);
    text.parse()
        .unwrap_or_else(|_| panic!("{field}: {text:?} in {response:?}"))
}

/// What "GitHub" itself says of a credential, past the proxy.
async fn github_says(github: &GitHub, secret: &str) -> Value {
    let request = e2e::Request::new(github.api_address(), "GET", "/rate_limit");
    let request = request.header("authorization", &format!("token {secret}"));
    request.send().await.json()["resources"]["core"].clone()
}

async fn earliest_reset(github: &GitHub) -> u64 {
    let mut resets = Vec::new();
    for (_, secret, _) in e2e::github::CREDENTIALS {
        let rate = github_says(github, secret).await;
        resets.push(rate["reset"].as_u64().expect("a reset"));
    }
    resets.into_iter().min().expect("three credentials")
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

/// One after the other: all that the three limits hold is served, nothing is sent in vain; what
/// is more is refused as GitHub would, with the first reset, or answered from the cache.
#[tokio::test(flavor = "multi_thread")]
async fn every_limit_is_used_up_before_a_client_is_refused() {
    let github = github_with_limits(10, 3600).await;
    let proxy = proxy_before(&github).await;
    get_things(&proxy, 0..30).await;
    assert_eq!(github.counted(), 30);
    assert!(refused(&github).is_empty(), "{:?}", refused(&github));
    for token in ["A", "B", "C"] {
        assert_eq!(github.counters().by_token[token].counted, 10);
    }

    let expected = earliest_reset(&github).await;
    let sent = github.requests().len();
    for number in 30..33 {
        let before = seconds_now();
        let refusal = proxy.get(&thing(number)).await;
        let after = seconds_now();
        assert_eq!(refusal.status, 403, "{refusal:?}");
        let body = refusal.json();
        assert_eq!(body["status"], "403");
        assert!(body["message"]
            .as_str()
            .is_some_and(|it| it.contains("rate limit exceeded")));
        assert!(body["documentation_url"].is_string());
        let field = |name: &str| self::number(&refusal, name);
        assert_eq!(field("x-ratelimit-reset"), expected);
        assert_eq!(
            (field("x-ratelimit-limit"), field("x-ratelimit-remaining")),
            (30, 0)
        );
        assert_eq!(refusal.header("x-ratelimit-resource"), "core");
        let wait = field("retry-after");
        assert!(
            (expected - after..=expected - before).contains(&wait),
            "{wait}"
        );
    }
    let stale = proxy.get(&thing(3)).await;
    assert_eq!((stale.status, stale.cache()), (200, STALE));
    assert_eq!(github.requests().len(), sent, "nothing was sent in vain");
    proxy
        .stats_when("the refusals", |stats| {
            let labels = [("client", "test"), ("reason", "pool_exhausted")];
            stats.sum("github_proxy_denied", &labels) == 3
        })
        .await;
    for credential in ["A", "B", "C"] {
        state(&proxy, credential, 1.0).await;
    }
}

/// All at once, when nothing is known of the limits yet: a credential may be asked for more than
/// it has, and another one takes over; once all is used up, nothing is sent any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_served_whole_though_no_limit_is_known() {
    let github = github_with_limits(10, 3600).await;
    let proxy = proxy_before(&github).await;
    let responses = burst(30, |number| proxy.request("GET", &thing(number))).await;
    for response in &responses {
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(github.counted(), 30);
    let failed_over = refused(&github).len() as u64;
    proxy
        .stats_when("the failovers", |stats| {
            stats.sum("github_proxy_failovers", &[("reason", "rate_limit")]) == failed_over
        })
        .await;
    let sent = github.requests().len();
    for response in burst(10, |number| proxy.request("GET", &thing(30 + number))).await {
        assert_eq!(response.status, 403, "{response:?}");
    }
    assert_eq!(github.requests().len(), sent, "nothing was sent in vain");
}

/// Once the limits are known, requests that are under way count: two workers together do not
/// ask a credential for more than it has left.
#[tokio::test(flavor = "multi_thread")]
async fn workers_together_do_not_overdraw_a_known_limit() {
    let github = github_with_limits(20, 3600).await;
    let proxy = proxy_before(&github).await;
    let mut known = 0;
    while ["A", "B", "C"]
        .iter()
        .any(|token| sent_on(&github.requests(), token).is_empty())
    {
        get_things(&proxy, known..known + 1).await;
        known += 1;
    }
    let responses = burst(60 - known, |number| {
        proxy.request("GET", &thing(known + number))
    })
    .await;
    for response in &responses {
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(github.counted(), 60);
    assert!(refused(&github).is_empty(), "{:?}", refused(&github));
}

/// After the reset it serves again by itself, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_reset_it_serves_again() {
    let github = github_with_limits(2, 8).await;
    let proxy = proxy_before(&github).await;
    get_things(&proxy, 0..6).await;
    let refusal = proxy.get(&thing(6)).await;
    assert_eq!(refusal.status, 403, "{refusal:?}");
    let reset = number(&refusal, "x-ratelimit-reset");
    let sent = github.requests().len();
    let proxy = &proxy;
    let mut next = 7..;
    wait::until("the reset", || {
        let path = thing(next.next().expect("a number"));
        async move {
            let response = proxy.get(&path).await;
            assert!([200, 403].contains(&response.status), "{response:?}");
            (response.status == 200).then_some(())
        }
    })
    .await;
    let later = &github.requests()[sent..];
    assert_eq!(later[0].status, Some(200), "{later:?}");
    assert!(later[0].started_ms >= reset as f64 * 1000.0, "{later:?}");
}

/// GitHub counts a request when it arrives, not when it answers: those that are under way for
/// long do not keep others from what is left.
#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_do_not_count_twice() {
    let github = github_with_limits(20, 3600).await;
    let proxy = Arc::new(proxy_before(&github).await);
    for number in 0..30 {
        let slow = Document {
            delay_ms: 1200,
            ..Document::json(json!({"n": number}))
        };
        github.put(&format!("/things/{number}"), slow);
    }
    let slow = Arc::clone(&proxy);
    let slow = tokio::spawn(async move {
        burst(30, |number| {
            slow.request("GET", &format!("/things/{number}"))
        })
        .await
    });
    wait::until("the slow requests to be under way", || {
        let under_way = github.requests_to("/things").len();
        async move { (under_way == 30).then_some(()) }
    })
    .await;
    get_things(&proxy, 0..30).await;
    for response in slow.await.expect("answers") {
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(github.counted(), 60);
}

/// After a reset nobody knows yet what the new window holds: of a burst, those that have to wait
/// for the first answers are not refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_after_the_reset_is_served_whole() {
    let options = Options {
        latency: Duration::from_millis(100),
        ..Options::default()
    };
    let github = GitHub::start_with(options.quota("*", "core", 2, 5)).await;
    let proxy = proxy_before(&github).await;
    for response in burst(6, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    let refusal = proxy.get(&thing(6)).await;
    let reset = number(&refusal, "x-ratelimit-reset");
    github.set_quota("*", "core", 1000, 3600);
    wait::until("the resets of all", || async move {
        (seconds_now() > reset + 1).then_some(())
    })
    .await;
    for response in burst(120, |number| proxy.request("GET", &thing(10 + number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
}

/// That a credential has no searches left says nothing about the rest of it.
#[tokio::test(flavor = "multi_thread")]
async fn without_searches_a_credential_serves_the_rest() {
    let github = GitHub::start().await;
    let proxy = proxy_before(&github).await;
    github.exhaust("A", "search");
    for number in 0..12 {
        let path = format!("/search/issues?q=repo:octocat/hello-world+{number}");
        let response = proxy.get(&path).await;
        assert_eq!(response.status, 200, "{response:?}");
    }
    let refusals = refused(&github);
    assert_eq!(refusals.len(), 1, "one refusal tells enough: {refusals:?}");
    github.reset_log();
    get_things(&proxy, 0..12).await;
    assert!(sent_on(&github.requests(), "A").len() >= 2);
    assert!(refused(&github).is_empty());
    state(&proxy, "A", 0.0).await;
}

/// A secondary limit with `retry-after`: the others take over at once, reads and writes, and
/// nothing is sent on that credential until the time is over. Then it serves again.
#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_limit_pauses_one_credential() {
    let github = GitHub::start().await;
    let proxy = proxy_before(&github).await;
    let ban = Ban {
        seconds: 4,
        prolong_seconds: 30,
        ..Ban::default()
    };
    github.ban("A", ban);
    let text = "x".repeat(20_000);
    for number in 0..12 {
        let body = json!({"title": format!("issue {number}"), "body": text}).to_string();
        let response = proxy.request("POST", ISSUES).body(body).send().await;
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(
            response.json()["body"].as_str().map(str::len),
            Some(text.len())
        );
    }
    let entries = github.requests();
    let written = entries.iter().filter(|entry| entry.status == Some(201));
    assert_eq!(written.count(), 12, "each was written once");
    let stderr = proxy.process().stderr();
    assert!(
        stderr.contains("credential A: paused by a secondary rate limit"),
        "{stderr}"
    );
    proxy
        .stats_when("the failover", |stats| {
            stats.sum("github_proxy_failovers", &[("reason", "secondary_limit")]) == 1
        })
        .await;

    let (proxy, github) = (&proxy, &github);
    let mut next = 0..;
    wait::until("credential A to serve again", || {
        let path = thing(next.next().expect("a number"));
        async move {
            let response = proxy.get(&path).await;
            assert_eq!(response.status, 200, "{response:?}");
            let entries = github.requests();
            let on_it = sent_on(&entries, "A");
            on_it.iter().any(|it| it.status == Some(200)).then_some(())
        }
    })
    .await;
    let entries = github.requests();
    let early = entries.iter().filter(|it| it.outcome == "secondary_early");
    assert_eq!(early.count(), 0, "it was asked before its time");
    state(proxy, "A", 0.0).await;
}

/// Without `retry-after` the status or the message alone says it: nothing is sent for a minute
/// at least. When all are paused, clients are told so, and what is cached is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_limit_without_a_time_pauses_for_a_minute() {
    let github = GitHub::start().await;
    let proxy = proxy_before(&github).await;
    proxy.get("/users/hubot").await;
    for (status, token) in [(429, "A"), (403, "B")] {
        let ban = Ban {
            status,
            retry_after: false,
            ..Ban::default()
        };
        github.ban(token, ban);
        let first = usize::from(status) * 100;
        for response in burst(10, |number| proxy.request("GET", &thing(first + number))).await {
            assert_eq!(response.status, 200, "{response:?}");
        }
        state(&proxy, token, 2.0).await;
        let sent = github.requests().len();
        get_things(&proxy, first + 10..first + 20).await;
        assert!(sent_on(&github.requests()[sent..], token).is_empty());
    }
    github.ban("C", Ban::default());
    let before = seconds_now();
    let refusal = proxy.get(&thing(0)).await;
    assert_eq!(refusal.status, 429, "{refusal:?}");
    assert_eq!(refusal.header("x-ratelimit-remaining"), "0");
    let (wait, reset) = (
        number(&refusal, "retry-after"),
        number(&refusal, "x-ratelimit-reset"),
    );
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(
        (before..=before + 62).contains(&reset),
        "{reset}, now {before}"
    );
    assert!(refusal.json()["message"]
        .as_str()
        .is_some_and(|it| it.contains("secondary")));
    let known = proxy.get("/users/hubot").await;
    assert_eq!((known.status, known.cache()), (200, STALE));
}

/// A token that GitHub no longer accepts is left out, and taken back when it is accepted again,
/// which the polls find out.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_left_out_until_it_works_again() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = setup.start().await;
    github.revoke_token("A");
    for number in 0..6 {
        let body = json!({"title": format!("issue {number}")}).to_string();
        let response = proxy.request("POST", ISSUES).body(body).send().await;
        assert_eq!(response.status, 201, "{response:?}");
    }
    get_things(&proxy, 0..12).await;
    let in_vain = |entry: &&Entry| entry.outcome == "bad_credentials";
    let entries = github.requests();
    let mut in_vain = entries
        .iter()
        .filter(in_vain)
        .filter(|it| it.target != "/rate_limit");
    assert!(in_vain.by_ref().count() <= 1, "{entries:?}");
    state(&proxy, "A", 3.0).await;
    let stderr = proxy.process().stderr();
    assert!(
        stderr.contains("credential A: GitHub does not accept it"),
        "{stderr}"
    );

    let (_, secret, login) = e2e::github::CREDENTIALS[0];
    github.add_token(Token::of_user("A", secret, login));
    state(&proxy, "A", 0.0).await;
    github.reset_log();
    get_things(&proxy, 12..24).await;
    let entries = github.requests_to("/users");
    assert!(!sent_on(&entries, "A").is_empty(), "{entries:?}");
}

/// GraphQL says that a limit is used up inside a 200: no client sees that either.
#[tokio::test(flavor = "multi_thread")]
async fn graphql_goes_on_with_another_credential() {
    let github = GitHub::start().await;
    let proxy = proxy_before(&github).await;
    github.exhaust("A", "graphql");
    github.exhaust("B", "graphql");
    let query = json!({"query": "query { viewer { login } }"}).to_string();
    for _ in 0..12 {
        let response = proxy
            .request("POST", "/graphql")
            .body(query.clone())
            .send()
            .await;
        assert_eq!(response.status, 200);
        assert_eq!(
            response.json(),
            json!({"data": {"viewer": {"login": "monalisa"}}})
        );
    }
    assert_eq!(
        refused(&github).len(),
        2,
        "one refusal of each tells enough"
    );
    get_things(&proxy, 0..12).await;
    assert!(!sent_on(&github.requests_to("/users"), "A").is_empty());
    github.exhaust("C", "graphql");
    let last = proxy.request("POST", "/graphql").body(query).send().await;
    assert_eq!(last.status, 403, "{last:?}");
    assert_eq!(last.header("x-ratelimit-resource"), "graphql");
}
