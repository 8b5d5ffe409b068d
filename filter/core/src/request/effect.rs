//! What a step asks for, as data: the filter carries it out.

use crate::cache::cluster::Call;
use crate::cache::entry::Entry;
use crate::cache::key::Key;
use crate::flight::{Waiter, Wake};
use crate::header::Headers;
use crate::metric::Metric;
use crate::upstream::Edit;

/// What to do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Tells Envoy something about the request, for its access logs.
    Note(Note, String),
    /// Asks the cache cluster; the answer comes back as `Event::Cluster`.
    Ask(Call),
    /// Claims a key in the cache cluster; the answer comes back as `Event::Cluster`. Outlives the
    /// request: what is granted to one that is gone is given back.
    Claim(Key),
    /// Writes to the cache cluster, then gives the claim on the key back. Outlives the request.
    Deposit(Deposit),
    /// Sends the request to GitHub with these changes.
    Forward(Vec<Edit>),
    /// Sends the request, whole, past the filter chain; the answer is `Event::Resent`.
    Resend {
        /// Envoy's cluster that leads there.
        cluster: String,
        /// With pseudo fields.
        headers: Headers,
        /// The request's body.
        body: Vec<u8>,
    },
    /// Answers the client.
    Reply(Reply),
    /// Lets the upstream's response through with these changes.
    Pass(Vec<Edit>),
    /// Lets the upstream's response through with another header section. In the place of its body
    /// goes what `ReplaceBody` says, or nothing.
    Substitute {
        /// HTTP status.
        status: u16,
        /// Without pseudo fields; sanitised.
        headers: Headers,
    },
    /// Puts these bytes in the place of those of the body that are in hand.
    ReplaceBody(ReplyBody),
    /// Tells another request what became of the flight of `key`.
    Wake {
        /// Whom.
        waiter: Waiter,
        /// Of which flight.
        key: Key,
        /// What.
        wake: Wake,
    },
    /// Changes a stat.
    Record(Metric),
    /// One line for the operator.
    Warn(String),
}

/// What access logs can show: `%FILTER_STATE(wasm.<name>:PLAIN)%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The client's name.
    Client,
    /// What was asked for, without the query: normalised, unless it was refused for its form.
    Path,
    /// The trace that the request is a part of (W3C Trace Context).
    TraceId,
    /// The name of the credential that GitHub was asked with last.
    Credential,
    /// What GitHub counted that request against.
    Resource,
    /// Whether it did: `counted` or `free`.
    Cost,
    /// GitHub's name for its answer, which its support asks for.
    GithubRequestId,
}

impl Note {
    /// Its name in filter state; Envoy takes names of one part only.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Path => "path",
            Self::TraceId => "trace_id",
            Self::Credential => "credential",
            Self::Resource => "resource",
            Self::Cost => "cost",
            Self::GithubRequestId => "github_request_id",
        }
    }
}

/// A write to the cache cluster.
#[derive(Debug)]
pub struct Deposit {
    /// Whose entry.
    pub key: Key,
    /// The entry, if it has to be written.
    pub entry: Option<Entry>,
    /// Whether this replica holds the claim on the key.
    pub unlock: bool,
}

/// A response of the proxy's own.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Without pseudo fields; sanitised.
    pub headers: Headers,
    /// The body.
    pub body: ReplyBody,
}

impl Reply {
    /// The length of its body, bytes.
    pub fn length(&self) -> usize {
        self.body.bytes().len()
    }

    /// What Envoy takes off a reply without content, to be put back where it comes by once more.
    /// A HEAD is told the length of what GET gets (RFC 9110 §9.3.2).
    pub fn lost(&self) -> Vec<Edit> {
        if self.length() > 0 || matches!(self.status, 204 | 304) {
            return Vec::new();
        }
        let kind = self.headers.get("content-type").map(<[u8]>::to_vec);
        let length = Some(b"0".to_vec());
        let fields = [("content-type", kind), ("content-length", length)];
        let given = fields.into_iter().filter(|(_, value)| value.is_some());
        given
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// Where a reply's bytes are.
#[derive(Debug)]
pub enum ReplyBody {
    /// Nowhere.
    Empty,
    /// Written for the occasion.
    Text(String),
    /// GitHub's, from a callout.
    Bytes(Vec<u8>),
    /// In a stored response.
    Entry(Box<Entry>),
}

impl ReplyBody {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Entry(entry) => entry.body(),
        }
    }
}
