//! SIGHUP: read everything again, as daemons do; unless it says that the terminal was closed,
//! which is the end, as for every other program in it.

use std::io::{stderr, stdin, stdout, IsTerminal as _};

use tokio::signal::unix::{signal, Signal, SignalKind};

/// Tells the two apart.
pub(super) struct HangUp {
    signals: Signal,
    had_terminal: bool,
}

impl HangUp {
    /// From here on the signal is remembered.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            signals: signal(SignalKind::hangup())?,
            had_terminal: has_terminal(),
        })
    }

    /// Waits for the signal; whether the terminal is gone.
    pub(super) async fn next(&mut self) -> bool {
        self.signals.recv().await;
        self.had_terminal && !has_terminal()
    }
}

/// A terminal that was hung up is none any more.
fn has_terminal() -> bool {
    stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal()
}
