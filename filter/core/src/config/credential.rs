//! The pool's credentials: which environment variable holds the secret of each.
//!
//! The document never holds a secret itself, because Envoy shows its
//! configuration to everyone who reaches the admin port. A variable that is not
//! there is a fault; a private key that is none is not: it would keep every
//! other credential from serving.

use std::collections::BTreeMap;

use super::reader::{Fields, Node};
use super::{private_key, registry, DEFAULT_POOL};
use crate::secret::Secret;

/// The keys of an App's credential, apart from those that every credential has.
const APP_KEYS: [&str; 3] = ["app_id", "installation_id", "pem_env"];
const EITHER: &str = "expected either pat_env, or app_id, installation_id and pem_env";
/// The most that is read of a private key; one of 16384 bits has 12 KiB.
const MAX_KEY_BYTES: usize = 32 * 1024;

/// Something to authenticate with at GitHub.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name in statistics and logs: `BOT_1` for `GITHUB_PAT_BOT_1`. Unique.
    pub name: String,
    /// The pool that it belongs to. Pools share no cache entries, and quota only where
    /// credentials of one user are in several.
    pub pool: String,
    /// Whose token it is: a GitHub login in lower case, or any label. Personal access tokens of
    /// one user share one rate limit. `None`: unknown, or an App.
    pub user: Option<String>,
    /// What it is.
    pub kind: CredentialKind,
}

/// The kinds of credentials that GitHub knows.
#[derive(Clone, Debug)]
pub enum CredentialKind {
    /// A personal access token, sent as it is.
    Pat {
        /// The token: visible ASCII, not empty.
        token: Secret,
    },
    /// The installation of a GitHub App, whose tokens live an hour.
    App {
        /// The `iss` of its JSON Web Token: the App's id, or its client id such as
        /// `Iv23liAbCdEf`. Letters, digits, `_`, `.` and `-`.
        app_id: String,
        /// Digits.
        installation_id: String,
        /// The App's private key as PEM with real line breaks, PKCS#1 or PKCS#8. Not empty; it
        /// may be no key at all ([`private_key::check`]).
        key: Secret,
    },
}

/// The pools that the credentials in `node` belong to. Faults are left to [`read_all`].
pub(super) fn pools<'a>(node: &Node<'a>) -> Vec<&'a str> {
    node.peek_items()
        .map(|item| item.get("pool").and_then(|pool| pool.as_str()))
        .map(|pool| pool.unwrap_or(DEFAULT_POOL))
        .collect()
}

pub(super) fn read_all(
    node: &Node<'_>,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<Credential>> {
    let items = node.items()?;
    if items.is_empty() {
        node.error(
            "expected at least one credential: set GITHUB_PAT_<NAME>, or GITHUB_APP_<NAME>_ID, \
             _INSTALLATION_ID and _PEM",
        );
    }
    let mut names = BTreeMap::new();
    items
        .iter()
        .map(|item| read(item, &mut names, secrets))
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn read(
    node: &Node<'_>,
    names: &mut BTreeMap<String, String>,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<Credential> {
    let fields = node.fields(&[
        "name",
        "pat_env",
        "app_id",
        "installation_id",
        "pem_env",
        "pool",
        "user",
    ])?;
    let name = fields.required("name").and_then(|node| {
        let name = node.string()?;
        if !is_name(name) {
            node.error("expected 1 to 128 letters, digits, '_', '.' or '-'");
            return None;
        }
        if let Some(first) = names.insert(name.to_owned(), node.path().to_owned()) {
            node.error(format!("the same name as {first}"));
        }
        Some(name.to_owned())
    });
    let pool = match fields.optional("pool") {
        Some(node) => registry::name(&node),
        None => Some(DEFAULT_POOL.to_owned()),
    };
    let is_app = APP_KEYS.iter().any(|key| fields.optional(key).is_some());
    let (user, kind) = match (fields.optional("pat_env"), is_app) {
        (Some(variable), false) => (user(&fields), pat(&variable, secrets)),
        (None, true) => (no_user(&fields), app(&fields, secrets)),
        _ => {
            node.error(EITHER);
            (Some(None), None)
        }
    };
    Some(Credential {
        name: name?,
        pool: pool?,
        user: user?,
        kind: kind?,
    })
}

/// The user, where one is named. The outer option is about faults.
#[allow(clippy::option_option)]
fn user(fields: &Fields<'_, '_>) -> Option<Option<String>> {
    match fields.optional("user") {
        // Logins are compared without regard to case.
        Some(node) => registry::name(&node).map(|user| Some(user.to_ascii_lowercase())),
        None => Some(None),
    }
}

#[allow(clippy::option_option)]
fn no_user(fields: &Fields<'_, '_>) -> Option<Option<String>> {
    match fields.optional("user") {
        Some(node) => {
            node.error("expected only beside pat_env: an installation's rate limit is its own");
            None
        }
        None => Some(None),
    }
}

fn pat(node: &Node<'_>, secrets: &dyn Fn(&str) -> Option<String>) -> Option<CredentialKind> {
    let (variable, token) = secret(node, "GITHUB_PAT_", "", secrets)?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.error(format!(
            "the environment variable {variable} holds what cannot be a token: expected visible \
             ASCII characters without spaces"
        ));
        return None;
    }
    let token = Secret::new(token);
    Some(CredentialKind::Pat { token })
}

fn app(
    fields: &Fields<'_, '_>,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<CredentialKind> {
    let app_id = fields.required("app_id").and_then(|node| {
        let id = node.string_or_digits()?;
        if (1..=64).contains(&id.len()) && id.bytes().all(is_name_byte) {
            return Some(id);
        }
        node.error("expected the id of a GitHub App (digits), or its client id such as Iv23liAbC");
        None
    });
    let installation_id = fields.required("installation_id").and_then(|node| {
        let id = node.string_or_digits()?;
        if (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(id);
        }
        node.error("expected the id of an installation: digits");
        None
    });
    let key = fields.required("pem_env").and_then(|node| {
        let (variable, key) = secret(&node, "GITHUB_APP_", "_PEM", secrets)?;
        if key.len() > MAX_KEY_BYTES {
            node.error(format!(
                "the environment variable {variable} holds what cannot be a private key: expected \
                 at most {MAX_KEY_BYTES} bytes"
            ));
            return None;
        }
        Some(Secret::new(private_key::normal(&key)))
    });
    Some(CredentialKind::App {
        app_id: app_id?,
        installation_id: installation_id?,
        key: key?,
    })
}

/// The variable that `node` names (`prefix`, some name, `suffix`) and its value, not empty.
fn secret<'a>(
    node: &Node<'a>,
    prefix: &str,
    suffix: &str,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<(&'a str, String)> {
    let variable = node.string()?;
    let inner = variable
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix));
    if !inner.is_some_and(is_name) {
        // Not shown: it may be the secret in the place of the variable's name.
        node.error(format!(
            "expected the name of an environment variable, {prefix}<NAME>{suffix}"
        ));
        return None;
    }
    // Secrets mounted from files often end in a line break.
    let secret = secrets(variable).unwrap_or_default();
    let secret = secret.trim_ascii();
    if secret.is_empty() {
        node.error(format!(
            "the environment variable {variable} is missing or empty: set it for Envoy and list \
             it in vm_config.environment_variables.host_env_keys"
        ));
        return None;
    }
    Some((variable, secret.to_owned()))
}

/// Wider than a client's name: whatever a variable's name holds between prefix and suffix.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

#[cfg(test)]
mod tests;
