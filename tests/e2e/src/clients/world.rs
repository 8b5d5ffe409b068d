//! A fresh GitHub for one run, with or without a proxy before it.

use crate::clients::{Flow, Mount, Place};
use crate::github::{GitHub, CREDENTIALS};
use crate::proxy::{Proxy, Setup};
use crate::TOKEN;
use github_simulator::{self as simulator, BaseUrl, Options};

/// The user whose two tokens the pool has. What is written is written by one user, whichever
/// token did it, as it would be without a proxy.
pub const USER: &str = "octocat";
/// The second token of the pool; the first is that of [`CREDENTIALS`].
const SECOND: (&str, &str) = ("A2", "ghp_m4XsKd90QfJzWc36LyRv8NbThUe25GpIoA1YA2");

/// One simulator and what is before it.
pub struct World {
    /// The simulator.
    pub github: GitHub,
    /// The proxy, if there is one.
    pub proxy: Option<Proxy>,
}

impl World {
    /// A simulator that is asked directly, mounted as the client expects.
    pub async fn straight(mount: Mount) -> Self {
        let options = Options {
            mount: match mount {
                Mount::Root => simulator::Mount::Root,
                Mount::ApiV3 => simulator::Mount::EnterpriseServer,
            },
            ..Options::default()
        };
        Self {
            github: GitHub::start_with(options).await,
            proxy: None,
        }
    }

    /// A simulator that gives itself out as github.com, and a proxy before it. `setup` may add to
    /// the proxy's.
    pub async fn proxied(setup: impl FnOnce(Setup) -> Setup) -> Self {
        let base_url = BaseUrl::github_com();
        let options = Options {
            base_url,
            ..Options::default()
        };
        let options = options.token(SECOND.0, SECOND.1, USER);
        let github = GitHub::start_with(options).await;
        let mut before = Proxy::before(&github);
        for (name, _, login) in CREDENTIALS {
            if login == USER {
                before = before.env(&format!("GITHUB_PAT_{name}_USER"), USER);
            } else {
                before = before.unset(&format!("GITHUB_PAT_{name}"));
            }
        }
        let before = before
            .env(&format!("GITHUB_PAT_{}", SECOND.0), SECOND.1)
            .env(&format!("GITHUB_PAT_{}_USER", SECOND.0), USER);
        let proxy = setup(before).start().await;
        Self {
            github,
            proxy: Some(proxy),
        }
    }

    /// Where a client finds it.
    pub fn place(&self, mount: Mount) -> Place {
        match &self.proxy {
            Some(proxy) => Place::new(proxy.address(), mount, TOKEN),
            None => Place::new(self.github.api_address(), mount, CREDENTIALS[0].1),
        }
    }

    /// Runs a flow here, at `mount`.
    pub async fn run(&self, flow: &Flow, mount: Mount) -> serde_json::Value {
        flow.run_at(&self.place(mount)).await
    }
}

/// The names of the tokens in the pool.
pub fn pool() -> [&'static str; 2] {
    [CREDENTIALS[0].0, SECOND.0]
}
