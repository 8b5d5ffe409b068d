//! What a request wants of GitHub, kept apart from how it gets there: it may be sent more than
//! once, with another credential each time.

use super::{collect, lead, serve, Admitted, Effect, World};
use crate::cache::entry::Entry;
use crate::cache::status::CacheStatus;
use crate::flight::Landing;
use crate::graphql::history::History;
use crate::pool::rate::{Learnt, Rate};
use crate::pool::Grant;

/// A request that has to be sent.
#[derive(Debug)]
pub struct Errand {
    pub(super) admitted: Admitted,
    pub(super) part: Part,
}

/// The cache's part in it.
#[derive(Debug)]
pub(super) enum Part {
    /// None: it goes around the cache, as the status says.
    Around(CacheStatus),
    /// The answer confirms or becomes an entry.
    Cached {
        /// The stored response that is asked about, or that may stand in.
        entry: Option<Entry>,
        /// When the copy in the cluster was last confirmed; `None` when it has none.
        in_cluster: Option<u64>,
    },
}

impl Errand {
    /// Around the cache.
    pub(super) fn around(admitted: Admitted, status: CacheStatus) -> Self {
        Self {
            admitted,
            part: Part::Around(status),
        }
    }

    /// About a key: to confirm `entry`, or for want of one. GraphQL has no validators: there is
    /// nothing to ask about an answer of its, and once it is too old it stands in for nothing.
    pub(super) fn about(admitted: Admitted, entry: Option<Entry>, in_cluster: Option<u64>) -> Self {
        let entry = entry.filter(|_| admitted.max_age().is_none());
        Self {
            admitted,
            part: Part::Cached { entry, in_cluster },
        }
    }

    /// The stored response, if there is one.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match &self.part {
            Part::Cached { entry, .. } => entry.as_ref(),
            Part::Around(_) => None,
        }
    }

    /// Gives the errand up; what becomes of those who wait is for `landing` to say. What is
    /// left is the request, and the stored response if it may stand in.
    pub(super) fn abandon(
        self,
        landing: Landing,
        world: &World<'_>,
        effects: &mut Vec<Effect>,
    ) -> (Admitted, Option<Entry>) {
        let mut admitted = self.admitted;
        lead::land(&mut admitted, landing, world, effects);
        collect::release(&mut admitted, None, world, effects);
        let entry = match self.part {
            Part::Cached { entry, .. } => entry,
            Part::Around(_) => None,
        };
        let entry = entry.filter(|it| serve::may_be_stale(it, world));
        let entry = entry.filter(|it| admitted.is_valid(it, world));
        (admitted, entry)
    }
}

/// Which validator went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// None of ours.
    Nothing,
    /// The stored one.
    Stored,
    /// One computed for a credential that had not fetched the entry.
    Computed,
}

/// A request on its way to GitHub.
#[derive(Debug)]
pub struct Forwarded {
    pub(super) errand: Errand,
    pub(super) asked: Asked,
    /// The credential in use.
    pub(super) grant: Grant,
    /// Whether it holds one of the credential's requests.
    pub(super) reserved: bool,
    /// Credentials that refused it.
    pub(super) tried: Vec<u64>,
    pub(super) sent_at: u64,
    /// The same, but after all that the client wrote before: see [`Admitted::asks_at`].
    pub(super) asked_at: u64,
    pub(super) body: RequestBody,
}

impl Forwarded {
    /// Gives back what was reserved, once there is an answer or there will be none, keeps what
    /// the answer says about the rate limit, and puts the client's account right: `counted` is
    /// whether GitHub counted the request.
    pub(super) fn settle(
        &mut self,
        counted: bool,
        rate: Option<&Rate>,
        world: &World<'_>,
    ) -> Option<Learnt> {
        let reserved = std::mem::take(&mut self.reserved);
        self.account(reserved, counted, world);
        let expected = self.errand.admitted.resource;
        let reserved = reserved.then_some(expected.as_str());
        let rates = self.grant.rates;
        match (rate, reserved) {
            (Some(rate), _) => {
                self.errand.admitted.resource = rate.resource;
                rates.answered(world.shared, reserved, rate, world.now)
            }
            (None, Some(resource)) if counted => {
                rates.settle_unlimited(world.shared, resource, world.now);
                None
            }
            (None, Some(resource)) => {
                rates.settle(world.shared, resource);
                None
            }
            (None, None) => None,
        }
    }

    /// Puts the client's account right. What it may have changed is changed by now.
    fn account(&self, reserved: bool, counted: bool, world: &World<'_>) {
        let admitted = &self.errand.admitted;
        if !admitted.only_reads() {
            History::wrote(world.shared, &admitted.client, world.now);
        }
        let Admitted {
            resource, budget, ..
        } = admitted;
        match budget {
            Some(budget) if reserved && !counted => {
                budget.refund(world.shared, resource, self.sent_at);
            }
            Some(budget) if counted && !reserved => {
                budget.charge(world.shared, resource, world.now);
            }
            _ => {}
        }
    }
}

/// The longest body that may be held back, bytes. Envoy holds 1 MiB for one request
/// (`per_connection_buffer_limit_bytes`), and answers 413 by itself when a next part does not fit.
pub(super) const LONGEST_HELD: usize = 768 * 1024;

/// What of the request's body is kept, so that it can be sent again.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// Still streaming.
    Partial(Vec<u8>),
    /// All of it; empty when there is none.
    Complete(Vec<u8>),
    /// Too large to keep.
    Dropped,
}

impl RequestBody {
    /// The longest body that can be sent again, bytes.
    const LONGEST: usize = 1024 * 1024;

    pub(super) fn new(has_body: bool) -> Self {
        if has_body {
            Self::Partial(Vec::new())
        } else {
            Self::Complete(Vec::new())
        }
    }

    /// Whether it wants to see more.
    pub(super) fn is_partial(&self) -> bool {
        matches!(self, Self::Partial(_))
    }

    /// Keeps a chunk.
    pub(super) fn chunk(self, chunk: &[u8], end: bool) -> Self {
        let Self::Partial(mut bytes) = self else {
            return self;
        };
        if bytes.len().saturating_add(chunk.len()) > Self::LONGEST {
            return Self::Dropped;
        }
        bytes.extend_from_slice(chunk);
        if end {
            Self::Complete(bytes)
        } else {
            Self::Partial(bytes)
        }
    }
}
