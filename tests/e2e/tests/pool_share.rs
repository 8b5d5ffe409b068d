//! How the credentials share the load, and what clients are told about them: in proportion to
//! what each has left, limits that several share counted once, pools kept apart.

use e2e::{burst, wait, GitHub, Proxy, Response, REGISTRY};
use github_simulator::log::Cost;
use github_simulator::{Options, Token};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A second token of the user `octocat`, whose first one is A.
const SECOND: &str = "ghp_m5HwTz29NqXcKf8RbVy3JdLsGa61PoUiEW4D";
const CI_TOKEN: &str = "eZ0u1qv5cS3Zk7bq2V1rJg8nYw4xTt6mPd9hRfLsAoE=";

fn thing(number: usize) -> String {
    format!("/users/octocat?number={number}")
}

/// Counted requests by credential, as "GitHub" saw them.
fn counted(github: &GitHub) -> BTreeMap<String, u64> {
    let counters = github.counters().by_token;
    let counted = counters.into_iter().map(|(token, it)| (token, it.counted));
    counted.collect()
}

fn number(response: &Response, field: &str) -> u64 {
    let text = response.header(field);
    text.parse()
        .unwrap_or_else(|_| panic!("{field}: {text:?} in {response:?}"))
}

/// The pool's core limit, as the proxy tells it: limit, remaining, used.
async fn pool_rate(proxy: &Proxy) -> (u64, u64, u64) {
    let response = proxy.get("/rate_limit").await;
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    let core = &body["resources"]["core"];
    assert_eq!(&body["rate"], core);
    let value = |name: &str| core[name].as_u64().expect("a number");
    (value("limit"), value("remaining"), value("used"))
}

/// 50 clients at once, two workers, four credentials with different remaining limits: each gets
/// its part of the load, and only what was asked for reaches GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn the_load_is_shared_in_proportion_to_what_is_left() {
    const REQUESTS: usize = 600;
    let limits = [
        ("A", "octocat", 2000),
        ("B", "hubot", 1500),
        ("C", "monalisa", 1000),
    ];
    let mut options =
        Options::default()
            .token("D", SECOND, "defunkt")
            .quota("user/defunkt", "core", 500, 3600);
    for (_, login, limit) in limits {
        options = options.quota(&format!("user/{login}"), "core", limit, 3600);
    }
    let github = GitHub::start_with(options).await;
    let setup = Proxy::before(&github)
        .env("GITHUB_PAT_D", SECOND)
        .env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = Arc::new(setup.start().await);
    // What each has is known from the polls.
    wait::until("all limits to be known", || {
        let proxy = &proxy;
        async move { (pool_rate(proxy).await.0 == 5000).then_some(()) }
    })
    .await;
    github.reset_log();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..50 {
        let proxy = Arc::clone(&proxy);
        clients.spawn(async move {
            for number in (client..REQUESTS).step_by(50) {
                let response = proxy.get(&thing(number)).await;
                assert_eq!(response.status, 200, "{response:?}");
            }
        });
    }
    clients.join_all().await;
    let counted = counted(&github);
    assert_eq!(
        counted.values().sum::<u64>(),
        REQUESTS as u64,
        "{counted:?}"
    );
    for (token, limit) in limits
        .map(|(token, _, limit)| (token, limit))
        .into_iter()
        .chain([("D", 500)])
    {
        let fair = REQUESTS as f64 * limit as f64 / 5000.0;
        let share = counted[token] as f64 / fair;
        assert!(
            (0.8..=1.2).contains(&share),
            "{token}: {share}, {counted:?}"
        );
    }
}

/// `GET /rate_limit` and the fields of every answer describe the pool as a whole, cost nothing,
/// and agree with one another.
#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_of_the_pool_as_a_whole() {
    let mut options = Options::default();
    for (login, limit) in [("octocat", 100), ("hubot", 200), ("monalisa", 300)] {
        options = options.quota(&format!("user/{login}"), "core", limit, 3600);
    }
    let github = GitHub::start_with(options).await;
    let setup = Proxy::before(&github).env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = setup.start().await;
    wait::until("the polls", || {
        let proxy = &proxy;
        async move { (pool_rate(proxy).await == (600, 600, 0)).then_some(()) }
    })
    .await;
    assert_eq!(github.counted(), 0);
    for used in 1..=12 {
        let response = proxy.get(&thing(used)).await;
        assert_eq!(number(&response, "x-ratelimit-limit"), 600);
        assert_eq!(
            number(&response, "x-ratelimit-remaining"),
            600 - used as u64
        );
        assert_eq!(number(&response, "x-ratelimit-used"), used as u64);
        assert_eq!(response.header("x-ratelimit-resource"), "core");
        // From the cache, at no cost.
        let again = proxy.get(&thing(used)).await;
        assert_eq!(number(&again, "x-ratelimit-remaining"), 600 - used as u64);
    }
    assert_eq!(pool_rate(&proxy).await, (600, 588, 12));
    let response = proxy.get("/search/issues?q=repo:octocat/hello-world").await;
    assert_eq!(response.header("x-ratelimit-resource"), "search");
    assert_eq!(number(&response, "x-ratelimit-limit"), 90);
    assert_eq!(number(&response, "x-ratelimit-remaining"), 89);
    let all = proxy.get("/rate_limit").await.json();
    assert_eq!(all["resources"]["search"]["remaining"], json!(89));
    assert_eq!(all["resources"]["graphql"]["limit"], json!(15000));
    assert_eq!(github.counted(), 13);
    // Credentials are told apart in stats only.
    let (stats, owners) = (proxy.stats().await, github.counters().by_owner);
    for (credential, login, limit) in [
        ("A", "octocat", 100),
        ("B", "hubot", 200),
        ("C", "monalisa", 300),
    ] {
        let labels = [("credential", credential), ("resource", "core")];
        assert_eq!(stats.sum("github_proxy_rate_limit_limit", &labels), limit);
        let used = owners
            .get(&format!("user/{login} core"))
            .map_or(0, |it| it.counted);
        assert_eq!(stats.sum("github_proxy_rate_limit_used", &labels), used);
    }
}

/// Two tokens that are declared to be one user's are one limit: it is told once and used once.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_user_share_one_limit() {
    let options = Options::default()
        .token("D", SECOND, "octocat")
        .quota("*", "core", 10, 3600);
    let github = GitHub::start_with(options).await;
    let setup = Proxy::before(&github)
        .env("GITHUB_PAT_D", SECOND)
        .env("GITHUB_PAT_A_USER", "octocat")
        .env("GITHUB_PAT_D_USER", "Octocat")
        .env("GITHUB_RATE_POLL_INTERVAL", "1");
    let proxy = setup.start().await;
    wait::until("the polls", || {
        let proxy = &proxy;
        async move { (pool_rate(proxy).await == (30, 30, 0)).then_some(()) }
    })
    .await;
    for response in burst(30, |number| proxy.request("GET", &thing(number))).await {
        assert_eq!(response.status, 200, "{response:?}");
    }
    let counters = github.counters();
    assert_eq!(
        (counters.total.counted, counters.total.rate_limited),
        (30, 0)
    );
    let of = |token: &str| counters.by_token.get(token).map_or(0, |it| it.counted);
    assert!(of("A") > 0 && of("D") > 0, "{counters:?}");
    let refusal = proxy.get(&thing(30)).await;
    assert_eq!(
        (refusal.status, number(&refusal, "x-ratelimit-limit")),
        (403, 30)
    );
    assert_eq!(github.counters().total.rate_limited, 0);
}

/// Each pool uses its own credentials, its own limits and its own cache entries.
#[tokio::test(flavor = "multi_thread")]
async fn pools_do_not_mix() {
    let github = GitHub::start_with(Options::default().quota("*", "core", 10, 3600)).await;
    let registry = format!("{REGISTRY}  - name: ci\n    token: {CI_TOKEN}\n    pool: builds\n");
    let setup = Proxy::before(&github)
        .env("GITHUB_PAT_B_POOL", "builds")
        .env("GITHUB_RATE_POLL_INTERVAL", "0")
        .registry(&registry);
    let proxy = setup.start().await;
    let of_ci = |path: &str| {
        let request = proxy.request("GET", path);
        request.header("authorization", &format!("Bearer {CI_TOKEN}"))
    };
    for number in 0..4 {
        for request in [proxy.request("GET", &thing(number)), of_ci(&thing(number))] {
            let response = request.send().await;
            assert_eq!(response.cache(), "github-proxy; fwd=miss; stored");
        }
        for request in [proxy.request("GET", &thing(number)), of_ci(&thing(number))] {
            let response = request.send().await;
            assert_eq!(response.cache(), "github-proxy; hit; detail=revalidated");
        }
    }
    let entries = github.requests();
    let paid: Vec<_> = entries
        .iter()
        .filter(|it| it.cost == Cost::Counted)
        .collect();
    assert_eq!(paid.len(), 8);
    assert_eq!(counted(&github)["B"], 4);
    assert_eq!(
        number(&of_ci("/rate_limit").send().await, "x-ratelimit-remaining"),
        6
    );

    github.exhaust("B", "core");
    let fine = proxy.get(&thing(10)).await;
    assert_eq!(fine.status, 200);
    github.reset_log();
    for path in [thing(10), thing(11)] {
        let refusal = of_ci(&path).send().await;
        assert_eq!(
            (refusal.status, number(&refusal, "x-ratelimit-limit")),
            (403, 10)
        );
    }
    let entries = github.requests();
    assert!(
        entries.iter().all(|it| it.token.as_deref() == Some("B")),
        "{entries:?}"
    );
    assert_eq!(entries.len(), 1, "exhaustion was known after the first");
    assert_eq!(proxy.get(&thing(12)).await.status, 200);
    // The other way round.
    github.revoke_token("A");
    github.revoke_token("C");
    github.add_token(Token::of_user(
        "B",
        e2e::github::CREDENTIALS[1].1,
        "somebody",
    ));
    for path in [thing(20), thing(21)] {
        assert_eq!(proxy.get(&path).await.status, 503);
    }
}
