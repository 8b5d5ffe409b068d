//! Follows the registry file and hands each good version to Envoy.
//!
//! Looks at the content, again and again: that sees what editors do (replace
//! the file), what Kubernetes does (swap a link above it), and every file
//! system, where notifications see some. A version counts once it was read
//! twice, so that a half-written one does not. A bad one is reported with all
//! its faults and changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, Instant};

use super::admin::{Admin, Reloads};
use super::folder::RunFolder;
use super::say;
use crate::env::{Settings, Variables};
use crate::envoy_config::{EnvoyConfig, Placement};
use crate::faults::Faults;
use crate::{plugin, registry_file};

const PERIOD: Duration = Duration::from_millis(200);
/// Envoy needs a tenth of a second.
const LIMIT: Duration = Duration::from_secs(10);

/// What following the file takes.
pub(super) struct Reload<'a> {
    settings: &'a Settings,
    variables: &'a Variables,
    placement: &'a Placement,
    folder: &'a RunFolder,
    admin: Admin,
    /// The configuration that Envoy runs.
    running: Value,
    version: u64,
}

/// The content of the file, or why there is none.
type Content = Result<Vec<u8>, String>;

impl<'a> Reload<'a> {
    /// Follows the registry file of `settings`, while Envoy runs with `running`.
    pub(super) fn new(
        settings: &'a Settings,
        variables: &'a Variables,
        placement: &'a Placement,
        folder: &'a RunFolder,
        admin: Admin,
        running: Value,
    ) -> Self {
        Self {
            settings,
            variables,
            placement,
            folder,
            admin,
            running,
            version: 1,
        }
    }

    /// Follows the file for ever.
    pub(super) async fn watch(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.settings.registry_file.clone() else {
            return std::future::pending().await;
        };
        let mut known = read(path.clone()).await;
        let mut candidate = None;
        loop {
            sleep(PERIOD).await;
            let content = read(path.clone()).await;
            if content == known {
                candidate = None;
            } else if candidate.as_ref() == Some(&content) {
                self.apply(&path, &content).await?;
                known = content;
                candidate = None;
            } else {
                candidate = Some(content);
            }
        }
    }

    async fn apply(&mut self, path: &std::path::Path, content: &Content) -> anyhow::Result<()> {
        match self.prepare(path, content) {
            Ok((configuration, count)) => self.hand_over(configuration, count).await,
            Err(faults) => {
                say::refused(
                    "the registry file is not valid, the running one stays:",
                    &faults,
                );
                Ok(())
            }
        }
    }

    fn prepare(&self, path: &std::path::Path, content: &Content) -> Result<(Value, usize), Faults> {
        let content = content
            .as_ref()
            .map_err(|error| Faults::one(format!("{}: cannot be read: {error}", path.display())))?;
        let credentials = &self.settings.credentials;
        let registry = registry_file::parse(path, content, self.variables, credentials)?;
        let clusters = EnvoyConfig::clusters(self.settings);
        let configuration =
            plugin::configuration(self.settings, &registry, &clusters, self.variables)?;
        Ok((configuration, registry.count))
    }

    async fn hand_over(&mut self, configuration: Value, count: usize) -> anyhow::Result<()> {
        let plural = if count == 1 { "" } else { "s" };
        if configuration == self.running {
            say::info(format_args!(
                "registry reloaded: {count} client{plural}, nothing changed"
            ));
            return Ok(());
        }
        let before = self.admin.reloads().await;
        self.version += 1;
        let config = EnvoyConfig::new(self.settings, self.placement, configuration.clone());
        self.folder
            .replace_reload_file(&config.ecds(&self.version.to_string())?)?;
        if self.taken_over(before).await {
            say::info(format_args!("registry reloaded: {count} client{plural}"));
            self.running = configuration;
        } else {
            say::warning("Envoy did not take the new registry over; its log says why");
        }
        Ok(())
    }

    async fn taken_over(&self, before: Option<Reloads>) -> bool {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let (Some(now), Some(before)) = (self.admin.reloads().await, before) {
                if now.taken > before.taken || now.refused > before.refused {
                    return now.refused == before.refused;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

/// Reads the file without holding up anything else, should its file system hang.
async fn read(path: PathBuf) -> Content {
    tokio::fs::read(path)
        .await
        .map_err(|error| error.to_string())
}
