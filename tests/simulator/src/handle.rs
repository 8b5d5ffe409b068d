//! Starts a simulator and steers it: what the control port can do, as methods.

use crate::apps::{App, Installation};
use crate::auth::{Owner, Token};
use crate::catalogue::{self, Example};
use crate::documents::Document;
use crate::etag::EtagMode;
use crate::faults::{Action, Fault};
use crate::limits::Quota;
use crate::log::{Counters, Entry};
use crate::options::Options;
use crate::secondary::{Ban, SecondaryRules};
use crate::shared::{now, Shared};
use crate::world::{seed, World};
use crate::{control, server};
use anyhow::{Context, Result};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Starts simulators.
pub struct Simulator;

impl Simulator {
    /// Binds both addresses and serves in tasks of the current Tokio runtime, until the handle is
    /// dropped.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn start(options: Options) -> Result<Handle> {
        let bind = |address: SocketAddr| async move {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| format!("cannot listen on {address}"))
        };
        let api = bind(options.listen).await?;
        let control = bind(options.control).await?;
        let (api_address, control_address) = (api.local_addr()?, control.local_addr()?);
        let shared = Arc::new(Shared::new(options, &format!("http://{api_address}")));
        let steering = Steering {
            shared: Arc::clone(&shared),
        };
        let tasks = vec![
            tokio::spawn(server::api(api, shared)),
            tokio::spawn(control::serve(control, steering.clone())),
        ];
        Ok(Handle {
            steering,
            api_address,
            control_address,
            tasks,
        })
    }
}

/// A running simulator. Dropping it ends it.
pub struct Handle {
    steering: Steering,
    api_address: SocketAddr,
    control_address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// Where the API listens.
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Where the control port listens.
    pub fn control_address(&self) -> SocketAddr {
        self.control_address
    }

    /// The URL of the API's address, without a final slash and without the mount.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api_address)
    }

    /// What steers it, to be cloned and used elsewhere.
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// The URL of the control port, without a final slash.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control_address)
    }
}

impl std::ops::Deref for Handle {
    type Target = Steering;

    fn deref(&self) -> &Steering {
        &self.steering
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What can be done to a running simulator. Clones steer the same one.
///
/// Where an owner is wanted, a token's name or an owner's key (`user/octocat`, `installation/7`,
/// `anonymous`) will do, and `*` means every authenticated one.
#[derive(Clone)]
pub struct Steering {
    pub(crate) shared: Arc<Shared>,
}

impl Steering {
    /// Requests that reached the API since the last reset, the oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        self.shared.log.entries(0)
    }

    /// Requests with a number above `after`.
    pub fn requests_after(&self, after: u64) -> Vec<Entry> {
        self.shared.log.entries(after)
    }

    /// Requests whose target (path and query as sent) starts with `prefix`.
    pub fn requests_to(&self, prefix: &str) -> Vec<Entry> {
        let mut entries = self.requests();
        entries.retain(|entry| entry.target.starts_with(prefix));
        entries
    }

    /// The counters since the last reset.
    pub fn counters(&self) -> Counters {
        self.shared.log.counters()
    }

    /// How many requests were counted against a primary limit since the last reset.
    pub fn counted(&self) -> u64 {
        self.counters().total.counted
    }

    /// Empties the log and the counters; rate limits stay.
    pub fn reset_log(&self) {
        self.shared.log.reset();
    }

    /// Puts a document at a path below the mount, or at a path and query exactly.
    pub fn put(&self, target: &str, document: Document) {
        self.shared.documents.lock().put(target, document);
    }

    /// Puts a JSON document.
    pub fn put_json(&self, target: &str, value: Value) {
        self.put(target, Document::json(value));
    }

    /// Removes a document; false when there is none.
    pub fn remove(&self, target: &str) -> bool {
        self.shared.documents.lock().remove(target)
    }

    /// Makes what lies at a path a new version: a document, a repository or an issue (pull
    /// request). Returns whether there is any.
    pub fn touch(&self, target: &str) -> bool {
        self.shared.documents.lock().touch(target).is_some()
            || seed::touch(&mut self.shared.world.lock(), target)
    }

    /// Changes the world at will.
    pub fn world<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.shared.world.lock())
    }

    /// Makes a repository with so many issues; returns its number.
    pub fn add_repo(&self, owner: &str, name: &str, issues: u64) -> u64 {
        self.world(|world| {
            let id = world.add_repo(owner, name);
            seed::add_issues(world, id, issues);
            id
        })
    }

    /// Renames a repository; its old name answers 301 from then on. False when there is none.
    pub fn rename_repo(&self, owner: &str, name: &str, new_name: &str) -> bool {
        self.world(|world| match world.repo_id(owner, name) {
            Some(id) => {
                world.rename(id, owner, new_name);
                true
            }
            None => false,
        })
    }

    /// Accepts a token from now on.
    pub fn add_token(&self, token: Token) {
        if let Owner::User(login) = &token.owner {
            self.shared.world.lock().ensure_user(login);
        }
        self.shared.tokens.lock().add(token);
    }

    /// Refuses a token from now on; false when there is none of this name.
    pub fn revoke_token(&self, name: &str) -> bool {
        self.shared.tokens.lock().revoke(name)
    }

    /// The tokens in force.
    pub fn tokens(&self) -> Vec<Token> {
        self.shared.tokens.lock().list().to_vec()
    }

    /// Knows an App from now on.
    pub fn add_app(&self, app: App) {
        self.shared.apps.lock().add(app);
    }

    /// Changes an installation: suspends it, changes the lifetime of its tokens. False when there
    /// is none of this number.
    pub fn change_installation(&self, id: u64, change: impl FnOnce(&mut Installation)) -> bool {
        self.shared.apps.lock().change(id, change)
    }

    /// Sets the quota of an owner and resource (`*`: all) and begins its windows anew.
    pub fn set_quota(&self, owner: &str, resource: &str, limit: u64, window_seconds: u64) {
        let owner = self.owner(owner);
        let quota = Quota {
            limit,
            window_seconds,
        };
        self.shared.limits.lock().set_quota(&owner, resource, quota);
    }

    /// Uses up what an owner has left of a resource.
    pub fn exhaust(&self, owner: &str, resource: &str) {
        let owner = self.owner(owner);
        self.shared
            .limits
            .lock()
            .exhaust(&owner, resource, now() as u64);
    }

    /// Begins windows anew.
    pub fn reset_windows(&self, owner: &str, resource: &str) {
        let owner = self.owner(owner);
        self.shared.limits.lock().reset(&owner, resource);
    }

    /// Begins a ban (secondary limit) of an owner.
    pub fn ban(&self, owner: &str, ban: Ban) {
        let owner = self.owner(owner);
        self.shared.secondary.lock().ban(&owner, ban, now());
    }

    /// Ends bans of an owner.
    pub fn lift_ban(&self, owner: &str) {
        let owner = self.owner(owner);
        self.shared.secondary.lock().lift(&owner);
    }

    /// Sets when owners are banned by themselves.
    pub fn set_secondary(&self, rules: SecondaryRules) {
        self.shared.secondary.lock().set_rules(rules);
    }

    /// Sets how entity tags come about below a path prefix (empty: everywhere else).
    pub fn set_etags(&self, prefix: &str, mode: EtagMode) {
        self.shared.etags.lock().set(prefix, mode);
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.lock().add(fault);
    }

    /// Makes the next `times` requests whose path starts with `prefix` go wrong.
    pub fn fail_next(&self, times: u64, prefix: &str, action: Action) {
        self.fault(Fault::next(times, prefix, action));
    }

    /// The faults that are waiting.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults.lock().list().to_vec()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.lock().clear();
    }

    /// Serves every GET example of an OpenAPI description (see [`catalogue`]) as a document, and
    /// says which.
    ///
    /// # Errors
    /// When the file cannot be read or is no OpenAPI description.
    pub fn load_openapi(&self, file: &Path) -> Result<Vec<Example>> {
        let text =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let examples = catalogue::examples(&text)?;
        for example in &examples {
            self.put_json(&example.path, example.body.clone());
        }
        Ok(examples)
    }

    fn owner(&self, name: &str) -> String {
        self.shared.tokens.lock().owner_key(name)
    }
}
