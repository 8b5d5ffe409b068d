//! The simulator in place of GitHub, with three credentials of three users.

use github_simulator::log::Cost;
use github_simulator::{Handle, Options, Simulator};
use std::ops::Deref;

/// The credentials of the pool: name, secret, and the login of the user whose limits it uses.
pub const CREDENTIALS: [(&str, &str, &str); 3] = [
    ("A", "ghp_k3WqZx81LsVbNf7RyTa0HcPmUo52DjGiE9XA", "octocat"),
    ("B", "ghp_v9QhJm26TrYcBx4KuSf8WdLnPz71GoIaE5XB", "hubot"),
    ("C", "ghp_r7NtKd53HwMzCv2JyUb6XgQsVp94FlOeA1XC", "monalisa"),
];

/// A running simulator. Dropping it ends it.
pub struct GitHub(Handle);

impl GitHub {
    /// Starts one with the credentials.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts one with the credentials and these options.
    pub async fn start_with(mut options: Options) -> Self {
        for (name, secret, login) in CREDENTIALS {
            options = options.token(name, secret, login);
        }
        let simulator = Simulator::start(options).await;
        Self(simulator.expect("the simulator starts"))
    }
}

impl GitHub {
    /// How many requests whose target starts with `prefix` were counted against a rate limit.
    pub fn paid(&self, prefix: &str) -> usize {
        let entries = self.requests_to(prefix);
        let counted = entries.iter().filter(|entry| entry.cost == Cost::Counted);
        counted.count()
    }
}

impl Deref for GitHub {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}
