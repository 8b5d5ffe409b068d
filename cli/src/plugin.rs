//! The filter's plugin configuration, made of the environment and the registry.
//!
//! It holds no secret that can be read: credentials by the name of their variable or sealed,
//! clients by the digests of their tokens. The core reads it once more before it leaves
//! here, by the same code as the filter will, so that Envoy never gets to see a
//! configuration that the filter would refuse.

use github_proxy_core::config::Config;
use github_proxy_core::seal::{self, SealKey, KEY_VARIABLE};
use github_proxy_core::secret::Secret;
use serde_json::{json, Map, Value};

use crate::env::{Credential, CredentialKind, Settings, Variables};
use crate::faults::Faults;
use crate::registry_file::RegistryFile;

/// What Envoy holds of one message at a time, bytes, as the bootstrap says.
pub const BUFFER_BYTES: u64 = 1024 * 1024;

/// Envoy's clusters, as the filter is to call them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// The cluster that leads to GitHub.
    pub github: String,
    /// The cluster that leads to where assets are uploaded.
    pub uploads: String,
    /// The cluster that leads to Webdis; `None`: memory only.
    pub cache: Option<String>,
}

/// How the secrets of the credentials reach the filter.
#[derive(Clone, Copy)]
pub enum Secrets<'a> {
    /// In Envoy's environment, each in its variable.
    Environment,
    /// In the configuration, sealed with the key that is in Envoy's environment.
    Sealed(&'a SealKey),
}

/// The plugin configuration as JSON.
///
/// # Errors
/// What the filter would refuse.
pub fn configuration(
    settings: &Settings,
    registry: &RegistryFile,
    clusters: &Clusters,
    variables: &Variables,
    secrets: Secrets<'_>,
) -> Result<Value, Faults> {
    let credential = |it: &Credential| credential(it, variables, secrets);
    let configuration = json!({
        "upstream": {
            "authority": settings.upstream.authority(),
            "base_path": settings.upstream.base_path,
            "cluster": clusters.github,
            "uploads": {
                "authority": settings.uploads.authority(),
                "base_path": settings.uploads.base_path,
                "cluster": clusters.uploads,
            },
        },
        "cache": cache(settings, clusters),
        "credentials": settings.credentials.iter().map(credential).collect::<Value>(),
        "pool": pool(settings),
        "rewrite": rewrite(settings),
        "clients": registry.clients,
    });
    let lookup = |name: &str| match secrets {
        Secrets::Environment => variables.get(name).map(str::to_owned),
        Secrets::Sealed(key) => (name == KEY_VARIABLE).then(|| key.to_hex().expose().to_owned()),
    };
    Config::from_value(&configuration, &lookup).map_err(|errors| {
        let mut faults = Faults::default();
        for error in errors {
            faults.add(error.to_string());
        }
        faults
    })?;
    Ok(configuration)
}

fn cache(settings: &Settings, clusters: &Clusters) -> Value {
    let bounds = &settings.cache;
    let numbers = [
        ("ttl_seconds", bounds.ttl_seconds),
        ("memory_bytes", bounds.memory_bytes),
        ("max_entry_bytes", bounds.max_entry_bytes),
        ("serve_fresh_seconds", bounds.serve_fresh_seconds),
        ("stale_if_error_seconds", bounds.stale_if_error_seconds),
    ];
    let mut cache = those_set(numbers);
    // Goes with the bootstrap's Lua filter. Half of what Envoy buffers there: at all of it, it
    // loses count of what its buffer holds.
    cache.insert("in_place_bytes".to_owned(), Value::from(BUFFER_BYTES / 2));
    if let Some(cluster) = &clusters.cache {
        cache.insert("cluster".to_owned(), Value::from(cluster.as_str()));
    }
    Value::Object(cache)
}

fn pool(settings: &Settings) -> Value {
    let pool = &settings.pool;
    let mut pool = those_set([
        ("rate_poll_seconds", pool.rate_poll_seconds),
        ("token_padding_minutes", pool.token_padding_minutes),
        (
            "low_priority_reserve_percent",
            pool.low_priority_reserve_percent,
        ),
    ]);
    // Goes with `allow_on_headers_stop_iteration` beside it.
    pool.insert("inspect_bodies".to_owned(), Value::Bool(true));
    Value::Object(pool)
}

fn rewrite(settings: &Settings) -> Value {
    let mut rewrite = Map::new();
    if let Some(urls) = settings.rewrite.urls {
        rewrite.insert("urls".to_owned(), Value::Bool(urls));
    }
    if let Some(url) = &settings.rewrite.public_url {
        rewrite.insert("public_url".to_owned(), Value::from(url.as_str()));
    }
    if !settings.rewrite.trusted_proxies.is_empty() {
        let trusted = settings.rewrite.trusted_proxies.clone();
        rewrite.insert("trusted_proxies".to_owned(), Value::from(trusted));
    }
    Value::Object(rewrite)
}

fn those_set<const N: usize>(numbers: [(&str, Option<u64>); N]) -> Map<String, Value> {
    numbers
        .into_iter()
        .filter_map(|(key, number)| Some((key.to_owned(), Value::from(number?))))
        .collect()
}

/// The variables of Envoy's environment that a plugin configuration reads.
pub fn variables(configuration: &Value) -> Vec<String> {
    let credentials = configuration.get("credentials").and_then(Value::as_array);
    let mut names: Vec<String> = Vec::new();
    for credential in credentials.into_iter().flatten() {
        let named = |key| credential.get(key).and_then(Value::as_str);
        let sealed = ["pat_sealed", "pem_sealed"].map(|key| named(key).map(|_| KEY_VARIABLE));
        let sources = ["pat_env", "pem_env"].map(named).into_iter().chain(sealed);
        for name in sources.flatten() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn credential(credential: &Credential, variables: &Variables, secrets: Secrets<'_>) -> Value {
    let mut entry = Map::new();
    let mut set = |key: &str, value: &str| {
        entry.insert(key.to_owned(), Value::from(value));
    };
    set("name", &credential.name);
    let (kind, label) = match &credential.kind {
        CredentialKind::Pat => ("pat", seal::token_label(&credential.name)),
        CredentialKind::App {
            app_id,
            installation_id,
            ..
        } => {
            set("app_id", app_id);
            set("installation_id", installation_id);
            ("pem", seal::key_label(&credential.name))
        }
    };
    match secrets {
        Secrets::Environment => set(&format!("{kind}_env"), &credential.variable),
        Secrets::Sealed(key) => {
            let secret = variables.get(&credential.variable).unwrap_or_default();
            let sealed = key.seal(&label, &Secret::new(secret.to_owned()));
            set(&format!("{kind}_sealed"), &sealed.unwrap_or_default());
        }
    }
    for (key, value) in [("pool", &credential.pool), ("user", &credential.user)] {
        if let Some(value) = value {
            set(key, value);
        }
    }
    Value::Object(entry)
}
