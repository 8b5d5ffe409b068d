//! What is kept, confirmed, replaced and served.

use super::*;

#[test]
fn a_miss_is_kept_and_confirmed_for_another_credential_at_no_cost() {
    let mut fixture = Fixture::new("");
    let flow = fixture.get();
    assert_eq!(flow.forwarded("authorization").unwrap(), A);
    assert_eq!(flow.forwarded("if-none-match"), None);
    assert_eq!(flow.forwarded("user-agent").unwrap(), b"c-url/8");
    let flow = fixture.answer_200(flow, "one");
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=miss; stored"
    );
    assert!(flow.recorded("github_proxy_etag_prediction.result=match;"));

    // A has nothing left, so B asks, with the tag that B would have got.
    fixture.exhaust([0, 5]);
    let flow = fixture.get();
    let expected = format!("W/\"{}\"", etag::predict(None, b"Bearer secret-b", b"one"));
    assert_eq!(
        flow.forwarded("if-none-match").unwrap(),
        expected.as_bytes()
    );
    let flow = fixture.answer(flow, "304", &[("etag", &expected), ("date", "now")], true);
    assert_eq!(flow.cache_status(), "github-proxy; hit; detail=revalidated");
    let reply = flow.reply().unwrap();
    assert_eq!((reply.status, reply.body.bytes()), (200, &b"one"[..]));
    assert_eq!(reply.headers.text("date"), Some("now"));
    assert!(flow.recorded("github_proxy_etag_prediction.result=confirmed;"));
}

#[test]
fn a_change_replaces_the_entry() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    let flow = fixture.get();
    let flow = fixture.answer_200(flow, "two");
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=stale; fwd-status=200; stored"
    );
    let flow = fixture.get();
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().body.bytes(), b"two");
}

/// One credential sees what another does not: once that is seen, the same one asks.
#[test]
fn what_depends_on_the_credential_is_paid_for_a_few_times_only() {
    for (path, most) in [("/user/repos", 1), ("/repos/o/r/collaborators", 4)] {
        let mut fixture = Fixture::new("");
        let mut paid = 0;
        for _ in 0..20 {
            let flow = fixture.request("GET", path, &[]);
            let asks = flow.forwarded("authorization").unwrap();
            let body = if asks == A { "mine" } else { "theirs" };
            let tag = etag::predict(None, &asks, body.as_bytes());
            let known = flow.forwarded("if-none-match").unwrap_or_default();
            let flow = if String::from_utf8_lossy(&known).contains(&tag) {
                fixture.answer(flow, "304", &[], true)
            } else {
                paid += 1;
                fixture.answer_200(flow, body)
            };
            fixture.step(flow.phase, Event::Gone);
        }
        assert!((1..=most).contains(&paid), "{path}: {paid}");
    }
}

#[test]
fn the_clients_own_preconditions_are_judged_on_the_confirmed_entry() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    let of = |authorization: &[u8]| format!("\"{}\"", etag::predict(None, authorization, b"one"));
    // The tag of either credential will do, whichever fetched the entry.
    for (tag, status) in [
        (of(A), 304),
        (of(b"Bearer secret-b"), 304),
        (of(b"x"), 200),
        ("*".into(), 304),
    ] {
        let flow = fixture.request("GET", "/user", &[("if-none-match", &tag)]);
        let sent = String::from_utf8(flow.forwarded("if-none-match").unwrap()).unwrap();
        let ours = [of(A), of(b"Bearer secret-b")];
        assert!(
            ours.iter().any(|it| sent == format!("W/{it}")),
            "ours goes up, not the client's"
        );
        let flow = fixture.answer(flow, "304", &[], true);
        assert_eq!(flow.reply().unwrap().status, status, "{tag}");
    }
}

#[test]
fn a_cold_304_is_the_clients_own_and_is_not_stored() {
    let mut fixture = Fixture::new("");
    let flow = fixture.request("GET", "/user", &[("if-none-match", "\"mine\"")]);
    assert_eq!(flow.forwarded("if-none-match"), None, "left as it came");
    let flow = fixture.answer(flow, "304", &[("etag", "\"mine\"")], true);
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=miss"
    );
    assert!(
        fixture.get().forwarded("if-none-match").is_none(),
        "nothing stored"
    );
}

#[test]
fn head_is_served_from_a_get_and_never_stored_as_one() {
    let mut fixture = Fixture::new("");
    let flow = fixture.request("HEAD", "/user", &[]);
    let fields = [
        ("etag", "\"x\""),
        ("content-encoding", "gzip"),
        ("x-oauth-scopes", "repo"),
    ];
    let flow = fixture.answer(flow, "200", &fields, true);
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=miss"
    );
    assert!(flow.withheld("content-encoding") && flow.withheld("x-oauth-scopes"));
    fixture.warm("one");
    let flow = fixture.request("HEAD", "/user", &[]);
    assert!(flow.forwarded("if-none-match").is_some());
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().status, 200);
}

#[test]
fn where_tags_are_not_predictable_the_fetching_credential_asks() {
    let mut fixture = Fixture::new("");
    let flow = fixture.get();
    let mut flow = fixture.answer(
        flow,
        "200",
        &[("etag", "\"odd\""), ("last-modified", "then")],
        false,
    );
    let phase = std::mem::take(&mut flow.phase);
    let flow = fixture.step(
        phase,
        Event::Body {
            chunk: b"one".to_vec(),
            end: true,
        },
    );
    assert!(flow.recorded("github_proxy_etag_prediction.result=mismatch;"));
    fixture.exhaust([1, 9]);
    let flow = fixture.get();
    assert_eq!(
        flow.forwarded("authorization").unwrap(),
        A,
        "though B has more left"
    );
    assert_eq!(flow.forwarded("if-none-match").unwrap(), b"\"odd\"");
    fixture.step(flow.phase, Event::Gone);
    fixture.exhaust([0, 9]);
    let flow = fixture.get();
    assert_eq!(flow.forwarded("if-none-match"), None);
    assert_eq!(flow.forwarded("if-modified-since").unwrap(), b"then");
}

#[test]
fn an_error_never_replaces_a_good_entry_and_a_stale_answer_stands_in() {
    let mut fixture = Fixture::new("\"stale_if_error_seconds\":60");
    fixture.warm("one");
    fixture.now += 50_000;
    let flow = fixture.get();
    let flow = fixture.answer(flow, "502", &[], false);
    assert_eq!(
        flow.cache_status(),
        "github-proxy; hit; detail=stale-if-error"
    );
    assert_eq!(flow.reply().unwrap().headers.text("age"), Some("50"));
    fixture.now += 11_000;
    let flow = fixture.get();
    let flow = fixture.answer(flow, "502", &[], false);
    assert!(flow.reply().is_none(), "too old: the error goes through");
    let flow = fixture.get();
    assert!(
        flow.forwarded("if-none-match").is_some(),
        "the entry is still there"
    );
}

#[test]
fn an_unreachable_upstream_is_a_502_in_githubs_shape() {
    let mut fixture = Fixture::new("");
    let flow = fixture.get();
    let event = Event::Response {
        headers: headers(&[(":status", "503")]),
        local: true,
        end: false,
    };
    let flow = fixture.step(flow.phase, event);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.status, 502);
    assert!(serde_json::from_slice::<serde_json::Value>(reply.body.bytes()).is_ok());
}

#[test]
fn what_envoy_refuses_of_a_request_is_not_githubs_fault() {
    let mut fixture = Fixture::new("");
    let flow = fixture.request("POST", "/user", &[]);
    let event = Event::Response {
        headers: headers(&[(":status", "400")]),
        local: true,
        end: false,
    };
    let flow = fixture.step(flow.phase, event);
    assert!(flow.reply().is_none(), "Envoy's answer goes on");
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=method"
    );
}

#[test]
fn a_body_that_is_cut_or_too_large_is_not_stored() {
    let mut fixture = Fixture::new("\"max_entry_bytes\":1024");
    let flow = fixture.get();
    let flow = fixture.answer(flow, "200", &[("etag", "\"x\"")], false);
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: vec![0; 100],
            end: false,
        },
    );
    fixture.step(flow.phase, Event::Gone);
    let flow = fixture.get();
    assert_eq!(flow.forwarded("if-none-match"), None);
    let flow = fixture.answer(flow, "200", &[("etag", "\"x\"")], false);
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: vec![0; 1025],
            end: false,
        },
    );
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: vec![0; 1],
            end: true,
        },
    );
    fixture.step(flow.phase, Event::Gone);
    let flow = fixture.get();
    assert_eq!(flow.forwarded("if-none-match"), None);
    let flow = fixture.answer(
        flow,
        "200",
        &[("etag", "\"x\""), ("content-length", "1025")],
        false,
    );
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=miss"
    );
}
