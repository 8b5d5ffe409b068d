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

/// The bootstrap that `config` prints for this setup.
pub fn printed(setup: &Setup) -> Printed {
    let (listen, admin) = (free(), free());
    let mut command = setup.command("config");
    command.args(["--format", "bootstrap", "--listen", &listen.to_string()]);
    command.args(["--admin", &admin.to_string()]);
    let output = command.output().expect("the command runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Printed {
        bootstrap: String::from_utf8(output.stdout).expect("text"),
        listen,
        admin,
    }
}

/// An Envoy with that text as its configuration, and the credentials in its environment.
pub fn envoy(bootstrap: &str) -> (Process, TempDir) {
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
    for (name, secret, _) in CREDENTIALS {
        command.env(format!("GITHUB_PAT_{name}"), secret);
    }
    (Process::start(command), folder)
}
