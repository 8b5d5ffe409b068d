//! The `github-proxy` command: wires the subcommands together, nothing else.
//!
//! A command prints its result on standard output and exits 0, or prints every
//! fault on standard error, a line each, and exits 1.

mod args;
mod check;
mod config;
mod env;
mod envoy_config;
mod faults;
mod locate;
mod plugin;
mod registry_file;
mod run;
mod tls;
mod token;
mod yaml;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::env::Variables;

fn main() -> ExitCode {
    let variables = Variables::of_process();
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments, variables),
        Command::Config(arguments) => config::config(&arguments, &variables).and_then(print),
        Command::Check { file } => check::check(file, &variables).and_then(print),
        Command::Token { name } => token::token(&name).and_then(print),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("error: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// A reader that went away (`| head`) is no failure.
fn print(text: String) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
