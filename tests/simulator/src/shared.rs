//! All that the connections, the control port and the handle share.
//!
//! Each part has a lock of its own that is held for the length of one step and never across a
//! suspension point. Where two are needed, `world` is taken before any other.

use crate::apps::Apps;
use crate::auth::{self, Identity, Owner, Tokens};
use crate::documents::Documents;
use crate::etag::EtagRules;
use crate::faults::Faults;
use crate::limits::Limits;
use crate::log::Log;
use crate::options::{BaseUrl, Mount, Options, Seed};
use crate::secondary::Secondary;
use crate::world::{seed, World};
use hyper::header::HeaderMap;
use parking_lot::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// What URLs begin with.
#[derive(Clone, Debug)]
pub struct Bases {
    /// The API, without a final slash.
    pub api: String,
    /// Uploads.
    pub uploads: String,
}

/// The state of a simulator.
pub struct Shared {
    /// How it was set up.
    pub options: Options,
    /// What URLs begin with.
    pub bases: Bases,
    /// Tokens in force.
    pub tokens: Mutex<Tokens>,
    /// Known Apps.
    pub apps: Mutex<Apps>,
    /// Primary limits.
    pub limits: Mutex<Limits>,
    /// Secondary limits.
    pub secondary: Mutex<Secondary>,
    /// Waiting faults.
    pub faults: Mutex<Faults>,
    /// Documents set from outside.
    pub documents: Mutex<Documents>,
    /// How entity tags come about.
    pub etags: Mutex<EtagRules>,
    /// Repositories and all that belongs to them.
    pub world: Mutex<World>,
    /// What was received.
    pub log: Log,
}

impl Shared {
    /// The state at the start, for an API at `own` (`http://address:port`).
    pub fn new(options: Options, own: &str) -> Self {
        let bases = match (&options.base_url, options.mount) {
            (BaseUrl::Fixed { api, uploads }, _) => Bases {
                api: api.clone(),
                uploads: uploads.clone(),
            },
            (BaseUrl::Own, Mount::Root) => Bases {
                api: own.to_owned(),
                uploads: own.to_owned(),
            },
            (BaseUrl::Own, Mount::EnterpriseServer) => Bases {
                api: format!("{own}/api/v3"),
                uploads: format!("{own}/api/uploads"),
            },
        };
        let mut tokens = Tokens::default();
        let mut world = match options.seed {
            Seed::Demo => seed::demo(),
            Seed::Empty => World::default(),
        };
        for token in &options.tokens {
            tokens.add(token.clone());
            if let Owner::User(login) = &token.owner {
                world.ensure_user(login);
            }
        }
        let mut apps = Apps::default();
        for app in &options.apps {
            apps.add(app.clone());
        }
        let mut limits = Limits::default();
        for (owner, resource, quota) in &options.quotas {
            limits.set_quota(owner, resource, *quota);
        }
        let mut secondary = Secondary::default();
        secondary.set_rules(options.secondary.clone());
        Self {
            bases,
            tokens: Mutex::new(tokens),
            apps: Mutex::new(apps),
            limits: Mutex::new(limits),
            secondary: Mutex::new(secondary),
            faults: Mutex::default(),
            documents: Mutex::default(),
            etags: Mutex::new(EtagRules::new(options.etags)),
            world: Mutex::new(world),
            log: Log::new(options.log_entries),
            options,
        }
    }

    /// Who sent a request with these headers.
    pub fn identify(&self, headers: &HeaderMap, now: u64) -> Identity {
        let secret = match auth::secret(headers) {
            Ok(Some(secret)) => secret,
            Ok(None) => return Identity::Anonymous,
            Err(auth::Unreadable) => return Identity::Bad,
        };
        if let Some(token) = self.tokens.lock().find(&secret, now) {
            return Identity::Known {
                token: token.name.clone(),
                owner: token.owner.clone(),
            };
        }
        match self.apps.lock().verify(&secret, now) {
            Some(id) => Identity::Known {
                token: "jwt".to_owned(),
                owner: Owner::App(id),
            },
            None => Identity::Bad,
        }
    }
}

/// The time in Unix seconds.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
