//! Lets GitHub's response through to the client: without what belongs to its hop or its
//! credential, with the pool's rate limits, and with URLs that lead to where the client came in. So
//! too its body, part by part, and what takes the place of one.

use super::answer::{Delivery, Response};
use super::{serve, Admitted, Closed, Effect, Phase, Reply, ReplyBody, World};
use crate::cache::status::CacheStatus;
use crate::coding;
use crate::etag;
use crate::header::Headers;
use crate::metric::Metric;
use crate::rewrite::{BodyRewriter, Rewrite};
use crate::upstream::Edit;

/// Fields that tell about the pool's credential, or lead around the proxy.
const WITHHELD: [&str; 4] = [
    "alt-svc",
    "github-authentication-token-expiration",
    "x-oauth-client-id",
    "x-oauth-scopes",
];

/// A response on its way to the client.
pub(super) struct Passed {
    pub(super) closed: Closed,
    /// Set while more of a body that is rewritten is to come.
    pub(super) rewriter: Option<BodyRewriter>,
}

impl Passed {
    /// The phase of one whose body is not kept.
    pub(super) fn phase(self) -> Phase {
        match self.rewriter {
            Some(rewriter) => Phase::Passing(Box::new(Passing {
                rewriter,
                closed: self.closed,
            })),
            None => Phase::Closed(Some(self.closed)),
        }
    }
}

/// A body that is not kept, on its way to the client.
#[derive(Debug)]
pub struct Passing {
    pub(super) rewriter: BodyRewriter,
    pub(super) closed: Closed,
}

impl Passing {
    pub(super) fn chunk(
        mut self: Box<Self>,
        chunk: &[u8],
        end: bool,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let rewritten = self.rewriter.push(chunk, end);
        effects.push(Effect::ReplaceBody(ReplyBody::Bytes(rewritten)));
        if end {
            Phase::Closed(Some(self.closed))
        } else {
            Phase::Passing(self)
        }
    }
}

/// A body that takes the place of an empty one.
#[derive(Debug)]
pub struct Substituting {
    pub(super) body: ReplyBody,
    pub(super) closed: Closed,
}

impl Substituting {
    pub(super) fn chunk(mut self: Box<Self>, end: bool, effects: &mut Vec<Effect>) -> Phase {
        let body = std::mem::replace(&mut self.body, ReplyBody::Empty);
        effects.push(Effect::ReplaceBody(body));
        if end {
            Phase::Closed(Some(self.closed))
        } else {
            Phase::Substituting(self)
        }
    }
}

/// Lets GitHub's response through, without what belongs to its hop or its credential, and with
/// URLs that lead to where the client came in.
pub(super) fn pass(
    admitted: &Admitted,
    response: &Response,
    cache: CacheStatus,
    delivery: Delivery,
    world: &World<'_>,
    effects: &mut Vec<Effect>,
) -> Passed {
    let Response {
        status, headers, ..
    } = response;
    let rewrite = admitted.rewrite(world);
    let edits = edits(admitted, response, cache, rewrite.as_ref(), world);
    let metric = Metric::request(&admitted.client, &admitted.method, *status, cache.label());
    effects.push(Effect::Record(metric));
    let mut rewriter = rewrite
        .filter(|_| !admitted.is_head())
        .and_then(|rewrite| rewrite.body(headers));
    match delivery {
        Delivery::Stream { held, end } => {
            let mut edits = edits;
            if rewriter.is_some() && !(end && held.is_empty()) {
                edits.push(("content-length".to_owned(), None));
            }
            effects.push(Effect::Pass(edits));
            if let Some(rewriter) = rewriter.as_mut().filter(|_| !held.is_empty()) {
                let rewritten = rewriter.push(&held, end);
                effects.push(Effect::ReplaceBody(ReplyBody::Bytes(rewritten)));
            }
            rewriter = rewriter.filter(|_| !end);
        }
        Delivery::Whole(body) => {
            let mut headers = headers.clone();
            headers.apply(edits);
            headers.retain(|name| !name.starts_with(':'));
            headers.sanitise();
            let body = match rewriter.take() {
                Some(mut rewriter) => rewriter.push(&body, true),
                None => body,
            };
            effects.push(whole(admitted, *status, headers, body));
        }
    }
    let started = admitted.started;
    let closed = Closed { started, cache };
    Passed { closed, rewriter }
}

/// Gives the client an answer that is all here. Without content it goes in the place of the one that
/// it follows: of a reply Envoy would take the type, and for HEAD the length.
fn whole(admitted: &Admitted, status: u16, mut headers: Headers, body: Vec<u8>) -> Effect {
    if body.is_empty() && !matches!(status, 204 | 304) {
        if !admitted.is_head() {
            headers.set("content-length", "0");
        }
        return Effect::Substitute { status, headers };
    }
    headers.remove("content-length");
    let body = ReplyBody::Bytes(body);
    Effect::Reply(Reply {
        status,
        headers,
        body,
    })
}

impl Admitted {
    /// The tag that the client gets in the place of that of a response with these fields, and a body
    /// of `length` bytes where that is known: a weak one where it may be compressed on its way. A
    /// 304 names what the client has. `None` when nothing changes.
    pub(super) fn weak_tag(
        &self,
        status: u16,
        response: &Headers,
        length: Option<usize>,
    ) -> Option<Vec<u8>> {
        let tag = response.get("etag").filter(|tag| !etag::is_weak(tag))?;
        let confirms = status == 304;
        let held = confirms.then(|| etag::is_held_as_weak(tag, &self.headers));
        let weak = held
            .flatten()
            .unwrap_or_else(|| coding::may_compress(&self.headers, status, response, length));
        etag::weakened(tag, weak)
    }
}

/// What is changed in the header section of a response that passes.
fn edits(
    admitted: &Admitted,
    response: &Response,
    cache: CacheStatus,
    rewrite: Option<&Rewrite>,
    world: &World<'_>,
) -> Vec<Edit> {
    let Response {
        status, headers, ..
    } = response;
    let mut edits: Vec<Edit> = headers
        .iter()
        .filter(|(name, _)| headers.is_hop_by_hop(name) || WITHHELD.contains(name))
        .map(|(name, _)| (name.to_owned(), None))
        .collect();
    let rewritten = rewrite.is_some() && Rewrite::applies_to(headers);
    let hidden = admitted.is_head()
        && !headers.has("content-range")
        && (rewritten || headers.has("content-encoding"));
    if hidden {
        // No body follows that would show its length, and Envoy's decompressor leaves alone
        // what describes the form that was asked for upstream.
        edits.extend(["content-encoding", "content-length"].map(|name| (name.to_owned(), None)));
    }
    if headers.has("x-ratelimit-limit") {
        let mut rate = Headers::default();
        serve::set_rate_limit(&mut rate, admitted, world);
        let rate = rate.iter();
        edits.extend(rate.map(|(name, value)| (name.to_owned(), Some(value.to_vec()))));
    }
    if let Some(rewrite) = rewrite {
        edits.extend(rewrite.fields(headers));
    }
    // What is rewritten has another length, which nobody knows beforehand.
    let length = headers.content_length().filter(|_| !rewritten && !hidden);
    let tag = if hidden {
        let mut plain = headers.clone();
        plain.remove("content-encoding");
        admitted.weak_tag(*status, &plain, length)
    } else {
        admitted.weak_tag(*status, headers, length)
    };
    edits.extend(tag.map(|tag| ("etag".to_owned(), Some(tag))));
    if let Some(field) = cache.field() {
        edits.push(("cache-status".to_owned(), Some(field.into_bytes())));
    }
    edits
}
