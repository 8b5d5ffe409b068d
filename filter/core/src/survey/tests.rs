//! When gauges are set, to what, and by whom.

use super::*;
use crate::config::{Credential, CredentialKind};
use crate::pool::pace::Pace;
use crate::pool::rate::{resource_name, Rate};
use crate::secret::Secret;
use crate::shared::testing::Map;
use std::collections::BTreeMap;

/// Credentials and their pools.
fn pool(credentials: &[(&str, &str)]) -> Pool {
    let credential = |(name, pool): &(&str, &str)| Credential {
        name: (*name).to_owned(),
        pool: (*pool).to_owned(),
        user: None,
        kind: CredentialKind::Pat {
            token: Secret::new(format!("token of {name}")),
        },
    };
    let credentials: Vec<_> = credentials.iter().map(credential).collect();
    let pace = Pace {
        points_per_minute: 0,
        graphql_points_per_minute: 0,
        concurrency: 0,
    };
    Pool::new(&credentials, pace)
}

fn memory() -> Memory {
    Memory::new(0, 0)
}

fn bytes(vms: &[Vm]) -> Vec<u64> {
    vms.iter().map(|vm| vm.bytes).collect()
}

#[test]
fn a_vm_is_noted_when_it_grew_or_was_quiet_and_forgotten_when_it_is_gone() {
    let mut vms = Vec::new();
    assert!(note(&mut vms, 1, 10, 0));
    assert!(note(&mut vms, 2, 20, 0));
    assert!(!note(&mut vms, 1, 10, 19_999), "nothing new");
    assert!(note(&mut vms, 1, 11, 19_999));
    assert!(note(&mut vms, 2, 20, 20_000), "it is still there");
    assert_eq!(bytes(&vms), [11, 20]);
    assert!(note(&mut vms, 2, 20, 79_999));
    assert_eq!(bytes(&vms), [20], "the first has been quiet for a minute");
}

#[test]
fn the_number_of_vms_is_bounded() {
    let mut vms = Vec::new();
    for number in 0..1_000 {
        note(&mut vms, number, 1, 0);
    }
    assert_eq!(vms.len(), MOST_VMS);
}

#[test]
fn one_of_the_workers_looks_once_a_second() {
    let map = Map::default();
    let pool = pool(&[("BOT", "default")]);
    let names = |metrics: Vec<Metric>| -> Vec<_> {
        metrics
            .iter()
            .map(|it| (it.name.clone(), it.value))
            .collect()
    };
    let first = names(look(&pool, &memory(), &map, 1, 10, 5_000));
    assert!(first.contains(&("github_proxy_vm_memory_bytes".to_owned(), 10)));
    assert!(look(&pool, &memory(), &map, 2, 30, 5_100).is_empty());
    let second = names(look(&pool, &memory(), &map, 1, 10, 6_000));
    assert!(second.contains(&("github_proxy_vm_memory_bytes".to_owned(), 40)));
    assert!(second.contains(&("github_proxy_vm_memory_largest_bytes".to_owned(), 30)));
    let state = "credential=.=BOT;.;github_proxy_credential_state".to_owned();
    assert!(second.contains(&(state, 0)));
}

/// What the gauges say after a look.
fn gauges(pool: &Pool, map: &Map, now: u64) -> BTreeMap<String, i64> {
    let metrics = look(pool, &memory(), map, 1, 10, now).into_iter();
    metrics.map(|it| (it.name, it.value)).collect()
}

#[test]
fn nothing_is_told_of_a_credential_that_was_removed() {
    let map = Map::default();
    let before = pool(&[("OLD", "first"), ("MOVED", "first"), ("NEW", "second")]);
    for member in before.members() {
        let rate = Rate {
            resource: resource_name("core"),
            limit: 5_000,
            remaining: 7,
            used: 4_993,
            reset: 9_000,
        };
        member.rates.learn(&map, &rate, 0);
        member.health.refused(&map);
    }
    let broken = gauges(&before, &map, 0);
    assert_eq!(
        broken["credential=.=OLD;.;github_proxy_credential_state"],
        3
    );

    let after = pool(&[("MOVED", "second"), ("NEW", "second")]);
    after.members()[0].health.accepted(&map);
    for now in [1_000, 60_000] {
        let told = gauges(&after, &map, now);
        assert_eq!(told["credential=.=OLD;.;github_proxy_credential_state"], 0);
        let left = "credential=.=OLD;.;resource=.=core;.;github_proxy_rate_limit_remaining";
        assert_eq!(told[left], 0);
        assert_eq!(
            told["pool=.=first;.;resource=.=core;.;github_proxy_pool_limit"],
            0
        );
        assert_eq!(
            told["pool=.=second;.;resource=.=core;.;github_proxy_pool_limit"],
            5_000
        );
        assert_eq!(told["credential=.=NEW;.;github_proxy_credential_state"], 3);
        let moved = "credential=.=MOVED;.;resource=.=core;.;github_proxy_rate_limit_remaining";
        assert!(!told.contains_key(moved), "it is still there");
    }
    let later = gauges(&after, &map, 61_000);
    assert!(
        !later.keys().any(|name| name.contains("OLD")),
        "once is enough"
    );
    assert_eq!(
        gauges(&before, &map, 62_000)["credential=.=OLD;.;github_proxy_credential_state"],
        3,
        "back again"
    );
}
