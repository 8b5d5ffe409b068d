//! GraphQL: who may send which document, and what that costs.

use super::*;
use crate::request::errand::LONGEST_HELD;

pub(super) const QUERY: &str = r#"{"query":"{ viewer { login } }"}"#;
pub(super) const MUTATION: &str = r#"{"query":"mutation { a }"}"#;
pub(super) const ANSWER: &str = r#"{"data":{"viewer":{"login":"a"}}}"#;

impl Fixture {
    /// The header section of a `POST /graphql` with a body of unknown length.
    pub(super) fn post_headers(&mut self, client: &str, more: &[(&str, &str)]) -> Flow {
        let token = format!("bearer token-{client}");
        let mut fields = vec![
            (":method", "POST"),
            (":path", "/graphql"),
            ("authorization", token.as_str()),
        ];
        fields.extend(more);
        let me = Waiter {
            queue: 0,
            context: self.next,
        };
        self.next += 1;
        let headers = headers(&fields);
        let end = false;
        self.step(Phase::Arrived, Event::Request { headers, me, end })
    }

    pub(super) fn request_body(&mut self, flow: Flow, body: &[u8], end: bool) -> Flow {
        let chunk = body.to_vec();
        let earlier = flow.effects;
        let mut flow = self.step(flow.phase, Event::RequestBody { chunk, end });
        flow.effects.splice(0..0, earlier);
        flow
    }

    pub(super) fn post(&mut self, client: &str, more: &[(&str, &str)], body: &str) -> Flow {
        let flow = self.post_headers(client, more);
        self.request_body(flow, body.as_bytes(), true)
    }

    /// A query that may be answered within 60 seconds.
    pub(super) fn ask(&mut self, client: &str) -> Flow {
        self.post(client, &[("cache-control", "max-age=60")], QUERY)
    }

    /// GitHub's answer: the header section, then the body.
    pub(super) fn answer_body(&mut self, flow: Flow, body: &str) -> Flow {
        let flow = self.answer(flow, "200", &[], false);
        let earlier = flow.effects;
        let chunk = body.as_bytes().to_vec();
        let mut flow = self.step(flow.phase, Event::Body { chunk, end: true });
        flow.effects.splice(0..0, earlier);
        flow
    }

    /// Whether GitHub is asked; then the client leaves.
    pub(super) fn asks_github(&mut self, flow: Flow) -> bool {
        let asks = flow.edits().is_some();
        self.step(flow.phase, Event::Gone);
        asks
    }

    /// Answers what `ask` would ask, so that it is stored.
    pub(super) fn warm_query(&mut self) {
        let flow = self.ask("all");
        let flow = self.answer_body(flow, ANSWER);
        self.step(flow.phase, Event::Gone);
    }
}

fn is_denied(flow: &Flow, client: &str) -> bool {
    flow.reply().is_some_and(|reply| reply.status == 403)
        && flow.edits().is_none()
        && flow.recorded(&format!(
            "github_proxy_denied.client={client};.reason=scope;"
        ))
}

#[test]
fn a_client_that_may_only_query_waits_for_its_document() {
    let mut fixture = Fixture::new("");
    let flow = fixture.post_headers("asker", &[]);
    assert!(flow.phase.holds_request() && flow.phase.reads_request());
    assert!(!flow.phase.wants_request_body(1_000, false), "not copied");
    assert!(flow.phase.wants_request_body(1_000, true));
    assert!(flow.phase.wants_request_body(LONGEST_HELD + 1, false));
    let flow = fixture.request_body(flow, &QUERY.as_bytes()[..10], false);
    assert!(flow.edits().is_none() && flow.reply().is_none());
    let flow = fixture.request_body(flow, QUERY.as_bytes(), true);
    assert!(!flow.phase.holds_request());
    assert_eq!(flow.forwarded("content-type").unwrap(), b"application/json");
    let flow = fixture.answer_body(flow, ANSWER);
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=method"
    );
}

#[test]
fn a_client_that_may_only_query_gets_nothing_else_through() {
    let mut fixture = Fixture::new("");
    for body in [
        MUTATION,
        "",
        "{",
        r#"{"query":"{a}","query":"mutation{b}"}"#,
    ] {
        let flow = fixture.post("asker", &[], body);
        assert!(is_denied(&flow, "asker"), "{body}");
    }
    for fields in [
        [("content-encoding", "gzip")],
        [("content-length", "786433")],
        [(":path", "/graphql?query=mutation%7Ba%7D")],
    ] {
        let mut all = vec![("authorization", "bearer token-asker"), (":method", "POST")];
        all.extend(fields);
        all.push((":path", "/graphql"));
        let flow = fixture.raw(&all);
        assert!(is_denied(&flow, "asker"), "{fields:?}");
    }
    let flow = fixture.post_headers("asker", &[("content-encoding", "identity")]);
    let flow = fixture.request_body(flow, &vec![b' '; LONGEST_HELD + 1], false);
    assert!(
        is_denied(&flow, "asker"),
        "too long, and not at its end yet"
    );
    // No body at all.
    let fields = [
        (":method", "POST"),
        (":path", "/graphql"),
        ("authorization", "bearer token-asker"),
    ];
    assert!(is_denied(&fixture.raw(&fields), "asker"));
    for method in ["GET", "PUT", "post"] {
        let fields = [
            (":method", method),
            (":path", "/graphql"),
            ("authorization", "bearer token-asker"),
        ];
        assert!(is_denied(&fixture.raw(&fields), "asker"), "{method}");
    }
}

#[test]
fn where_bodies_cannot_be_seen_the_operator_is_told() {
    let mut fixture = Fixture::new("");
    fixture.proxy.config.pool.inspect_bodies = false;
    fixture.now += 10_000;
    let warned = |flow: &Flow| {
        let warns = |effect: &Effect| matches!(effect, Effect::Warn(line) if line.contains("inspect_bodies"));
        flow.effects.iter().any(warns)
    };
    let flow = fixture.post_headers("asker", &[]);
    assert!(is_denied(&flow, "asker") && warned(&flow));
    let flow = fixture.post_headers("asker", &[]);
    assert!(is_denied(&flow, "asker") && !warned(&flow), "not each time");
    fixture.now += 10_000;
    let flow = fixture.post_headers("all", &[("cache-control", "max-age=60")]);
    assert!(
        flow.edits().is_some() && warned(&flow),
        "it goes on, uncached"
    );
}

#[test]
fn others_documents_are_not_held_back() {
    let mut fixture = Fixture::new("");
    let flow = fixture.post_headers("all", &[("content-type", "text/plain")]);
    assert!(!flow.phase.holds_request());
    assert!(flow
        .edits()
        .unwrap()
        .iter()
        .all(|(name, _)| name != "content-type"));
    let flow = fixture.request_body(flow, QUERY.as_bytes(), true);
    let flow = fixture.answer_body(flow, ANSWER);
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=method"
    );
    // Read for the cache's sake, and found to be something else, or to be too long: it goes on.
    for body in [MUTATION, "{", ""] {
        let flow = fixture.post("all", &[("cache-control", "max-age=60")], body);
        assert!(flow
            .edits()
            .unwrap()
            .iter()
            .all(|(name, _)| name != "content-type"));
        let flow = fixture.answer_body(flow, ANSWER);
        assert_eq!(
            flow.passed("cache-status").unwrap(),
            "github-proxy; fwd=method"
        );
    }
    let flow = fixture.post_headers("all", &[("cache-control", "max-age=60")]);
    let flow = fixture.request_body(flow, &vec![b' '; 300_000], false);
    assert!(flow.edits().is_some() && !flow.phase.holds_request());
}

#[test]
fn a_held_document_goes_out_again_on_another_credential() {
    let mut fixture = Fixture::new("");
    let flow = fixture.post("asker", &[], QUERY);
    let first = flow.forwarded("authorization").unwrap();
    let flow = fixture.answer(flow, "200", &[("x-ratelimit-remaining", "0")], false);
    let chunk = br#"{"errors":[{"type":"RATE_LIMITED"}]}"#.to_vec();
    let flow = fixture.step(flow.phase, Event::Body { chunk, end: true });
    let resent = flow.effects.iter().find_map(|effect| match effect {
        Effect::Resend { headers, body, .. } => Some((headers, body)),
        _ => None,
    });
    let (headers, body) = resent.expect("sent again");
    assert_eq!(body, QUERY.as_bytes());
    assert_ne!(headers.get("authorization").unwrap(), first);
    assert_eq!(headers.text("content-type"), Some("application/json"));
}

#[test]
fn queries_cost_one_point_and_mutations_five() {
    let mut fixture = Fixture::new("");
    fixture.proxy.pool = Pool::new(
        &fixture.proxy.config.credentials[..1],
        Pace {
            points_per_minute: 1,
            graphql_points_per_minute: 7,
            concurrency: 0,
        },
    );
    for (client, body, goes) in [
        ("asker", QUERY, true),
        ("asker", QUERY, true),
        ("all", MUTATION, true),
        ("asker", QUERY, false),
    ] {
        let flow = fixture.post(client, &[], body);
        assert_eq!(flow.edits().is_some(), goes, "{client} {body}");
    }
}
