//! What is left of a budget: alone, with other replicas, and when these cannot be reached.

use super::*;
use crate::shared::testing::Map;

fn left(budget: &Budget, map: &Map, resource: &str, now: u64) -> u64 {
    budget.account(map, resource, now).remaining
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn a_budget_lasts_an_hour_per_resource() {
    let (map, budget) = (Map::default(), Budget::new("ci", 2));
    budget.charge(&map, "core", 0);
    budget.charge(&map, "core", 0);
    assert_eq!(left(&budget, &map, "core", 0), 0);
    assert_eq!(left(&budget, &map, "search", 0), 2);
    assert_eq!(left(&Budget::new("other", 2), &map, "core", 0), 2);
    budget.refund(&map, "core", 0);
    assert_eq!(left(&budget, &map, "core", 0), 1);
    assert_eq!(budget.account(&map, "core", 0).reset, 3_600);
    assert_eq!(left(&budget, &map, "core", 3_600_000), 2);
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn a_client_may_use_the_less_of_budget_and_pool() {
    // (limit, remaining, reset) of the budget, of the pool, and what the client sees.
    for (budget, pool, seen) in [
        ((500, 400, 3_600), (5_000, 4_000, 700), (500, 400, 3_600)),
        ((500, 400, 3_600), (5_000, 300, 700), (500, 300, 700)),
        ((500, 499, 3_600), (30, 0, 50), (30, 0, 50)),
        ((500, 2, 3_600), (30, 20, 50), (30, 2, 3_600)),
        // Both have to come back.
        ((500, 0, 3_600), (5_000, 0, 700), (500, 0, 3_600)),
        ((500, 0, 3_600), (5_000, 0, 4_000), (500, 0, 4_000)),
    ] {
        let (limit, remaining, reset) = budget;
        let account = Account {
            limit,
            remaining,
            reset,
            is_exceeded: false,
        };
        let rate = |(limit, remaining, reset)| PoolRate {
            limit,
            remaining,
            used: limit - remaining,
            reset,
        };
        assert_eq!(
            account.within(rate(pool)),
            rate(seen),
            "{budget:?} {pool:?}"
        );
    }
}

/// A counter of Redis, and what each replica told it.
fn tell(budget: &Budget, map: &Map, counter: &mut i64, now: u64) {
    for report in budget.reports(map, 9, now) {
        if report.resource == "core" {
            *counter += report.amount;
            let sum = u64::try_from(*counter).unwrap();
            budget.heard(map, &report, sum);
        }
    }
}

#[test]
fn replicas_learn_of_each_other() {
    let (here, there) = (Map::default(), Map::default());
    let budget = Budget::new("ci", 10);
    for _ in 0..3 {
        budget.charge(&here, "core", 0);
    }
    budget.charge(&there, "core", 0);
    let mut counter = 0;
    for (map, now) in [(&here, 0), (&there, 0), (&here, LISTEN)] {
        tell(&budget, map, &mut counter, now);
    }
    assert_eq!(left(&budget, &here, "core", LISTEN), 6);
    assert_eq!(left(&budget, &there, "core", LISTEN), 6);
}

/// As after a restart: nothing was charged here, and the sum is known before anything is.
#[test]
fn whoever_spent_nothing_learns_the_sum() {
    let (map, budget, mut counter) = (Map::default(), Budget::new("ci", 10), 7);
    tell(&budget, &map, &mut counter, HOUR * 1_000);
    assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 3);
    counter += 1;
    tell(&budget, &map, &mut counter, HOUR * 1_000 + LISTEN - 1);
    assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 3, "not yet");
    tell(&budget, &map, &mut counter, HOUR * 1_000 + LISTEN);
    assert_eq!(left(&budget, &map, "core", HOUR * 1_000), 2);
    // The next hour's counter is another one.
    let mut counter = 4;
    tell(&budget, &map, &mut counter, 2 * HOUR * 1_000);
    assert_eq!(left(&budget, &map, "core", 2 * HOUR * 1_000), 6);
}

#[test]
fn a_resource_that_is_asked_about_is_listened_to() {
    let (map, budget) = (Map::default(), Budget::new("ci", 10));
    budget.watch(&map, "search", HOUR);
    budget.watch(&map, "search", HOUR);
    let reports = budget.reports(&map, 9, HOUR * 1_000);
    let told = reports
        .iter()
        .map(|it| (it.resource.as_str(), it.amount))
        .collect::<Vec<_>>();
    assert_eq!(told, [("core", 0)], "the hour turned");
    budget.watch(&map, "search", HOUR * 1_000);
    let reports = budget.reports(&map, 9, HOUR * 1_000);
    assert_eq!(reports[0].resource, "search");
    budget.heard(&map, &reports[0], 4);
    assert_eq!(left(&budget, &map, "search", HOUR * 1_000), 6);
}

#[test]
fn looks_are_bounded_and_charges_are_not() {
    let (map, budget) = (Map::default(), Budget::new("ci", 10));
    budget.watch(&map, "search", LISTEN);
    budget.watch(&map, "graphql", LISTEN);
    budget.charge(&map, "scim", LISTEN);
    let names = |looks| {
        let reports = budget.reports(&map, looks, LISTEN).into_iter();
        reports.map(|it| it.resource).collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["scim"]);
    assert_eq!(names(1), ["search"]);
    assert_eq!(names(9), ["graphql", "core"]);
}

#[test]
fn what_was_told_and_then_not_counted_is_taken_back() {
    let (map, budget, mut counter) = (Map::default(), Budget::new("ci", 10), 2);
    budget.charge(&map, "core", 0);
    tell(&budget, &map, &mut counter, 0);
    assert_eq!((counter, left(&budget, &map, "core", 0)), (3, 7));
    budget.refund(&map, "core", 0);
    assert_eq!(left(&budget, &map, "core", 0), 8, "at once");
    tell(&budget, &map, &mut counter, 1_000);
    assert_eq!((counter, left(&budget, &map, "core", 1_000)), (2, 8));
    // While it is being told, and when that fails.
    budget.charge(&map, "core", 2_000);
    let report = budget.reports(&map, 9, 2_000).remove(0);
    budget.refund(&map, "core", 2_000);
    budget.unheard(&map, &report);
    assert_eq!(left(&budget, &map, "core", 2_000), 8);
    assert_eq!(
        budget.reports(&map, 9, 2_000),
        [],
        "nothing is left to tell"
    );
}

#[test]
fn a_late_refund_leaves_the_next_hour_alone() {
    let (map, budget) = (Map::default(), Budget::new("ci", 10));
    let (before, after) = (HOUR * 1_000 - 1, HOUR * 1_000);
    budget.charge(&map, "core", before);
    budget.charge(&map, "core", after);
    budget.refund(&map, "core", before);
    assert_eq!(left(&budget, &map, "core", after), 9);
}

#[test]
fn what_could_not_be_told_is_told_later_and_only_once() {
    let (map, budget) = (Map::default(), Budget::new("ci", 10));
    budget.charge(&map, "core", 0);
    let report = budget.reports(&map, 9, 0).remove(0);
    assert!(budget.reports(&map, 9, 0).is_empty(), "being told");
    budget.charge(&map, "core", 0);
    budget.unheard(&map, &report);
    assert_eq!(budget.reports(&map, 9, 0)[0].amount, 2);
    assert_eq!(left(&budget, &map, "core", 0), 8);
}
