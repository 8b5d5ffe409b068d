//! What `serve_fresh` allows, and what ends it: age, what the client or GitHub wants, and writes.

use super::*;

#[test]
fn fresh_entries_are_served_unasked_only_where_configured() {
    let mut fixture = Fixture::new("\"serve_fresh_seconds\":5");
    fixture.warm("one");
    fixture.now += 4_000;
    let flow = fixture.get();
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    assert_eq!(flow.reply().unwrap().headers.text("age"), Some("4"));
    fixture.now += 1_000;
    assert!(fixture.get().forwarded("if-none-match").is_some());
}

#[test]
fn what_a_request_or_a_response_wants_goes_before_it() {
    let mut fixture = Fixture::new("\"serve_fresh_seconds\":60");
    fixture.warm("one");
    fixture.now += 4_000;
    for (directives, is_asked) in [
        ("no-cache", true),
        ("max-age=0", true),
        ("max-age=5", false),
        ("max-age=4", true),
        ("only-if-cached", false),
    ] {
        let flow = fixture.request("GET", "/user", &[("cache-control", directives)]);
        assert_eq!(flow.edits().is_some(), is_asked, "{directives}");
        fixture.step(flow.phase, Event::Gone);
    }
    let flow = fixture.request("GET", "/zen", &[]);
    let fields = [("etag", "\"x\""), ("cache-control", "no-cache")];
    let flow = fixture.answer(flow, "200", &fields, true);
    fixture.step(flow.phase, Event::Gone);
    assert!(fixture
        .request("GET", "/zen", &[])
        .forwarded("if-none-match")
        .is_some());
}

/// RFC 9111 §4.4, and more for the client that wrote: a list changes with what is on it.
#[test]
fn a_write_ends_it_for_its_path_and_for_its_client() {
    let cached = ("authorization", "token token-cached");
    let thrifty = [
        (":method", "GET"),
        (":path", "/user"),
        ("authorization", "token token-thrifty"),
    ];
    for (path, status, others_ask) in [
        ("/USER?x=1", "200", true),
        ("/user/keys", "201", false),
        ("/user", "422", false),
    ] {
        let mut fixture = Fixture::new("\"serve_fresh_seconds\":60");
        fixture.warm("one");
        fixture.now += 1;
        assert_eq!(fixture.get().cache_status(), "github-proxy; hit");
        let fields = [(":method", "PATCH"), (":path", path), cached];
        let flow = fixture.raw(&fields);
        let flow = fixture.answer(flow, status, &[], true);
        fixture.step(flow.phase, Event::Gone);
        fixture.now += 1;
        for (fields, is_asked) in [
            ([(":method", "GET"), (":path", "/user"), cached], true),
            (thrifty, others_ask),
        ] {
            let flow = fixture.raw(&fields);
            assert_eq!(flow.edits().is_some(), is_asked, "{path} {fields:?}");
            fixture.step(flow.phase, Event::Gone);
        }
    }
}

/// What was asked before a write was over may not hold what was written.
#[test]
fn an_answer_is_as_old_as_its_question() {
    let mut fixture = Fixture::new("\"serve_fresh_seconds\":60");
    let read = fixture.get();
    let write = fixture.request("PATCH", "/user", &[]);
    fixture.now += 1_000;
    let write = fixture.answer(write, "200", &[], true);
    fixture.step(write.phase, Event::Gone);
    fixture.now += 1_000;
    let read = fixture.answer_200(read, "before");
    fixture.step(read.phase, Event::Gone);
    let again = fixture.get();
    let again = fixture.answer_200(again, "after");
    fixture.step(again.phase, Event::Gone);
    let flow = fixture.get();
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    assert_eq!(flow.reply().unwrap().body.bytes(), b"after");
}

#[test]
fn what_was_changed_does_not_stand_in_for_what_it_became() {
    let mut fixture = Fixture::new("\"stale_if_error_seconds\":600");
    fixture.warm("before");
    let flow = fixture.get();
    let flow = fixture.answer(flow, "503", &[], true);
    assert_eq!(
        flow.cache_status(),
        "github-proxy; hit; detail=stale-if-error"
    );
    fixture.now += 1;
    let flow = fixture.request("PATCH", "/user", &[]);
    let flow = fixture.answer(flow, "200", &[], true);
    fixture.step(flow.phase, Event::Gone);
    fixture.now += 1;
    let flow = fixture.get();
    let flow = fixture.answer(flow, "503", &[], true);
    assert!(flow.reply().is_none(), "GitHub's error goes to the client");
}
