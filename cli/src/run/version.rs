//! One version of all that an operator can change while the proxy runs: settings, credentials,
//! clients. Read as a whole, refused as a whole.

use github_proxy_core::seal::SealKey;
use serde_json::Value;

use super::demo::Demo;
use crate::env::{self, authorities, keys, Settings, Sources, Variables};
use crate::envoy_config::EnvoyConfig;
use crate::faults::Faults;
use crate::plugin::{self, Secrets};
use crate::registry_file::{self, Included};

/// What the environment says, with the private keys that are in files.
pub(super) struct Version {
    pub settings: Settings,
    pub variables: Variables,
    /// The templates that the registry file included, once that was read.
    pub included: Included,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// The filter's configuration, made of a version.
pub(super) struct Prepared {
    pub plugin: Value,
    /// How many clients there are.
    pub clients: usize,
}

impl Version {
    /// Reads the environment, its file, and the private keys.
    ///
    /// # Errors
    /// Every fault.
    pub(super) fn read(sources: &Sources) -> Result<Self, Faults> {
        let mut variables = sources.variables()?;
        let settings = Settings::read(&variables)?;
        keys::load(&settings, &mut variables)?;
        let mut warnings = settings.notices.clone();
        warnings.extend(keys::malformed(&settings, &variables));
        Ok(Self {
            settings,
            variables,
            included: Included::default(),
            warnings,
        })
    }

    /// Reads the registry file and makes the filter's configuration of it all. `demo` stands in
    /// for GitHub.
    ///
    /// # Errors
    /// Every fault of the registry, or what the filter would refuse.
    pub(super) fn prepare(&self, demo: Option<&Demo>, key: &SealKey) -> Result<Prepared, Faults> {
        let Self {
            settings,
            variables,
            included,
            ..
        } = self;
        let registry = match (&settings.registry_file, demo) {
            (Some(path), _) => {
                registry_file::load(path, variables, &settings.credentials, included)?
            }
            (None, Some(demo)) => demo.registry(),
            (None, None) => return Err(Faults::one(env::NO_REGISTRY)),
        };
        let clusters = EnvoyConfig::clusters(settings);
        let secrets = Secrets::Sealed(key);
        let plugin = plugin::configuration(settings, &registry, &clusters, variables, secrets)?;
        Ok(Prepared {
            plugin,
            clients: registry.count,
        })
    }

    /// Whether `self` can take the place of `running` without a restart.
    ///
    /// # Errors
    /// What only a restart can change, and a pool without credentials.
    pub(super) fn can_follow(&self, running: &Settings) -> Result<(), Faults> {
        let new = &self.settings;
        let mut faults = Faults::default();
        for (name, changed) in [
            (env::API_URL, new.upstream != running.upstream),
            (env::UPLOADS_URL, new.uploads != running.uploads),
            (env::CACHE_BACKEND, new.backend != running.backend),
            (
                authorities::VARIABLE,
                new.authorities != running.authorities,
            ),
        ] {
            if changed {
                faults.add(format!("{name}: a change takes effect at a restart only"));
            }
        }
        if new.credentials.is_empty() {
            faults.add(env::NO_CREDENTIAL);
        }
        faults.or(Some(()))
    }
}
