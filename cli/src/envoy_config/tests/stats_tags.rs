//! The rules that make labels of stat names, run over names with every legal client and
//! credential in them: those of `envoy/stats.yaml`, and those of an Istio proxy.

use super::parsed;
use fancy_regex::Regex;
use github_proxy_core::metric::{Metric, LABELS};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Labels and their rules, in order.
type Rules = Vec<(String, Regex)>;

fn rules<'a>(rules: impl IntoIterator<Item = (&'a str, String)>) -> Rules {
    let rules = rules.into_iter();
    rules
        .map(|(label, regex)| (label.to_owned(), Regex::new(&regex).unwrap()))
        .collect()
}

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    let stats = parsed(include_str!("../../../../envoy/stats.yaml"));
    let tags = stats["stats_config"]["stats_tags"].as_array().unwrap();
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    let pairs: Vec<_> = tags
        .iter()
        .map(|rule| (text(rule, "tag_name"), text(rule, "regex")))
        .collect();
    rules(
        pairs
            .iter()
            .map(|(label, regex)| (label.as_str(), regex.clone())),
    )
});

/// What an Istio proxy makes of `extraStatTags`.
static ISTIO: LazyLock<Rules> =
    LazyLock::new(|| rules(LABELS.map(|label| (label, format!(r"({label}=\.=(.*?);\.;)")))));

/// The name and the labels as Envoy finds them: each rule looks at the whole name, its second
/// group is the value, of which dots at the end are dropped, its first one is cut out.
fn labels(rules: &Rules, metric: &Metric) -> (String, BTreeMap<String, String>) {
    let full = format!("wasmcustom.{}", metric.name);
    let mut labels = BTreeMap::new();
    let mut cut = vec![false; full.len()];
    for (label, regex) in rules {
        let Some(groups) = regex.captures(&full).unwrap() else {
            continue;
        };
        let value = groups.get(2).unwrap().as_str().trim_end_matches('.');
        labels.insert(label.clone(), value.to_owned());
        cut[groups.get(1).unwrap().range()].fill(true);
    }
    let left = full.bytes().zip(cut).filter(|(_, cut)| !cut);
    let left = left.map(|(byte, _)| char::from(byte)).collect();
    (left, labels)
}

/// How a name is shown: Envoy would drop its last dot.
fn shown(name: &str) -> String {
    match name.strip_suffix('.') {
        Some(rest) => format!("{rest}%2E"),
        None => name.to_owned(),
    }
}

/// Anything legal; and words that the rules look for, joined by what is legal between them.
fn client() -> impl Strategy<Value = String> {
    let word =
        prop::sample::select([&LABELS[..], &["GET", "hit", "github_proxy_requests"]].concat());
    let joint = prop::sample::select(vec![".", "..", "-", "_", ".-.", "-.-", ""]);
    let words = prop::collection::vec((word, joint), 1..8).prop_map(|parts| {
        let text: String = parts
            .iter()
            .flat_map(|(word, joint)| [*word, joint])
            .collect();
        text.chars().take(63).collect()
    });
    prop_oneof!["[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "[0-9][0-9.-]{62}", words]
}

#[test]
fn there_is_a_rule_for_every_label() {
    let mut names: Vec<_> = SHIPPED.iter().map(|(label, _)| label.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, LABELS);
}

/// What Istio's documentation in this repository tells to set is every label.
#[test]
fn the_documented_istio_options_name_every_label() {
    let text = include_str!("../../../../docs/stats.md");
    let (_, rest) = text.split_once("extraStatTags: [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let mut names: Vec<_> = list.split(", ").collect();
    names.sort_unstable();
    assert_eq!(names, LABELS);
}

proptest! {
    #[test]
    fn every_legal_name_comes_out_of_a_stat_name_whole(
        client in client(),
        credential in "[A-Za-z0-9_.-]{1,128}",
        resource in "[a-z0-9_]{1,40}",
    ) {
        let client = client.as_str();
        let request = Metric::request(client, "GET", 200, "hit");
        let denied = Metric::denied(client, "scope");
        let upstream = Metric::upstream(client, &credential, &resource, 304, true);
        let cases: [(_, _, &[(&str, &str)]); 3] = [
            (request, "requests", &[("cache", "hit"), ("client", client), ("method", "GET"), ("status", "200")]),
            (denied, "denied", &[("client", client), ("reason", "scope")]),
            (upstream, "upstream_requests", &[
                ("client", client), ("cost", "free"), ("credential", &credential),
                ("resource", &resource), ("status", "304"),
            ]),
        ];
        for (metric, name, expected) in cases {
            for rules in [&*SHIPPED, &*ISTIO] {
                let (left, found) = labels(rules, &metric);
                prop_assert_eq!(left, format!("wasmcustom.github_proxy_{name}"));
                let expected = expected.iter().map(|(label, value)| ((*label).to_owned(), shown(value)));
                prop_assert_eq!(found, expected.collect());
            }
        }
    }
}
