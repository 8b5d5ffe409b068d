//! What is left of a limit: reserved, learnt, overtaken, reset, refused.

use super::*;
use crate::shared::testing::Map;

const KEY: RateKey = RateKey(1);

fn rate(remaining: u64, used: u64, reset: u64) -> Rate {
    Rate {
        resource: "core".parse().unwrap(),
        limit: 10,
        remaining,
        used,
        reset,
    }
}

fn left(map: &Map, now: u64) -> u64 {
    KEY.get(map, "core").unwrap().left(now)
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn a_reservation_counts_until_its_answer() {
    let map = Map::default();
    KEY.learn(&map, &rate(2, 8, 100), 0);
    KEY.reserve(&map, "core", 1, 0);
    KEY.reserve(&map, "core", 1, 0);
    assert_eq!(left(&map, 0), 0);
    KEY.settle(&map, "core");
    assert_eq!(KEY.learn(&map, &rate(1, 9, 100), 0), None);
    assert_eq!(left(&map, 0), 0, "one is still under way");
    KEY.settle(&map, "core");
    assert_eq!(left(&map, 0), 1);
    assert_eq!(KEY.learn(&map, &rate(0, 10, 100), 0), Some(Turn::UsedUp));
    assert_eq!(
        KEY.learn(&map, &rate(9, 1, 200), 100_000),
        Some(Turn::Renewed)
    );
}

/// A window that is only assumed is no reason to wait for its end.
#[test]
fn a_refusal_lasts_until_its_reset_or_for_a_minute() {
    let now = 1_000_000;
    for (known, reset, until) in [
        (None, 1_500, 1_500),
        (None, 990, 1_060),
        (Some(1_700), 1_060, 1_700),
        (Some(1_700), 990, 1_700),
        (Some(900), 990, 1_060),
    ] {
        let map = Map::default();
        match known {
            Some(reset) => drop(KEY.learn(&map, &rate(5, 5, reset), now)),
            None => KEY.reserve(&map, "core", 1, now),
        }
        assert!(KEY.exhaust(&map, "core", reset, now));
        let standing = KEY.get(&map, "core").unwrap();
        assert_eq!((standing.rate.remaining, standing.rate.reset), (0, until));
    }
}

#[test]
fn news_that_was_overtaken_is_ignored() {
    let map = Map::default();
    KEY.learn(&map, &rate(2, 8, 100), 0);
    KEY.learn(&map, &rate(5, 5, 100), 0);
    assert_eq!(left(&map, 0), 2);
    KEY.learn(&map, &rate(9, 1, 200), 0);
    assert_eq!(left(&map, 0), 9, "a new window");
}

#[test]
fn a_new_window_starts_slowly() {
    let map = Map::default();
    let full = Rate {
        limit: 5_000,
        ..rate(0, 5_000, 100)
    };
    KEY.learn(&map, &full, 0);
    assert_eq!(left(&map, 99_999), 0);
    assert_eq!(left(&map, 100_000), SLOW_START);
    for _ in 0..SLOW_START {
        KEY.reserve(&map, "core", 1, 100_000);
    }
    assert_eq!(left(&map, 100_001), 0);
    KEY.settle(&map, "core");
    let turn = KEY.learn(
        &map,
        &Rate {
            limit: 5_000,
            ..rate(4_999, 1, 3_700)
        },
        100_100,
    );
    assert_eq!(turn, Some(Turn::Renewed));
    assert_eq!(left(&map, 100_200), 4_999 - (SLOW_START - 1));
}

#[test]
fn a_server_without_limits_is_not_taken_for_one_after_a_reset() {
    let map = Map::default();
    KEY.reserve(&map, "core", 1, 0);
    let later = 4_000_000;
    assert_eq!(left(&map, later), SLOW_START);
    KEY.reserve(&map, "core", 1, later);
    KEY.settle_unlimited(&map, "core", later);
    assert_eq!(left(&map, later), 5_000);
    KEY.learn(&map, &rate(2, 8, 5_000), later);
    KEY.settle_unlimited(&map, "core", later);
    assert_eq!(left(&map, later), 2, "what GitHub said stands");
}

#[test]
fn the_pace_is_kept_by_points_and_by_requests_under_way() {
    let map = Map::default();
    let pace = Pace {
        points_per_minute: 10,
        graphql_points_per_minute: 0,
        concurrency: 3,
    };
    let busy = |points, now| KEY.ledger(&map).busy_until("core", points, pace, now);
    assert_eq!(busy(1, 105_000), None);
    KEY.reserve(&map, "core", 5, 105_000);
    KEY.reserve(&map, "core", 4, 106_000);
    assert_eq!(busy(1, 107_000), None);
    assert_eq!(busy(5, 107_000), Some(165), "the minute began at 105 s");
    assert_eq!(busy(5, 165_000), None);
    KEY.reserve(&map, "search", 1, 165_000);
    assert_eq!(busy(1, 165_000), Some(166), "three under way");
    KEY.settle(&map, "search");
    assert_eq!(busy(1, 165_000), None);
}

#[test]
fn fields_are_read_whole_or_not_at_all() {
    let fields = |list: &[(&str, &str)]| {
        Headers::new(
            list.iter()
                .map(|(n, v)| (n.to_string(), (*v).into()))
                .collect(),
        )
    };
    let all = [
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "3"),
        ("x-ratelimit-reset", "9"),
        ("x-ratelimit-resource", "bad;name"),
    ];
    assert_eq!(Rate::of(&fields(&all)), Some(rate(3, 7, 9)));
    assert_eq!(Rate::of(&fields(&all[..2])), None);
}
