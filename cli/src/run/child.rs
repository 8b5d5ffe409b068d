//! A child process that never outlives this one.
//!
//! Each gets a process group of its own, so that Ctrl-C in a terminal reaches
//! this process alone and the order of stopping stays ours. `setpriv`, part of
//! util-linux, arranges that the kernel kills the child when this process dies
//! without stopping it (kill -9). Its environment starts empty.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{kill_process, Pid, Signal};
use tokio::process::Command;
use tokio::time::timeout;

use crate::locate;

/// What a child may inherit of the environment: nothing that holds a secret.
const INHERITED: [&str; 4] = ["PATH", "HOME", "TZ", "TMPDIR"];

/// A command that runs `program`, with next to nothing in its environment.
pub(super) fn command(program: &Path) -> Command {
    let mut command = match locate::on_path("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.env_clear();
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A running child.
pub(super) struct Child(tokio::process::Child);

impl Child {
    /// Starts `command`. Its output goes where ours goes.
    pub(super) fn start(mut command: Command) -> std::io::Result<Self> {
        command
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map(Self)
    }

    /// Waits for its end. May be called again.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Asks it to end, and kills it when it has not after `limit`.
    pub(super) async fn stop(&mut self, limit: Duration) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(limit, self.0.wait()).await.is_err() {
            let _ = self.0.kill().await;
        }
    }
}
