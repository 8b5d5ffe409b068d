//! Who gets past the guards, and what goes around the cache.

use super::*;

#[test]
fn nobody_gets_past_the_guards() {
    let mut fixture = Fixture::new("");
    type Fields = &'static [(&'static str, &'static str)];
    let cases: [(Fields, u16, &str); 6] = [
        (
            &[(":method", "GET"), (":path", "/user")],
            401,
            ".client=-;.reason=no_token;",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/user"),
                ("authorization", "token nope"),
            ],
            401,
            ".client=-;.reason=bad_token;",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/user"),
                ("authorization", "token token-late"),
            ],
            401,
            ".client=late;.reason=expired_token;",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/user"),
                ("authorization", "Bearer token-reader"),
            ],
            403,
            ".client=reader;.reason=scope;",
        ),
        (
            &[
                (":method", "POST"),
                (":path", "/repos/a"),
                ("authorization", "Bearer token-reader"),
            ],
            403,
            ".client=reader;.reason=scope;",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/a/%252e%252e/b"),
                ("authorization", "token token-all"),
            ],
            400,
            ".client=all;.reason=path;",
        ),
    ];
    for (fields, status, labels) in cases {
        let flow = fixture.raw(fields);
        assert!(flow.edits().is_none(), "{fields:?} reached the upstream");
        assert_eq!(flow.reply().unwrap().status, status, "{fields:?}");
        assert!(
            flow.recorded(&format!("github_proxy_denied{labels}")),
            "{fields:?}"
        );
    }
}

#[test]
fn writes_and_parts_go_around_the_cache_with_the_clients_own_fields() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    for (method, more, status) in [
        ("POST", vec![], "github-proxy; fwd=method"),
        (
            "GET",
            vec![("range", "bytes=0-1")],
            "github-proxy; fwd=bypass",
        ),
        (
            "GET",
            vec![("if-match", "\"x\"")],
            "github-proxy; fwd=bypass",
        ),
    ] {
        let flow = fixture.request(method, "/user", &more);
        assert_eq!(flow.forwarded("user-agent"), None, "kept as it is");
        let flow = fixture.answer(flow, "200", &[], true);
        assert_eq!(flow.passed("cache-status").unwrap(), status);
    }
}

#[test]
fn no_secret_is_in_shared_data_or_in_any_effect_but_the_request() {
    let mut fixture = Fixture::new("");
    fixture.warm("one");
    let dump = String::from_utf8_lossy(&fixture.map.dump()).into_owned();
    for secret in ["secret-a", "secret-b", "token-all"] {
        assert!(!dump.contains(secret));
    }
    let flow = fixture.get();
    let flow = fixture.answer(flow, "304", &[], true);
    assert!(!format!("{:?}{:?}", flow.phase, flow.effects).contains("secret-"));
}

#[test]
fn an_event_out_of_turn_changes_nothing() {
    let mut fixture = Fixture::new("");
    let flow = fixture.get();
    let flow = fixture.step(flow.phase, Event::Woken(Wake::Lead));
    assert!(flow.effects.is_empty());
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: vec![1],
            end: true,
        },
    );
    assert!(matches!(flow.phase, Phase::Forwarded(_)) && flow.effects.is_empty());
    let flow = fixture.step(Phase::Closed(None), Event::Gone);
    assert!(flow.effects.is_empty());
}

/// A browser asks without a token before it sends one, and may read every answer.
#[test]
fn browsers_are_answered_as_github_does() {
    let mut fixture = Fixture::new("");
    let origin = ("origin", "https://app.example");
    let ask = [(":method", "OPTIONS"), (":path", "/user"), origin];
    let flow = fixture.raw(&ask);
    let reply = flow.reply().unwrap();
    assert_eq!((reply.status, reply.body.bytes().len()), (204, 0));
    for name in ["allow-origin", "allow-headers", "allow-methods", "max-age"] {
        let name = format!("access-control-{name}");
        assert!(reply.headers.has(&name), "{name}");
    }
    let flow = fixture.raw(&ask[..2]);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.status, 401, "not a browser's question");
    assert_eq!(reply.headers.text("access-control-allow-origin"), Some("*"));
    assert!(reply.headers.has("access-control-expose-headers"));
    let with_token = fixture.request("OPTIONS", "/user", &[origin]);
    assert!(with_token.edits().is_some(), "goes to GitHub");
}

#[test]
fn a_host_that_is_none_is_refused() {
    let mut fixture = Fixture::new("");
    let flow = fixture.request("GET", "/user", &[(":authority", "a\"b")]);
    assert_eq!(flow.reply().unwrap().status, 400);
}
