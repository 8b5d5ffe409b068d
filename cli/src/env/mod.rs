//! What the environment says, read once and validated as a whole.
//!
//! The names and their meanings are those of the Python github-proxy, so that an
//! operator can exchange one for the other; a few are new. Every fault is found
//! in one go. A fault names its variable and what is expected, never the value,
//! which may hold a password. No file is read but the private keys, by [`keys`], and
//! the certificate authorities, by [`authorities`].

mod address;
pub mod authorities;
mod credentials;
mod file;
pub mod keys;
mod sources;
mod variables;

use std::ops::RangeInclusive;
use std::path::PathBuf;

pub use self::address::{Backend, HostPort, Redis, Upstream};
pub use self::credentials::{Credential, CredentialKind};
pub use self::sources::Sources;
pub use self::variables::Variables;
use crate::faults::Faults;
use github_proxy_core::config;
use github_proxy_core::forwarded::Network;
use github_proxy_core::seal::{SealKey, KEY_FORM, KEY_VARIABLE};

/// The variable that names the client registry file.
pub const REGISTRY_FILE: &str = "CLIENT_REGISTRY_FILE_PATH";
/// The fault of an environment that names no registry file, where one is needed.
pub const NO_REGISTRY: &str =
    "CLIENT_REGISTRY_FILE_PATH: expected the path of the client registry file";
/// The fault of an environment without a credential, where one is needed.
pub const NO_CREDENTIAL: &str =
    "GITHUB_PAT_<NAME>: expected at least one personal access token, or a GitHub App";
/// The variable that says where the shared cache is.
pub const CACHE_BACKEND: &str = "CACHE_BACKEND_URL";
/// The variable that says where GitHub is.
pub const API_URL: &str = "GITHUB_API_URL";
/// The variable that says where assets are uploaded to.
pub const UPLOADS_URL: &str = "GITHUB_UPLOADS_URL";

const THIRTY_DAYS: u64 = 2_592_000;
const MIB: u64 = 1024 * 1024;
/// Accepted because the Python github-proxy has them; nothing here depends on them.
const WITHOUT_EFFECT: [&str; 2] = ["GITHUB_CREDS_CACHE_MAXSIZE", "TELEMETRY_COLLECTOR_TYPE"];

/// The settings of the proxy as its environment gives them.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where GitHub is.
    pub upstream: Upstream,
    /// Whether `GITHUB_API_URL` was set at all.
    pub upstream_is_set: bool,
    /// Where assets are uploaded to.
    pub uploads: Upstream,
    /// Where the shared cache is.
    pub backend: Backend,
    /// What bounds the cache.
    pub cache: CacheBounds,
    /// How the credentials are used.
    pub pool: PoolSettings,
    /// How URLs in answers are treated.
    pub rewrite: RewriteSettings,
    /// The certificate authorities that `SSL_CERT_FILE` names; `None`: the system's.
    pub authorities: Option<PathBuf>,
    /// The client registry file, if one is named.
    pub registry_file: Option<PathBuf>,
    /// What to authenticate with at GitHub. May be empty.
    pub credentials: Vec<Credential>,
    /// What the operator should know: settings that were accepted and do nothing.
    pub notices: Vec<String>,
}

/// The limits of the cache. `None` leaves it to the filter's default.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CacheBounds {
    /// `CACHE_TTL`: seconds that an entry is kept after GitHub last confirmed it.
    pub ttl_seconds: Option<u64>,
    /// `CACHE_MEMORY_BYTES`: bound of the memory level; 0 turns it off.
    pub memory_bytes: Option<u64>,
    /// `CACHE_MAX_ENTRY_BYTES`: the largest body that is stored.
    pub max_entry_bytes: Option<u64>,
    /// `CACHE_SERVE_FRESH`: seconds that an entry is served without asking GitHub.
    pub serve_fresh_seconds: Option<u64>,
    /// `CACHE_STALE_IF_ERROR`: seconds that an entry may answer for a failing GitHub.
    pub stale_if_error_seconds: Option<u64>,
}

/// How the credentials are used. `None` leaves it to the filter's default.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PoolSettings {
    /// `GITHUB_RATE_POLL_INTERVAL`: seconds between two looks at `GET /rate_limit`; 0: none.
    pub rate_poll_seconds: Option<u64>,
    /// `GITHUB_CREDS_CACHE_TTL_PADDING`: minutes before its end that a token is replaced.
    pub token_padding_minutes: Option<u64>,
    /// `LOW_PRIORITY_RESERVE_PERCENT`: what clients of low priority leave to the others.
    pub low_priority_reserve_percent: Option<u64>,
}

/// How URLs in answers are treated. `None` leaves it to the filter's default.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RewriteSettings {
    /// `REWRITE_URLS`: whether URLs of the API are rewritten to where the client came in.
    pub urls: Option<bool>,
    /// `PUBLIC_URL`: scheme and authority under which clients reach the proxy.
    pub public_url: Option<String>,
    /// `TRUSTED_PROXIES`: who may say by X-Forwarded-Proto and -Host where a client came in.
    pub trusted_proxies: Vec<String>,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault of every variable that is known.
    pub fn read(variables: &Variables) -> Result<Self, Faults> {
        let mut faults = variables.unreadable();
        let upstream = faults.take(address::upstream(
            API_URL,
            variables.get(API_URL).unwrap_or("https://api.github.com"),
        ));
        let uploads = faults.take(
            variables
                .get(UPLOADS_URL)
                .map(|url| address::upstream(UPLOADS_URL, url))
                .transpose(),
        );
        let uploads = upstream.as_ref().zip(uploads).and_then(|(api, given)| {
            let uploads = given.unwrap_or_else(|| api.uploads());
            faults.take(address::distinct(UPLOADS_URL, &uploads, api))
        });
        let backend = faults.take(address::backend(
            CACHE_BACKEND,
            variables.get(CACHE_BACKEND).unwrap_or("inmemory://"),
        ));
        let mut number = |name, unit, range| integer(variables, &mut faults, name, unit, range);
        let cache = CacheBounds {
            ttl_seconds: number("CACHE_TTL", "seconds", 1..=THIRTY_DAYS),
            memory_bytes: number("CACHE_MEMORY_BYTES", "bytes", 0..=1024 * MIB),
            max_entry_bytes: number("CACHE_MAX_ENTRY_BYTES", "bytes", 1..=32 * MIB),
            serve_fresh_seconds: number("CACHE_SERVE_FRESH", "seconds", 0..=THIRTY_DAYS),
            stale_if_error_seconds: number("CACHE_STALE_IF_ERROR", "seconds", 0..=THIRTY_DAYS),
        };
        let pool = PoolSettings {
            rate_poll_seconds: number("GITHUB_RATE_POLL_INTERVAL", "seconds", 0..=3600),
            token_padding_minutes: number("GITHUB_CREDS_CACHE_TTL_PADDING", "minutes", 0..=60),
            low_priority_reserve_percent: number("LOW_PRIORITY_RESERVE_PERCENT", "percent", 0..=90),
        };
        let rewrite = RewriteSettings {
            urls: truth(variables, &mut faults, "REWRITE_URLS"),
            public_url: public_url(variables, &mut faults, "PUBLIC_URL"),
            trusted_proxies: networks(variables, &mut faults, "TRUSTED_PROXIES"),
        };
        let registry_file = variables.get(REGISTRY_FILE).map(PathBuf::from);
        if registry_file
            .as_ref()
            .is_some_and(|path| path.as_os_str().is_empty())
        {
            faults.add(format!(
                "{REGISTRY_FILE}: expected the path of a file, it is empty"
            ));
        }
        let mut notices: Vec<String> = WITHOUT_EFFECT
            .iter()
            .filter(|name| variables.get(name).is_some())
            .map(|name| format!("{name} is accepted and has no effect"))
            .collect();
        let credentials = faults.take(credentials::read(variables, &mut notices));
        let settings = upstream.zip(uploads).zip(backend).zip(credentials);
        faults.or(
            settings.map(|(((upstream, uploads), backend), credentials)| Self {
                upstream,
                uploads,
                upstream_is_set: variables.get(API_URL).is_some(),
                backend,
                cache,
                pool,
                rewrite,
                authorities: authorities::named(variables),
                registry_file,
                credentials,
                notices,
            }),
        )
    }
}

/// The key that the credentials are sealed with, if the environment has one.
///
/// # Errors
/// It is none.
pub fn seal_key(variables: &Variables) -> Result<Option<SealKey>, Faults> {
    let key = variables.get(KEY_VARIABLE).map(SealKey::from_hex);
    if matches!(key, Some(None)) {
        return Err(Faults::one(format!("{KEY_VARIABLE}: {KEY_FORM}")));
    }
    Ok(key.flatten())
}

fn integer(
    variables: &Variables,
    faults: &mut Faults,
    name: &str,
    unit: &str,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let value = variables.get(name)?.trim();
    // `parse` alone would take a sign.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value
        .parse()
        .ok()
        .filter(|number| digits && range.contains(number));
    if number.is_none() {
        let (start, end) = (range.start(), range.end());
        faults.add(format!(
            "{name}: expected a whole number of {unit} from {start} to {end}"
        ));
    }
    number
}

fn networks(variables: &Variables, faults: &mut Faults, name: &str) -> Vec<String> {
    let list = variables.get(name).unwrap_or_default().split(',');
    let list: Vec<String> = list.map(|item| item.trim().to_owned()).collect();
    if list.iter().all(String::is_empty) {
        return Vec::new();
    }
    if list.iter().any(|item| Network::parse(item).is_none()) {
        faults.add(format!(
            "{name}: expected IP addresses and networks, separated by commas, such as \
             10.0.0.0/8,192.168.1.7"
        ));
    }
    list
}

fn public_url(variables: &Variables, faults: &mut Faults, name: &str) -> Option<String> {
    let url = config::public_url(variables.get(name)?);
    url.map_err(|expected| faults.add(format!("{name}: {expected}")))
        .map(str::to_owned)
        .ok()
}

fn truth(variables: &Variables, faults: &mut Faults, name: &str) -> Option<bool> {
    let value = variables.get(name)?.trim().to_ascii_lowercase();
    match value.as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => {
            faults.add(format!("{name}: expected true or false"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
