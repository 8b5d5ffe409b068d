//! Names of stats, labels in them, and that the list of stats is complete.

use super::*;
use crate::cache::memory::Change;
use crate::pool::rate::Rate;
use std::collections::BTreeSet;

/// What the rule `(label=\.=([^;]*);\.;)` extracts.
fn label<'a>(name: &'a str, label: &str) -> &'a str {
    let (_, rest) = name.split_once(&format!("{label}=.=")).unwrap();
    rest.split_once(";.;").unwrap().0
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn labels_close_whatever_a_legal_name_holds() {
    for client in ["test", "a.b.c", "a.method", "9-_.x", "-"] {
        let metric = Metric::request(client, "GET", 200, "hit");
        assert!(metric.name.ends_with(";.;github_proxy_requests"));
        for (name, value) in [
            ("client", client),
            ("method", "GET"),
            ("status", "200"),
            ("cache", "hit"),
        ] {
            assert_eq!(label(&metric.name, name), value);
        }
    }
}

#[test]
fn free_text_becomes_no_label() {
    assert_eq!(
        label(&Metric::request("a", "BREW", 200, "hit").name, "method"),
        "OTHER"
    );
    assert_eq!(
        label(&Metric::denied("a;b=c\n", "scope").name, "client"),
        "a_b_c_"
    );
}

#[test]
fn a_last_dot_is_kept_from_envoy() {
    for (client, shown) in [
        ("a.", "a%2E"),
        ("a...", "a..%2E"),
        (".", "%2E"),
        ("a.b", "a.b"),
    ] {
        assert_eq!(
            label(&Metric::denied(client, "scope").name, "client"),
            shown
        );
        assert_eq!(named(shown), client);
    }
}

/// Every constructor makes a stat of the list, with all of its labels, and every stat of the
/// list has one.
#[test]
fn the_list_of_stats_is_complete() {
    let rate = Rate {
        resource: crate::pool::rate::resource_name("core"),
        limit: 1,
        remaining: 1,
        used: 0,
        reset: 1,
    };
    let change = Change {
        bytes: 1,
        entries: 1,
        evictions: 1,
    };
    let mut made = vec![
        Metric::request("a", "GET", 200, "hit"),
        Metric::denied("a", "scope"),
        Metric::upstream("a", "b", "core", 200, false),
        Metric::credential_state("b", 0),
        Metric::request_duration("hit", 1),
        Metric::upstream_duration(1),
        Metric::cache_duration("get", 1),
        Metric::cache_error("get"),
        Metric::prediction("match"),
        Metric::failover("rate_limit"),
        Metric::token_exchange("b", "ok"),
        Metric::config_reloads("applied", 1),
    ];
    made.extend(Metric::rate("b", &rate));
    made.extend(Metric::pool("c", "core", &PoolRate::default()));
    made.extend(Metric::memory(change));
    made.extend(Metric::vm_memory(1, 1));
    let names: BTreeSet<_> = made
        .iter()
        .map(|metric| metric.name.rsplit(';').next().unwrap())
        .collect();
    assert_eq!(names, ALL.iter().map(|stat| stat.name).collect());
    for metric in &made {
        let stat = ALL.iter().find(|it| metric.name.ends_with(it.name));
        let stat = stat.unwrap();
        assert_eq!(metric.kind, stat.kind, "{stat:?}");
        assert_eq!(metric.name.matches("=.=").count(), stat.labels.len());
    }
    let labels: BTreeSet<_> = ALL.iter().flat_map(|it| it.labels).copied().collect();
    assert_eq!(labels, LABELS.into());
}

/// Each stat is a row of its table in the documentation, with its kind and its labels, and the
/// tables have no other.
#[cfg(not(target_family = "wasm"))]
#[test]
fn the_documentation_has_every_stat() {
    let text = include_str!("../../../../docs/stats.md");
    let rows = text.lines().filter_map(|line| {
        let row = line.strip_prefix("| `github_proxy_")?;
        let cells: Vec<_> = row.split('|').map(|cell| cell.replace('`', "")).collect();
        let [name, kind, labels, ..] = &cells[..] else {
            return None;
        };
        let [name, kind, labels] = [name, kind, labels].map(|cell| cell.trim().to_owned());
        Some((name, (kind, labels)))
    });
    let written: std::collections::BTreeMap<_, _> = rows.collect();
    let defined = ALL.iter().map(|stat| {
        let name = stat.name.trim_start_matches("github_proxy_").to_owned();
        let kind = format!("{:?}", stat.kind).to_lowercase();
        (name, (kind, stat.labels.join(", ")))
    });
    assert_eq!(written, defined.collect());
}
