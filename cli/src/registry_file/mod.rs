//! The client registry file: read, rendered, parsed, validated.
//!
//! What a registry may hold is decided by the core, which knows nothing of
//! files. Here the file's name, its template and the line numbers are added, so
//! that a fault says where to look. The plain tokens leave this module only as
//! their digests.

mod included;
mod template;

use std::path::Path;

pub use self::included::{Content, Included};
use github_proxy_core::config::{registry, ConfigError, DEFAULT_POOL, UNKNOWN_KEY};
use serde_json::Value;

use crate::bounded;
use crate::env::{Credential, Variables};
use crate::faults::Faults;
use crate::yaml::{self, YamlError};

/// The longest file, bytes: some hundred thousand clients.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A registry file that is valid.
#[derive(Debug, PartialEq)]
pub struct RegistryFile {
    /// The list under `clients`, each token replaced by its digest.
    pub clients: Value,
    /// How many clients there are.
    pub count: usize,
}

/// Reads and validates the registry file at `path`. What it includes is noted in `included`.
///
/// # Errors
/// Every fault of the file, each with its line where it has one.
pub fn load(
    path: &Path,
    variables: &Variables,
    credentials: &[Credential],
    included: &Included,
) -> Result<RegistryFile, Faults> {
    let fault = |what: String| Faults::one(format!("{}: {what}", path.display()));
    let text = bounded::read(path, MAX_FILE_BYTES)
        .map_err(|error| fault(format!("cannot be read: {error}")))?
        .ok_or_else(|| fault(format!("expected at most {MAX_FILE_BYTES} bytes")))?;
    parse(path, &text, variables, credentials, included)
}

/// Validates `text`, the content of the registry file at `path`.
///
/// # Errors
/// As [`load`].
pub fn parse(
    path: &Path,
    text: &[u8],
    variables: &Variables,
    credentials: &[Credential],
    included: &Included,
) -> Result<RegistryFile, Faults> {
    let name = path.display().to_string();
    let text = std::str::from_utf8(text)
        .map_err(|_| Faults::one(format!("{name}: expected UTF-8 text")))?;
    let is_template = path.extension().is_some_and(|extension| extension == "j2");
    if is_template {
        let text = template::render(path, text, variables, included)?;
        let name = format!("{name}, rendered");
        validate(&name, &text, credentials, Keys::Hidden)
    } else {
        validate(&name, text, credentials, Keys::Shown).map_err(|mut faults| {
            if text.contains("{{") || text.contains("{%") {
                faults.add(format!(
                    "{name}: a Jinja2 template needs a name that ends in .j2"
                ));
            }
            faults
        })
    }
}

/// Whether faults show keys that mean nothing. In what a template made, such a one may be the
/// value of a variable, and so a secret, where the key before it was forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Shown,
    Hidden,
}

impl Keys {
    fn of_registry(self, error: &ConfigError) -> String {
        let ConfigError { path, message } = error;
        if self == Self::Shown || !message.starts_with(UNKNOWN_KEY) {
            return error.to_string();
        }
        match path.rsplit_once('.') {
            Some((parent, _)) => format!("{parent}.(a key): {message}"),
            None => format!("(a key): {message}"),
        }
    }

    fn of_yaml(self, error: &YamlError) -> &str {
        match error.message.strip_suffix(yaml::TWICE) {
            Some(path) if self == Self::Hidden => error.message.trim_start_matches(path),
            _ => &error.message,
        }
    }
}

fn validate(
    name: &str,
    text: &str,
    credentials: &[Credential],
    keys: Keys,
) -> Result<RegistryFile, Faults> {
    let at = |error: &YamlError| format!("{name}:{}: {}", error.line, keys.of_yaml(error));
    let document = yaml::load(text).map_err(|error| Faults::one(at(&error)))?;
    if document.value.is_null() {
        return Err(Faults::one(format!(
            "{name}: expected a mapping with the keys version and clients, the file is empty"
        )));
    }
    let mut faults = Faults::default();
    for error in &document.errors {
        faults.add(at(error));
    }
    let pools = pools(&document.value, credentials);
    let clients = registry::from_document(&document.value, &pools).map_err(|errors| {
        let mut faults = Faults::default();
        for error in errors {
            let line = document.line(&error.path);
            faults.add(format!("{name}:{line}: {}", keys.of_registry(&error)));
        }
        faults
    });
    let clients = faults.take(clients).map(|clients| clients.clients().len());
    faults.or(clients.map(|count| RegistryFile {
        clients: without_tokens(&document.value),
        count,
    }))
}

fn without_tokens(document: &Value) -> Value {
    let document = registry::without_tokens(document);
    document.get("clients").cloned().unwrap_or_default()
}

/// The pools that a client may name. Without credentials nothing is known about
/// pools, and a registry can still be checked, so every name is accepted.
fn pools<'a>(document: &'a Value, credentials: &'a [Credential]) -> Vec<&'a str> {
    if credentials.is_empty() {
        let clients = document.get("clients").and_then(Value::as_array);
        let named = clients
            .into_iter()
            .flatten()
            .filter_map(|client| client.get("pool")?.as_str());
        return named.chain([DEFAULT_POOL]).collect();
    }
    let pool = |credential: &'a Credential| credential.pool.as_deref().unwrap_or(DEFAULT_POOL);
    credentials.iter().map(pool).collect()
}

#[cfg(test)]
mod tests;
