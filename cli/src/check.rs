//! `github-proxy check`: validates the environment and a registry file.

use std::fmt::Write as _;
use std::path::PathBuf;

use github_proxy_core::config::DEFAULT_POOL;

use crate::env::{
    self, authorities, keys, Backend, Credential, CredentialKind, Settings, Sources, Upstream,
    Variables,
};
use crate::envoy_config::EnvoyConfig;
use crate::faults::Faults;
use crate::plugin::{self, Secrets};
use crate::registry_file::{self, Included, RegistryFile};

/// A summary of what is fine. It names no secret.
///
/// # Errors
/// Every fault found.
pub fn check(file: Option<PathBuf>, sources: &Sources) -> anyhow::Result<String> {
    let variables = &sources.variables()?;
    let mut faults = Faults::default();
    let settings = faults.take(Settings::read(variables));
    faults.take(env::seal_key(variables));
    let mut with_keys = variables.clone();
    if let Some(settings) = &settings {
        faults.take(keys::load(settings, &mut with_keys));
        for fault in keys::malformed(settings, &with_keys) {
            faults.add(fault);
        }
        faults.take(authorities::check(settings));
    }
    let from_environment = || {
        variables
            .get(env::REGISTRY_FILE)
            .filter(|path| !path.is_empty())
    };
    let file = file.or_else(|| from_environment().map(PathBuf::from));
    let credentials = settings
        .as_ref()
        .map_or(&[][..], |settings| &settings.credentials);
    let mut summary = String::new();
    match &file {
        Some(file) => {
            if let Some(registry) = faults.take(registry_file::load(
                file,
                variables,
                credentials,
                &Included::default(),
            )) {
                let count = registry.count;
                writeln!(summary, "{}: {}", file.display(), counted(count, "client"))?;
                if let (Some(settings), []) = (&settings, faults.lines()) {
                    faults.take(accepted(settings, &registry, &with_keys));
                }
            }
        }
        None if !credentials.is_empty() => {
            faults.add(env::NO_REGISTRY);
        }
        None => writeln!(summary, "client registry: none is named")?,
    }
    let settings = faults.or(settings)?;
    write!(summary, "{}", described(&settings))?;
    Ok(summary)
}

/// Whether the filter takes it all, should the reader of the environment have overlooked something.
fn accepted(
    settings: &Settings,
    registry: &RegistryFile,
    variables: &Variables,
) -> Result<(), Faults> {
    // The simulator's own are beyond doubt.
    if settings.credentials.is_empty() {
        return Ok(());
    }
    let clusters = EnvoyConfig::clusters(settings);
    plugin::configuration(
        settings,
        registry,
        &clusters,
        variables,
        Secrets::Environment,
    )
    .map(|_| ())
}

fn described(settings: &Settings) -> String {
    let mut lines = Vec::new();
    let Settings {
        upstream,
        credentials,
        ..
    } = settings;
    lines.push(format!("GitHub: {}", url(upstream)));
    if !settings.uploads.shares_host(upstream) {
        lines.push(format!("uploads: {}", url(&settings.uploads)));
    }
    lines.push(match &settings.backend {
        Backend::Memory => "cache: in memory".to_owned(),
        Backend::Redis(redis) => {
            let tls = if redis.tls { " over TLS" } else { "" };
            format!(
                "cache: in memory and Redis at {}{tls}, database {}",
                redis.address, redis.database
            )
        }
        Backend::Webdis(address) => format!("cache: in memory and Webdis at {address}"),
    });
    if credentials.is_empty() {
        lines.push(
            "credentials: none; `run` uses the bundled simulator instead of GitHub".to_owned(),
        );
    } else {
        lines.push(counted(credentials.len(), "credential"));
        lines.extend(credentials.iter().map(line));
    }
    lines.extend(
        settings
            .notices
            .iter()
            .map(|notice| format!("note: {notice}")),
    );
    lines.push("all is fine\n".to_owned());
    lines.join("\n")
}

fn url(upstream: &Upstream) -> String {
    let scheme = if upstream.tls { "https" } else { "http" };
    format!("{scheme}://{}{}", upstream.authority(), upstream.base_path)
}

fn line(credential: &Credential) -> String {
    let pool = credential.pool.as_deref().unwrap_or(DEFAULT_POOL);
    let what = match &credential.kind {
        CredentialKind::Pat => match &credential.user {
            Some(user) => format!("personal access token of {user}"),
            None => "personal access token".to_owned(),
        },
        CredentialKind::App {
            app_id,
            installation_id,
            key_file: _,
        } => format!("GitHub App {app_id}, installation {installation_id}"),
    };
    format!("  {} in pool {pool}: {what}", credential.name)
}

/// A number of things.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
