//! The bundled simulator in place of GitHub, when there is no credential.
//!
//! Several demo credentials, so that the pool can be seen at work, and a client
//! with a token made for this run, unless a registry file names clients.
//! Everything stays on this machine.

use anyhow::Context as _;
use github_proxy_core::secret::Secret;
use github_simulator::{Handle, Options, Simulator};
use serde_json::json;

use super::say;
use super::version::Version;
use crate::env::{Credential, CredentialKind, HostPort, Upstream};
use crate::envoy_config::Placement;
use crate::faults::Faults;
use crate::registry_file::RegistryFile;
use crate::token;

/// The demo credentials, each of a user of its own: users do not share limits.
const CREDENTIALS: [(&str, &str); 3] = [
    ("DEMO_1", "octocat"),
    ("DEMO_2", "hubot"),
    ("DEMO_3", "monalisa"),
];
const CLIENT: &str = "demo";
/// A resource that the simulator has.
const PATH: &str = "/users/octocat";

/// The simulator and what goes with it.
pub(super) struct Demo {
    /// Serves until it is dropped.
    simulator: Handle,
    /// The secrets of the credentials.
    secrets: Vec<Secret>,
    /// The token of the demo client; `None` when a registry file names the clients.
    token: Option<Secret>,
    ignores_upstream: bool,
}

impl Demo {
    /// Starts the simulator and points the first version at it.
    pub(super) async fn start(version: &mut Version) -> anyhow::Result<Self> {
        let mut options = Options::default();
        let mut secrets = Vec::new();
        for (name, login) in CREDENTIALS {
            let secret = token::mint()?;
            options = options.token(name, secret.expose(), login);
            secrets.push(secret);
        }
        let simulator = Simulator::start(options).await;
        let demo = Self {
            simulator: simulator.context("the bundled simulator cannot be started")?,
            secrets,
            token: if version.settings.registry_file.is_none() {
                Some(token::mint()?)
            } else {
                None
            },
            ignores_upstream: version.settings.upstream_is_set,
        };
        demo.stand_in(version)?;
        Ok(demo)
    }

    /// Points a version that names no credentials at the simulator.
    ///
    /// # Errors
    /// It names some: the simulator does not know them, and GitHub is not asked before a restart.
    pub(super) fn stand_in(&self, version: &mut Version) -> Result<(), Faults> {
        if !version.settings.credentials.is_empty() {
            return Err(Faults::one(
                "GITHUB_PAT_<NAME>: the simulator stands in for GitHub: credentials take effect at \
                 a restart only",
            ));
        }
        for ((name, _), secret) in CREDENTIALS.iter().zip(&self.secrets) {
            let variable = format!("GITHUB_PAT_{name}");
            version.variables.set(&variable, secret.expose());
            version.settings.credentials.push(Credential {
                name: (*name).to_owned(),
                variable,
                pool: None,
                user: None,
                kind: CredentialKind::Pat,
            });
        }
        let address = self.simulator.api_address();
        version.settings.upstream = Upstream {
            tls: false,
            address: HostPort {
                host: address.ip().to_string(),
                port: address.port(),
            },
            base_path: String::new(),
        };
        version.settings.uploads = version.settings.upstream.uploads();
        Ok(())
    }

    /// The registry of the demo client alone.
    pub(super) fn registry(&self) -> RegistryFile {
        let client = |token| json!({ "name": CLIENT, "token_sha256": token::digest(token) });
        let clients: Vec<_> = self.token.iter().map(client).collect();
        RegistryFile {
            count: clients.len(),
            clients: clients.into(),
        }
    }

    /// Says that this is not GitHub, and how to try it.
    pub(super) fn introduce(&self, placement: &Placement) {
        let count = CREDENTIALS.len();
        let ignored = if self.ignores_upstream {
            " GITHUB_API_URL is ignored."
        } else {
            ""
        };
        let url = format!("{}{PATH}", placement.url());
        let (who, token) = match &self.token {
            Some(token) => (
                "The client \"demo\" has a token made for this run.",
                token.expose(),
            ),
            None => (
                "Use a token of your registry file in place of TOKEN.",
                "TOKEN",
            ),
        };
        // A certificate that no authority of this machine issued is enough for a try.
        let trust = placement.tls.as_ref().map_or_else(String::new, |tls| {
            let path = tls.certificate.display().to_string();
            format!("--cacert '{}' ", path.replace('\'', "'\\''"))
        });
        say::print(format_args!(
            "\n\
             No GITHUB_PAT_<NAME> is set: the bundled simulator stands in for GitHub, with {count} \
             credentials of its own.{ignored}\n\
             {who} Try:\n\
             \n  \
             curl -i {trust}-H 'Authorization: token {token}' {url}\n  \
             curl -i {trust}-H 'Authorization: token {token}' {url}\n\
             \n\
             The first answer comes from the simulator and costs the pool one request\n\
             (cache-status: github-proxy; fwd=miss; stored). The second comes from the cache, after\n\
             the simulator has confirmed it at no cost (cache-status: github-proxy; hit; detail=revalidated).\n",
        ));
    }
}
