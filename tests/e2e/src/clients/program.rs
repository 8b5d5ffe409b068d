//! A flow: the program of a client, and the comparison of its runs.

use crate::clients::trap::Trap;
use crate::clients::{mapping, proof, Mount, Place, World};
use crate::proxy::Setup;
use crate::GitHub;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Far more than any flow takes; one that hangs must not hang the tests.
const LIMIT: Duration = Duration::from_secs(180);

/// A program that uses the API, and what it needs.
#[derive(Clone)]
pub struct Flow {
    program: PathBuf,
    arguments: Vec<String>,
    variables: BTreeMap<String, String>,
    copies: Vec<PathBuf>,
    links: Vec<PathBuf>,
    mounts: Vec<Mount>,
    writes: bool,
    ignored: Vec<String>,
    github: fn(&GitHub),
    proxy: fn(Setup) -> Setup,
}

impl Flow {
    /// Runs `program`, which only reads, at both mounts.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            variables: BTreeMap::new(),
            copies: Vec::new(),
            links: Vec::new(),
            mounts: vec![Mount::Root, Mount::ApiV3],
            writes: false,
            ignored: Vec::new(),
            github: |_| (),
            proxy: |setup| setup,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Copies a file into its working folder.
    #[must_use]
    pub fn copy(mut self, file: impl Into<PathBuf>) -> Self {
        self.copies.push(file.into());
        self
    }

    /// Makes a file or folder visible in its working folder.
    #[must_use]
    pub fn link(mut self, path: impl Into<PathBuf>) -> Self {
        self.links.push(path.into());
        self
    }

    /// Runs it at these mounts only.
    #[must_use]
    pub fn mounts(mut self, mounts: &[Mount]) -> Self {
        self.mounts = mounts.to_vec();
        self
    }

    /// It changes things: there is no second run on what the first one left behind.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.writes = true;
        self
    }

    /// Leaves members of this name out of the comparison, wherever they are.
    #[must_use]
    pub fn ignoring(mut self, member: &str) -> Self {
        self.ignored.push(member.to_owned());
        self
    }

    /// Changes each simulator before the flow runs.
    #[must_use]
    pub fn github(mut self, change: fn(&GitHub)) -> Self {
        self.github = change;
        self
    }

    /// Changes how each proxy is set up.
    #[must_use]
    pub fn proxy(mut self, change: fn(Setup) -> Setup) -> Self {
        self.proxy = change;
        self
    }

    /// Runs it straight and through the proxy, at each mount, and returns what it printed
    /// straight, at the first.
    ///
    /// # Panics
    /// When results differ, when something went around the proxy, when a proxy token left it, or
    /// when the second run read something that had to be paid for again.
    pub async fn compare(&self) -> Value {
        let mut first = None;
        for mount in self.mounts.iter().copied() {
            let straight = World::straight(mount).await;
            (self.github)(&straight.github);
            let expected = self.results(&straight, mount).await;
            let proxied = World::proxied(self.proxy).await;
            (self.github)(&proxied.github);
            let what = format!("{mount:?}, cold");
            let cold = self.results(&proxied, mount).await;
            mapping::assert_same(&what, &expected, &cold);
            proof::only_through_the_proxy(&what, &proxied.github);
            if !self.writes {
                let what = format!("{mount:?}, warm");
                proxied.github.reset_log();
                let warm = self.results(&proxied, mount).await;
                mapping::assert_same(&what, &expected, &warm);
                proof::only_through_the_proxy(&what, &proxied.github);
                let paid = proof::paid_reads(&proxied.github);
                assert!(paid.is_empty(), "{what}: paid again for {paid:#?}");
            }
            first.get_or_insert(expected);
        }
        first.expect("a mount")
    }

    /// What it prints in `world`, comparable.
    async fn results(&self, world: &World, mount: Mount) -> Value {
        let printed = world.run(self, mount).await;
        mapping::mapped(&printed, &world.place(mount), &self.ignored)
    }

    /// Runs it against the API at `place` and returns the JSON that it printed.
    ///
    /// # Panics
    /// When it fails, prints no JSON, takes minutes, or wants to leave this machine.
    pub async fn run_at(&self, place: &Place) -> Value {
        let trap = Trap::start().await;
        let home = tempfile::tempdir().expect("a temporary folder");
        self.furnish(home.path());
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .envs(trap.variables())
            .env("BASE_URL", place.rest())
            .env("GRAPHQL_URL", place.graphql())
            .env("TOKEN", &place.token)
            .envs([("OWNER", "octocat"), ("REPO", "hello-world")])
            .envs(&self.variables)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let name = format!("{} {:?}", self.program.display(), self.arguments);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{name} does not end"));
        let output = output.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        let seen = trap.seen();
        assert!(
            seen.is_empty(),
            "{name} at {place:?} wanted out: {seen:?}\n{said}"
        );
        assert!(
            output.status.success(),
            "{name} at {place:?} failed:\n{said}"
        );
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{name} printed no JSON: {error}\n{said}"))
    }

    fn furnish(&self, folder: &Path) {
        for path in &self.copies {
            let copied = std::fs::copy(path, folder.join(path.file_name().expect("a file")));
            copied.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        for path in &self.links {
            let name = path.file_name().expect("a name");
            std::os::unix::fs::symlink(path, folder.join(name)).expect("a link");
        }
    }
}
