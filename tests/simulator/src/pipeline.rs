//! The way of a request: log, faults, body, the checks in GitHub's order, the route, the charge,
//! the response.
//!
//! A read is routed before it is charged, because only its answer tells whether it is free; a
//! write is charged first, so that one that is refused has changed nothing.

use crate::auth::{Identity, Owner};
use crate::faults::Action;
use crate::limits::{self, Standing, ANONYMOUS};
use crate::log::{Cost, Ticket};
use crate::options::Mount;
use crate::render::{self, Circumstances, Prepared, Rendered};
use crate::reply::{Body, Reply};
use crate::request::{below_mount, receive, Request};
use crate::routes;
use crate::shared::{now, Shared};
use crate::stream::{self, Outgoing, Pace};
use crate::{media, refusals};
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::{Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// How a connection ends instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// With a reset.
    Reset,
    /// With an orderly close.
    Close,
    /// After bytes that are not HTTP.
    NotHttp,
}

/// What was decided about a request.
struct Decision {
    prepared: Prepared,
    standing: Option<Standing>,
    resource: Option<&'static str>,
    cost: Cost,
    outcome: &'static str,
    pace: Pace,
    delay: Duration,
}

impl Decision {
    fn new(request: &Request, reply: Reply, outcome: &'static str) -> Self {
        Self {
            prepared: render::prepare(request, reply, crate::etag::EtagMode::None),
            standing: None,
            resource: None,
            cost: Cost::None,
            outcome,
            pace: Pace::default(),
            delay: Duration::ZERO,
        }
    }
}

/// Answers one request.
pub async fn serve(
    shared: Arc<Shared>,
    incoming: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, Cut> {
    let (head, body) = incoming.into_parts();
    let sent = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let enterprise = shared.options.mount == Mount::EnterpriseServer;
    let (path, query) = below_mount(&head.uri, enterprise).unwrap_or_default();
    let mut request = Request::new(head.method.as_str(), &path, query.as_deref(), head.headers);
    let who = shared.identify(&request.headers, now() as u64);
    let ticket = shared.log.open(sent, &request, &who, now());

    let fault = shared
        .faults
        .lock()
        .take(&request.method, &request.target(), who.token());
    match &fault {
        Some(Action::Hang) => {
            ticket.answered(None, None, Cost::None, "fault:hang", now());
            return std::future::pending().await;
        }
        Some(Action::Reset) => return cut(&ticket, "fault:reset", Cut::Reset),
        Some(Action::Close) => return cut(&ticket, "fault:close", Cut::Close),
        Some(Action::NotHttp) => return cut(&ticket, "fault:not_http", Cut::NotHttp),
        _ => {}
    }
    match receive(body).await {
        Some(body) => request.body = body,
        None => return cut(&ticket, "aborted", Cut::Close),
    }
    ticket.received(&request.body);
    tokio::time::sleep(shared.options.latency).await;

    let mut decision = match &fault {
        Some(Action::Delay { milliseconds }) => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            decide(&shared, &request, &who, &ticket)
        }
        Some(Action::Status {
            status,
            body,
            headers,
        }) => {
            let mut reply = match body {
                Some(text) => Reply::bytes("text/html", text.clone()),
                None => Reply::error(*status, "Server Error"),
            };
            reply.status = *status;
            for (name, value) in headers {
                reply = reply.header(name, value.as_str());
            }
            Decision::new(&request, reply, "fault:status")
        }
        Some(Action::Garbage) => {
            let body = Body::Bytes(
                "application/json; charset=utf-8".to_owned(),
                "{\"<html".into(),
            );
            Decision::new(&request, Reply::new(200, body), "fault:garbage")
        }
        _ => decide(&shared, &request, &who, &ticket),
    };
    match &fault {
        Some(Action::Truncate { after_bytes }) => {
            decision.pace.truncate_after = Some(*after_bytes);
        }
        Some(Action::Slow {
            chunk_bytes,
            milliseconds,
        }) => {
            decision.pace.chunk_bytes = Some(*chunk_bytes);
            decision.pace.chunk_delay = Duration::from_millis(*milliseconds);
        }
        _ => {}
    }
    if let Some(fault) = &fault {
        decision.outcome = fault.as_str();
    }
    tokio::time::sleep(decision.delay).await;
    Ok(respond(&shared, &request, &who, ticket, decision))
}

fn cut(ticket: &Ticket, outcome: &str, cut: Cut) -> Result<Response<Outgoing>, Cut> {
    ticket.answered(None, None, Cost::None, outcome, now());
    Err(cut)
}

/// Applies the checks in GitHub's order, routes, and charges.
fn decide(shared: &Shared, request: &Request, who: &Identity, ticket: &Ticket) -> Decision {
    if request.segments.is_empty() && request.path.is_empty() {
        return Decision::new(request, Reply::not_found(), "ok");
    }
    if request.method == "OPTIONS" {
        return Decision::new(request, preflight(), "ok");
    }
    if request.header("user-agent").is_empty() {
        return Decision::new(request, refusals::no_user_agent(), "no_user_agent");
    }
    let resource = limits::resource(&request.method, &request.segments);
    let time = now();
    if matches!(who, Identity::Bad) {
        let mut decision = Decision::new(request, Reply::bad_credentials(), "bad_credentials");
        let mut limits = shared.limits.lock();
        let (standing, cost) = match limits.settle(ANONYMOUS, "core", true, time as u64) {
            Ok(standing) => (standing, Cost::Counted),
            Err(standing) => (standing, Cost::None),
        };
        decision.resource = Some("core");
        decision.standing = Some(standing);
        decision.cost = cost;
        return decision;
    }
    if let Some(reply) = rejected(shared, request, who) {
        return Decision::new(request, reply, "suspended");
    }
    let owner = who.owner_key();
    let write = !request.is_read();
    let ban = match resource {
        Some(_) => shared
            .secondary
            .lock()
            .check(&owner, write, ticket.in_flight(), time),
        None => None,
    };
    if let Some(ban) = ban {
        let outcome = if ban.early {
            "secondary_early"
        } else {
            "secondary"
        };
        let mut decision = Decision::new(request, refusals::secondary(&ban), outcome);
        decision.resource = resource;
        let standing =
            shared
                .limits
                .lock()
                .standing(&owner, resource.unwrap_or("core"), time as u64);
        decision.standing = Some(standing);
        return decision;
    }
    let settle = |counted: bool| match resource {
        Some(resource) => {
            let mut limits = shared.limits.lock();
            let standing = limits.settle(&owner, resource, counted, time as u64);
            standing.map(|standing| (standing, if counted { Cost::Counted } else { Cost::Free }))
        }
        None => {
            let mut limits = shared.limits.lock();
            Ok((limits.standing(&owner, "core", time as u64), Cost::Free))
        }
    };
    let admitted = if write { Some(settle(true)) } else { None };
    if let Some(Err(standing)) = admitted {
        return exhausted(shared, request, who, standing, resource);
    }
    let (reply, pace, delay) = route(shared, request, who);
    let mode = shared.etags.lock().mode(&request.path);
    let prepared = render::prepare(request, reply, mode);
    let free = prepared.not_modified && who.is_known();
    match admitted.unwrap_or_else(|| settle(!free)) {
        Err(standing) => exhausted(shared, request, who, standing, resource),
        Ok((standing, cost)) => Decision {
            outcome: if prepared.not_modified {
                "not_modified"
            } else {
                "ok"
            },
            prepared,
            standing: Some(standing),
            resource,
            cost,
            pace,
            delay,
        },
    }
}

/// Refusals that depend on the request or its sender alone.
fn rejected(shared: &Shared, request: &Request, who: &Identity) -> Option<Reply> {
    if let Identity::Known {
        owner: Owner::Installation(id),
        ..
    } = who
    {
        if shared
            .apps
            .lock()
            .installation(*id)
            .is_some_and(|found| found.suspended)
        {
            return Some(refusals::suspended());
        }
    }
    let version = request.header("x-github-api-version");
    if !version.is_empty() && !["2022-11-28", "2026-03-10"].contains(&version) {
        return Some(refusals::unknown_version(version));
    }
    if !media::acceptable(request) {
        return Some(refusals::unsupported_media_type(request.header("accept")));
    }
    None
}

fn exhausted(
    shared: &Shared,
    request: &Request,
    who: &Identity,
    standing: Standing,
    resource: Option<&'static str>,
) -> Decision {
    let user = who
        .login()
        .map_or(0, |login| shared.world.lock().user_id(login));
    let status = shared.options.exhausted_status;
    let reply = refusals::rate_limited(who, user, &standing, status);
    let mut decision = Decision::new(request, reply, "rate_limited");
    decision.standing = Some(standing);
    decision.resource = resource;
    decision
}

/// A document, where there is one, or else the simulated API.
fn route(shared: &Shared, request: &Request, who: &Identity) -> (Reply, Pace, Duration) {
    {
        let documents = shared.documents.lock();
        if let Some(document) = documents.find(&request.method, &request.path, &request.target()) {
            let sees = document.visible_to.as_ref().is_none_or(|names| {
                let owner = who.owner_key();
                names
                    .iter()
                    .any(|name| *name == owner || Some(name.as_str()) == who.token())
            });
            let delay = Duration::from_millis(document.delay_ms);
            let reply = if sees {
                document.reply()
            } else {
                Reply::not_found()
            };
            return (reply, document.pace(), delay);
        }
    }
    (
        routes::dispatch(shared, request, who),
        Pace::default(),
        Duration::ZERO,
    )
}

/// The answer to a CORS preflight.
fn preflight() -> Reply {
    Reply::no_content()
        .header(
            "access-control-allow-headers",
            "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, \
If-Unmodified-Since, Accept-Encoding, X-GitHub-OTP, X-Requested-With, User-Agent, \
GraphQL-Features, X-GitHub-Api-Version",
        )
        .header(
            "access-control-allow-methods",
            "GET, POST, PATCH, PUT, DELETE",
        )
        .header("access-control-max-age", "86400")
}

fn respond(
    shared: &Shared,
    request: &Request,
    who: &Identity,
    ticket: Ticket,
    decision: Decision,
) -> Response<Outgoing> {
    let time = now();
    let Rendered {
        status,
        mut headers,
        source,
    } = render::finish(
        decision.prepared,
        &Circumstances {
            request,
            who,
            standing: decision.standing.as_ref(),
            number: ticket.id(),
            weak_304: shared.options.weak_304,
            now: time,
        },
    );
    ticket.answered(
        Some(status),
        decision.resource,
        decision.cost,
        decision.outcome,
        time,
    );
    if decision.pace.chunked {
        headers.remove(CONTENT_LENGTH);
    }
    let body = match source {
        Some(source) => stream::body(source, decision.pace, ticket),
        None => stream::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
