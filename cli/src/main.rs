//! The `github-proxy` command: wires the subcommands together, nothing else.
//!
//! A command prints its result on standard output and exits 0, or prints every
//! fault on standard error, a line each, and exits 1.

mod args;
mod bounded;
mod check;
mod config;
mod env;
mod envoy_config;
mod faults;
mod istio;
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
use crate::env::{Sources, Variables};

fn main() -> ExitCode {
    let variables = Variables::of_process();
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => {
            let file = arguments.source_arguments.env_file.clone();
            run::run(&arguments, Sources::new(variables, file))
        }
        Command::Config(arguments) => {
            let file = arguments.source_arguments.env_file.clone();
            config::config(&arguments, &Sources::new(variables, file)).and_then(print)
        }
        Command::Check {
            file,
            source_arguments,
        } => {
            let sources = Sources::new(variables, source_arguments.env_file);
            check::check(file, &sources).and_then(print)
        }
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
