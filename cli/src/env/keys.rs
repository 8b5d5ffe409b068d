//! The private keys of the GitHub Apps: read from their files, and looked at.
//!
//! Envoy's filter sees variables and no files, so a key from a file becomes the
//! variable that the filter reads. A file that cannot be read is a fault. What is
//! no key is not: its App will not serve, and the other credentials will. Nothing
//! here is ever printed of a key.

use std::path::Path;

use github_proxy_core::config::private_key;

use super::{Credential, CredentialKind, Settings, Variables};
use crate::bounded;
use crate::faults::Faults;

/// More than any key has.
const MAX_FILE_BYTES: u64 = 32 * 1024;

/// Puts the keys that are in files into their variables.
///
/// # Errors
/// The files that cannot be read.
pub fn load(settings: &Settings, variables: &mut Variables) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (credential, key_file) in apps(settings) {
        let Some(path) = key_file else { continue };
        match read(path) {
            Ok(key) => variables.set(&credential.variable, &private_key::normal(&key)),
            Err(error) => faults.add(format!(
                "{}_FILE: {}: {error}",
                credential.variable,
                path.display()
            )),
        }
    }
    faults.or(Some(()))
}

/// What is wrong with each private key that is none, after [`load`].
pub fn malformed(settings: &Settings, variables: &Variables) -> Vec<String> {
    apps(settings)
        .filter_map(|(credential, key_file)| {
            let key = variables.get(&credential.variable)?;
            let suffix = key_file.map_or("", |_| "_FILE");
            let fault = private_key::check(key).err()?;
            Some(format!("{}{suffix}: {fault}", credential.variable))
        })
        .collect()
}

/// What an operator who takes the printed configuration elsewhere has to do there.
pub fn to_do(settings: &Settings) -> Vec<String> {
    apps(settings)
        .filter_map(|(credential, key_file)| {
            let (variable, path) = (&credential.variable, key_file?);
            Some(format!(
                "{variable}_FILE: Envoy reads no file: set {variable} in its environment to the \
                 content of {}",
                path.display()
            ))
        })
        .collect()
}

fn apps(settings: &Settings) -> impl Iterator<Item = (&Credential, Option<&Path>)> {
    settings
        .credentials
        .iter()
        .filter_map(|credential| match &credential.kind {
            CredentialKind::App { key_file, .. } => Some((credential, key_file.as_deref())),
            CredentialKind::Pat => None,
        })
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let content = bounded::read(path, MAX_FILE_BYTES).map_err(unreadable)?;
    let text = content.map(|bytes| std::io::read_to_string(bytes.as_slice()));
    let text = text.transpose().map_err(unreadable)?;
    let Some(text) = text.filter(|text| !text.contains('\0')) else {
        return Err(format!(
            "expected a private key in PEM: text of at most {MAX_FILE_BYTES} bytes"
        ));
    };
    if text.trim_ascii().is_empty() {
        return Err("expected a private key in PEM, the file is empty".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
