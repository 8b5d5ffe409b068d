//! Scripts of events and the effects they must have, over a stand-in for GitHub that keeps
//! its own rules (ETags by credential, 304s that are free).

use super::*;
use crate::cache::cluster::Operation;
use crate::etag;
use crate::flight::Answer;
use crate::shared::testing::Map;

const A: &[u8] = b"Bearer secret-a";

/// One Envoy with some workers' worth of requests.
struct Fixture {
    proxy: Proxy,
    map: Map,
    worker: Worker,
    now: u64,
    next: u32,
}

/// A request under way.
struct Flow {
    phase: Phase,
    effects: Vec<Effect>,
}

impl Fixture {
    fn new(cache: &str) -> Self {
        let json = format!(
            r#"{{"upstream":{{"authority":"api.github.com"}},"cache":{{{cache}}},
            "pool":{{"inspect_bodies":true}},"clients":[
                {{"name":"all","token":"token-all"}},
                {{"name":"reader","token":"token-reader","scopes":[{{"method":"GET","path":"/repos/.*"}}]}},
                {{"name":"thrifty","token":"token-thrifty","budget":2}},
                {{"name":"late","tokens":[{{"token":"token-late","expires":1}}]}}],
            "credentials":[{{"name":"A","pat_env":"GITHUB_PAT_A"}},{{"name":"B","pat_env":"GITHUB_PAT_B"}}]}}"#
        );
        let secrets = |name: &str| Some(name.to_lowercase().replace("github_pat_", "secret-"));
        let config = Config::from_json(json.as_bytes(), secrets).unwrap();
        let map = Map::default();
        crate::flight::prepare(&map);
        Self {
            proxy: Proxy::new(config),
            map,
            worker: Worker::default(),
            now: 1_000_000,
            next: 1,
        }
    }

    fn step(&mut self, phase: Phase, event: Event) -> Flow {
        let mut world = World {
            proxy: &self.proxy,
            shared: &self.map,
            worker: &mut self.worker,
            now: self.now,
        };
        let (phase, effects) = step(phase, event, &mut world);
        Flow { phase, effects }
    }

    fn request(&mut self, method: &str, path: &str, more: &[(&str, &str)]) -> Flow {
        let mut fields = vec![
            (":method", method),
            (":path", path),
            ("authorization", "token token-all"),
            ("user-agent", "curl/8"),
        ];
        fields.extend(more);
        self.raw(&fields)
    }

    fn raw(&mut self, fields: &[(&str, &str)]) -> Flow {
        let me = Waiter {
            queue: 0,
            context: self.next,
        };
        self.next += 1;
        let headers = headers(fields);
        self.step(
            Phase::Arrived,
            Event::Request {
                headers,
                me,
                end: true,
            },
        )
    }

    fn get(&mut self) -> Flow {
        self.request("GET", "/user", &[])
    }

    /// GitHub's answer to a flow that was forwarded.
    fn answer(&mut self, flow: Flow, status: &str, more: &[(&str, &str)], end: bool) -> Flow {
        let mut fields = vec![(":status", status), ("content-type", "application/json")];
        fields.extend(more);
        let headers = headers(&fields);
        self.step(
            flow.phase,
            Event::Response {
                headers,
                local: false,
                end,
            },
        )
    }

    /// A complete 200 with GitHub's own ETag for the credential that the flow used.
    fn answer_200(&mut self, flow: Flow, body: &str) -> Flow {
        let authorization = flow.forwarded("authorization").unwrap();
        let tag = format!(
            "W/\"{}\"",
            etag::predict(None, &authorization, body.as_bytes())
        );
        let mut flow = self.answer(flow, "200", &[("etag", &tag)], false);
        let earlier = std::mem::take(&mut flow.effects);
        let chunk = body.as_bytes().to_vec();
        let mut flow = self.step(flow.phase, Event::Body { chunk, end: true });
        flow.effects.splice(0..0, earlier);
        flow
    }

    fn warm(&mut self, body: &str) {
        let flow = self.get();
        let flow = self.answer_200(flow, body);
        self.step(flow.phase, Event::Gone);
    }

    fn exhaust(&mut self, remaining: [u64; 2]) {
        for (member, remaining) in self.proxy.pool.members().iter().zip(remaining) {
            let rate = crate::pool::rate::Rate {
                resource: "core".into(),
                limit: 10,
                remaining,
                used: 10 - remaining,
                reset: 2_000,
            };
            member.rates.learn(&self.map, &rate, self.now);
        }
    }

    fn cluster(&mut self, flow: Flow, operation: Operation, status: u16, body: &[u8]) -> Flow {
        let body = body.to_vec();
        self.step(
            flow.phase,
            Event::Cluster {
                operation,
                status,
                body,
            },
        )
    }
}

impl Flow {
    fn edits(&self) -> Option<&Vec<Edit>> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Forward(edits) => Some(edits),
            _ => None,
        })
    }

    fn forwarded(&self, name: &str) -> Option<Vec<u8>> {
        let edits = self.edits().expect("forwarded");
        let edit = edits.iter().rev().find(|(n, _)| n == name);
        edit.and_then(|(_, value)| value.clone())
    }

    /// The operations that the cluster is asked for.
    fn asked(&self) -> Vec<&'static str> {
        let ask = |effect: &Effect| match effect {
            Effect::Ask(call) => Some(call.operation.as_str()),
            _ => None,
        };
        self.effects.iter().filter_map(ask).collect()
    }

    fn resent(&self, name: &str) -> Option<Vec<u8>> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Resend { headers, .. } => headers.get(name).map(<[u8]>::to_vec),
            _ => None,
        })
    }

    fn reply(&self) -> Option<&Reply> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Reply(reply) => Some(reply),
            _ => None,
        })
    }

    fn passed(&self, name: &str) -> Option<String> {
        let edits = self.effects.iter().find_map(|effect| match effect {
            Effect::Pass(edits) => Some(edits),
            _ => None,
        });
        let edit = edits?.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8(edit.1.clone()?).unwrap())
    }

    fn withheld(&self, name: &str) -> bool {
        let removes = |effect: &Effect| match effect {
            Effect::Pass(edits) => edits.iter().any(|(n, value)| n == name && value.is_none()),
            _ => false,
        };
        self.effects.iter().any(removes)
    }

    fn cache_status(&self) -> String {
        let field = self
            .reply()
            .map(|reply| reply.headers.text("cache-status").unwrap_or("-"));
        field.unwrap_or("not replied").to_owned()
    }

    fn recorded(&self, prefix: &str) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Record(m) if m.name.starts_with(prefix)))
    }

    fn wakes(&self) -> Vec<(u32, Wake)> {
        let wake = |effect: &Effect| match effect {
            Effect::Wake { waiter, wake, .. } => Some((waiter.context, *wake)),
            _ => None,
        };
        self.effects.iter().filter_map(wake).collect()
    }
}

fn headers(fields: &[(&str, &str)]) -> Headers {
    let fields = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
    Headers::new(fields.collect())
}

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
        ("403", &spent, "", "rate_limit"),
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
    assert_eq!(
        flow.passed("cache-status").unwrap(),
        "github-proxy; fwd=method"
    );
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
    fixture.now += 3_600_000;
    assert!(ask(&mut fixture, "/d").edits().is_some());
}

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
fn the_rate_limit_is_the_pools() {
    let mut fixture = Fixture::new("");
    fixture.exhaust([3, 4]);
    let flow = fixture.request("GET", "/rate_limit", &[]);
    let body: serde_json::Value =
        serde_json::from_slice(flow.reply().unwrap().body.bytes()).unwrap();
    assert_eq!(body["resources"]["core"]["remaining"], 7);
    assert_eq!(body["rate"]["limit"], 20);
    assert_eq!(body["resources"]["search"]["limit"], 10_000);
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

#[test]
fn the_cluster_is_asked_before_github() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    let mut other = Fixture::new("");
    other.warm("one");
    let key = Key::of("default", "api.github.com", "/user", &Headers::default());
    let stored = other.proxy.memory.get(&other.map, &key, other.now).unwrap();

    let flow = fixture.get();
    assert!(flow.edits().is_none());
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    assert_eq!(flow.asked(), ["get"], "read after the claim is granted");
    let flow = fixture.cluster(flow, Operation::Get, 200, stored.encoded());
    assert!(flow.forwarded("if-none-match").is_some());
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().body.bytes(), b"one");
    let unlocked =
        |effect: &Effect| matches!(effect, Effect::Deposit(d) if d.unlock && d.entry.is_none());
    assert!(
        flow.effects.iter().any(unlocked),
        "nothing to write, only the claim to give back"
    );

    // Now in memory: a peek suffices, and a newer version is fetched whole.
    let flow = fixture.get();
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    let newer = Entry::new(stored.head.clone(), fixture.now + 5, b"two");
    let flow = fixture.cluster(flow, Operation::Peek, 200, &newer.encoded()[..44]);
    assert!(flow.edits().is_none());
    let flow = fixture.cluster(flow, Operation::Get, 200, newer.encoded());
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().body.bytes(), b"two");
}

#[test]
fn another_replica_that_asks_is_waited_for() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    let flow = fixture.get();
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":null}"#);
    assert_eq!(flow.phase.wants_ticks(), Some(true));
    let flow = fixture.step(flow.phase, Event::Tick);
    assert!(flow.effects.is_empty(), "not yet");
    fixture.now += 20;
    let flow = fixture.step(flow.phase, Event::Tick);
    assert_eq!(flow.asked(), ["lock"]);
    // Not for ever: a replica that died is overtaken.
    fixture.now += crate::cache::cluster::LEASE_MILLIS;
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":null}"#);
    let flow = fixture.cluster(flow, Operation::Get, 404, b"");
    assert!(flow.edits().is_some());
}

#[test]
fn a_cluster_that_fails_is_a_miss_and_soon_left_alone() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    for n in 0..3 {
        let flow = fixture.request("GET", &format!("/{n}"), &[]);
        let flow = fixture.cluster(flow, Operation::Lock, 503, b"");
        assert!(flow.edits().is_some());
        assert!(flow.recorded("github_proxy_cache_errors.operation=lock;"));
    }
    let flow = fixture.request("GET", "/3", &[]);
    assert!(flow.edits().is_some(), "not even asked");
}

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

/// The body that the client gets of a response that streams past.
fn streamed(flow: &Flow) -> Vec<u8> {
    let part = |effect: &Effect| match effect {
        Effect::ReplaceBody(bytes) => Some(bytes.clone()),
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
    let came_in = [(":authority", "other"), ("x-forwarded-proto", "https")];
    let flow = fixture.request("GET", "/user", &came_in);
    let flow = fixture.answer(flow, "304", &[], true);
    let reply = flow.reply().unwrap();
    assert_eq!(reply.body.bytes(), br#"{"url":"https://other/user"}"#);
    assert_eq!(
        reply.headers.text("link"),
        Some("<https://other/user?page=2>; rel=\"next\"")
    );
}
