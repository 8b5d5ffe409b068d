//! Follows the files that the configuration is made of, and hands each good version to Envoy.
//!
//! Looks at their content, again and again: that sees what editors do (replace
//! the file), what Kubernetes does (swap a link above it), and every file
//! system, where notifications see some. A version counts once it was read
//! twice, so that a half-written one does not; SIGHUP makes it count at once. A bad one is
//! reported with all its faults, counted by the filter, and changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use github_proxy_core::config::REFUSED;
use github_proxy_core::seal::SealKey;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, Instant};

use super::admin::{Admin, Reloads};
use super::demo::Demo;
use super::folder::RunFolder;
use super::hang_up::HangUp;
use super::say;
use super::steady::Steady;
use super::version::{Prepared, Version};
use crate::bounded;
use crate::check::counted;
use crate::env::{Settings, Sources};
use crate::envoy_config::{EnvoyConfig, Placement};
use crate::faults::Faults;
use crate::registry_file::MAX_FILE_BYTES;

const PERIOD: Duration = Duration::from_millis(200);
/// Envoy needs a tenth of a second.
const LIMIT: Duration = Duration::from_secs(10);

/// What following the files takes.
pub(super) struct Reload<'a> {
    pub sources: Sources,
    pub placement: &'a Placement,
    pub folder: &'a RunFolder,
    pub admin: Admin,
    pub demo: Option<&'a Demo>,
    pub key: &'a SealKey,
    /// The settings that Envoy was started with.
    pub settings: &'a Settings,
    /// The configuration that the filter runs.
    pub running: Value,
    /// Of the file that Envoy read last.
    pub version: u64,
    /// How many versions were refused.
    pub refused: u64,
}

/// The content of each file, `None` where it is too long for any, or why there is none.
pub(super) type Contents = Vec<(PathBuf, Result<Option<Vec<u8>>, String>)>;

impl Reload<'_> {
    /// Follows the files until the terminal is closed. `seen` is what was in them before they
    /// were read for what runs: what changed since is new.
    pub(super) async fn watch(
        &mut self,
        seen: Contents,
        hang_up: &mut HangUp,
    ) -> anyhow::Result<()> {
        let mut files = Steady::new(seen);
        loop {
            let demanded = tokio::select! {
                () = sleep(PERIOD) => false,
                closed = hang_up.next() => {
                    if closed {
                        return Ok(());
                    }
                    true
                }
            };
            // Without holding up anything else, should a file system hang.
            let sources = self.sources.clone();
            let contents = spawn_blocking(move || look(&sources)).await?;
            if demanded {
                files.settle(contents);
                self.apply().await?;
            } else if files.see(contents).is_some() {
                self.apply().await?;
            }
        }
    }

    async fn apply(&mut self) -> anyhow::Result<()> {
        let sources = self.sources.clone();
        let read = spawn_blocking(move || Version::read(&sources)).await?;
        let prepared = read.and_then(|version| self.complete(version));
        let (version, Prepared { plugin, clients }) = match prepared {
            Ok(prepared) => prepared,
            Err(faults) => return self.refuse(&faults).await,
        };
        for warning in &version.warnings {
            say::warning(warning);
        }
        let credentials = version.settings.credentials.len();
        let what = format!(
            "{}, {}",
            counted(clients, "client"),
            counted(credentials, "credential")
        );
        if plugin == self.running {
            say::info(format_args!("reloaded: {what}, nothing changed"));
        } else if self.hand_over(&version.settings, plugin.clone()).await? {
            say::info(format_args!("reloaded: {what}"));
            self.running = plugin;
        } else {
            say::warning("Envoy did not take the new configuration over; its log says why");
        }
        Ok(())
    }

    fn complete(&self, mut version: Version) -> Result<(Version, Prepared), Faults> {
        if let Some(demo) = self.demo {
            demo.stand_in(&mut version)?;
        }
        version.can_follow(self.settings)?;
        let prepared = version.prepare(self.demo, self.key)?;
        Ok((version, prepared))
    }

    /// Says why, and has the filter count it.
    async fn refuse(&mut self, faults: &Faults) -> anyhow::Result<()> {
        say::refused(
            "the new configuration is not valid, the running one stays:",
            faults,
        );
        self.refused += 1;
        let running = self.running.clone();
        self.hand_over(self.settings, running).await.map(|_| ())
    }

    /// Whether the filter took the configuration over.
    async fn hand_over(&mut self, settings: &Settings, mut plugin: Value) -> anyhow::Result<bool> {
        if let Some(plugin) = plugin.as_object_mut() {
            plugin.insert(REFUSED.to_owned(), self.refused.into());
        }
        let before = self.admin.reloads().await;
        self.version += 1;
        let config = EnvoyConfig::new(settings, self.placement, plugin);
        self.folder
            .replace_reload_file(&config.ecds(&self.version.to_string())?)?;
        Ok(self.taken_over(before).await)
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

/// What is in the files now.
pub(super) fn look(sources: &Sources) -> Contents {
    let read = |path: PathBuf| {
        let content = bounded::read(&path, MAX_FILE_BYTES).map_err(|error| error.to_string());
        (path, content)
    };
    sources.files().into_iter().map(read).collect()
}
