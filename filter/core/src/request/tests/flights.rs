//! Equal requests in flight.

use super::*;

#[test]
fn whoever_waits_behind_a_spent_budget_goes_on() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    crate::budget::Budget::new("thrifty", 2).charge(&fixture.map, "core", fixture.now);
    crate::budget::Budget::new("thrifty", 2).charge(&fixture.map, "core", fixture.now);
    let leader = fixture.raw(&[
        (":method", "GET"),
        (":path", "/user"),
        ("authorization", "token token-thrifty"),
    ]);
    let follower = fixture.get();
    let leader = fixture.cluster(leader, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    let leader = fixture.cluster(leader, Operation::Get, 404, b"");
    assert_eq!(leader.reply().unwrap().status, 403);
    assert_eq!(leader.wakes(), [(2, Wake::Lead)]);
    let follower = fixture.step(follower.phase, Event::Woken(Wake::Lead));
    assert_eq!(follower.asked(), ["lock"]);
}

#[test]
fn equal_requests_wait_for_one_answer() {
    let mut fixture = Fixture::new("");
    let leader = fixture.get();
    let follower = fixture.get();
    assert!(follower.edits().is_none() && follower.reply().is_none());
    let leader = fixture.answer_200(leader, "one");
    let answer = Answer {
        status: 200,
        warm: false,
        followers_only: false,
    };
    assert_eq!(leader.wakes(), [(2, Wake::Answered(answer))]);
    let follower = fixture.step(follower.phase, Event::Woken(Wake::Answered(answer)));
    assert_eq!(follower.reply().unwrap().body.bytes(), b"one");
    assert_eq!(
        follower.cache_status(),
        "github-proxy; fwd=miss; collapsed; detail=coalesced"
    );
}

/// Its client does not read, or GitHub stands still: the others need not wait for that.
#[test]
fn a_body_that_stands_still_hands_the_flight_on() {
    let mut fixture = Fixture::new("");
    let leader = fixture.get();
    let follower = fixture.get();
    let leader = fixture.answer(leader, "200", &[("etag", "\"a\"")], false);
    let chunk = b"one".to_vec();
    let leader = fixture.step(leader.phase, Event::Body { chunk, end: false });
    assert_eq!(leader.phase.wants_ticks(), Some(false));
    fixture.now += 4_999;
    let leader = fixture.step(leader.phase, Event::Tick);
    assert_eq!(leader.wakes(), []);
    fixture.now += 1;
    let leader = fixture.step(leader.phase, Event::Tick);
    assert_eq!(leader.wakes(), [(2, Wake::Lead)]);
    assert_eq!(leader.phase.wants_ticks(), None);
    let follower = fixture.step(follower.phase, Event::Woken(Wake::Lead));
    assert!(follower.edits().is_some(), "it asks for itself");
    let chunk = b"two".to_vec();
    let leader = fixture.step(leader.phase, Event::Body { chunk, end: true });
    assert_eq!(leader.wakes(), [], "the flight is another's");
}

#[test]
fn who_comes_after_the_question_does_not_share_its_answer() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    let leader = fixture.get();
    let late = fixture.get();
    let leader = fixture.answer(leader, "304", &[], true);
    assert_eq!(leader.wakes(), [(3, Wake::Lead)]);
    let late = fixture.step(late.phase, Event::Woken(Wake::Lead));
    assert!(
        late.forwarded("if-none-match").is_some(),
        "it asks for itself, for free"
    );
}

#[test]
fn a_missing_resource_is_shared_with_followers_and_not_stored() {
    let mut fixture = Fixture::new("");
    let leader = fixture.get();
    let follower = fixture.get();
    let leader = fixture.answer(leader, "404", &[], false);
    let leader = fixture.step(
        leader.phase,
        Event::Body {
            chunk: b"{}".to_vec(),
            end: true,
        },
    );
    let wake = leader.wakes()[0].1;
    let follower = fixture.step(follower.phase, Event::Woken(wake));
    assert_eq!(follower.reply().unwrap().status, 404);
    assert!(fixture.get().forwarded("if-none-match").is_none());
}

#[test]
fn followers_do_not_fail_with_their_leader() {
    let mut fixture = Fixture::new("");
    let leader = fixture.get();
    let follower = fixture.get();
    let leader = fixture.answer(leader, "500", &[], false);
    assert_eq!(leader.wakes(), [(2, Wake::Alone)]);
    let follower = fixture.step(follower.phase, Event::Woken(Wake::Alone));
    assert!(follower.edits().is_some());
    // A leader that hangs up half-way through hands its place on.
    let leader = fixture.request("GET", "/b", &[]);
    let follower = fixture.request("GET", "/b", &[]);
    let leader = fixture.step(leader.phase, Event::Gone);
    assert_eq!(leader.wakes(), [(4, Wake::Lead)]);
    let follower = fixture.step(follower.phase, Event::Woken(Wake::Lead));
    assert!(follower.edits().is_some());
}
