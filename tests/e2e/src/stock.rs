//! An Envoy of one's own that runs what `config` prints, possibly changed by the test.

use crate::binaries;
use crate::github::CREDENTIALS;
use crate::process::Process;
use crate::proxy::Setup;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use tempfile::TempDir;

/// What `config` prints, and the addresses in it.
pub struct Printed {
    /// The configuration of a whole Envoy.
    pub bootstrap: String,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The admin interface.
    pub admin: SocketAddr,
}

/// A free address: Envoy is told the port, since there is no `run` to choose one.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

/// What `config` prints for this setup with these flags.
pub fn config(setup: &Setup, flags: &[&str]) -> String {
    let mut command = setup.command("config");
    let output = command.args(flags).output().expect("the command runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The bootstrap that `config` prints for this setup.
pub fn printed(setup: &Setup) -> Printed {
    printed_with(setup, &[])
}

/// The same with more flags.
pub fn printed_with(setup: &Setup, flags: &[&str]) -> Printed {
    let (listen, admin) = (free(), free());
    let (to_clients, to_operators) = (listen.to_string(), admin.to_string());
    let places = ["--listen", &to_clients, "--admin", &to_operators];
    Printed {
        bootstrap: config(setup, &[&places[..], flags].concat()),
        listen,
        admin,
    }
}

/// An Envoy with that text as its configuration, and the credentials in its environment.
pub fn envoy(bootstrap: &str) -> (Process, TempDir) {
    let variable = |(name, secret, _): (&str, _, _)| (format!("GITHUB_PAT_{name}"), secret);
    envoy_with(bootstrap, CREDENTIALS.map(variable))
}

/// An Envoy with that text as its configuration, and these variables.
pub fn envoy_with<'a>(
    bootstrap: &str,
    variables: impl IntoIterator<Item = (String, &'a str)>,
) -> (Process, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("envoy.yaml");
    std::fs::write(&path, bootstrap).expect("a temporary file");
    let mut command = Command::new(binaries::envoy());
    command.arg("--config-path").arg(&path);
    command.args([
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]);
    command.envs(variables);
    (Process::start(command), folder)
}
