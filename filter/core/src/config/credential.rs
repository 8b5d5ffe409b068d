//! The pool's credentials: which environment variable holds the secret of each, or the secret
//! sealed.
//!
//! The document never holds a secret that could be read, because Envoy shows its
//! configuration to everyone who reaches the admin port. A variable that is not
//! there is a fault, and what cannot be opened; a private key that is none is not: it would
//! keep every other credential from serving.

use std::collections::BTreeMap;

use super::reader::{Fields, Node};
use super::{private_key, registry, DEFAULT_POOL};
use crate::seal::{self, SealKey, KEY_FORM, KEY_VARIABLE};
use crate::secret::Secret;

/// The keys of an App's credential, apart from those that every credential has.
const APP_KEYS: [&str; 4] = ["app_id", "installation_id", "pem_env", "pem_sealed"];
const EITHER: &str = "expected either pat_env, or app_id, installation_id and pem_env \
                      (pat_sealed and pem_sealed where the secret is sealed)";
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
        "pat_sealed",
        "app_id",
        "installation_id",
        "pem_env",
        "pem_sealed",
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
    let label = name.as_deref().unwrap_or_default();
    let pat_is_there = ["pat_env", "pat_sealed"].map(|key| fields.optional(key).is_some());
    let (user, kind) = match (pat_is_there, is_app) {
        ([true, false] | [false, true], false) => (user(&fields), pat(&fields, label, secrets)),
        ([false, false], true) => (no_user(&fields), app(&fields, label, secrets)),
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

fn pat(
    fields: &Fields<'_, '_>,
    name: &str,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<CredentialKind> {
    let (node, found) = match fields.optional("pat_sealed") {
        Some(node) => {
            let found = opened(&node, &seal::token_label(name), secrets)?;
            (node, found)
        }
        None => {
            let node = fields.required("pat_env")?;
            let found = secret(&node, "GITHUB_PAT_", "", secrets)?;
            (node, found)
        }
    };
    let Found { holder, text } = found;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.error(format!(
            "{holder} holds what cannot be a token: expected visible ASCII characters without spaces"
        ));
        return None;
    }
    let token = Secret::new(text);
    Some(CredentialKind::Pat { token })
}

fn app(
    fields: &Fields<'_, '_>,
    name: &str,
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
    let sealed = fields.optional("pem_sealed");
    let key = match (sealed, fields.optional("pem_env")) {
        (Some(node), None) => {
            let key = opened(&node, &seal::key_label(name), secrets);
            key.and_then(|key| private_key(&node, key))
        }
        (Some(node), Some(_)) => {
            node.error(EITHER);
            None
        }
        (None, _) => fields.required("pem_env").and_then(|node| {
            let key = secret(&node, "GITHUB_APP_", "_PEM", secrets)?;
            private_key(&node, key)
        }),
    };
    Some(CredentialKind::App {
        app_id: app_id?,
        installation_id: installation_id?,
        key: key?,
    })
}

/// A secret where it was found.
struct Found {
    /// What holds it, for messages.
    holder: String,
    /// Not empty, without blanks around it.
    text: String,
}

fn private_key(node: &Node<'_>, found: Found) -> Option<Secret> {
    let Found { holder, text } = found;
    if text.len() > MAX_KEY_BYTES {
        node.error(format!(
            "{holder} holds what cannot be a private key: expected at most {MAX_KEY_BYTES} bytes"
        ));
        return None;
    }
    Some(Secret::new(private_key::normal(&text)))
}

/// The value, not empty, of the variable that `node` names: `prefix`, some name, `suffix`.
fn secret(
    node: &Node<'_>,
    prefix: &str,
    suffix: &str,
    secrets: &dyn Fn(&str) -> Option<String>,
) -> Option<Found> {
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
    Some(Found {
        holder: format!("the environment variable {variable}"),
        text: secret.to_owned(),
    })
}

/// What is sealed in `node` for the place `label`.
fn opened(node: &Node<'_>, label: &str, secrets: &dyn Fn(&str) -> Option<String>) -> Option<Found> {
    let sealed = node.string()?;
    let Some(key) = secrets(KEY_VARIABLE).filter(|key| !key.is_empty()) else {
        node.error(format!(
            "the environment variable {KEY_VARIABLE} is missing: set it for Envoy and list it in \
             vm_config.environment_variables.host_env_keys"
        ));
        return None;
    };
    let Some(key) = SealKey::from_hex(&key) else {
        node.error(format!("{KEY_VARIABLE}: {KEY_FORM}"));
        return None;
    };
    let secret = key.open(label, sealed);
    let secret = secret.as_ref().map(|secret| secret.expose().trim_ascii());
    match secret {
        Some("") => node.error("sealed is an empty secret"),
        Some(secret) => {
            return Some(Found {
                holder: "the sealed text".to_owned(),
                text: secret.to_owned(),
            })
        }
        None => node.error(format!(
            "cannot be opened: expected what was sealed under the {KEY_VARIABLE} of this Envoy, for \
             a credential of this name"
        )),
    }
    None
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
