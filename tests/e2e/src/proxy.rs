//! A running `github-proxy run`, and how to talk to it.

use crate::github::{GitHub, CREDENTIALS};
use crate::http::{Request, Response};
use crate::process::{Ended, Process};
use crate::redis::Redis;
use crate::stats::Stats;
use crate::{binaries, wait, REGISTRY, TOKEN};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a proxy is started with.
pub struct Setup {
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
    workers: usize,
    registry: Option<(String, String)>,
    folder: TempDir,
}

/// A running proxy. Dropping it stops it.
pub struct Proxy {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
    registry: PathBuf,
}

impl Setup {
    /// Nothing set: no credentials, no registry, 2 workers, free ports.
    pub fn bare() -> Self {
        Self {
            variables: BTreeMap::new(),
            arguments: Vec::new(),
            workers: 2,
            registry: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes an environment variable back.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Adds an argument of the command.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The text of the registry file.
    #[must_use]
    pub fn registry(self, text: &str) -> Self {
        self.registry_file("clients.yaml", text)
    }

    /// The name and the text of the registry file.
    #[must_use]
    pub fn registry_file(mut self, name: &str, text: &str) -> Self {
        self.registry = Some((name.to_owned(), text.to_owned()));
        self
    }

    /// Envoy's worker threads.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Shares the cache in a Redis.
    #[must_use]
    pub fn redis(self, redis: &Redis) -> Self {
        let url = redis.url();
        self.env("CACHE_BACKEND_URL", &url)
    }

    /// The folder of this proxy's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command with the environment set, for a subcommand of the test's choice.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(binaries::command());
        command.arg(subcommand).args(&self.arguments);
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(&self.variables);
        if let Some((name, text)) = &self.registry {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).expect("a file in the temporary folder");
            command.env("CLIENT_REGISTRY_FILE_PATH", path);
        }
        command
    }

    fn run(&self) -> Process {
        let mut command = self.command("run");
        let given = |flag: &str| self.arguments.iter().any(|argument| argument == flag);
        for flag in ["--listen", "--admin"] {
            if !given(flag) {
                command.args([flag, "127.0.0.1:0"]);
            }
        }
        command.args(["--concurrency", &self.workers.to_string()]);
        Process::start(command)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Proxy {
        let mut process = self.run();
        let ready = wait::until("a proxy that is ready", || {
            let line = ready_line(&process.stdout());
            if line.is_none() && process.has_ended() {
                panic!("the proxy ended:\n{}", process.stderr());
            }
            async move { line }
        })
        .await;
        let registry = self.registry.map_or_else(String::new, |(name, _)| name);
        Proxy {
            process,
            address: ready.0,
            admin: ready.1,
            registry: self.folder.path().join(registry),
            folder: self.folder,
        }
    }

    /// Starts it, for it to end by itself.
    pub async fn run_to_its_end(self) -> Ended {
        self.run().end().await
    }
}

/// `github-proxy is ready on http://ADDRESS (admin http://ADDRESS)`, the first one `https` with TLS.
fn ready_line(output: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = output.lines().find(|line| line.contains(" is ready on "))?;
    let mut urls = line.split("://").skip(1);
    let mut next = || {
        urls.next()?
            .trim()
            .trim_end_matches(" (admin http")
            .trim_end_matches(')')
            .parse()
            .ok()
    };
    Some((next()?, next()?))
}

impl Proxy {
    /// How to start one before this GitHub, with its credentials and the example registry.
    pub fn before(github: &GitHub) -> Setup {
        let mut setup = Setup::bare().env("GITHUB_API_URL", &github.api_url());
        for (name, secret, _) in CREDENTIALS {
            setup = setup.env(&format!("GITHUB_PAT_{name}"), secret);
        }
        setup.registry(REGISTRY)
    }

    /// A request of the client `test`.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let request = Request::new(self.address, method, target);
        request.header("authorization", &format!("token {TOKEN}"))
    }

    /// Sends a GET of the client `test`.
    pub async fn get(&self, target: &str) -> Response {
        self.request("GET", target).send().await
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin interface is.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A request to the admin interface.
    pub fn admin_request(&self, method: &str, target: &str) -> Request {
        Request::new(self.admin, method, target)
    }

    /// What Envoy's admin interface answers.
    pub async fn admin(&self, target: &str) -> Response {
        self.admin_request("GET", target).send().await
    }

    /// Envoy's statistics of this moment.
    pub async fn stats(&self) -> Stats {
        let response = self.admin("/stats/prometheus").await;
        Stats::parse(&String::from_utf8_lossy(&response.body))
    }

    /// The statistics once they are as wanted: Envoy records some a moment after the answer.
    ///
    /// # Panics
    /// When they do not get there.
    pub async fn stats_when(&self, what: &str, wanted: impl Fn(&Stats) -> bool) -> Stats {
        let last = std::cell::RefCell::new(Stats::default());
        let look = || async {
            let stats = self.stats().await;
            let good = wanted(&stats);
            *last.borrow_mut() = stats.clone();
            good.then_some(stats)
        };
        match tokio::time::timeout(std::time::Duration::from_secs(15), wait::until(what, look))
            .await
        {
            Ok(stats) => stats,
            Err(_) => panic!("waited in vain for {what}:\n{}", last.borrow().ours()),
        }
    }

    /// Replaces the registry file, as a careful editor does: whole.
    pub fn replace_registry(&self, text: &str) {
        let new = self.folder.path().join("registry.new");
        std::fs::write(&new, text).expect("a file in the temporary folder");
        std::fs::rename(&new, &self.registry).expect("the same folder");
    }

    /// The path of the registry file.
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    /// The folder of this proxy's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How often it has said `text` on standard error.
    pub fn said(&self, text: &str) -> usize {
        self.process.stderr().matches(text).count()
    }

    /// Waits until it has said so, so many times at least.
    pub async fn until_said(&self, text: &str, times: usize) {
        wait::until(text, || async { (self.said(text) >= times).then_some(()) }).await;
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn stop(self) -> Ended {
        self.process.stop().await
    }

    /// Waits for the end, which comes by itself, and keeps the folder of its files.
    pub async fn end(self) -> (Ended, TempDir) {
        (self.process.end().await, self.folder)
    }
}
