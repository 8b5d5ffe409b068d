//! Which GitHub credentials the environment names.
//!
//! `GITHUB_PAT_<NAME>` is a personal access token. Where it exists,
//! `GITHUB_PAT_<NAME>_POOL` and `GITHUB_PAT_<NAME>_USER` describe it and are no
//! tokens themselves. `GITHUB_APP_<NAME>_ID`, `_INSTALLATION_ID` and `_PEM` (or
//! `_PEM_FILE`) are a GitHub App; an incomplete one is a fault. A token and an App may
//! both be called `<NAME>`: then the App is `<NAME>.app` in logs and statistics. The
//! secrets stay in the environment: here are names only.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Variables;
use crate::faults::Faults;

const PAT: &str = "GITHUB_PAT_";
const APP: &str = "GITHUB_APP_";
/// Longest first: `_INSTALLATION_ID` ends with `_ID`.
const APP_SUFFIXES: [&str; 5] = ["_INSTALLATION_ID", "_PEM_FILE", "_POOL", "_PEM", "_ID"];
const NAME: &str = "a name of 1 to 128 letters, digits, '_', '.' or '-'";
const LABEL: &str = "up to 63 letters, digits, '_', '.' or '-', the first a letter or digit";

/// A credential of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name in logs and statistics, `<NAME>` of its variables where that is unique.
    pub name: String,
    /// The variable of Envoy's environment that holds the secret.
    pub variable: String,
    /// The pool that it belongs to; `None`: the default pool.
    pub pool: Option<String>,
    /// Whose token it is; tokens of one user share one rate limit. `None`: unknown, or an App.
    pub user: Option<String>,
    /// What it is.
    pub kind: CredentialKind,
}

/// The kinds of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A personal access token.
    Pat,
    /// A GitHub App.
    App {
        /// Its id or its client id.
        app_id: String,
        /// The id of its installation.
        installation_id: String,
        /// The file that holds the private key; `None`: the variable itself does.
        key_file: Option<PathBuf>,
    },
}

/// Finds the credentials: first the tokens, then the Apps, each by name. Names that cannot be
/// meant are added to `notices`.
pub(super) fn read(
    variables: &Variables,
    notices: &mut Vec<String>,
) -> Result<Vec<Credential>, Faults> {
    let mut reading = Reading {
        variables,
        faults: Faults::default(),
    };
    let mut credentials = Vec::new();
    for (variable, name) in variables.with_prefix(PAT) {
        if !reading.describes_another(variable) {
            credentials.push(reading.pat(variable, name));
        }
    }
    let apps = app_names(variables);
    for name in &apps {
        let Some(mut app) = reading.app(name) else {
            continue;
        };
        while credentials.iter().any(|other| other.name == app.name)
            || (app.name != *name && apps.contains(app.name.as_str()))
        {
            app.name.push_str(".app");
        }
        if app.name != *name {
            reading.name(&format!("{APP}<NAME>_ID beside {PAT}<NAME>"), &app.name);
            notices.push(format!(
                "the App of {APP}{name}_ID is named {} in statistics and logs, since \
                 {PAT}{name} is there too",
                app.name
            ));
        }
        credentials.push(app);
    }
    if variables.get(PAT).is_some() {
        notices.push(format!("{PAT} has no effect: expected {PAT}<NAME>"));
    }
    notices.extend(
        APP_SUFFIXES
            .iter()
            .rev()
            .map(|suffix| format!("{APP}{}", suffix.trim_start_matches('_')))
            .filter(|variable| variables.get(variable).is_some())
            .map(|variable| {
                let expected = variable.replacen(APP, "GITHUB_APP_<NAME>_", 1);
                format!("{variable} has no effect: expected {expected}")
            }),
    );
    reading.faults.or(Some(credentials))
}

struct Reading<'a> {
    variables: &'a Variables,
    faults: Faults,
}

impl Reading<'_> {
    /// Whether `variable` is no token, but an attribute of one.
    fn describes_another(&self, variable: &str) -> bool {
        ["_POOL", "_USER"]
            .iter()
            .filter_map(|suffix| variable.strip_suffix(suffix))
            .any(|token| self.variables.get(token).is_some())
    }

    fn pat(&mut self, variable: &str, name: &str) -> Credential {
        self.name(&format!("{PAT}<NAME>"), name);
        let secret = self.variables.get(variable).unwrap_or_default();
        let secret = secret.trim_ascii();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.faults.add(format!(
                "{variable}: expected a personal access token: visible ASCII characters, no spaces"
            ));
        }
        Credential {
            name: name.to_owned(),
            variable: variable.to_owned(),
            pool: self.label(&format!("{variable}_POOL"), "the name of a pool"),
            user: self.label(&format!("{variable}_USER"), "a GitHub login"),
            kind: CredentialKind::Pat,
        }
    }

    fn app(&mut self, name: &str) -> Option<Credential> {
        self.name(&format!("{APP}<NAME>_ID"), name);
        let variable = |suffix| format!("{APP}{name}{suffix}");
        let [id, installation, pem, pem_file] =
            ["_ID", "_INSTALLATION_ID", "_PEM", "_PEM_FILE"].map(variable);
        let app_id = self.value(&id, is_app_id, "the App's id or client id");
        let installation_id = self.value(&installation, is_installation_id, "digits");
        let key_file = self.value(&pem_file, |path| !path.is_empty(), "the path of a file");
        let key = self.value(
            &pem,
            |key| !key.is_empty(),
            "the App's private key, it is empty",
        );
        if key.is_some() && key_file.is_some() {
            self.faults
                .add(format!("{pem}: expected only one of {pem} and {pem_file}"));
        }
        let pool = self.label(&variable("_POOL"), "the name of a pool");
        let parts = [&id, &installation, &pem];
        let is_missing = |variable: &&String| {
            let other_form = *variable == &pem && self.variables.get(&pem_file).is_some();
            self.variables.get(variable).is_none() && !other_form
        };
        let missing: Vec<_> = parts.into_iter().filter(is_missing).cloned().collect();
        if !missing.is_empty() {
            self.faults.add(format!(
                "{}: missing: an App needs {id}, {installation}, and {pem} or {pem_file}",
                missing.join(", ")
            ));
        }
        Some(Credential {
            name: name.to_owned(),
            variable: pem,
            pool,
            user: None,
            kind: CredentialKind::App {
                app_id: app_id?,
                installation_id: installation_id?,
                key_file: key_file.map(PathBuf::from),
            },
        })
    }

    fn name(&mut self, variable: &str, name: &str) {
        if name.len() > 128 || !name.bytes().all(is_name_byte) {
            self.faults.add(format!("{variable}: expected {NAME}"));
        }
    }

    /// The value of `variable` without blanks around it, if it is there. It must be `valid`.
    fn value(
        &mut self,
        variable: &str,
        valid: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Option<String> {
        let value = self.variables.get(variable)?.trim_ascii();
        if !valid(value) {
            self.faults.add(format!("{variable}: expected {expected}"));
        }
        Some(value.to_owned())
    }

    fn label(&mut self, variable: &str, what: &str) -> Option<String> {
        self.value(variable, is_label, &format!("{what}: {LABEL}"))
    }
}

fn app_names(variables: &Variables) -> BTreeSet<&str> {
    variables
        .with_prefix(APP)
        .filter_map(|(_, rest)| {
            let mut suffixes = APP_SUFFIXES.iter();
            let unnamed = suffixes.any(|suffix| suffix.strip_prefix('_') == Some(rest));
            let mut names = APP_SUFFIXES
                .iter()
                .filter_map(|suffix| rest.strip_suffix(suffix));
            names.next().filter(|name| !unnamed && !name.is_empty())
        })
        .collect()
}

fn is_app_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(is_name_byte)
}

fn is_installation_id(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names of pools and users.
fn is_label(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().all(is_name_byte)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

#[cfg(test)]
mod tests;
