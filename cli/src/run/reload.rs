//! Follows the files that the configuration is made of, and hands each good version to Envoy.
//!
//! Looks at their content, again and again: that sees what editors do (replace
//! the file), what Kubernetes does (swap a link above it), and every file
//! system, where notifications see some. A version counts once it was read
//! twice, so that a half-written one does not; SIGHUP makes it count at once. A bad one is
//! reported with all its faults, counted by the filter, and changes nothing. What cannot be
//! handed over, or was not seen to be taken over, is handed over again until it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
use crate::registry_file::{Content, MAX_FILE_BYTES};

const PERIOD: Duration = Duration::from_millis(200);
/// How long after a failure something is handed over again.
const AGAIN: Duration = Duration::from_secs(2);
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
    /// The templates that the registry file includes, as they were read.
    pub included: BTreeMap<PathBuf, Content>,
    /// The configuration that the filter runs; or another one, while something is owed.
    pub running: Value,
    /// What Envoy was to be handed and may not have.
    pub owed: Option<Owed>,
    /// Of the file that Envoy read last.
    pub version: u64,
    /// How many versions were refused.
    pub refused: u64,
    /// Of how many of them the filter knows.
    pub told: u64,
}

/// That Envoy may not have what it was to be handed.
pub(super) struct Owed {
    why: String,
    since: Instant,
}

/// Why Envoy is not known to have a configuration.
enum Failure {
    /// Its file cannot be written.
    Unwritten(String),
    /// It was refused.
    Refused,
    /// It may be taken over at any time.
    Unanswered,
}

/// What is in each file.
pub(super) type Contents = Vec<(PathBuf, Content)>;

impl Reload<'_> {
    /// Follows the files until the terminal is closed. `seen` is what was in them before they
    /// were read for what runs: what changed since is new.
    pub(super) async fn watch(
        &mut self,
        seen: Contents,
        hang_up: &mut HangUp,
    ) -> anyhow::Result<()> {
        let mut files = Steady::new((seen, self.included.clone()));
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
            let (sources, included) = (self.sources.clone(), self.included.clone());
            let contents = spawn_blocking(move || {
                let included = included.into_keys();
                let included = included.map(|path| (path.clone(), content(&path)));
                (look(&sources), included.collect())
            })
            .await?;
            let new = if demanded {
                files.settle(contents);
                true
            } else {
                files.see(contents).is_some()
            };
            let owed = self.owed.as_ref();
            if new || owed.is_some_and(|owed| owed.since.elapsed() > AGAIN) {
                self.apply(new).await?;
            }
            if new {
                files.known_mut().1.clone_from(&self.included);
            }
        }
    }

    /// Reads everything and hands it over: something `new`, or once more what is owed, of which
    /// everything is said and counted.
    async fn apply(&mut self, new: bool) -> anyhow::Result<()> {
        let sources = self.sources.clone();
        let read = spawn_blocking(move || Version::read(&sources)).await?;
        let included = read.as_ref().ok().map(|version| version.included.clone());
        let (valid, outcome) = match read.and_then(|version| self.complete(version)) {
            Ok((version, prepared)) => (true, self.take_up(&version, prepared, new).await),
            Err(faults) => (false, self.refuse(&faults, new).await),
        };
        if let Some(included) = included {
            if valid {
                self.included.clear();
            }
            // Of a faulty version, maybe not all; and it is mended in any of them.
            self.included.append(&mut included.files());
        }
        let why = match outcome {
            Ok(()) => None,
            Err(Failure::Refused) => {
                say::warning("Envoy refused the new configuration; its log says why");
                None
            }
            Err(Failure::Unanswered) => Some(format!(
                "Envoy was not seen to take the new configuration over within {} s",
                LIMIT.as_secs()
            )),
            Err(Failure::Unwritten(error)) => {
                self.refused += u64::from(new && valid);
                Some(format!(
                    "the new configuration cannot be handed to Envoy, the running one stays: \
                     {error}"
                ))
            }
        };
        if let Some(why) = &why {
            if new || self.owed.as_ref().map(|owed| &owed.why) != Some(why) {
                say::warning(format_args!("{why}; it is handed over again until it is"));
            }
        }
        self.owed = why.map(|why| Owed {
            why,
            since: Instant::now(),
        });
        Ok(())
    }

    async fn take_up(
        &mut self,
        version: &Version,
        prepared: Prepared,
        new: bool,
    ) -> Result<(), Failure> {
        let Prepared { plugin, clients } = prepared;
        version
            .warnings
            .iter()
            .filter(|_| new)
            .for_each(say::warning);
        let credentials = version.settings.credentials.len();
        let what = format!(
            "{}, {}",
            counted(clients, "client"),
            counted(credentials, "credential")
        );
        if plugin == self.running && self.owed.is_none() {
            say::info(format_args!("reloaded: {what}, nothing changed"));
            return Ok(());
        }
        if self.told < self.refused {
            // The filter counts them where it is told of nothing else.
            let running = self.running.clone();
            self.hand_over(self.settings, &running).await?;
        }
        let outcome = self.hand_over(&version.settings, &plugin).await;
        match outcome {
            Ok(()) => {
                say::info(format_args!("reloaded: {what}"));
                self.running = plugin;
            }
            Err(Failure::Unanswered) => self.running = plugin,
            Err(Failure::Unwritten(_) | Failure::Refused) => {}
        }
        outcome
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
    async fn refuse(&mut self, faults: &Faults, new: bool) -> Result<(), Failure> {
        if new {
            say::refused(
                "the new configuration is not valid, the running one stays:",
                faults,
            );
            self.refused += 1;
        }
        let running = self.running.clone();
        self.hand_over(self.settings, &running).await
    }

    async fn hand_over(&mut self, settings: &Settings, plugin: &Value) -> Result<(), Failure> {
        let mut plugin = plugin.clone();
        if let Some(plugin) = plugin.as_object_mut() {
            plugin.insert(REFUSED.to_owned(), self.refused.into());
        }
        let before = self.admin.reloads().await;
        self.version += 1;
        let version = self.version.to_string();
        let config = EnvoyConfig::new(settings, self.placement, plugin);
        let file = config.ecds(&version);
        file.and_then(|file| self.folder.replace_reload_file(&file))
            .map_err(|error| Failure::Unwritten(format!("{error:#}")))?;
        self.answer(before, &version).await?;
        self.told = self.refused;
        Ok(())
    }

    async fn answer(&self, before: Option<Reloads>, version: &str) -> Result<(), Failure> {
        let mut refused = before.map(|before| before.refused);
        let deadline = Instant::now() + LIMIT;
        let mut pause = Duration::from_millis(20);
        while Instant::now() < deadline {
            if let Some(now) = self.admin.reloads().await {
                if now.version == version {
                    return Ok(());
                }
                if now.refused > *refused.get_or_insert(now.refused) {
                    return Err(Failure::Refused);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
        Err(Failure::Unanswered)
    }
}

/// What is in the files now, but for those that the registry file includes.
pub(super) fn look(sources: &Sources) -> Contents {
    let files = sources.files().into_iter();
    files.map(|path| (path.clone(), content(&path))).collect()
}

fn content(path: &Path) -> Content {
    bounded::read(path, MAX_FILE_BYTES).map_err(|error| error.to_string())
}
