//! What can happen to a request, as data.

use crate::cache::cluster::Operation;
use crate::flight::{Waiter, Wake};
use crate::header::Headers;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The request's header section is here; `me` identifies the request across workers.
    Request {
        /// With pseudo fields.
        headers: Headers,
        /// The request's identity for those who wait for it.
        me: Waiter,
        /// No body follows.
        end: bool,
    },
    /// A part of the request's body, on its way to GitHub. While the request is held back to be
    /// read, all of it so far.
    RequestBody {
        /// The bytes.
        chunk: Vec<u8>,
        /// The last one.
        end: bool,
    },
    /// The cache cluster answered. A call that could not be made or timed out has status 0.
    Cluster {
        /// What was asked.
        operation: Operation,
        /// HTTP status of Webdis.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// The request that this one waits for woke it.
    Woken(Wake),
    /// Some time went by.
    Tick,
    /// The upstream's header section is here.
    Response {
        /// With pseudo fields.
        headers: Headers,
        /// Envoy made it up, since the upstream could not be reached or went away.
        local: bool,
        /// No body follows.
        end: bool,
    },
    /// The answer to `Effect::Resend`; `None` when there was none.
    Resent(Option<(Headers, Vec<u8>)>),
    /// A part of the upstream's body. While the response is held back, all of it so far.
    Body {
        /// The bytes.
        chunk: Vec<u8>,
        /// The last one.
        end: bool,
    },
    /// The stream is over, however it ended.
    Gone,
}
