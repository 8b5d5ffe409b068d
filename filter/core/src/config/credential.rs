//! The pool's credentials: which environment variable holds the secret of each.
//!
//! The document never holds a secret itself, because Envoy shows its
//! configuration to everyone who reaches the admin port.

use std::collections::BTreeMap;

use super::reader::Node;
use super::DEFAULT_POOL;
use crate::secret::Secret;

/// Something to authenticate with at GitHub.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name in statistics and logs: `BOT_1` for `GITHUB_PAT_BOT_1`. Unique.
    pub name: String,
    /// The pool that it belongs to. Pools share neither quota nor cache entries.
    pub pool: String,
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
        node.error("expected at least one credential: set GITHUB_PAT_<NAME>");
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
    let fields = node.fields(&["name", "pat_env", "pool"])?;
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
        Some(node) => super::registry::name(&node),
        None => Some(DEFAULT_POOL.to_owned()),
    };
    let token = fields
        .required("pat_env")
        .and_then(|node| pat(&node, secrets));
    Some(Credential {
        name: name?,
        pool: pool?,
        kind: CredentialKind::Pat { token: token? },
    })
}

fn pat(node: &Node<'_>, secrets: &dyn Fn(&str) -> Option<String>) -> Option<Secret> {
    let variable = node.string()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = variable.starts_with("GITHUB_PAT_") && variable.bytes().all(allowed);
    if !is_name || variable.len() > 160 {
        // Not shown: it may be a token in the place of the variable's name.
        node.error("expected the name of an environment variable, GITHUB_PAT_<NAME>");
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
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.error(format!(
            "the environment variable {variable} holds what cannot be a token: expected visible \
             ASCII characters without spaces"
        ));
        return None;
    }
    Some(Secret::new(secret.to_owned()))
}

/// Wider than a client's name: whatever follows `GITHUB_PAT_` in a variable's name.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(allowed)
}
