//! Credentials that run out, are refused, or belong to a budget.

use super::*;

#[test]
fn an_empty_pool_says_when_it_resets() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    fixture.exhaust([0, 0]);
    let flow = fixture.get();
    assert_eq!(
        flow.cache_status(),
        "github-proxy; hit; detail=stale-if-error"
    );
    let flow = fixture.request("GET", "/other", &[]);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.status, 403);
    assert_eq!(reply.headers.text("x-ratelimit-reset"), Some("2000"));
    assert_eq!(reply.headers.text("x-ratelimit-remaining"), Some("0"));
    assert_eq!(reply.headers.text("retry-after"), Some("1000"));
    assert!(flow.recorded("github_proxy_denied.client=all;.reason=pool_exhausted;"));
    fixture.now = 2_000_000;
    assert!(
        fixture.request("GET", "/other", &[]).edits().is_some(),
        "after the reset"
    );
}

/// GitHub names the limit of a path that nobody knew to have one of its own.
#[test]
fn the_limit_that_github_names_is_the_one_that_counts() {
    let mut fixture = Fixture::new("");
    let spent = [
        ("x-ratelimit-limit", "1750"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "2000"),
        ("x-ratelimit-resource", "audit_log"),
    ];
    let flow = fixture.request("GET", "/orgs/acme/audit-log", &[]);
    let flow = fixture.answer(flow, "403", &spent, true);
    let flow = resent(&mut fixture, flow, "403", &spent, "");
    let later = fixture.request("GET", "/orgs/acme/audit-log?page=2", &[]);
    assert!(later.edits().is_none(), "it is not run into again");
    for flow in [flow, later] {
        let reply = flow.reply().unwrap();
        assert_eq!(reply.status, 403);
        let field = |name| reply.headers.text(name).unwrap_or_default();
        assert_eq!(field("x-ratelimit-resource"), "audit_log");
        assert_eq!(field("x-ratelimit-limit"), "3500");
        assert_eq!(field("x-ratelimit-reset"), "2000");
        assert_eq!(field("retry-after"), "1000");
    }
    let flow = fixture.request("GET", "/orgs/acme", &[]);
    assert!(flow.edits().is_some(), "that has another limit");
}

/// An answer on another credential.
fn resent(
    fixture: &mut Fixture,
    flow: Flow,
    status: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Flow {
    let mut fields = vec![(":status", status)];
    fields.extend(more);
    let answer = (headers(&fields), body.as_bytes().to_vec());
    fixture.step(flow.phase, Event::Resent(Some(answer)))
}

#[test]
fn a_refused_credential_hands_over_unnoticed() {
    let spent = [
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "2000"),
    ];
    let later = [("retry-after", "30")];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 4] = [
        (
            "403",
            &spent,
            r#"{"message":"API rate limit exceeded for user ID 1."}"#,
            "rate_limit",
        ),
        ("429", &later, "", "secondary_limit"),
        (
            "403",
            &[],
            r#"{"message":"You have exceeded a secondary rate limit"}"#,
            "secondary_limit",
        ),
        (
            "401",
            &[],
            r#"{"message":"Bad credentials"}"#,
            "bad_credential",
        ),
    ];
    for (status, fields, body, reason) in cases {
        let mut fixture = Fixture::new("");
        let flow = fixture.get();
        let first = flow.forwarded("authorization").unwrap();
        let mut flow = fixture.answer(flow, status, fields, false);
        if !body.is_empty() {
            assert!(
                flow.phase.holds_response(),
                "{reason}: nothing reaches the client yet"
            );
            flow = fixture.step(
                flow.phase,
                Event::Body {
                    chunk: body.into(),
                    end: true,
                },
            );
        }
        assert!(
            flow.recorded(&format!("github_proxy_failovers.reason={reason};")),
            "{reason}"
        );
        let cost = |cost: &str| {
            flow.effects.iter().any(|effect| match effect {
                Effect::Record(metric) => {
                    metric.name.contains("upstream_requests")
                        && metric.name.contains(&format!("cost=.={cost};"))
                }
                _ => false,
            })
        };
        assert!(
            cost("free") && !cost("counted"),
            "{reason}: GitHub did not act"
        );
        let second = flow.resent("authorization").unwrap();
        assert_ne!(first, second);
        let tag = format!("\"{}\"", etag::predict(None, &second, b"one"));
        let flow = resent(&mut fixture, flow, "200", &[("etag", &tag)], "one");
        let reply = flow.reply().unwrap();
        assert_eq!((reply.status, reply.body.bytes()), (200, &b"one"[..]));
        assert_eq!(flow.cache_status(), "github-proxy; fwd=miss; stored");
        // Nobody else runs into the same wall, and the answer is in the cache.
        for _ in 0..5 {
            let flow = fixture.get();
            assert_eq!(flow.forwarded("authorization").unwrap(), second, "{reason}");
            assert!(flow.forwarded("if-none-match").is_some());
            fixture.step(flow.phase, Event::Gone);
        }
    }
}

#[test]
fn an_ordinary_403_or_401_is_the_clients() {
    for (status, body) in [
        (
            "403",
            r#"{"message":"Resource not accessible by integration"}"#,
        ),
        (
            "401",
            r#"{"message":"A JSON web token could not be decoded"}"#,
        ),
    ] {
        let mut fixture = Fixture::new("");
        let flow = fixture.get();
        let flow = fixture.answer(flow, status, &[], false);
        let flow = fixture.step(
            flow.phase,
            Event::Body {
                chunk: body.into(),
                end: true,
            },
        );
        assert!(flow.passed("cache-status").is_some(), "{status}");
        assert!(fixture
            .proxy
            .pool
            .members()
            .iter()
            .all(|m| m.state(&fixture.map, fixture.now) == 0));
    }
}

#[test]
fn each_credential_is_tried_once_then_the_client_learns_when_to_come_back() {
    let mut fixture = Fixture::new("");
    let flow = fixture.get();
    let flow = fixture.answer(flow, "429", &[("retry-after", "30")], true);
    let flow = resent(&mut fixture, flow, "429", &[("retry-after", "20")], "");
    let reply = flow.reply().unwrap();
    assert_eq!(
        (reply.status, reply.headers.text("retry-after")),
        (429, Some("20"))
    );
    fixture.now += 19_000;
    assert!(fixture.get().edits().is_none(), "never early");
    fixture.now += 1_000;
    assert!(fixture.get().edits().is_some());
}

#[test]
fn a_write_is_repeated_with_its_body() {
    let mut fixture = Fixture::new("");
    let me = Waiter {
        queue: 0,
        context: 99,
    };
    let fields = [
        (":method", "POST"),
        (":path", "/graphql"),
        ("authorization", "token token-all"),
        ("content-length", "4"),
    ];
    let event = Event::Request {
        headers: headers(&fields),
        me,
        end: false,
    };
    let flow = fixture.step(Phase::Arrived, event);
    let flow = fixture.step(
        flow.phase,
        Event::RequestBody {
            chunk: b"bo".to_vec(),
            end: false,
        },
    );
    let flow = fixture.step(
        flow.phase,
        Event::RequestBody {
            chunk: b"dy".to_vec(),
            end: true,
        },
    );
    let flow = fixture.answer(flow, "200", &[], false);
    let chunk = br#"{"errors":[{"type":"RATE_LIMITED"}]}"#.to_vec();
    let flow = fixture.step(flow.phase, Event::Body { chunk, end: true });
    let body = flow.effects.iter().find_map(|effect| match effect {
        Effect::Resend { body, .. } => Some(body.clone()),
        _ => None,
    });
    assert_eq!(body.unwrap(), b"body");
    assert_eq!(flow.resent("content-length"), None, "Envoy frames it anew");
    let flow = resent(&mut fixture, flow, "200", &[], r#"{"data":{}}"#);
    assert_eq!(flow.reply().unwrap().body.bytes(), br#"{"data":{}}"#);
}

/// What another credential gets passes no filter that would decompress it.
#[test]
fn another_credential_is_asked_for_a_part_in_plain() {
    let mut fixture = Fixture::new("");
    let range = ("range", "bytes=0-9");
    for more in [vec![range], vec![range, ("accept-encoding", "gzip")]] {
        let flow = fixture.request("GET", "/x", &more);
        assert!(flow.edits().is_some());
        let flow = fixture.answer(flow, "429", &[("retry-after", "1")], true);
        let sent = flow.resent("accept-encoding").unwrap();
        assert_eq!(sent, b"identity", "{more:?}");
        fixture.now += 60_000;
    }
}

#[test]
fn a_write_that_is_not_all_here_is_not_repeated() {
    let mut fixture = Fixture::new("");
    let me = Waiter {
        queue: 0,
        context: 99,
    };
    let fields = [
        (":method", "POST"),
        (":path", "/x"),
        ("authorization", "token token-all"),
    ];
    let event = Event::Request {
        headers: headers(&fields),
        me,
        end: false,
    };
    let flow = fixture.step(Phase::Arrived, event);
    let flow = fixture.answer(flow, "429", &[("retry-after", "5")], true);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.status, 429, "the client may send it again, at once");
    assert_eq!(reply.headers.text("retry-after"), Some("1"));
}

/// It has no body that would say whether the credential is meant, or its kind.
#[test]
fn a_401_to_a_head_is_tried_on_another_credential() {
    let mut fixture = Fixture::new("");
    let flow = fixture.request("HEAD", "/user", &[]);
    let first = flow.forwarded("authorization").unwrap();
    let flow = fixture.answer(flow, "401", &[], true);
    let second = flow.resent("authorization").unwrap();
    assert_ne!(first, second);
    let good = resent(&mut fixture, flow, "200", &[], "");
    assert_eq!(good.substituted().unwrap().0, 200);
    let flow = fixture.request("HEAD", "/app", &[]);
    let flow = fixture.answer(flow, "401", &[], true);
    let flow = resent(&mut fixture, flow, "401", &[], "");
    let status = flow.substituted().unwrap().0;
    assert_eq!(status, 401, "it is about the endpoint");
    let members = fixture.proxy.pool.members().iter();
    assert!(members
        .into_iter()
        .all(|it| it.state(&fixture.map, fixture.now) == 0));
}

#[test]
fn a_long_upload_does_not_wait_in_envoys_memory() {
    let mut fixture = Fixture::new("");
    fixture.exhaust([1, 1]);
    for _ in 0..2 {
        assert!(fixture.request("POST", "/a", &[]).edits().is_some());
    }
    for (length, status) in [("1000", None), ("786433", Some(429))] {
        let flow = fixture.request("POST", "/a", &[("content-length", length)]);
        assert_eq!(flow.phase.holds_request(), status.is_none(), "{length}");
        assert_eq!(flow.reply().map(|reply| reply.status), status, "{length}");
    }
    // Where nobody says how long it is, that is seen once enough of it is here.
    let me = Waiter {
        queue: 0,
        context: 99,
    };
    let fields = [
        (":method", "POST"),
        (":path", "/a"),
        ("authorization", "token token-all"),
    ];
    let headers = headers(&fields);
    let event = Event::Request {
        headers,
        me,
        end: false,
    };
    let flow = fixture.step(Phase::Arrived, event);
    assert!(!flow.phase.wants_request_body(786_432, false));
    assert!(flow.phase.wants_request_body(786_433, false));
    let chunk = vec![b' '; 786_433];
    let flow = fixture.step(flow.phase, Event::RequestBody { chunk, end: false });
    assert_eq!(flow.reply().unwrap().status, 429);
}

#[test]
fn a_budget_is_spent_by_what_github_counts() {
    let mut fixture = Fixture::new("");
    let ask = |fixture: &mut Fixture, path: &str| {
        fixture.raw(&[
            (":method", "GET"),
            (":path", path),
            ("authorization", "token token-thrifty"),
        ])
    };
    fixture.warm("one");
    for path in ["/a", "/b"] {
        let flow = ask(&mut fixture, path);
        let flow = fixture.answer_200(flow, "x");
        fixture.step(flow.phase, Event::Gone);
    }
    let flow = ask(&mut fixture, "/c");
    let reply = flow.reply().unwrap();
    assert_eq!(
        (reply.status, reply.headers.text("x-ratelimit-limit")),
        (403, Some("2"))
    );
    assert!(flow.recorded("github_proxy_denied.client=thrifty;.reason=budget;"));
    // What is stored is still confirmed and served, and others are not concerned.
    let flow = ask(&mut fixture, "/user");
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(
        flow.reply().unwrap().headers.text("x-ratelimit-remaining"),
        Some("0")
    );
    assert!(fixture.request("GET", "/c", &[]).edits().is_some());
    // Unless it changes again and again.
    let flow = ask(&mut fixture, "/user");
    fixture.answer_200(flow, "two");
    let flow = ask(&mut fixture, "/user");
    assert_eq!(
        flow.cache_status(),
        "github-proxy; hit; detail=stale-if-error"
    );
    fixture.now += 3_600_000;
    assert!(ask(&mut fixture, "/d").edits().is_some());
}

#[test]
fn the_rate_limit_is_the_pools() {
    let mut fixture = Fixture::new("");
    fixture.exhaust([3, 4]);
    let flow = fixture.request("GET", "/rate_limit", &[]);
    let body: serde_json::Value =
        serde_json::from_slice(flow.reply().unwrap().body.bytes()).unwrap();
    assert_eq!(body["resources"]["core"]["remaining"], 7);
    assert_eq!(body["rate"]["limit"], 20);
    assert_eq!(body["resources"]["search"]["limit"], 60);
}

#[test]
fn what_envoy_says_of_a_retry_is_not_githubs_word() {
    for (status, more) in [("503", "text/plain"), ("504", "text/plain")] {
        let mut fixture = Fixture::new("");
        let flow = fixture.get();
        let flow = fixture.answer(flow, "429", &[("retry-after", "30")], true);
        let fields = [("content-type", more)];
        let flow = resent(
            &mut fixture,
            flow,
            status,
            &fields,
            "upstream connect error",
        );
        let reply = flow.reply().unwrap();
        assert_eq!(reply.status, 502);
        assert!(serde_json::from_slice::<serde_json::Value>(reply.body.bytes()).is_ok());
    }
}
