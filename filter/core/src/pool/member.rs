//! One credential of a pool: what it would send, and what GitHub holds against it.

use super::health::{Health, HealthKey};
use super::rate::{Ledger, RateKey};
use super::watched::Watched;
use crate::config::{Credential, CredentialKind};
use crate::secret::Secret;
use crate::shared::SharedData;
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// A token that is refused so soon after it was made is not replaced at once, milliseconds.
const TOO_YOUNG: u64 = 60_000;
/// How long before its end an installation token is no longer sent, milliseconds.
const TOKEN_MARGIN: u64 = 1_000;

/// A credential of the configuration.
#[derive(Debug)]
pub struct Member {
    /// Its name in the configuration, in stats and logs.
    pub name: String,
    /// The pool it serves.
    pub pool: String,
    /// Its rates; those of its user where several share them.
    pub rates: RateKey,
    /// Its health.
    pub health: HealthKey,
    known_rates: Watched<Ledger>,
    known_health: Watched<Health>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Pat {
        authorization: Secret,
        tag: u64,
    },
    App {
        app_id: String,
        installation_id: String,
        key: Secret,
    },
}

/// A credential in use by one request.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name.
    pub name: String,
    /// Its rates.
    pub rates: RateKey,
    /// Its health.
    pub health: HealthKey,
    /// Identifies the secret without revealing it: entries remember who fetched them.
    pub tag: u64,
    /// GitHub held nothing against it when it was chosen.
    pub is_clean: bool,
    pub(super) authorization: Secret,
}

impl Grant {
    /// The Authorization value.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.expose().as_bytes()
    }
}

impl Member {
    pub(super) fn new(credential: &Credential) -> Self {
        let name = &credential.name;
        // What is known holds for one secret: a new one under the old name starts afresh. An
        // installation keeps its rates whatever its key.
        let (kind, own, health) = match &credential.kind {
            CredentialKind::Pat { token } => {
                let authorization = format!("Bearer {}", token.expose());
                let tag = tag(&authorization);
                let own = number(&["credential", name, &tag.to_string()]);
                let authorization = Secret::new(authorization);
                (Kind::Pat { authorization, tag }, own, own)
            }
            CredentialKind::App {
                app_id,
                installation_id,
                key,
            } => {
                let own = number(&["installation", name, app_id, installation_id]);
                let health = number(&["app", name, app_id, installation_id, key.expose()]);
                let kind = Kind::App {
                    app_id: app_id.clone(),
                    installation_id: installation_id.clone(),
                    key: key.clone(),
                };
                (kind, own, health)
            }
        };
        let rates = match &credential.user {
            Some(user) => number(&["user", user]),
            None => own,
        };
        let (rates, health) = (RateKey(rates), HealthKey(health));
        Self {
            name: name.clone(),
            pool: credential.pool.clone(),
            known_rates: rates.watched(),
            known_health: health.watched(),
            rates,
            health,
            kind,
        }
    }

    /// `token` for a personal access token, `app` for a GitHub App.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Pat { .. } => "token",
            Kind::App { .. } => "app",
        }
    }

    /// What is known of its rates.
    pub fn ledger(&self, shared: &dyn SharedData) -> Rc<Ledger> {
        self.known_rates.get(shared)
    }

    /// Its present health.
    pub fn health(&self, shared: &dyn SharedData) -> Rc<Health> {
        self.known_health.get(shared)
    }

    /// Whether there is something valid to send.
    pub(super) fn has_grant(&self, health: &Health, now: u64) -> bool {
        match &self.kind {
            Kind::Pat { .. } => true,
            Kind::App { .. } => health
                .token
                .as_ref()
                .is_some_and(|token| now.saturating_add(TOKEN_MARGIN) < token.expires_at),
        }
    }

    /// What to send, when there is something valid.
    pub(super) fn grant(&self, health: &Health, now: u64) -> Option<Grant> {
        if !self.has_grant(health, now) {
            return None;
        }
        let (authorization, tag) = match &self.kind {
            Kind::Pat { authorization, tag } => (authorization.clone(), *tag),
            Kind::App { .. } => {
                let token = health.token.as_ref()?;
                let secret = Secret::new(token.authorization.clone());
                (secret, tag(&token.authorization))
            }
        };
        Some(Grant {
            name: self.name.clone(),
            rates: self.rates,
            health: self.health,
            tag,
            is_clean: health.is_clean(),
            authorization,
        })
    }

    /// Notes that GitHub did not accept what was sent under `used`. A token of an App is replaced
    /// by a new one; a PAT is left out. Returns whether that is news.
    pub fn refused(&self, shared: &dyn SharedData, used: u64, now: u64) -> bool {
        let Kind::App { .. } = &self.kind else {
            return self.health.refused(shared);
        };
        let news = self.health.change(shared, |health| {
            let present = health.token.as_ref();
            let Some(token) = present.filter(|token| tag(&token.authorization) == used) else {
                return false;
            };
            if now.saturating_sub(token.obtained_at) < TOO_YOUNG {
                health.exchange.failed(now, 0, used);
            } else {
                health.exchange.hurry();
            }
            health.token = None;
            true
        });
        news.unwrap_or(false)
    }

    /// Whether GitHub does not accept it, or has no token for it.
    pub(super) fn is_broken(&self, shared: &dyn SharedData, now: u64) -> bool {
        let health = self.health(shared);
        health.broken || !self.has_grant(&health, now) && health.exchange.failures > 0
    }

    /// The value of `github_proxy_credential_state`: 0 ready, 1 exhausted (core), 2 paused,
    /// 3 broken.
    pub fn state(&self, shared: &dyn SharedData, now: u64) -> u64 {
        let health = self.health(shared);
        let ledger = self.ledger(shared);
        let core = ledger.standing("core");
        if self.is_broken(shared, now) {
            3
        } else if health.paused_until > now {
            2
        } else {
            u64::from(core.is_some_and(|core| core.left(now) == 0))
        }
    }
}

/// Identifies an Authorization value.
fn tag(authorization: &str) -> u64 {
    number(&["authorization", authorization])
}

fn number(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"github-proxy pool");
    for part in parts {
        hash.update(b"\0");
        hash.update(part);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
