//! Cached answers to GraphQL queries: only on request, only while they are young enough for the
//! client, and never from before what the client itself wrote.

use e2e::cache_status::{BYPASS, COALESCED, HIT, METHOD, MISS, UNSTORED};
use e2e::{burst, wait, GitHub, Proxy, Redis, Request, Response, REGISTRY};
use github_simulator::Action;
use serde_json::{json, Value};

/// The token of the client `cached`, whom the registry grants answers of up to an hour.
const CACHED: &str = "cached-client-token";
/// The token of the client `queries`, who may only query.
const QUERIES: &str = "queries-only-token";
const WITHIN_AN_HOUR: (&str, &str) = ("cache-control", "max-age=3600");
const TITLES: &str = "query Titles($n: Int!) { repository(owner: \"octocat\", name: \"hello-world\") \
    { id issues(first: $n, orderBy: {field: CREATED_AT, direction: DESC}) { totalCount nodes { title } } } }";

fn registry() -> String {
    format!(
        "{REGISTRY}  - name: cached
    token: {CACHED}
    graphql_cache_seconds: 3600
  - name: queries
    token: {QUERIES}
    scopes:
      - graphql: query
"
    )
}

async fn start() -> (GitHub, Proxy) {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github).registry(&registry()).start().await;
    (github, proxy)
}

/// A POST of the client `test`.
fn post(proxy: &Proxy, body: &Value) -> Request {
    proxy.request("POST", "/graphql").body(body.to_string())
}

fn of(client: &str, request: Request) -> Request {
    request.header("authorization", &format!("token {client}"))
}

fn titles(number: u64) -> Value {
    json!({"query": TITLES, "variables": {"n": number}})
}

/// Asks for titles that may be an hour old.
async fn ask(proxy: &Proxy, number: u64) -> Response {
    let request = post(proxy, &titles(number));
    let response = request
        .header(WITHIN_AN_HOUR.0, WITHIN_AN_HOUR.1)
        .send()
        .await;
    assert_eq!(response.status, 200, "{response:?}");
    response
}

fn mutation(repository: &Value, title: &str) -> Value {
    json!({
        "query": "mutation($i: CreateIssueInput!) { createIssue(input: $i) { issue { number } } }",
        "variables": {"i": {"repositoryId": repository, "title": title}},
    })
}

/// Without being asked to, the proxy caches nothing of GraphQL, whatever else it may keep.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_cached_unasked() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).registry(&registry());
    let proxy = setup.env("CACHE_SERVE_FRESH", "3600").start().await;
    for fields in [
        &[][..],
        &[("cache-control", "max-age=0")],
        &[("cache-control", "no-cache")],
    ] {
        for _ in 0..2 {
            let request = post(&proxy, &titles(3));
            let request = fields.iter().fold(request, |it, (n, v)| it.header(n, v));
            assert_eq!(request.send().await.cache(), METHOD);
        }
    }
    assert_eq!(github.paid("/graphql"), 6);
}

/// Equal queries cost one request while their answer is young enough, for all clients of the pool
/// and on all workers; anything that makes a query another one costs its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_paid_for_once_while_it_is_young() {
    let (github, proxy) = start().await;
    let first = ask(&proxy, 3).await;
    assert_eq!(first.cache(), MISS);
    for _ in 0..8 {
        let again = ask(&proxy, 3).await;
        assert_eq!((again.cache(), &again.body), (HIT, &first.body));
        assert!(again.header("age").parse::<u64>().is_ok());
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("x-ratelimit-resource"), "graphql");
    }
    let other = of(CACHED, post(&proxy, &titles(3))).send().await;
    assert_eq!((other.cache(), &other.body), (HIT, &first.body));
    let third = of(
        QUERIES,
        post(&proxy, &titles(3)).header("cache-control", "max-age=3600"),
    );
    assert_eq!(third.send().await.cache(), HIT);
    assert_eq!(github.paid("/graphql"), 1);
    let stats = proxy.stats().await;
    let hits = [("method", "POST"), ("status", "200"), ("cache", "hit")];
    assert_eq!(stats.sum("github_proxy_requests", &hits), 10);
    let counted = [("resource", "graphql"), ("cost", "counted")];
    assert_eq!(stats.sum("github_proxy_upstream_requests", &counted), 1);
    // Other variables, another document, another representation, another wish.
    assert_eq!(ask(&proxy, 4).await.cache(), MISS);
    let mut other = titles(3);
    other["operationName"] = json!("Titles");
    let cached = |request: Request| of(CACHED, request);
    assert_eq!(cached(post(&proxy, &other)).send().await.cache(), MISS);
    let request = cached(post(&proxy, &titles(3)));
    let preview = request.header("accept", "application/vnd.github.next+json");
    assert_eq!(preview.send().await.cache(), MISS);
    let request = cached(post(&proxy, &titles(3)));
    assert_eq!(
        request.header("graphql-features", "x").send().await.cache(),
        MISS
    );
    let request = cached(post(&proxy, &titles(3)));
    assert_eq!(
        request
            .header("cache-control", "no-cache")
            .send()
            .await
            .cache(),
        BYPASS
    );
    assert_eq!(github.paid("/graphql"), 6);
}

/// Once an answer is older than the client allows, GitHub is asked again, and again is paid.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_old_is_replaced() {
    let (github, proxy) = start().await;
    let ask = || {
        let request = post(&proxy, &titles(2));
        request.header("cache-control", "max-age=1").send()
    };
    assert_eq!(ask().await.cache(), MISS);
    wait::until("an answer that is too old", || async {
        let response = ask().await;
        (response.cache() == MISS).then_some(())
    })
    .await;
    assert_eq!(github.paid("/graphql"), 2);
    assert_eq!(ask_within_an_hour(&proxy).await.cache(), HIT, "the new one");
}

async fn ask_within_an_hour(proxy: &Proxy) -> Response {
    ask(proxy, 2).await
}

/// Who writes sees what it wrote at once, by GraphQL and by REST; the other clients may go on with
/// the answers that they allowed.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_own_writes() {
    let (github, proxy) = start().await;
    let first = ask(&proxy, 3).await;
    let repository = first.json()["data"]["repository"]["id"].clone();
    for number in 0..6 {
        let title = format!("new issue {number}");
        if number % 2 == 0 {
            let made = post(&proxy, &mutation(&repository, &title)).send().await;
            assert!(
                made.json()["data"]["createIssue"]["issue"]["number"].is_u64(),
                "{made:?}"
            );
            assert_eq!(made.cache(), METHOD);
        } else {
            let path = "/repos/octocat/hello-world/issues";
            let made = proxy
                .request("POST", path)
                .body(json!({"title": title}).to_string());
            assert_eq!(made.send().await.status, 201);
        }
        let after = ask(&proxy, 3).await;
        let newest = &after.json()["data"]["repository"]["issues"]["nodes"][0]["title"];
        assert_eq!(newest, &json!(title));
        assert_eq!(after.cache(), MISS);
        assert_eq!(ask(&proxy, 3).await.cache(), HIT);
        // Queries are no writes.
        assert_eq!(post(&proxy, &titles(5)).send().await.cache(), METHOD);
        assert_eq!(ask(&proxy, 3).await.cache(), HIT);
    }
    // It did not write, so it shares the newest of the others.
    let shared = of(CACHED, post(&proxy, &titles(3))).send().await;
    assert_eq!(shared.cache(), HIT);
    let made = of(CACHED, post(&proxy, &mutation(&repository, "another")))
        .send()
        .await;
    assert_eq!(made.status, 200);
    assert_eq!(
        of(CACHED, post(&proxy, &titles(3))).send().await.cache(),
        MISS
    );
    assert_eq!(github.paid("/graphql"), 1 + 6 + 3 + 6 + 2);
}

/// Equal queries in flight are one question, across workers.
#[tokio::test(flavor = "multi_thread")]
async fn equal_queries_in_flight_are_one() {
    let (github, proxy) = start().await;
    github.fail_next(1, "/graphql", Action::Delay { milliseconds: 700 });
    let answers = burst(40, |_| {
        post(&proxy, &titles(7)).header("cache-control", "max-age=60")
    })
    .await;
    let body = &answers[0].body;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, body));
        assert!(
            [MISS, HIT, COALESCED].contains(&answer.cache()),
            "{answer:?}"
        );
    }
    let misses = answers.iter().filter(|answer| answer.cache() == MISS);
    assert_eq!((misses.count(), github.paid("/graphql")), (1, 1));
}

/// Errors are never kept and never shared, whatever their status.
#[tokio::test(flavor = "multi_thread")]
async fn answers_with_errors_are_not_kept() {
    let (github, proxy) = start().await;
    for query in [
        "{ repository(owner: \"octocat\", name: \"no-such\") { id } }",
        "{ noSuchField }",
        "query A { viewer { login } } query B { viewer { login } }",
    ] {
        github.reset_log();
        for _ in 0..2 {
            let request = post(&proxy, &json!({ "query": query }));
            let response = request.header("cache-control", "max-age=60").send().await;
            assert_eq!(
                (response.status, response.cache()),
                (200, UNSTORED),
                "{query}"
            );
            assert!(response.json()["errors"].is_array());
        }
        assert_eq!(github.requests().len(), 2);
    }
    let broken = Action::Status {
        status: 502,
        body: Some("{\"data\":{}}".to_owned()),
        headers: Default::default(),
    };
    github.fail_next(1, "/graphql", broken);
    let ask = || {
        post(&proxy, &titles(1))
            .header("cache-control", "max-age=60")
            .send()
    };
    assert_eq!(ask().await.status, 502);
    assert_eq!(ask().await.cache(), MISS);
    assert_eq!(ask().await.cache(), HIT);
}

/// Two Envoys before one Redis pay for a query once; what one of them wrote is known to it alone.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_answers() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let one = Proxy::before(&github)
        .registry(&registry())
        .redis(&redis)
        .start()
        .await;
    let two = Proxy::before(&github)
        .registry(&registry())
        .redis(&redis)
        .start()
        .await;
    let first = ask(&one, 3).await;
    assert_eq!(first.cache(), MISS);
    wait::until("the answer in Redis", || async {
        (!redis.keys().is_empty()).then_some(())
    })
    .await;
    for proxy in [&two, &one, &two] {
        let again = ask(proxy, 3).await;
        assert_eq!((again.cache(), &again.body), (HIT, &first.body));
    }
    assert_eq!(github.paid("/graphql"), 1);
    let repository = first.json()["data"]["repository"]["id"].clone();
    post(&one, &mutation(&repository, "newer")).send().await;
    let newer = ask(&one, 3).await;
    assert_eq!(newer.cache(), MISS);
    let newest = &newer.json()["data"]["repository"]["issues"]["nodes"][0]["title"];
    assert_eq!(newest, "newer");
}
