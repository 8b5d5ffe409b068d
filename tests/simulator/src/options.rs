//! How a simulator is set up before it starts.

use crate::apps::App;
use crate::auth::Token;
use crate::etag::EtagMode;
use crate::limits::Quota;
use crate::secondary::SecondaryRules;
use std::net::SocketAddr;
use std::time::Duration;

/// What URLs in bodies, `Link` and `Location` begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BaseUrl {
    /// The simulator's own address, the mount included.
    #[default]
    Own,
    /// A fixed base, for example `https://api.github.com`, without a final slash.
    Fixed {
        /// For the API.
        api: String,
        /// For uploads.
        uploads: String,
    },
}

impl BaseUrl {
    /// That of github.com.
    pub fn github_com() -> Self {
        Self::Fixed {
            api: "https://api.github.com".to_owned(),
            uploads: "https://uploads.github.com".to_owned(),
        }
    }
}

/// Where the API lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mount {
    /// At `/`, as api.github.com.
    #[default]
    Root,
    /// At `/api/v3`, `/api/graphql` and `/api/uploads`, as on a GitHub Enterprise Server.
    EnterpriseServer,
}

/// What the world holds at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seed {
    /// A few users and repositories with issues, pulls, files and releases (see `world::seed`).
    #[default]
    Demo,
    /// Nothing.
    Empty,
}

/// The set-up of a simulator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the API; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of the control port; port 0 takes a free one.
    pub control: SocketAddr,
    /// What URLs begin with.
    pub base_url: BaseUrl,
    /// Where the API lies.
    pub mount: Mount,
    /// The tokens that are accepted.
    pub tokens: Vec<Token>,
    /// The GitHub Apps that are known.
    pub apps: Vec<App>,
    /// Quotas that differ from GitHub's: owner or `*`, resource or `*`, quota.
    pub quotas: Vec<(String, String, Quota)>,
    /// When owners are banned by themselves; never, unless set.
    pub secondary: SecondaryRules,
    /// How entity tags come about.
    pub etags: EtagMode,
    /// Whether a 304 repeats the weak tag of a compressed 200, rather than the strong one.
    pub weak_304: bool,
    /// The status of refusals for a primary limit: 403 or 429.
    pub exhausted_status: u16,
    /// What the world holds.
    pub seed: Seed,
    /// The pause before every answer.
    pub latency: Duration,
    /// How many requests the log keeps.
    pub log_entries: usize,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any,
            control: any,
            base_url: BaseUrl::default(),
            mount: Mount::default(),
            tokens: Vec::new(),
            apps: Vec::new(),
            quotas: Vec::new(),
            secondary: SecondaryRules::default(),
            etags: EtagMode::default(),
            weak_304: true,
            exhausted_status: 403,
            seed: Seed::default(),
            latency: Duration::ZERO,
            log_entries: 100_000,
        }
    }
}

impl Options {
    /// Accepts a personal access token `value`, called `name`, of the user `login`.
    #[must_use]
    pub fn token(mut self, name: &str, value: &str, login: &str) -> Self {
        self.tokens.push(Token::of_user(name, value, login));
        self
    }

    /// Sets the quota of an owner's key (`*`: every authenticated owner) and resource (`*`: all).
    #[must_use]
    pub fn quota(mut self, owner: &str, resource: &str, limit: u64, window_seconds: u64) -> Self {
        let quota = Quota {
            limit,
            window_seconds,
        };
        self.quotas
            .push((owner.to_owned(), resource.to_owned(), quota));
        self
    }

    /// Knows a GitHub App.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }
}
