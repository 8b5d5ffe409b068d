//! What `run` says: results on standard output, the rest on standard error.
//!
//! Nobody may be listening any more, so failing to say something is no failure.

use std::fmt::Display;
use std::io::{stderr, stdout, Write as _};

use crate::envoy_config::Placement;
use crate::faults::Faults;

/// Something that went as it should.
pub(super) fn info(line: impl Display) {
    let _ = writeln!(stderr(), "github-proxy: {line}");
}

/// Something that the operator should know.
pub(super) fn warning(line: impl Display) {
    let _ = writeln!(stderr(), "github-proxy: warning: {line}");
}

/// Something that was refused, with every reason.
pub(super) fn refused(what: impl Display, faults: &Faults) {
    let _ = writeln!(stderr(), "github-proxy: error: {what}");
    for fault in faults.lines() {
        let _ = writeln!(stderr(), "github-proxy: error: {fault}");
    }
}

/// The proxy serves.
pub(super) fn ready(placement: &Placement) {
    print(format_args!(
        "github-proxy is ready on {} (admin http://{admin})\n\
         status page: http://{admin}/-/github-proxy/\n",
        placement.url(),
        admin = placement.admin
    ));
}

/// Text for standard output.
pub(super) fn print(text: impl Display) {
    let mut stdout = stdout();
    let _ = write!(stdout, "{text}").and_then(|()| stdout.flush());
}
