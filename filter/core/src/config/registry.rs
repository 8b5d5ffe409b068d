//! The client registry: who may use the proxy, and who presents a given token.
//!
//! It knows tokens only by their SHA-256 digests. Looking one up is one hash
//! and one map access, whatever is presented and however many clients there
//! are, so its time tells nothing about the tokens. Expiry is checked against
//! the caller's clock; an expired token is not a fault of the document.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::reader::{Errors, Node};
use super::token::{self, Token, TokenDigest};
use super::{ConfigError, DEFAULT_POOL};
use crate::graphql::wish;
use crate::scope::Scopes;

/// A budget above every limit that GitHub has says nothing.
const MAX_BUDGET: u64 = 1_000_000;

/// Someone who may use the proxy.
#[derive(Debug)]
pub struct Client {
    /// Its name in statistics, logs and messages: `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`. Unique.
    pub name: String,
    /// The pool of credentials that serves it.
    pub pool: String,
    /// Counted upstream requests per hour and rate-limit resource, 1 to 1,000,000; `None`: no
    /// limit of its own. What GitHub does not count (a 304, say) costs nothing.
    pub budget: Option<u64>,
    /// Whether it leaves a reserve of each credential to the others.
    pub priority: Priority,
    /// How old an answer to its GraphQL queries may be where a request does not say, seconds, 1 to
    /// 86,400; `None`: GitHub is asked each time.
    pub graphql_cache_seconds: Option<u64>,
    /// What it may do.
    pub scopes: Scopes,
}

/// Who comes first when a credential runs low.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// May use all of a credential.
    #[default]
    Normal,
    /// Leaves the last part of each to the others:
    /// [`super::PoolSettings::low_priority_reserve_percent`].
    Low,
}

/// Why a token is not accepted.
#[derive(Debug)]
pub enum Denied<'a> {
    /// No client has this token.
    BadToken,
    /// It was this client's token.
    ExpiredToken {
        /// Whose token it was.
        client: &'a Client,
    },
}

/// The clients and the digests of their tokens. No clients: nobody is let in.
#[derive(Debug)]
pub struct ClientRegistry {
    clients: Vec<Client>,
    tokens: HashMap<TokenDigest, Grant>,
}

#[derive(Debug)]
struct Grant {
    client: usize,
    expires: Option<u64>,
}

impl ClientRegistry {
    /// Who presents `token` at `now`, in Unix seconds.
    ///
    /// # Errors
    /// The token is nobody's, or has expired.
    pub fn authenticate(&self, token: &[u8], now: u64) -> Result<&Client, Denied<'_>> {
        let grant = self.tokens.get(&token::digest(token));
        let grant = grant.ok_or(Denied::BadToken)?;
        let client = self.clients.get(grant.client).ok_or(Denied::BadToken)?;
        match grant.expires {
            Some(expires) if expires <= now => Err(Denied::ExpiredToken { client }),
            _ => Ok(client),
        }
    }

    /// All clients, in the order of the document.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }
}

/// Reads a registry document: `clients`, and `version`, which is 1 unless it says otherwise.
///
/// `pools` are the pools that hold a credential; a client in another one is a fault.
///
/// # Errors
/// Every fault of the document.
pub fn from_document(document: &Value, pools: &[&str]) -> Result<ClientRegistry, Vec<ConfigError>> {
    let errors = Errors::default();
    let registry = read_document(&Node::top(document, &errors), pools);
    errors.into_result(registry)
}

/// The document with every plain `token` replaced by its `token_sha256`, in hex.
///
/// For handing a registry on (to Envoy, whose admin port shows its configuration).
/// Expects a document that [`from_document`] accepts.
pub fn without_tokens(document: &Value) -> Value {
    match document {
        Value::Object(map) => Value::Object(map.iter().map(digest_in_place).collect()),
        Value::Array(items) => items.iter().map(without_tokens).collect(),
        other => other.clone(),
    }
}

/// SHA-256 of a token: what `token_sha256` holds, in hex or base64.
pub fn token_digest(token: &[u8]) -> [u8; 32] {
    token::digest(token)
}

fn digest_in_place((key, value): (&String, &Value)) -> (String, Value) {
    match value {
        Value::String(token) if key == "token" => {
            let digest = hex::encode(token::digest(token.as_bytes()));
            ("token_sha256".to_owned(), Value::String(digest))
        }
        other => (key.clone(), without_tokens(other)),
    }
}

fn read_document(node: &Node<'_>, pools: &[&str]) -> Option<ClientRegistry> {
    let fields = node.fields(&["version", "clients"])?;
    fields.integer_or("version", 1..=1, 1);
    let clients = fields.required("clients")?;
    read_clients(&clients, pools)
}

pub(super) fn read_clients(node: &Node<'_>, pools: &[&str]) -> Option<ClientRegistry> {
    let mut reading = Reading {
        pools,
        names: BTreeMap::new(),
        token_paths: HashMap::new(),
        tokens: HashMap::new(),
    };
    let items = node.items()?;
    let clients: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, node)| reading.client(index, node))
        .collect();
    Some(ClientRegistry {
        clients: clients.into_iter().collect::<Option<_>>()?,
        tokens: reading.tokens,
    })
}

/// What must be unique among all clients, while they are read.
struct Reading<'p> {
    pools: &'p [&'p str],
    names: BTreeMap<String, String>,
    token_paths: HashMap<TokenDigest, String>,
    tokens: HashMap<TokenDigest, Grant>,
}

impl Reading<'_> {
    fn client(&mut self, index: usize, node: &Node<'_>) -> Option<Client> {
        let fields = node.fields(&[
            "name",
            "token",
            "token_sha256",
            "tokens",
            "scopes",
            "pool",
            "budget",
            "priority",
            "graphql_cache_seconds",
        ])?;
        let name = fields.required("name").and_then(|node| {
            let name = name(&node)?;
            if let Some(first) = self.names.insert(name.clone(), node.path().to_owned()) {
                node.error(format!("the same name as {first}"));
            }
            Some(name)
        });
        for token in token::read_of_client(node, &fields) {
            self.grant(index, token);
        }
        let scopes = match fields.optional("scopes") {
            Some(node) => super::scopes::read(&node),
            None => Some(Scopes::everything()),
        };
        let pool = match fields.optional("pool") {
            Some(node) => self.pool(&node),
            None => self.default_pool(node),
        };
        let budget = fields.optional("budget");
        let graphql_cache = fields.optional("graphql_cache_seconds");
        let priority = match fields.optional("priority") {
            Some(node) => priority(&node),
            None => Some(Priority::default()),
        };
        Some(Client {
            name: name?,
            pool: pool?,
            budget: budget.and_then(|node| node.integer(1..=MAX_BUDGET)),
            priority: priority?,
            graphql_cache_seconds: graphql_cache.and_then(|node| node.integer(1..=wish::LONGEST)),
            scopes: scopes?,
        })
    }

    fn grant(&mut self, client: usize, token: Token<'_>) {
        let (digest, expires) = (token.digest, token.expires);
        if let Some(first) = self.token_paths.get(&digest) {
            token.node.error(format!("the same token as {first}"));
            return;
        }
        let path = token.node.path().to_owned();
        self.token_paths.insert(digest, path);
        self.tokens.insert(digest, Grant { client, expires });
    }

    fn pool(&self, node: &Node<'_>) -> Option<String> {
        let pool = name(node)?;
        if !self.pools.contains(&pool.as_str()) {
            node.error("unknown pool: no credential belongs to it");
            return None;
        }
        Some(pool)
    }

    /// The default pool, if it has a credential. No pool at all is a fault of its own.
    fn default_pool(&self, node: &Node<'_>) -> Option<String> {
        if !self.pools.is_empty() && !self.pools.contains(&DEFAULT_POOL) {
            node.error("no credential belongs to the pool \"default\": set pool to another");
            return None;
        }
        Some(DEFAULT_POOL.to_owned())
    }
}

fn priority(node: &Node<'_>) -> Option<Priority> {
    match node.string()? {
        "normal" => Some(Priority::Normal),
        "low" => Some(Priority::Low),
        _ => {
            node.error("expected \"normal\" or \"low\"");
            None
        }
    }
}

/// A name that may stand in statistics and messages: `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`.
pub(super) fn name(node: &Node<'_>) -> Option<String> {
    let name = node.string()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let valid = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.bytes().all(allowed);
    if !valid {
        // Not shown: it may be a token in the wrong place.
        node.error(
            "expected a name of 1 to 63 letters, digits, '_', '.' or '-', starting with a letter \
             or digit",
        );
        return None;
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests;
