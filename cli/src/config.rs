//! `github-proxy config`: prints configuration made from the environment.

use crate::args::{ConfigArguments, Format};
use crate::env::{self, keys, Settings, Sources};
use crate::envoy_config::{EnvoyConfig, Placement};
use crate::faults::Faults;
use crate::plugin::{self, Secrets};
use crate::registry_file::{self, Included};
use crate::{istio, locate};

/// Renders what the arguments ask for.
///
/// # Errors
/// Every fault of the environment and the registry file; there is no credential or no registry.
pub fn config(arguments: &ConfigArguments, sources: &Sources) -> anyhow::Result<String> {
    let variables = &sources.variables()?;
    let settings = Settings::read(variables)?;
    for notice in &settings.notices {
        eprintln!("note: {notice}");
    }
    let mut faults = Faults::default();
    let mut with_keys = variables.clone();
    faults.take(keys::load(&settings, &mut with_keys));
    if settings.credentials.is_empty() {
        faults.add(env::NO_CREDENTIAL);
    }
    let registry = match &settings.registry_file {
        Some(path) => faults.take(registry_file::load(
            path,
            variables,
            &settings.credentials,
            &Included::default(),
        )),
        None => {
            faults.add(env::NO_REGISTRY);
            None
        }
    };
    let tls = faults.take(arguments.envoy_arguments.tls()).flatten();
    let key = faults.take(env::seal_key(variables)).flatten();
    let registry = faults.or(registry)?;
    let malformed = keys::malformed(&settings, &with_keys);
    // Sealed, a key from a file goes along.
    let to_do = if key.is_some() {
        Vec::new()
    } else {
        keys::to_do(&settings)
    };
    for notice in malformed.into_iter().chain(to_do) {
        eprintln!("note: {notice}");
    }
    let envoy = &arguments.envoy_arguments;
    let placement = Placement {
        listen: envoy.listen,
        admin: envoy.admin,
        admin_hosts: envoy.admin_host.clone(),
        concurrency: envoy.concurrency,
        module: envoy
            .filter
            .clone()
            .unwrap_or_else(locate::module_or_default),
        webdis: arguments.webdis.clone(),
        reload_from: arguments.reload_from.clone(),
        access_log: envoy.access_log.clone(),
        tls,
        tls_secret: None,
    };
    let clusters = match arguments.format {
        Format::WasmPlugin => istio::clusters(&settings, &placement.webdis),
        _ => EnvoyConfig::clusters(&settings),
    };
    let plugin = plugin::configuration(
        &settings,
        &registry,
        &clusters,
        &with_keys,
        key.as_ref().map_or(Secrets::Environment, Secrets::Sealed),
    )?;
    let config = EnvoyConfig::new(&settings, &placement, plugin);
    match arguments.format {
        Format::Bootstrap => config.bootstrap(),
        Format::Filter => config.filter(),
        Format::Ecds => config.ecds("1"),
        Format::WasmPlugin => config.wasm_plugin(),
        Format::EnvoyFilter => config.envoy_filter(),
    }
}
