//! Runs the built command with an environment that holds nothing but what a test sets.

#![allow(dead_code)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub const PAT: &str = "ghp_hunter2hunter2hunter2";
pub const CLIENT_TOKEN: &str = "H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=";
pub const REGISTRY: &str = "---
version: 1
clients:
  - name: test
    token: H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=
  - name: read_only
    token: oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU=
    scopes:
      - method: GET
        path: .*
";

/// A folder with a registry file, and commands that know nothing but their own variables.
pub struct Fixture {
    pub folder: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fixture.write("clients.yaml", REGISTRY);
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `github-proxy` with `arguments`, without any setting.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_github-proxy"));
        command.args(arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", self.folder.path());
        command
    }

    /// The same with a credential and a registry file.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.env("GITHUB_PAT_BOT_1", PAT);
        command.env("CLIENT_REGISTRY_FILE_PATH", self.path("clients.yaml"));
        command
    }
}

/// What a command printed and how it ended. No command may ever print a secret.
pub fn outcome(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    );
    for secret in [PAT, CLIENT_TOKEN, "hunter2"] {
        assert!(
            !stdout.contains(secret) && !stderr.contains(secret),
            "a secret was printed"
        );
    }
    (
        status.code().expect("not ended by a signal"),
        stdout,
        stderr,
    )
}

/// The errors of a command that must fail and print nothing else.
pub fn errors(command: &mut Command) -> Vec<String> {
    let (code, stdout, stderr) = outcome(command);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    let error = |line: &str| {
        line.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    };
    stderr.lines().map(error).collect()
}

/// Makes an executable shell script.
pub fn script(path: &Path, body: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a certificate that signs itself, `NAME.pem`, and its key, `NAME.key`.
pub fn certificate(fixture: &Fixture, name: &str) -> (String, String) {
    let pair = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let write = |suffix, content: &str| {
        let path = fixture.write(&format!("{name}.{suffix}"), content);
        path.to_str().unwrap().to_owned()
    };
    let key = pair.signing_key.serialize_pem();
    (write("pem", &pair.cert.pem()), write("key", &key))
}
