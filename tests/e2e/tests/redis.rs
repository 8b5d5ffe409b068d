//! Redis is a help and never a hindrance: whatever becomes of it or of Webdis, no request fails,
//! and once they are back they are used again.

use e2e::cache_status::REVALIDATED;
use e2e::process::{children, signal_to};
use e2e::redis::Access;
use e2e::{stock, wait, GitHub, Proxy, Redis, Request, TOKEN};
use github_simulator::Action;
use rustix::process::Signal;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Clients that ask without a pause, for known things and for new ones.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts it.
    fn start(github: &GitHub, proxy: &Arc<Proxy>) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut clients = JoinSet::new();
        for client in 0..4 {
            for number in 0..20 {
                github.put_json(&format!("/load/{client}/{number}"), json!({"n": number}));
            }
            let (proxy, stop, answered) =
                (Arc::clone(proxy), Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                for number in (0..20).cycle() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let response = proxy.get(&format!("/load/{client}/{number}")).await;
                    assert_eq!(
                        (response.status, response.json()),
                        (200, json!({"n": number}))
                    );
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Waits until so many more requests were answered.
    async fn goes_on(&mut self, more: u64) {
        let goal = self.answered.load(Ordering::SeqCst) + more;
        wait::until("answers under load", || {
            let done = self.answered.load(Ordering::SeqCst) >= goal;
            if let Some(Err(error)) = self.clients.try_join_next() {
                std::panic::resume_unwind(error.into_panic());
            }
            async move { done.then_some(()) }
        })
        .await;
    }

    /// Ends it; fails when a request did.
    async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no request failed");
        }
    }
}

/// Asks for new things until Redis holds one more than it did.
async fn is_used_again(github: &GitHub, proxy: &Proxy, redis: &Redis) {
    let before = redis.keys().len();
    let next = AtomicU64::new(0);
    wait::until("an entry in Redis", || async {
        let path = format!("/again/{}", next.fetch_add(1, Ordering::SeqCst));
        github.put_json(&path, json!({"a": 1}));
        assert_eq!(proxy.get(&path).await.status, 200);
        (redis.keys().len() > before).then_some(())
    })
    .await;
}

/// Redis is killed under load, twice, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_die_and_come_back() {
    let (github, mut redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Arc::new(Proxy::before(&github).redis(&redis).start().await);
    let mut load = Load::start(&github, &proxy);
    load.goes_on(100).await;
    for _ in 0..2 {
        redis.kill().await;
        load.goes_on(200).await;
        redis.start_again().await;
        is_used_again(&github, &proxy, &redis).await;
        load.goes_on(50).await;
    }
    load.end().await;
    let errors = proxy.stats().await.sum("github_proxy_cache_errors", &[]);
    assert!(errors > 0, "errors of the cache are counted");
}

/// Webdis is killed under load; `run` starts it again.
#[tokio::test(flavor = "multi_thread")]
async fn webdis_may_die_and_is_started_again() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Arc::new(Proxy::before(&github).redis(&redis).start().await);
    let webdis = |proxy: &Proxy| {
        let children = children(proxy.process().id());
        children
            .into_iter()
            .find(|(_, name)| name == "webdis")
            .map(|(id, _)| id)
    };
    let mut load = Load::start(&github, &proxy);
    load.goes_on(100).await;
    let first = webdis(&proxy).expect("a Webdis");
    signal_to(first, Signal::KILL);
    load.goes_on(100).await;
    let second = wait::until("another Webdis", || async {
        webdis(&proxy).filter(|id| *id != first)
    })
    .await;
    assert_ne!(first, second);
    is_used_again(&github, &proxy, &redis).await;
    load.end().await;
}

/// A Redis that does not answer for seconds is left alone meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_slow() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Arc::new(Proxy::before(&github).redis(&redis).start().await);
    let mut load = Load::start(&github, &proxy);
    load.goes_on(100).await;
    assert_eq!(redis.cli(&["CLIENT", "PAUSE", "3000", "ALL"]).trim(), "OK");
    load.goes_on(200).await;
    load.end().await;
    wait::until("the end of the pause", || async {
        redis.cli(&["PING"]).contains("PONG").then_some(())
    })
    .await;
    is_used_again(&github, &proxy, &redis).await;
}

/// A Redis that is full refuses writes; everything else goes on, from memory too.
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_full() {
    let github = GitHub::start().await;
    let full = "maxmemory 1mb\nmaxmemory-policy noeviction";
    let redis = Redis::start_with(Access::Open, 0, full).await;
    let proxy = Proxy::before(&github).redis(&redis).start().await;
    for number in 0..30 {
        let path = format!("/things/{number}");
        github.put_json(&path, json!({"text": "x".repeat(100_000)}));
        assert_eq!(proxy.get(&path).await.status, 200);
        assert_eq!(proxy.get(&path).await.cache(), REVALIDATED);
    }
    assert_eq!(github.counted(), 30);
    proxy
        .stats_when("errors of writing", |stats| {
            stats.sum("github_proxy_cache_errors", &[("operation", "set")]) > 0
        })
        .await;
}

/// What lies in Redis that is no entry (another program's value, a damaged one) is a miss.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_entries_are_misses() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let start = || Proxy::before(&github).redis(&redis).start();
    github.put_json("/things/1", json!({"n": 1}));
    let proxy = start().await;
    proxy.get("/things/1").await;
    wait::until("the entry", || async {
        (!redis.keys().is_empty()).then_some(())
    })
    .await;
    drop(proxy);
    for damage in ["", "x", "{\"GET\":[false,\"ERR\"]}", "long"] {
        for key in redis.keys() {
            let value = if damage == "long" {
                "x".repeat(100_000)
            } else {
                damage.to_owned()
            };
            redis.cli(&["SET", &key, &value]);
        }
        let proxy = start().await;
        for _ in 0..2 {
            let response = proxy.get("/things/1").await;
            assert_eq!(
                (response.status, response.json()),
                (200, json!({"n": 1})),
                "{damage}"
            );
        }
        wait::until("a good entry", || async {
            redis
                .keys()
                .iter()
                .any(|key| {
                    redis
                        .cli(&["STRLEN", key])
                        .trim()
                        .parse::<u64>()
                        .is_ok_and(|it| it > 200 && it < 90_000)
                })
                .then_some(())
        })
        .await;
    }
}

/// Keys say nothing about what they stand for, and everything expires.
#[tokio::test(flavor = "multi_thread")]
async fn keys_reveal_nothing_and_expire() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Proxy::before(&github)
        .redis(&redis)
        .env("CACHE_TTL", "600")
        .start()
        .await;
    github.put_json("/things/secret-name", json!({"n": 1}));
    proxy.get("/things/secret-name").await;
    // A claim is there before the entry, under a longer key, and for a moment beside it.
    wait::until("the entry", || async {
        redis.keys().iter().any(|key| key.len() == 64).then_some(())
    })
    .await;
    for key in redis.keys() {
        assert!(!key.contains("secret-name"), "{key}");
        let left: i64 = redis.cli(&["TTL", &key]).trim().parse().expect("a number");
        let gone = left == -2 && key.len() > 64;
        assert!(gone || (1..=600).contains(&left), "{key} has {left} s left");
    }
}

/// A password, a user who may do only what a cache needs, TLS with an authority of one's own,
/// and a database other than the first.
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_guarded() {
    let github = GitHub::start().await;
    for (access, database) in [(Access::Password, 0), (Access::User, 5), (Access::Tls, 2)] {
        let redis = Redis::start_with(access, database, "").await;
        let mut setup = Proxy::before(&github).redis(&redis);
        if access == Access::Tls {
            setup = setup.env(
                "SSL_CERT_FILE",
                &redis.authority_file().display().to_string(),
            );
        }
        let proxy = setup.start().await;
        is_used_again(&github, &proxy, &redis).await;
        let stats = proxy.stats().await;
        assert_eq!(stats.sum("github_proxy_cache_errors", &[]), 0, "{access:?}");
    }
}

/// What others are told to share a proxy's Webdis.
fn webdis_of(proxy: &Proxy) -> String {
    let webdis = children(proxy.process().id());
    let (webdis, _) = webdis
        .iter()
        .find(|(_, name)| name == "webdis")
        .expect("a Webdis");
    let line = std::fs::read_to_string(format!("/proc/{webdis}/cmdline")).expect("a command line");
    let configuration = line
        .split('\0')
        .find(|part| part.ends_with(".json"))
        .expect("a file");
    let configuration = std::fs::read(configuration).expect("the configuration of Webdis");
    let configuration: serde_json::Value = serde_json::from_slice(&configuration).expect("JSON");
    format!("webdis+http://127.0.0.1:{}", configuration["http_port"])
}

/// A Webdis that runs already is used as it is, and may be shared.
#[tokio::test(flavor = "multi_thread")]
async fn a_webdis_of_ones_own_may_be_used() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    // That of one proxy, which may do no more than a cache needs, serves another as well.
    let owner = Proxy::before(&github).redis(&redis).start().await;
    let url = webdis_of(&owner);
    let proxy = Proxy::before(&github)
        .env("CACHE_BACKEND_URL", &url)
        .start()
        .await;
    is_used_again(&github, &proxy, &redis).await;
    let own: Vec<_> = children(proxy.process().id());
    assert!(own.iter().all(|(_, name)| name != "webdis"), "{own:?}");
    // It cannot be used for anything else.
    let address: std::net::SocketAddr = url
        .trim_start_matches("webdis+http://")
        .parse()
        .expect("an address");
    for command in ["/KEYS/*", "/FLUSHALL", "/CONFIG/GET/*", "/EVAL/x/0"] {
        let response = Request::new(address, "GET", command).send().await;
        assert_eq!(response.status, 403, "{command}: {response:?}");
    }
    assert!(!redis.keys().is_empty());
    let said = proxy.process().stderr();
    assert!(!said.contains("is not reachable"), "{said}");

    // Without it, the cache is in memory only, which is said.
    owner.stop().await;
    let proxy = Proxy::before(&github).env("CACHE_BACKEND_URL", &url);
    let proxy = proxy.start().await;
    let warning = format!("Webdis at {address} is not reachable");
    wait::until(&warning, || async {
        proxy.process().stderr().contains(&warning).then_some(())
    })
    .await;
    assert_eq!(proxy.get("/users/octocat").await.status, 200);
}

/// A proxy that dies while it asks GitHub about something leaves the others waiting only until its
/// claim lapses.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_replicas_claim_lapses() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let start = || Proxy::before(&github).redis(&redis).start();
    let (one, two) = (start().await, start().await);
    github.put_json("/things/claimed", json!({"n": 1}));
    github.fail_next(1, "/things/claimed", Action::Hang);
    let hanging = tokio::spawn(one.request("GET", "/things/claimed").outcome());
    wait::until("the first request", || async {
        (!github.requests().is_empty()).then_some(())
    })
    .await;
    let waiting = tokio::spawn(two.request("GET", "/things/claimed").outcome());
    one.process().signal(Signal::KILL);
    assert!(hanging.await.expect("a task").is_err());
    let response = waiting.await.expect("a task").expect("an answer");
    assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
}

/// A Redis that is too slow to say that it grants a claim may do so later, when the request went on
/// without it: that claim is given back, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_granted_too_late_is_given_back() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Proxy::before(&github).redis(&redis).start().await;
    github.put_json("/things/1", json!({"n": 1}));
    let pause = redis.cli(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    assert_eq!(pause.trim(), "OK");
    assert_eq!(proxy.get("/things/1").await.json(), json!({"n": 1}));
    wait::until("what gives it back, on its way", || async {
        let clients = redis.cli(&["CLIENT", "LIST"]);
        clients.contains("cmd=del").then_some(())
    })
    .await;
    assert_eq!(redis.cli(&["CLIENT", "UNPAUSE"]).trim(), "OK");
    wait::until("the claim, granted and given back", || async {
        let commands = redis.cli(&["INFO", "commandstats"]);
        let both = ["cmdstat_set:calls=1", "cmdstat_del:calls=1"];
        both.iter().all(|it| commands.contains(it)).then_some(())
    })
    .await;
    let claims = redis.keys().into_iter().filter(|key| key.len() > 64);
    assert_eq!(claims.collect::<Vec<_>>(), Vec::<String>::new());
}

/// Redis may grant a claim to a client that has left by then: it is given back, and nobody waits
/// for it to lapse.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_a_client_that_left_is_given_back() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let owner = Proxy::before(&github).redis(&redis).start().await;
    let setup = Proxy::before(&github).env("CACHE_BACKEND_URL", &webdis_of(&owner));
    let printed = stock::printed(&setup);
    // However slow this machine is, the cache does not count as down meanwhile.
    let cluster = "\"cluster\": \"cache\"";
    assert_eq!(printed.bootstrap.matches(cluster).count(), 1);
    let patient = format!("{cluster}, \"timeout_milliseconds\": 10000");
    let (process, _folder) = stock::envoy(&printed.bootstrap.replace(cluster, &patient));
    let ask = |path: &str| {
        let request = Request::new(printed.listen, "GET", path);
        request
            .header("authorization", &format!("token {TOKEN}"))
            .outcome()
    };
    wait::until("an Envoy that answers", || async {
        ask("/rate_limit").await.ok()
    })
    .await;
    github.put_json("/things/1", json!({"n": 1}));
    // Redis takes no write for so long, and does all the rest.
    let pause = redis.cli(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    assert_eq!(pause.trim(), "OK");
    let leaving = tokio::spawn(ask("/things/1"));
    wait::until("a claim on its way", || async {
        let clients = redis.cli(&["CLIENT", "LIST"]);
        clients.contains("cmd=set").then_some(())
    })
    .await;
    leaving.abort();
    assert!(leaving.await.is_err(), "it left without an answer");
    wait::until("Envoy's notice of it", || async {
        let active = "/stats?filter=^http.github_proxy.downstream_rq_active";
        let stats = Request::new(printed.admin, "GET", active).send().await;
        stats.body.ends_with(b": 0\n").then_some(())
    })
    .await;
    assert_eq!(redis.cli(&["CLIENT", "UNPAUSE"]).trim(), "OK");
    wait::until("a claim that is given back", || async {
        let commands = redis.cli(&["INFO", "commandstats"]);
        commands.contains("cmdstat_del:calls=1").then_some(())
    })
    .await;
    assert_eq!(redis.keys(), Vec::<String>::new());
    assert_eq!(github.requests_to("/things/1").len(), 0);
    let response = ask("/things/1").await.expect("an answer");
    assert_eq!(response.json(), json!({"n": 1}));
    process.stop().await;
}

/// A wrong password, or nobody who answers, costs the shared cache and nothing else; a warning says
/// so.
#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_redis_is_no_reason_not_to_serve() {
    let github = GitHub::start().await;
    let guarded = Redis::start_with(Access::Password, 0, "").await;
    let wrong = guarded.url().replace("redis://:", "redis://:wrong");
    for url in [
        wrong.as_str(),
        "redis://127.0.0.1:1",
        "redis://no-such-host.invalid",
    ] {
        github.put_json("/things/1", json!({"n": 1}));
        let proxy = Proxy::before(&github)
            .env("CACHE_BACKEND_URL", url)
            .start()
            .await;
        for _ in 0..3 {
            assert_eq!(proxy.get("/things/1").await.json(), json!({"n": 1}));
        }
        assert_eq!(proxy.get("/things/1").await.cache(), REVALIDATED);
    }
    assert!(guarded.keys().is_empty());
}
