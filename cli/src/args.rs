//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::env::HostPort;
use crate::faults::Faults;
use crate::tls::TlsFiles;

/// A caching proxy for the GitHub API: Envoy with a filter.
///
/// Settings come from the environment (GITHUB_PAT_<NAME>, GITHUB_APP_<NAME>_ID, GITHUB_API_URL,
/// CACHE_BACKEND_URL, …) and from the client registry file that CLIENT_REGISTRY_FILE_PATH names.
/// All of them are in docs/configuration.md.
#[derive(Debug, Parser)]
#[command(name = "github-proxy", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole local stack in the foreground: Envoy with the filter, and Webdis when the
    /// cache is in Redis. Without any GitHub credential, a bundled simulator stands in for GitHub.
    Run(RunArguments),
    /// Print Envoy or Istio configuration made from the environment.
    Config(ConfigArguments),
    /// Validate the environment and a client registry file.
    Check {
        /// The client registry file; CLIENT_REGISTRY_FILE_PATH if absent.
        file: Option<PathBuf>,
        /// What every command that reads settings knows.
        #[command(flatten)]
        source_arguments: SourceArguments,
    },
    /// Mint a proxy token for a client, with its entry for the registry file.
    Token {
        /// The client's name.
        name: String,
    },
}

/// Where Envoy listens and what it is made of.
#[derive(Clone, Debug, Args)]
pub struct EnvoyArguments {
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the status page and Envoy's admin interface are.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9901")]
    pub admin: SocketAddr,
    /// A name by which operators reach that address, beside IP addresses, names without a dot, and
    /// those ending in .localhost, .internal, .svc or .cluster.local. May be given more than once.
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub admin_host: Vec<String>,
    /// Envoy's worker threads; one for each processor if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: Option<u32>,
    /// The filter's WebAssembly module; the one that was built, or
    /// /etc/envoy/github_proxy.wasm, if absent.
    #[arg(long, value_name = "PATH")]
    pub filter: Option<PathBuf>,
    /// Write a line of JSON for each request to this file; `-`: to standard output.
    #[arg(long, value_name = "PATH")]
    pub access_log: Option<PathBuf>,
    /// Speak TLS to clients, with the certificate in this file (PEM, with its chain).
    #[arg(long, value_name = "PATH")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "PATH")]
    pub tls_key: Option<PathBuf>,
}

impl EnvoyArguments {
    /// Certificate and key of the listener; `None`: it does without TLS.
    ///
    /// # Errors
    /// One of the two is missing.
    pub fn tls(&self) -> Result<Option<TlsFiles>, Faults> {
        TlsFiles::of(self.tls_certificate.as_deref(), self.tls_key.as_deref())
    }
}

/// A host's name, in lower case.
fn host_name(text: &str) -> Result<String, String> {
    let belongs = |it: char| it.is_ascii_alphanumeric() || "-._".contains(it);
    if text.is_empty() || !text.chars().all(belongs) {
        return Err("expected the name of a host, without scheme, port or path".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

/// Where variables come from besides the environment of the process.
#[derive(Clone, Debug, Args)]
pub struct SourceArguments {
    /// A file of NAME=VALUE lines, or a folder with a file for each variable, whose variables win
    /// over those of the environment. GITHUB_PROXY_ENV_FILE if absent. `run` follows it.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
}

/// The flags of `run`. A port of 0 takes a free one.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// What `config` knows as well.
    #[command(flatten)]
    pub envoy_arguments: EnvoyArguments,
    /// What every command that reads settings knows.
    #[command(flatten)]
    pub source_arguments: SourceArguments,
    /// The Envoy to run; the one that scripts/setup installed, or that on the PATH, if absent.
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
}

/// The flags of `config`.
#[derive(Clone, Debug, Args)]
pub struct ConfigArguments {
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Bootstrap)]
    pub format: Format,
    /// What `run` knows as well.
    #[command(flatten)]
    pub envoy_arguments: EnvoyArguments,
    /// What every command that reads settings knows.
    #[command(flatten)]
    pub source_arguments: SourceArguments,
    /// Let Envoy read later configurations of the filter from this file, without a restart.
    #[arg(long, value_name = "PATH")]
    pub reload_from: Option<PathBuf>,
    /// Where Webdis is, when CACHE_BACKEND_URL names a Redis.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7379")]
    pub webdis: HostPort,
}

/// What `config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A whole configuration for a stock Envoy.
    Bootstrap,
    /// The filter's entry for the http_filters of your own Envoy.
    Filter,
    /// The file for --reload-from (ECDS).
    Ecds,
    /// Istio's WasmPlugin, with the way into its gateway and from there to GitHub.
    #[value(name = "wasmplugin")]
    WasmPlugin,
    /// Istio's EnvoyFilter.
    #[value(name = "envoyfilter")]
    EnvoyFilter,
}
