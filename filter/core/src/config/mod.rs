//! The configuration of the filter: one JSON document in, one [`Config`] out
//! that cannot be wrong.
//!
//! A document is read into a plain value first and then walked by a small
//! reader that knows where it is. So every fault is found in one go, each with
//! its exact path and with what is expected there, whether the document was
//! JSON (Envoy's plugin configuration) or YAML (the client registry file).
//! Nothing here prints a value that could be a secret, and nothing reads the
//! environment: secrets come from the function that the caller passes.

mod cache;
mod credential;
mod document;
mod expiry;
mod pool;
pub mod private_key;
mod reader;
pub mod registry;
mod rewrite;
mod scopes;
pub(crate) mod token;
mod upstream;

use std::fmt;

use serde_json::Value;

pub use self::cache::Cache;
pub use self::credential::{Credential, CredentialKind};
pub use self::document::Document;
pub use self::expiry::unix_seconds;
pub use self::pool::PoolSettings;
pub use self::reader::{shown_key, UNKNOWN_KEY};
use self::reader::{Errors, Node};
pub use self::registry::{ClientRegistry, Priority};
pub use self::rewrite::{public_url, RewriteSettings};
pub use self::upstream::{is_authority, Place, Upstream};

/// The pool of everything that names none.
pub const DEFAULT_POOL: &str = "default";

/// The key under which the command tells how many versions it has refused so far: it does not
/// hand those over, but they are counted with all others.
pub const REFUSED: &str = "refused";

/// The validated configuration of the filter.
#[derive(Debug)]
pub struct Config {
    /// Where GitHub is.
    pub upstream: Upstream,
    /// What is kept, how long, and where.
    pub cache: Cache,
    /// Who may use the proxy.
    pub clients: ClientRegistry,
    /// What the proxy authenticates with at GitHub; at least one.
    pub credentials: Vec<Credential>,
    /// How the pool of them treats its rate limits.
    pub pool: PoolSettings,
    /// How URLs in answers are treated.
    pub rewrite: RewriteSettings,
    /// How many versions the command has refused so far; they are to be counted.
    pub refused: u64,
}

impl Config {
    /// Reads the plugin configuration as Envoy hands it over.
    ///
    /// `secrets` looks up an environment variable by its name.
    ///
    /// # Errors
    /// Every fault of the document, or the one that made it unreadable.
    pub fn from_json(
        json: &[u8],
        secrets: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigError>> {
        let Document(value) = serde_json::from_slice(json).map_err(|error| {
            vec![ConfigError {
                path: reader::TOP_LEVEL.to_owned(),
                message: format!("not valid JSON: {error}"),
            }]
        })?;
        Self::from_value(&value, &secrets)
    }

    /// Like [`Config::from_json`], for a document that was read already.
    ///
    /// # Errors
    /// Every fault of the document.
    pub fn from_value(
        value: &Value,
        secrets: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigError>> {
        let errors = Errors::default();
        let config = read(&Node::top(value, &errors), secrets);
        errors.into_result(config)
    }
}

fn read(node: &Node<'_>, secrets: &dyn Fn(&str) -> Option<String>) -> Option<Config> {
    let fields = node.fields(&[
        "upstream",
        "cache",
        "clients",
        "credentials",
        "pool",
        "rewrite",
        REFUSED,
    ])?;
    let upstream = fields.required("upstream").and_then(|n| Upstream::read(&n));
    let cache = match fields.optional("cache") {
        Some(node) => Cache::read(&node),
        None => Some(Cache::default()),
    };
    let rewrite = match fields.optional("rewrite") {
        Some(node) => RewriteSettings::read(&node),
        None => Some(RewriteSettings::default()),
    };
    let pool = match fields.optional("pool") {
        Some(node) => PoolSettings::read(&node),
        None => Some(PoolSettings::default()),
    };
    let credentials = fields.required("credentials");
    let pools = credentials
        .as_ref()
        .map_or_else(Vec::new, credential::pools);
    let clients = fields
        .required("clients")
        .and_then(|n| registry::read_clients(&n, &pools));
    let credentials = credentials.and_then(|n| credential::read_all(&n, secrets));
    Some(Config {
        upstream: upstream?,
        cache: cache?,
        clients: clients?,
        credentials: credentials?,
        pool: pool?,
        rewrite: rewrite?,
        refused: fields.integer_or(REFUSED, 0..=u64::MAX, 0),
    })
}

/// One fault of a configuration document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, for example `clients[1].scopes[0].path`.
    pub path: String,
    /// What is wrong and what is expected; never a secret.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
