//! The stats as they come out of an Istio proxy: an Envoy with the `stats_config` that Istio's
//! agent would write, with the options that docs/stats.md tells to set.

use e2e::stats::Stats;
use e2e::stock::{envoy, printed};
use e2e::{wait, GitHub, Proxy, Request};
use serde_json::{json, Value};
use std::collections::BTreeSet;

/// Names that Istio's own rules might take for something of theirs, and others that are awkward.
const NAMES: [&str; 6] = [
    "my.cache.x",
    "a.tag.b.component.c",
    "x-rbac.denied.shadow_allowed",
    "wasm_filter.y.z",
    "client.method.cache.status",
    "n12345678901234567890123456789012345678901234567890123456789.z0",
];

/// The labels that Istio's rules make of words anywhere in a name.
const ISTIOS: [&str; 6] = [
    "cache",
    "component",
    "tag",
    "wasm_filter",
    "authz_enforce_result",
    "authz_dry_run_result",
];

/// The labels that the documentation tells to list.
fn documented_tags() -> Vec<String> {
    let path = e2e::prometheus::observability().join("../docs/stats.md");
    let text = std::fs::read_to_string(path).expect("a document");
    let list = text
        .split_once("extraStatTags: [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.expect("the options");
    list.split(", ").map(str::to_owned).collect()
}

/// As the agent makes it (Istio 1.26): its own rules, one for each extra tag among them, and a
/// matcher that keeps what is required and what is asked for.
fn stats_config() -> Value {
    let rule = |name: &str, regex: &str| json!({"tag_name": name, "regex": regex});
    let mut rules = vec![
        rule(
            "cluster_name",
            r"^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)",
        ),
        rule("tcp_prefix", r"^tcp\.((.*?)\.)\w+?$"),
        rule("response_code", r"_rq(_(\d{3}))$"),
        rule("response_code_class", r"_rq(_(\dxx))$"),
    ];
    for tag in documented_tags() {
        rules.push(rule(&tag, &format!(r"({tag}=\.=(.*?);\.;)")));
    }
    rules.extend([
        rule("cache", r"(cache\.(.+?)\.)"),
        rule("component", r"(component\.(.+?)\.)"),
        rule("tag", r"(tag\.(.+?);\.)"),
        rule("wasm_filter", r"(wasm_filter\.(.+?)\.)"),
        rule("authz_enforce_result", r"rbac(\.(allowed|denied))"),
        rule("authz_dry_run_result", r"(\.shadow_(allowed|denied))"),
    ]);
    let kept = [
        "reporter=",
        "wasmcustom",
        "cluster_manager",
        "listener_manager",
        "server",
        "wasm",
    ];
    let kept = kept.map(|prefix| json!({"prefix": prefix}));
    json!({
        "use_all_default_tags": false,
        "stats_tags": rules,
        "stats_matcher": {"inclusion_list": {"patterns": kept}},
        "histogram_bucket_settings": [{"match": {"prefix": "wasmcustom"}, "buckets": [5, 50, 500]}],
    })
}

fn token(name: &str) -> String {
    format!("token-of-{name}-0123456789")
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_labels_are_the_same_in_an_istio_proxy() {
    let github = GitHub::start().await;
    let clients = NAMES.map(|name| format!("  - name: {name}\n    token: {}\n", token(name)));
    let registry = format!("version: 1\nclients:\n{}", clients.concat());
    let printed = printed(&Proxy::before(&github).registry(&registry));
    // Stats of our own are the last but one block of the bootstrap.
    let (head, rest) = printed
        .bootstrap
        .split_once("\nstats_config:\n")
        .expect("our stats");
    let tail = rest
        .lines()
        .skip_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let tail: Vec<&str> = tail.collect();
    let istio = format!(
        "{head}\nstats_config: {}\n{}\n",
        stats_config(),
        tail.join("\n")
    );
    let (_process, _folder) = envoy(&istio);

    github.put_json("/things/1", json!({"n": 1}));
    let ask = |name: &str| {
        let request = Request::new(printed.listen, "GET", "/things/1");
        request.header("authorization", &format!("token {}", token(name)))
    };
    wait::until("an Envoy that answers", || async {
        Request::new(printed.listen, "GET", "/")
            .outcome()
            .await
            .ok()
    })
    .await;
    for name in NAMES {
        assert_eq!(ask(name).send().await.status, 200);
    }
    let stats = wait::until("every client, and histograms", || async {
        let answer = Request::new(printed.admin, "GET", "/stats/prometheus");
        let answer = answer.send().await;
        let stats = Stats::parse(&String::from_utf8_lossy(&answer.body));
        let clients = stats.of("github_proxy_upstream_requests", &[]).count();
        let histogram = stats.sum("github_proxy_request_duration_milliseconds_count", &[]);
        (clients == NAMES.len() && histogram > 0).then_some(stats)
    })
    .await;

    for name in NAMES {
        let labels = [("client", name)];
        for (metric, own) in [
            ("github_proxy_requests", &["cache", "method", "status"][..]),
            (
                "github_proxy_upstream_requests",
                &["cost", "credential", "resource", "status"],
            ),
        ] {
            let sample = stats.of(metric, &labels).next();
            let sample = sample.unwrap_or_else(|| panic!("{metric} of {name}\n{}", stats.ours()));
            for label in own {
                let value = &sample.labels[*label];
                assert!(
                    !value.is_empty() && !value.contains([';', '.']),
                    "{sample:?}"
                );
            }
            // What Istio's own rules find in a client's name comes on top, as documented.
            let of_istio = ISTIOS.iter().filter(|label| !own.contains(label));
            let known = of_istio.chain(own).chain(&["client"]);
            let known: BTreeSet<&str> = known.copied().collect();
            let others = sample
                .labels
                .keys()
                .filter(|label| !known.contains(label.as_str()));
            assert_eq!(others.count(), 0, "{sample:?}");
        }
    }
    // No name is left with a label in it, or spoilt by a rule. `envoy_…` are Envoy's own.
    for sample in &stats.0 {
        let is_ours = sample.name.contains("github_proxy") && !sample.name.starts_with("envoy_");
        assert!(
            !is_ours || sample.name.starts_with("github_proxy_"),
            "{sample:?}"
        );
    }
    let bucket = [("le", "50")];
    let buckets = stats.of("github_proxy_request_duration_milliseconds_bucket", &bucket);
    assert!(buckets.count() > 0, "buckets as set for the prefix");
}
