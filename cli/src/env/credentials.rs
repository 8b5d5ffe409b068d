//! Which GitHub credentials the environment names.
//!
//! `GITHUB_PAT_<NAME>` is a personal access token. Where it exists,
//! `GITHUB_PAT_<NAME>_POOL` and `GITHUB_PAT_<NAME>_USER` describe it and are no
//! tokens themselves. `GITHUB_APP_<NAME>_…` variables are recognised; Apps are
//! not used yet, and it would be wrong to take their presence for no credential
//! at all. The secrets stay in the environment: here are names only.

use std::collections::BTreeSet;

use super::Variables;
use crate::faults::Faults;

const PAT: &str = "GITHUB_PAT_";
const APP: &str = "GITHUB_APP_";
/// Longest first: `_INSTALLATION_ID` ends with `_ID`.
const APP_SUFFIXES: [&str; 4] = ["_INSTALLATION_ID", "_POOL", "_PEM", "_ID"];

/// A personal access token of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `<NAME>` of `GITHUB_PAT_<NAME>`: its name in logs and statistics.
    pub name: String,
    /// The variable that holds the secret.
    pub variable: String,
    /// The pool that it belongs to; `None`: the default pool.
    pub pool: Option<String>,
}

/// Finds the credentials; what is recognised but not used is added to `notices`.
pub(super) fn read(
    variables: &Variables,
    notices: &mut Vec<String>,
) -> Result<Vec<Credential>, Faults> {
    let mut faults = Faults::default();
    let mut credentials = Vec::new();
    for (variable, name) in variables.with_prefix(PAT) {
        if let Some(token) = described(variables, variable, "_USER") {
            notices.push(format!(
                "{variable} has no effect yet: {token} is used without it"
            ));
            continue;
        }
        if described(variables, variable, "_POOL").is_some() {
            continue;
        }
        if !is_credential_name(name) {
            faults.add(format!(
                "{PAT}<NAME>: expected a name of 1 to 128 letters, digits, '_', '.' or '-'"
            ));
        }
        let secret = variables.get(variable).unwrap_or_default().trim_ascii();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            faults.add(format!(
                "{variable}: expected a personal access token: visible ASCII characters, no spaces"
            ));
        }
        let pool_variable = format!("{variable}_POOL");
        let pool = variables.get(&pool_variable);
        if !pool.is_none_or(is_pool_name) {
            faults.add(format!(
                "{pool_variable}: expected the name of a pool: up to 63 letters, digits, '_', '.' \
                 or '-', the first a letter or digit"
            ));
        }
        credentials.push(Credential {
            name: name.to_owned(),
            variable: variable.to_owned(),
            pool: pool.map(str::to_owned),
        });
    }
    let apps = app_names(variables);
    match (apps.iter().next(), credentials.is_empty()) {
        (Some(app), true) => faults.add(format!(
            "{APP}{app}_ID: GitHub Apps are not supported yet: expected at least one {PAT}<NAME>"
        )),
        _ => notices.extend(
            apps.iter()
                .map(|app| format!("{APP}{app}_… is not used yet: GitHub Apps are not supported")),
        ),
    }
    faults.or(Some(credentials))
}

/// The token that `variable` describes, if it is the attribute `suffix` of one.
fn described<'a>(variables: &Variables, variable: &'a str, suffix: &str) -> Option<&'a str> {
    let token = variable.strip_suffix(suffix)?;
    variables.get(token).is_some().then_some(token)
}

fn app_names(variables: &Variables) -> BTreeSet<&str> {
    let name = |rest: &'_ str| -> Option<usize> {
        let suffix = APP_SUFFIXES.iter().find(|suffix| rest.ends_with(*suffix))?;
        (rest.len() > suffix.len()).then(|| rest.len() - suffix.len())
    };
    variables
        .with_prefix(APP)
        .filter_map(|(_, rest)| rest.get(..name(rest)?))
        .collect()
}

fn is_credential_name(name: &str) -> bool {
    name.len() <= 128 && name.bytes().all(is_name_byte)
}

fn is_pool_name(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().all(is_name_byte)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}
