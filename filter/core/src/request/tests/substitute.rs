//! A 304 of GitHub's becomes the client's 200 in its place, where Envoy announces a body.

use super::*;

fn filled(flow: &Flow) -> Option<&[u8]> {
    flow.effects.iter().find_map(|effect| match effect {
        Effect::ReplaceBody(body) => Some(body.bytes()),
        _ => None,
    })
}

#[test]
fn a_confirmed_entry_takes_the_place_of_a_304_with_a_body() {
    let mut fixture = Fixture::new("\"in_place_bytes\":7");
    fixture.warm("{\"a\":1}");
    let flow = fixture.get();
    let flow = fixture.answer(flow, "304", &[], false);
    let (status, headers) = flow.substituted().unwrap();
    assert_eq!((status, headers.text("content-length")), (200, Some("7")));
    assert!(flow.reply().is_none() && headers.has("cache-status"));
    assert!(flow.phase.wants_response_body() && !flow.phase.holds_response());
    let end = |end| Event::Body {
        chunk: Vec::new(),
        end,
    };
    // All at once, and nothing after it.
    let flow = fixture.step(flow.phase, end(false));
    assert_eq!(filled(&flow), Some(&b"{\"a\":1}"[..]));
    let flow = fixture.step(flow.phase, end(true));
    assert_eq!(filled(&flow), Some(&b""[..]));
    assert!(matches!(flow.phase, Phase::Closed(Some(_))));
}

/// Envoy would end a response whose body it cannot buffer.
#[test]
fn a_body_over_the_limit_is_a_reply() {
    for cache in ["", "\"in_place_bytes\":6"] {
        let mut fixture = Fixture::new(cache);
        fixture.warm("{\"a\":1}");
        let flow = fixture.get();
        let flow = fixture.answer(flow, "304", &[], false);
        assert_eq!(flow.reply().unwrap().body.bytes(), b"{\"a\":1}");
    }
}

/// What goes to the client without content must have none to send.
#[test]
fn an_answer_without_content_is_a_reply() {
    let mut fixture = Fixture::new("\"in_place_bytes\":100");
    fixture.warm("{\"a\":1}");
    let head = fixture.request("HEAD", "/user", &[]);
    let head = fixture.answer(head, "304", &[], false);
    assert_eq!(head.reply().unwrap().status, 200);
    let known = fixture.request("GET", "/user", &[("if-none-match", "*")]);
    let known = fixture.answer(known, "304", &[], false);
    assert_eq!(known.reply().unwrap().status, 304);
    // A 304 for the client's own precondition, of which nothing is stored, and around the cache.
    for more in [("if-none-match", "*"), ("cache-control", "no-store")] {
        let flow = fixture.request("GET", "/other", &[more, ("if-none-match", "*")]);
        let flow = fixture.answer(flow, "304", &[("etag", "\"x\"")], false);
        let reply = flow.reply().unwrap();
        assert_eq!((reply.status, reply.body.bytes().len()), (304, 0));
        assert_eq!(reply.headers.text("etag"), Some("\"x\""));
    }
}

/// Envoy would take the type off a reply without content.
#[test]
fn an_empty_body_goes_in_place_wherever_it_can() {
    for announced in [true, false] {
        for method in ["GET", "HEAD"] {
            let mut fixture = Fixture::new("");
            fixture.warm("");
            let flow = fixture.request(method, "/user", &[]);
            let flow = fixture.answer(flow, "304", &[], !announced);
            let (status, headers) = flow.substituted().unwrap();
            assert_eq!((status, headers.text("content-length")), (200, Some("0")));
            assert_eq!(headers.text("content-type"), Some("application/json"));
            assert!(matches!(flow.phase, Phase::Closed(Some(_))));
        }
    }
}

/// Before a request has gone out there is nothing to take the place of.
#[test]
fn a_reply_without_content_says_what_envoy_takes_off() {
    let mut fixture = Fixture::new("\"serve_fresh_seconds\":60");
    fixture.warm("");
    let lost = |flow: &Flow| {
        let mut fields = Headers::default();
        fields.apply(flow.reply().unwrap().lost());
        fields
    };
    let flow = fixture.get();
    assert_eq!(flow.cache_status(), "github-proxy; hit");
    let kind = ("content-type", "application/json");
    assert_eq!(lost(&flow), headers(&[kind, ("content-length", "0")]));
    let flow = fixture.request("GET", "/user", &[("if-none-match", "*")]);
    assert_eq!(flow.reply().unwrap().status, 304);
    assert_eq!(lost(&flow), Headers::default());
    let flow = fixture.raw(&[(":method", "GET"), (":path", "/user")]);
    assert_eq!(lost(&flow), Headers::default(), "it has content");
}
