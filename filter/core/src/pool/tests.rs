use super::rate::Rate;
use super::*;
use crate::config::CredentialKind;
use crate::secret::Secret;
use crate::shared::testing::Map;

fn pat(name: &str, user: Option<&str>) -> Credential {
    Credential {
        name: name.to_owned(),
        pool: "default".into(),
        user: user.map(str::to_owned),
        kind: CredentialKind::Pat {
            token: Secret::new(format!("token-of-{name}")),
        },
    }
}

fn app(name: &str) -> Credential {
    Credential {
        name: name.to_owned(),
        pool: "default".into(),
        user: None,
        kind: CredentialKind::App {
            app_id: "1".into(),
            installation_id: "2".into(),
            key: Secret::new("key".into()),
        },
    }
}

fn pool(names: &[&str]) -> Pool {
    let credentials: Vec<Credential> = names.iter().map(|name| pat(name, None)).collect();
    Pool::new(&credentials, NO_PACE)
}

fn rate(remaining: u64, reset: u64) -> Rate {
    Rate {
        resource: "core".parse().unwrap(),
        limit: 10_000,
        remaining,
        used: 10_000 - remaining,
        reset,
    }
}

const WISH: Wish<'static> = Wish {
    pool: "default",
    resource: "core",
    favourite: None,
    tried: &[],
    points: Some(1),
    reserve_percent: 0,
    impatient: false,
};

const NO_PACE: Pace = Pace {
    points_per_minute: 0,
    graphql_points_per_minute: 0,
    concurrency: 0,
};

fn chosen(pool: &Pool, map: &Map, wish: &Wish<'_>, now: u64) -> Result<String, Unavailable> {
    pool.choose(map, wish, now).map(|grant| grant.name)
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn the_load_is_shared_in_proportion_to_what_is_left() {
    let (pool, map) = (pool(&["A", "B", "C", "D"]), Map::default());
    for (member, left) in pool.members().iter().zip([4_000, 3_000, 2_000, 1_000]) {
        member.rates.learn(&map, &rate(left, 1_000), 0);
    }
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..1_000 {
        let name = chosen(&pool, &map, &WISH, 0).unwrap();
        *counts.entry(name).or_insert(0u64) += 1;
    }
    for (name, share) in [("A", 400), ("B", 300), ("C", 200), ("D", 100)] {
        let count = counts[name];
        assert!(count.abs_diff(share) <= share / 20, "{name}: {count}");
    }
}

#[test]
fn a_credential_serves_until_it_is_used_up_and_again_after_its_reset() {
    let (pool, map) = (pool(&["A", "B"]), Map::default());
    let [a, b] = pool.members() else { panic!() };
    a.rates.learn(&map, &rate(0, 100), 0);
    b.rates.learn(&map, &rate(3, 200), 0);
    for _ in 0..5 {
        assert_eq!(chosen(&pool, &map, &WISH, 99_000).unwrap(), "B");
    }
    b.rates.learn(&map, &rate(0, 200), 0);
    let none = chosen(&pool, &map, &WISH, 99_000);
    assert_eq!(none, Err(Unavailable::Exhausted(100)));
    assert_eq!(chosen(&pool, &map, &WISH, 100_000).unwrap(), "A");
    let search = Wish {
        resource: "search",
        ..WISH
    };
    assert!(
        chosen(&pool, &map, &search, 0).is_ok(),
        "resources are apart"
    );
    let nobody = Wish {
        pool: "nobody",
        ..WISH
    };
    assert_eq!(chosen(&pool, &map, &nobody, 0), Err(Unavailable::Broken));
}

#[test]
fn paused_refused_and_tried_ones_are_left_alone() {
    let (pool, map) = (pool(&["A", "B"]), Map::default());
    let [a, b] = pool.members() else { panic!() };
    a.health.pause(&map, Some(30), 0);
    let tag = pool.choose(&map, &WISH, 0).unwrap().tag;
    let tried = Wish {
        tried: &[tag],
        ..WISH
    };
    assert_eq!(chosen(&pool, &map, &tried, 0), Err(Unavailable::Paused(30)));
    b.health.refused(&map);
    assert_eq!(chosen(&pool, &map, &WISH, 0), Err(Unavailable::Paused(30)));
    assert_eq!(chosen(&pool, &map, &WISH, 30_000).unwrap(), "A");
    a.health.refused(&map);
    assert_eq!(chosen(&pool, &map, &WISH, 30_000), Err(Unavailable::Broken));
    assert_eq!(a.state(&map, 30_000), 3);
}

#[test]
fn the_favourite_serves_while_it_can() {
    let (pool, map) = (pool(&["A", "B"]), Map::default());
    let [a, b] = pool.members() else { panic!() };
    a.rates.learn(&map, &rate(1, 100), 0);
    b.rates.learn(&map, &rate(9_000, 100), 0);
    let tag = pool.grants(&map, "default", 0)[0].tag;
    let wish = Wish {
        favourite: Some(tag),
        ..WISH
    };
    assert_eq!(chosen(&pool, &map, &wish, 0).unwrap(), "A");
    a.rates.learn(&map, &rate(0, 100), 0);
    assert_eq!(chosen(&pool, &map, &wish, 0).unwrap(), "B");
}

#[test]
fn tokens_of_one_user_share_one_limit() {
    let credentials = [pat("A", Some("bot")), pat("B", Some("bot")), pat("C", None)];
    let (pool, map) = (Pool::new(&credentials, NO_PACE), Map::default());
    pool.members()[0].rates.learn(&map, &rate(0, 100), 0);
    for _ in 0..5 {
        assert_eq!(chosen(&pool, &map, &WISH, 0).unwrap(), "C");
    }
    assert_eq!(
        pool.view(&map, "default", "core", 0, 0).limit,
        10_000 + 5_000
    );
}

#[test]
fn an_app_serves_once_it_has_a_token_and_until_that_ends() {
    let (pool, map) = (Pool::new(&[app("X")], NO_PACE), Map::default());
    assert_eq!(chosen(&pool, &map, &WISH, 0), Err(Unavailable::Soon));
    let health = pool.members()[0].health;
    health.change(&map, |health| {
        health.token = Some(app::Token {
            authorization: "Bearer ghs_1".into(),
            expires_at: 60_000,
            obtained_at: 0,
        });
    });
    assert_eq!(chosen(&pool, &map, &WISH, 58_999).unwrap(), "X");
    assert_eq!(chosen(&pool, &map, &WISH, 59_000), Err(Unavailable::Soon));
    for _ in 0..3 {
        let waits = chosen(&pool, &map, &WISH, 59_000);
        assert_eq!(waits, Err(Unavailable::Soon));
        health.change(&map, |health| health.exchange.failed(0, 0, 0));
    }
    assert_eq!(chosen(&pool, &map, &WISH, 59_000), Err(Unavailable::Broken));
    assert_eq!(pool.members()[0].state(&map, 59_000), 3);
}

#[test]
fn the_last_of_each_limit_is_left_to_others_where_asked() {
    let (pool, map) = (pool(&["A"]), Map::default());
    pool.members()[0].rates.learn(&map, &rate(2_000, 100), 0);
    let low = Wish {
        reserve_percent: 20,
        ..WISH
    };
    assert_eq!(
        chosen(&pool, &map, &low, 0),
        Err(Unavailable::Exhausted(100))
    );
    assert!(chosen(&pool, &map, &WISH, 0).is_ok());
    let free = Wish {
        points: None,
        ..low
    };
    assert!(chosen(&pool, &map, &free, 0).is_ok());
    pool.members()[0].rates.learn(
        &map,
        &Rate {
            used: 7_000,
            ..rate(2_001, 200)
        },
        0,
    );
    assert!(chosen(&pool, &map, &low, 0).is_ok());
    let seen = |reserve, now| pool.view(&map, "default", "core", reserve, now).remaining;
    assert_eq!((seen(0, 0), seen(20, 0), seen(50, 0)), (2_001, 1, 0));
    assert!(chosen(&pool, &map, &low, 200_000).is_ok(), "a new window");
    assert_eq!(seen(20, 200_000), 8_000);
}

#[test]
fn a_pause_is_the_users() {
    let credentials = [pat("A", Some("bot")), pat("B", Some("bot")), pat("C", None)];
    let (pool, map) = (Pool::new(&credentials, NO_PACE), Map::default());
    let [a, ..] = pool.members() else {
        panic!("three members");
    };
    let end = pool.pause(&map, (a.rates, a.health), Some(60), 0);
    assert_eq!(end, Some(60_000));
    for _ in 0..8 {
        assert_eq!(chosen(&pool, &map, &WISH, 1).as_deref(), Ok("C"));
    }
}

#[test]
fn what_is_under_way_is_waited_for_rather_than_taken_for_spent() {
    let (pool, map) = (pool(&["A"]), Map::default());
    let rates = pool.members()[0].rates;
    rates.learn(&map, &rate(2, 100), 0);
    rates.reserve(&map, "core", 1, 0);
    rates.reserve(&map, "core", 1, 0);
    assert_eq!(chosen(&pool, &map, &WISH, 0), Err(Unavailable::Busy(1)));
    let impatient = Wish {
        impatient: true,
        ..WISH
    };
    assert!(chosen(&pool, &map, &impatient, 0).is_ok());
    rates.settle(&map, "core");
    rates.learn(&map, &rate(0, 100), 0);
    assert_eq!(
        chosen(&pool, &map, &impatient, 0),
        Err(Unavailable::Exhausted(100))
    );
}

#[test]
fn a_busy_credential_is_spared_counted_requests_only() {
    let pace = Pace {
        points_per_minute: 0,
        graphql_points_per_minute: 0,
        concurrency: 1,
    };
    let credentials = [pat("A", None), pat("B", None)];
    let (pool, map) = (Pool::new(&credentials, pace), Map::default());
    pool.members()[0].rates.reserve(&map, "core", 1, 0);
    assert_eq!(chosen(&pool, &map, &WISH, 0).unwrap(), "B");
    pool.members()[1].rates.reserve(&map, "core", 1, 0);
    assert_eq!(chosen(&pool, &map, &WISH, 0), Err(Unavailable::Busy(1)));
    let free = Wish {
        points: None,
        ..WISH
    };
    assert!(chosen(&pool, &map, &free, 0).is_ok());
}

#[test]
fn a_token_that_is_refused_is_exchanged_anew_and_only_that_one() {
    let (pool, map) = (Pool::new(&[app("X")], NO_PACE), Map::default());
    let member = &pool.members()[0];
    let token = |number: u64, at: u64| {
        member.health.change(&map, |health| {
            health.token = Some(app::Token {
                authorization: format!("Bearer ghs_{number}"),
                expires_at: 9_000_000,
                obtained_at: at,
            });
            health.exchange.done(8_000_000);
        });
        pool.grants(&map, "default", at)[0].tag
    };
    let due = |now| member.health.take(&map, |health| &mut health.exchange, now);
    let first = token(1, 0);
    let second = token(2, 100_000);
    assert!(
        !member.refused(&map, first, 100_001),
        "the old one does not matter"
    );
    assert!(!due(100_001));
    assert!(member.refused(&map, second, 200_000));
    assert!(due(200_000), "at once");
    let third = token(3, 200_100);
    assert!(member.refused(&map, third, 200_200));
    assert!(
        !due(200_300),
        "refused as soon as it was made: not in a loop"
    );
    assert!(due(202_000));
}

#[test]
fn debug_output_tells_no_secret() {
    let pool = Pool::new(&[pat("A", None), app("X")], NO_PACE);
    let grants = pool.grants(&Map::default(), "default", 0);
    let text = format!("{pool:?} {grants:?}");
    assert!(!text.contains("token-of-A") && !text.contains("\"key\""));
}

#[test]
fn a_pool_has_what_github_said_of_its_accepted_credentials_and_of_each_user_once() {
    let credentials = [
        pat("A", Some("bot")),
        pat("B", Some("bot")),
        pat("C", None),
        pat("D", None),
    ];
    let (pool, map) = (Pool::new(&credentials, NO_PACE), Map::default());
    assert!(
        pool.known(&map, "default", 0).is_empty(),
        "nothing was said"
    );
    for (member, left) in pool.members().iter().zip([4_000, 3_000, 2_000, 1_000]) {
        member.rates.learn(&map, &rate(left, 1_000), 0);
    }
    let core = |now| pool.known(&map, "default", now).remove("core").unwrap();
    let left = |now| (core(now).limit, core(now).remaining);
    assert_eq!(left(1), (30_000, 6_000));
    pool.members()[0].health.refused(&map);
    assert_eq!(left(1), (30_000, 6_000), "the user has another token");
    let view = pool.view(&map, "default", "core", 0, 1);
    assert_eq!((view.limit, view.remaining), (30_000, 6_000));
    pool.members()[3].health.refused(&map);
    assert_eq!(left(1), (20_000, 5_000));
    assert_eq!(left(1_000_000), (20_000, 20_000), "a new window");
    for member in pool.members() {
        member.health.refused(&map);
    }
    assert_eq!(left(1), (0, 0), "GitHub accepts none");
}

#[test]
fn what_is_known_of_a_credential_outlives_a_reload_and_ends_with_its_secret() {
    let map = Map::default();
    let kept = pat("A", None);
    let before = Pool::new(&[kept.clone(), pat("B", None)], NO_PACE);
    for member in before.members() {
        member.rates.learn(&map, &rate(0, 1_000), 0);
        member.health.refused(&map);
    }
    let mut replaced = pat("B", None);
    replaced.kind = CredentialKind::Pat {
        token: Secret::new("another-token-of-B".into()),
    };
    let after = Pool::new(&[kept, replaced], NO_PACE);
    let state = |at: usize| after.members()[at].state(&map, 1);
    assert_eq!((state(0), state(1)), (3, 0));
    assert_eq!(chosen(&after, &map, &WISH, 1), Ok("B".into()));
}

#[test]
fn a_new_private_key_asks_for_a_new_token_and_keeps_the_rates() {
    let map = Map::default();
    let before = Pool::new(&[app("X")], NO_PACE);
    before.members()[0].rates.learn(&map, &rate(7, 1_000), 0);
    before.members()[0]
        .health
        .change(&map, |health| health.exchange.failed(0, 0, 0));
    let mut rotated = app("X");
    if let CredentialKind::App { key, .. } = &mut rotated.kind {
        *key = Secret::new("new key".into());
    }
    let after = Pool::new(&[rotated], NO_PACE);
    let member = &after.members()[0];
    assert_eq!(member.health.get(&map).exchange.failures, 0);
    assert_eq!(member.rates.get(&map, "core").unwrap().rate.remaining, 7);
}
