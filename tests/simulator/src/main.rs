//! Runs a simulator by itself, for trying things by hand and for tests of other processes.

use anyhow::{anyhow, bail, Result};
use clap::Parser;
use github_simulator::{BaseUrl, EtagMode, Mount, Options, Simulator};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A stand-in for GitHub's API.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address of the API.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Address of the control port.
    #[arg(long, default_value = "127.0.0.1:8082")]
    control: SocketAddr,
    /// A token that is accepted, as NAME=VALUE or NAME=VALUE@LOGIN (login: octocat).
    #[arg(long = "token", value_name = "NAME=VALUE[@LOGIN]")]
    tokens: Vec<String>,
    /// What URLs in answers begin with, in place of the simulator's own address.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Serve below /api/v3, /api/graphql and /api/uploads, as GitHub Enterprise Server does.
    #[arg(long)]
    enterprise: bool,
    /// Make entity tags that differ per credential and cannot be computed.
    #[arg(long)]
    opaque_etags: bool,
    /// Serve the GET examples of an OpenAPI description of GitHub's API too.
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut options = Options {
        listen: arguments.listen,
        control: arguments.control,
        ..Options::default()
    };
    for text in &arguments.tokens {
        let Some((name, value)) = text.split_once('=') else {
            bail!("--token takes NAME=VALUE or NAME=VALUE@LOGIN");
        };
        let (value, login) = value.rsplit_once('@').unwrap_or((value, "octocat"));
        options = options.token(name, value, login);
    }
    if let Some(base) = arguments.base_url {
        let api = base.trim_end_matches('/').to_owned();
        let uploads = api.replace("https://api.", "https://uploads.");
        options.base_url = BaseUrl::Fixed { api, uploads };
    }
    if arguments.enterprise {
        options.mount = Mount::EnterpriseServer;
    }
    if arguments.opaque_etags {
        options.etags = EtagMode::PerCredential;
    }
    let simulator = Simulator::start(options).await?;
    if let Some(file) = arguments.openapi {
        let examples = simulator.load_openapi(&file)?;
        println!("{} examples loaded", examples.len());
    }
    println!("API      {}", simulator.api_url());
    println!("control  {}", simulator.control_url());
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| anyhow!("cannot wait for SIGINT: {error}"))
}
