//! Scripts of events and the effects they must have, over a stand-in for GitHub that keeps
//! its own rules (ETags by credential, 304s that are free).

mod cache;
mod cluster;
mod flights;
mod fresh;
mod graphql;
mod graphql_cache;
mod guards;
mod pool;
mod rewrite;
mod substitute;

use super::*;
use crate::cache::cluster::Operation;
use crate::cache::entry::Entry;
use crate::etag;
use crate::flight::Answer;
use crate::flight::Wake;
use crate::generation::InForce;
use crate::shared::testing::Map;
use crate::upstream::Edit;
use std::net::IpAddr;

const A: &[u8] = b"Bearer secret-a";

/// One Envoy with some workers' worth of requests.
struct Fixture {
    proxy: Proxy,
    map: Map,
    worker: Worker,
    connection: Peer,
    now: u64,
    next: u32,
}

/// The other end of a connection, and whether it is TLS.
struct Peer(Option<IpAddr>, bool);

impl Connection for Peer {
    fn is_tls(&self) -> bool {
        self.1
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0
    }
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
                {{"name":"asker","token":"token-asker","scopes":[{{"graphql":"query"}}]}},
                {{"name":"cached","token":"token-cached","graphql_cache_seconds":30}},
                {{"name":"thrifty","token":"token-thrifty","budget":2}},
                {{"name":"late","tokens":[{{"token":"token-late","expires":1}}]}}],
            "credentials":[{{"name":"A","pat_env":"GITHUB_PAT_A"}},{{"name":"B","pat_env":"GITHUB_PAT_B"}}]}}"#
        );
        let secrets = |name: &str| Some(name.to_lowercase().replace("github_pat_", "secret-"));
        let config = Config::from_json(json.as_bytes(), secrets).unwrap();
        let map = Map::default();
        Self {
            proxy: Proxy::new(config, InForce::default()),
            map,
            worker: Worker::default(),
            connection: Peer(None, false),
            now: 1_000_000,
            next: 1,
        }
    }

    fn step(&mut self, phase: Phase, event: Event) -> Flow {
        let mut world = World {
            proxy: &self.proxy,
            shared: &self.map,
            worker: &mut self.worker,
            connection: &self.connection,
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
                resource: "core".parse().unwrap(),
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
            Effect::Claim(_) => Some(Operation::Lock.as_str()),
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

    fn substituted(&self) -> Option<(u16, &Headers)> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Substitute { status, headers } => Some((*status, headers)),
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

    /// Whether a stat was changed whose name and first labels are these, in the form
    /// `github_proxy_denied.client=ci;.reason=scope;`.
    fn recorded(&self, prefix: &str) -> bool {
        self.effects.iter().any(|effect| {
            let Effect::Record(metric) = effect else {
                return false;
            };
            let (labels, name) = metric.name.rsplit_once(";.;").unwrap_or(("", &metric.name));
            let labels = labels.split(";.;").filter(|label| !label.is_empty());
            let labels: String = labels
                .map(|label| format!(".{};", label.replace("=.=", "=")))
                .collect();
            format!("{name}{labels}").starts_with(prefix)
        })
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
