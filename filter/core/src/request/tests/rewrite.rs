//! URLs in answers.

use super::*;

/// The body that the client gets of a response that streams past.
fn streamed(flow: &Flow) -> Vec<u8> {
    let part = |effect: &Effect| match effect {
        Effect::ReplaceBody(body) => Some(body.bytes().to_vec()),
        _ => None,
    };
    flow.effects.iter().filter_map(part).flatten().collect()
}

#[test]
fn urls_lead_to_where_the_client_came_in_while_the_entry_keeps_githubs() {
    let body = r#"{"url":"https://api.github.com/user"}"#;
    let json = [
        ("etag", "\"x\""),
        ("content-type", "application/json"),
        (
            "link",
            "<https://api.github.com/repositories/1/x?page=2>; rel=\"next\"",
        ),
    ];
    let mut fixture = Fixture::new("");
    let came_in = [(":authority", "proxy:80"), (":scheme", "http")];
    let flow = fixture.request("GET", "/api/v3/user", &came_in);
    let flow = fixture.answer(flow, "200", &json, false);
    assert_eq!(
        flow.passed("link").unwrap(),
        "<http://proxy:80/api/v3/user?page=2>; rel=\"next\""
    );
    let (one, two) = body.split_at(20);
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: one.into(),
            end: false,
        },
    );
    let mut got = streamed(&flow);
    let flow = fixture.step(
        flow.phase,
        Event::Body {
            chunk: two.into(),
            end: true,
        },
    );
    got.extend(streamed(&flow));
    assert_eq!(got, br#"{"url":"http://proxy:80/api/v3/user"}"#);
    // The same entry, for a client that came in elsewhere.
    let came_in = [(":authority", "other"), ("x-forwarded-proto", "http")];
    fixture.connection = Peer(None, true);
    let flow = fixture.request("GET", "/user", &came_in);
    let flow = fixture.answer(flow, "304", &[], true);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.body.bytes(), br#"{"url":"https://other/user"}"#);
    assert_eq!(
        reply.headers.text("link"),
        Some("<https://other/user?page=2>; rel=\"next\"")
    );
}
