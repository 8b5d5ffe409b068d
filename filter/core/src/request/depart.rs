//! Sends a request to GitHub: with which credential, and with which validator.
//!
//! A stored response is asked about with the validator that the chosen credential would have
//! got for it, computed where GitHub's ETags have proved predictable. Where they have not, the
//! credential that fetched it is preferred, since the stored ETag is its own. So is it for what is
//! another thing to each credential, such as `/user`.

use super::errand::{Asked, Errand, Forwarded, Part, RequestBody, LONGEST_HELD};
use super::{serve, Admitted, AwaitingCredential, Effect, Phase, World};
use crate::budget::Account;
use crate::cache::entry::Entry;
use crate::etag::{self, MemoKey};
use crate::flight::{self, Landing};
use crate::pool::{pace, Grant, Unavailable, Wish};
use crate::upstream::{self, Validator};

/// How long requests wait for an App's first token, milliseconds.
const PATIENCE_FOR_TOKEN: u64 = 5_000;
/// How long they queue while every credential is busy, milliseconds.
const PATIENCE_WHEN_BUSY: u64 = 2_000;

impl Errand {
    /// Sends the request on its way, or answers it for want of a credential.
    pub(super) fn depart(self, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let since = world.now;
        self.depart_since(since, world, effects)
    }

    fn depart_since(
        mut self,
        since: u64,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        if let Some(account) = self.overdrawn(world) {
            return self.over_budget(account, world, effects);
        }
        match self.choose(&[], since, world) {
            Ok(grant) => {
                let (validator, asked) = self.validator(&grant, world);
                if self.admitted.leads && asked != Asked::Nothing {
                    flight::close(world.shared, &self.admitted.key, self.admitted.me);
                }
                let edits = self.edits(&grant, &validator, world);
                effects.push(Effect::Forward(edits));
                let body = std::mem::replace(&mut self.admitted.body, RequestBody::Dropped);
                Phase::Forwarded(self.sent(grant, asked, Vec::new(), body, world))
            }
            Err(unavailable)
                if is_patient(unavailable, since, world) && self.admitted.can_be_held() =>
            {
                Phase::AwaitingCredential(Box::new(AwaitingCredential {
                    errand: self,
                    since,
                }))
            }
            Err(unavailable) => self.unavailable(unavailable, world, effects),
        }
    }

    /// The credential for it, without those that refused it already. `since` is when it began
    /// to look for one.
    pub(super) fn choose(
        &self,
        tried: &[u64],
        since: u64,
        world: &World<'_>,
    ) -> Result<Grant, Unavailable> {
        let favourite = self
            .entry()
            .filter(|entry| !entry.head.predictable || entry.head.personal)
            .map(|entry| entry.head.credential);
        let wish = Wish {
            pool: &self.admitted.pool,
            resource: &self.admitted.resource,
            favourite,
            tried,
            points: self.entry().is_none().then(|| self.points()),
            reserve_percent: self.admitted.reserve_percent(world),
            impatient: world.now.saturating_sub(since) >= PATIENCE_WHEN_BUSY,
        };
        world.proxy.pool.choose(world.shared, &wish, world.now)
    }

    fn points(&self) -> u64 {
        pace::points(self.admitted.only_reads())
    }

    /// The client's account, if it is empty and the request will be counted. Questions about a
    /// stored response are expected to cost nothing, until that has proved wrong too often.
    fn overdrawn(&self, world: &World<'_>) -> Option<Account> {
        let account = self.admitted.account(&self.admitted.resource, world)?;
        let is_over = match self.entry() {
            Some(_) => account.is_exceeded,
            None => account.remaining == 0,
        };
        is_over.then_some(account)
    }

    fn over_budget(
        self,
        account: Account,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        // Those who wait have budgets of their own.
        let (admitted, entry) = self.abandon(Landing::HandedOn, world, effects);
        if let Some(entry) = entry {
            return serve::stale(&admitted, entry, world, effects);
        }
        serve::over_budget(&admitted, account, world, effects)
    }

    /// The validator with which `grant` asks about the stored response.
    pub(super) fn validator(&self, grant: &Grant, world: &mut World<'_>) -> (Validator, Asked) {
        let Some(entry) = self.entry() else {
            return (Validator::Client, Asked::Nothing);
        };
        let stored = entry.head.headers.text("etag");
        if let Some(stored) = stored {
            if entry.head.credential == grant.tag {
                return (Validator::Tag(stored.to_owned()), Asked::Stored);
            }
            if entry.head.predictable {
                let tag = predicted(&self.admitted, entry, grant, world);
                let tag = etag::quoted(&tag, etag::is_weak(stored.as_bytes()));
                return (Validator::Tag(tag), Asked::Computed);
            }
        }
        match entry.head.headers.get("last-modified") {
            // Last-Modified does not depend on the credential.
            Some(date) => (Validator::Date(date.to_vec()), Asked::Stored),
            None => (Validator::Absent, Asked::Nothing),
        }
    }

    pub(super) fn edits(
        &self,
        grant: &Grant,
        validator: &Validator,
        world: &World<'_>,
    ) -> Vec<upstream::Edit> {
        let mut edits = upstream::edits(
            &self.admitted.headers,
            &world
                .proxy
                .config
                .upstream
                .at(self.admitted.mount)
                .authority,
            &self.admitted.path,
            grant.authorization(),
            validator,
            matches!(self.part, Part::Cached { .. }),
        );
        if self.admitted.is_bound_to_json() {
            edits.push((
                "content-type".to_owned(),
                Some(b"application/json".to_vec()),
            ));
        }
        edits
    }

    /// Books the request on `grant`.
    pub(super) fn sent(
        self,
        grant: Grant,
        asked: Asked,
        tried: Vec<u64>,
        body: RequestBody,
        world: &World<'_>,
    ) -> Box<Forwarded> {
        let reserved = asked == Asked::Nothing;
        if reserved {
            let resource = &self.admitted.resource;
            let points = self.points();
            grant
                .rates
                .reserve(world.shared, resource, points, world.now);
            if let Some(budget) = &self.admitted.budget {
                budget.charge(world.shared, resource, world.now);
            }
        }
        Box::new(Forwarded {
            asked_at: self.admitted.asks_at(world),
            errand: self,
            asked,
            grant,
            reserved,
            tried,
            sent_at: world.now,
            body,
        })
    }

    /// No credential can serve: a stale answer where that is allowed, else an error that says
    /// when one can.
    pub(super) fn unavailable(
        self,
        unavailable: Unavailable,
        world: &mut World<'_>,
        effects: &mut Vec<Effect>,
    ) -> Phase {
        let (admitted, entry) = self.abandon(Landing::Dissolved, world, effects);
        if let Some(entry) = entry {
            return serve::stale(&admitted, entry, world, effects);
        }
        serve::pool_unavailable(&admitted, unavailable, world, effects)
    }
}

/// Whether to wait on: a credential may be ready soon.
pub(super) fn is_patient(unavailable: Unavailable, since: u64, world: &World<'_>) -> bool {
    let waited = world.now.saturating_sub(since);
    match unavailable {
        Unavailable::Soon => waited < PATIENCE_FOR_TOKEN,
        Unavailable::Busy(_) => waited < PATIENCE_WHEN_BUSY,
        Unavailable::Exhausted(_) | Unavailable::Paused(_) | Unavailable::Broken => false,
    }
}

impl Admitted {
    /// What is left of the client's budget for `resource`, if it has one. From then on, what
    /// other replicas spend of it is heard of.
    pub(super) fn account(&self, resource: &str, world: &World<'_>) -> Option<Account> {
        let budget = self.budget.as_ref()?;
        if world.proxy.config.cache.cluster.is_some() {
            budget.watch(world.shared, resource, world.now);
        }
        Some(budget.account(world.shared, resource, world.now))
    }

    /// Whether the request may be held back: its body is not known to be a long one, which would
    /// get Envoy's 413. A refusal that says when to come back is better.
    fn can_be_held(&self) -> bool {
        let length = self.headers.content_length();
        length.is_none_or(|length| length <= LONGEST_HELD)
    }
}

impl AwaitingCredential {
    /// Its body turns out to be a long one, see [`Admitted::can_be_held`].
    pub(super) fn cannot_wait(self, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        let found = self.errand.choose(&[], self.since, world);
        let soon = Unavailable::Busy(world.now / 1_000 + 1);
        self.errand
            .unavailable(found.err().unwrap_or(soon), world, effects)
    }

    pub(super) fn tick(self: Box<Self>, world: &mut World<'_>, effects: &mut Vec<Effect>) -> Phase {
        self.errand.depart_since(self.since, world, effects)
    }
}

/// The opaque tag that GitHub would give `grant` for the body of `entry`.
pub(super) fn predicted(
    admitted: &Admitted,
    entry: &Entry,
    grant: &Grant,
    world: &mut World<'_>,
) -> String {
    let key = MemoKey {
        entry: admitted.key.0,
        body: entry.digest,
        credential: grant.tag,
    };
    world.worker.memo.get_or(key, || {
        let accept = admitted.accept();
        etag::predict(accept.as_deref(), grant.authorization(), entry.body())
    })
}
