//! GraphQL: what is answered from the cache, for how long, and what puts it out of date.

use super::graphql::{ANSWER, MUTATION, QUERY};
use super::*;
use crate::cache::entry::EntryHead;
use crate::cache::key::Key;
use crate::graphql::history::History;

#[test]
fn an_answer_serves_while_it_is_young_enough_for_the_client() {
    let mut fixture = Fixture::new("");
    let flow = fixture.ask("all");
    let flow = fixture.answer_body(flow, ANSWER);
    let status = flow.passed("cache-status").unwrap();
    assert_eq!(status, "github-proxy; fwd=miss; stored");
    fixture.now += 59_000;
    let flow = fixture.ask("all");
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    let reply = flow.reply().unwrap();
    assert_eq!(reply.headers.text("age"), Some("59"));
    assert_eq!(reply.body.bytes(), ANSWER.as_bytes());
    assert!(flow.recorded("github_proxy_requests.client=all;.method=POST;.status=200;.cache=hit;"));
    // Another client of the pool may use it, and the registry may speak for it.
    let flow = fixture.post("cached", &[], QUERY);
    assert!(fixture.asks_github(flow), "30 seconds are over");
    let flow = fixture.post("asker", &[("cache-control", "max-age=60")], QUERY);
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    for more in [
        &[("cache-control", "max-age=10")][..],
        &[("cache-control", "no-cache")],
        &[("cache-control", "max-age=60"), ("accept", "other")],
        &[("cache-control", "max-age=60"), ("graphql-features", "x")],
        &[],
    ] {
        let flow = fixture.post("all", more, QUERY);
        assert!(fixture.asks_github(flow), "{more:?}");
    }
    let other = QUERY.replace("login", "name");
    let flow = fixture.post("all", &[("cache-control", "max-age=60")], &other);
    assert!(flow.edits().is_some());
    fixture.now += 1_000;
    assert!(fixture.ask("all").edits().is_some(), "60 seconds are over");
}

#[test]
fn a_request_of_a_cached_client_may_go_around_the_cache() {
    let mut fixture = Fixture::new("");
    fixture.warm_query();
    let flow = fixture.post("cached", &[], QUERY);
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    let flow = fixture.post("cached", &[("cache-control", "no-cache")], QUERY);
    let flow = fixture.answer_body(flow, ANSWER);
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=bypass"
    );
}

#[test]
fn only_whole_answers_without_errors_are_kept() {
    let large = format!(
        r#"{{"data":{{}},"x":"{}","errors":[{{}}]}}"#,
        "x".repeat(20_000)
    );
    for (status, body) in [
        ("200", r#"{"data":null,"errors":[{"type":"NOT_FOUND"}]}"#),
        ("200", r#"{"data":{"a":1},"errors":[{}]}"#),
        ("200", "no JSON"),
        ("200", large.as_str()),
        ("502", ANSWER),
        ("404", ANSWER),
    ] {
        let mut fixture = Fixture::new("");
        let flow = fixture.ask("all");
        let follower = fixture.ask("all");
        assert!(follower.edits().is_none(), "it waits");
        let mut flow = fixture.answer(flow, status, &[], false);
        let earlier = std::mem::take(&mut flow.effects);
        let chunk = body.as_bytes().to_vec();
        let mut flow = fixture.step(flow.phase, Event::Body { chunk, end: true });
        flow.effects.splice(0..0, earlier);
        if body.len() < 10_000 && status == "200" && body != "no JSON" {
            let status = flow.passed("cache-status").unwrap();
            assert_eq!(status, "github-proxy; fwd=miss", "{body}");
        }
        assert_eq!(flow.wakes(), [(2, Wake::Alone)], "{status} {body}");
        assert!(fixture.ask("all").edits().is_some(), "{status} {body}");
    }
}

#[test]
fn equal_queries_share_one_answer() {
    let mut fixture = Fixture::new("");
    let leader = fixture.ask("all");
    let follower = fixture.ask("asker");
    assert!(leader.edits().is_some() && follower.edits().is_none());
    fixture.now += 5_000;
    let late = fixture.ask("all");
    assert!(late.edits().is_none());
    let leader = fixture.answer_body(leader, ANSWER);
    let wakes = leader.wakes();
    assert_eq!(wakes.len(), 2);
    for (flow, (_, wake)) in [follower, late].into_iter().zip(wakes) {
        let flow = fixture.step(flow.phase, Event::Woken(wake));
        assert_eq!(flow.reply().unwrap().body.bytes(), ANSWER.as_bytes());
        let status = "github-proxy; fwd=miss; collapsed; detail=coalesced";
        assert_eq!(flow.cache_status(), status);
    }
}

#[test]
fn a_write_of_the_client_puts_what_it_could_have_read_out_of_date() {
    let mut fixture = Fixture::new("");
    fixture.warm_query();
    fixture.now += 1_000;
    let flow = fixture.post("asker", &[("cache-control", "max-age=60")], QUERY);
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    let writes: [fn(&mut Fixture) -> Flow; 4] = [
        |fixture| fixture.post("all", &[], MUTATION),
        |fixture| fixture.post("all", &[("cache-control", "max-age=60")], MUTATION),
        |fixture| fixture.post("all", &[], "{"),
        |fixture| fixture.request("PATCH", "/repos/a/b", &[]),
    ];
    for write in writes {
        fixture.now += 1_000;
        let flow = fixture.ask("all");
        let flow = match flow.reply() {
            Some(_) => flow,
            None => fixture.answer_body(flow, ANSWER),
        };
        fixture.step(flow.phase, Event::Gone);
        fixture.now += 1_000;
        let writing = write(&mut fixture);
        assert_eq!(
            fixture.ask("all").cache_status(),
            "github-proxy; hit",
            "not yet over"
        );
        let writing = fixture.answer(writing, "200", &[], true);
        fixture.step(writing.phase, Event::Gone);
        let flow = fixture.ask("all");
        assert!(fixture.asks_github(flow), "over");
        // Others did not write.
        let flow = fixture.post("asker", &[("cache-control", "max-age=60")], QUERY);
        assert_eq!(flow.cache_status(), "github-proxy; hit");
        fixture.now += 1;
    }
}

#[test]
fn a_write_without_an_answer_counts_too_and_a_query_does_not() {
    let mut fixture = Fixture::new("");
    fixture.warm_query();
    fixture.now += 1_000;
    let query = fixture.post("all", &[], &QUERY.replace("login", "name"));
    let query = fixture.answer_body(query, ANSWER);
    fixture.step(query.phase, Event::Gone);
    assert_eq!(fixture.ask("all").cache_status(), "github-proxy; hit");
    let writing = fixture.post("all", &[], MUTATION);
    fixture.step(writing.phase, Event::Gone);
    assert!(fixture.ask("all").edits().is_some());
}

#[test]
fn what_is_asked_after_a_write_serves_also_within_the_same_millisecond() {
    let mut fixture = Fixture::new("");
    for _ in 0..3 {
        for _ in 0..2 {
            let writing = fixture.post("all", &[], MUTATION);
            let writing = fixture.answer(writing, "200", &[], true);
            fixture.step(writing.phase, Event::Gone);
        }
        let asking = fixture.ask("all");
        assert!(asking.edits().is_some(), "the writes are over");
        let asking = fixture.answer_body(asking, ANSWER);
        fixture.step(asking.phase, Event::Gone);
        assert_eq!(fixture.ask("all").cache_status(), "github-proxy; hit");
    }
}

#[test]
fn what_was_asked_before_a_write_was_over_does_not_serve_after_it() {
    let mut fixture = Fixture::new("");
    let asking = fixture.ask("all");
    fixture.now += 1_000;
    let writing = fixture.post("all", &[], MUTATION);
    fixture.answer(writing, "200", &[], true);
    fixture.now += 1_000;
    let waiting = fixture.ask("all");
    assert!(waiting.edits().is_none(), "the other one is still asking");
    let asking = fixture.answer_body(asking, ANSWER);
    let (_, wake) = asking.wakes()[0];
    let waiting = fixture.step(waiting.phase, Event::Woken(wake));
    assert!(waiting.edits().is_some(), "it asks by itself");
    assert!(fixture.ask("all").reply().is_none());
}

#[test]
fn replicas_share_answers_through_the_cluster() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    let flow = fixture.ask("all");
    assert_eq!(flow.asked(), ["lock"]);
    let follower = fixture.ask("asker");
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    assert_eq!(flow.asked(), ["get"]);
    let base = Key::of("default", "api.github.com", "/graphql", &Headers::default());
    let key = base.with_document(&Headers::default(), QUERY.as_bytes());
    let head = EntryHead {
        key: key.0,
        status: 200,
        headers: headers(&[("content-type", "application/json")]),
        varied: Vec::new(),
        credential: 0,
        predictable: false,
        personal: false,
        former: None,
    };
    let theirs = Entry::new(head, fixture.now - 7_000, ANSWER.as_bytes());
    let flow = fixture.cluster(flow, Operation::Get, 200, theirs.encoded());
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    assert_eq!(flow.reply().unwrap().headers.text("age"), Some("7"));
    let releases =
        |effect: &Effect| matches!(effect, Effect::Deposit(it) if it.unlock && it.entry.is_none());
    assert!(flow.effects.iter().any(releases));
    let (_, wake) = flow.wakes()[0];
    let follower = fixture.step(follower.phase, Event::Woken(wake));
    assert_eq!(follower.reply().unwrap().body.bytes(), ANSWER.as_bytes());
    // One that is too old is no use at all: it is replaced.
    fixture.now += 60_000;
    let flow = fixture.ask("all");
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    assert_eq!(flow.asked(), ["get"]);
    let flow = fixture.cluster(flow, Operation::Get, 200, theirs.encoded());
    assert!(flow.edits().is_some());
    let flow = fixture.answer_body(flow, ANSWER);
    let deposits = |effect: &Effect| matches!(effect, Effect::Deposit(it) if it.entry.is_some());
    assert!(flow.effects.iter().any(deposits));
}

#[test]
fn an_old_answer_does_not_stand_in_when_github_fails() {
    let mut fixture = Fixture::new("");
    fixture.warm_query();
    fixture.now += 61_000;
    let flow = fixture.ask("all");
    let flow = fixture.answer(flow, "502", &[], true);
    assert!(flow.reply().is_none());
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=miss"
    );
}

#[test]
fn what_a_client_did_is_one_key() {
    let mut fixture = Fixture::new("");
    fixture.warm_query();
    let keys = fixture.map.keys();
    for _ in 0..5 {
        fixture.now += 10_000;
        let flow = fixture.post("all", &[], MUTATION);
        fixture.answer(flow, "200", &[], true);
    }
    let history = History::of(&fixture.map, "all");
    assert_eq!(history.wrote_at, fixture.now);
    assert!(
        fixture.map.keys() <= keys + 4,
        "credentials and clients only"
    );
}
