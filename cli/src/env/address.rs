//! The addresses in the environment: GitHub's and the cache's.
//!
//! Read by hand and not with a general URL parser, because the rules are few and
//! strict, and a password may hold any character: what is before the last `@`
//! is the user's. No message quotes the URL.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use github_proxy_core::secret::Secret;
use percent_encoding::percent_decode_str;

use crate::faults::Faults;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an IP address in lower case; an IPv6 address without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        host_port(text, 0).ok_or("expected HOST:PORT")
    }
}

/// Where GitHub's REST API is, or where assets are uploaded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Its address.
    pub address: HostPort,
    /// What goes before every path: empty, or as `/api/v3`.
    pub base_path: String,
}

impl Upstream {
    /// The value of `Host` (RFC 9110 §7.2): without the port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let default_port = if self.tls { 443 } else { 80 };
        if self.address.port == default_port {
            bracketed(&self.address.host)
        } else {
            self.address.to_string()
        }
    }

    /// Where the GitHub whose API this is has its uploads: on a host of their own at github.com
    /// and at an enterprise's `SUBDOMAIN.ghe.com`, beside `/api/v3` on an Enterprise Server,
    /// else in the same place.
    pub fn uploads(&self) -> Self {
        let mut uploads = self.clone();
        let host = &self.address.host;
        let own = host
            .strip_prefix("api.")
            .filter(|domain| *domain == "github.com" || domain.ends_with(".ghe.com"));
        if let Some(domain) = own.filter(|_| self.base_path.is_empty()) {
            uploads.address.host = format!("uploads.{domain}");
        } else if let Some(beside) = self.base_path.strip_suffix("/v3") {
            uploads.base_path = format!("{beside}/uploads");
        }
        uploads
    }

    /// Whether both are reached over the same connections.
    pub fn shares_host(&self, other: &Self) -> bool {
        (self.tls, &self.address) == (other.tls, &other.address)
    }
}

/// Where cache entries are shared.
#[derive(Debug, PartialEq, Eq)]
pub enum Backend {
    /// Nowhere: the memory of this Envoy alone.
    Memory,
    /// A Redis server; `run` puts a Webdis in front of it.
    Redis(Redis),
    /// A Webdis that runs already.
    Webdis(HostPort),
}

/// How to reach a Redis server.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Its address.
    pub address: HostPort,
    /// The user of its access control list; `None`: the default user.
    pub user: Option<String>,
    /// The password of that user.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u16,
}

impl PartialEq for Redis {
    fn eq(&self, other: &Self) -> bool {
        let password = |redis: &Self| redis.password.as_ref().map(|p| p.expose().to_owned());
        (self.tls, &self.address, &self.user, self.database)
            == (other.tls, &other.address, &other.user, other.database)
            && password(self) == password(other)
    }
}

impl Eq for Redis {}

/// Reads GitHub's address from the variable `name`.
pub(super) fn upstream(name: &str, url: &str) -> Result<Upstream, Faults> {
    let wrong = || {
        Faults::one(format!(
            "{name}: expected http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH], such as \
             https://api.github.com or https://github.example.com/api/v3, without user and query"
        ))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address = host_port(authority, if tls { 443 } else { 80 }).ok_or_else(wrong)?;
    let base_path = path.trim_end_matches('/');
    if !base_path.split('/').skip(1).all(is_plain_segment) {
        return Err(wrong());
    }
    Ok(Upstream {
        tls,
        address,
        base_path: base_path.to_owned(),
    })
}

/// Envoy tells the two ways by the value of `Host`: two hosts must not have the same.
pub(super) fn distinct(name: &str, uploads: &Upstream, api: &Upstream) -> Result<Upstream, Faults> {
    if uploads.authority() == api.authority() && !uploads.shares_host(api) {
        return Err(Faults::one(format!(
            "{name}: expected the scheme of GITHUB_API_URL, as the host is the same"
        )));
    }
    Ok(uploads.clone())
}

/// Reads the cache's address from the variable `name`.
pub(super) fn backend(name: &str, url: &str) -> Result<Backend, Faults> {
    let wrong = || {
        Faults::one(format!(
            "{name}: expected inmemory://, redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], \
             rediss:// likewise, or webdis+http://HOST[:PORT]"
        ))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    match scheme.to_ascii_lowercase().as_str() {
        "inmemory" if rest.is_empty() || rest == "/" => Some(Backend::Memory),
        "redis" => redis(false, rest).map(Backend::Redis),
        "rediss" => redis(true, rest).map(Backend::Redis),
        "webdis+http" => {
            host_port(rest.strip_suffix('/').unwrap_or(rest), 7379).map(Backend::Webdis)
        }
        _ => None,
    }
    .ok_or_else(wrong)
}

fn redis(tls: bool, rest: &str) -> Option<Redis> {
    let (user_info, place) = match rest.rsplit_once('@') {
        Some((user_info, place)) => (user_info, place),
        None => ("", rest),
    };
    let (user, password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    let (authority, database) = match place.split_once('/') {
        Some((authority, database)) => (authority, database),
        None => (place, ""),
    };
    let user = decoded(user)?;
    let password = password.map(decoded).unwrap_or(Some(String::new()))?;
    // Redis has no user without a password that would need to be named.
    if !user.is_empty() && password.is_empty() {
        return None;
    }
    Some(Redis {
        tls,
        address: host_port(authority, 6379)?,
        user: (!user.is_empty()).then_some(user),
        password: (!password.is_empty()).then(|| Secret::new(password)),
        database: match database {
            "" => 0,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        },
    })
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains(char::is_control)).then(|| text.into_owned())
}

/// Reads `HOST[:PORT]` (RFC 3986 §3.2).
fn host_port(text: &str, default_port: u16) -> Option<HostPort> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.to_string(),
        None if is_host_name(host) => host.to_ascii_lowercase(),
        None => return None,
    };
    let port = match port {
        None => default_port,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (port != 0).then_some(HostPort { host, port })
}

fn is_host_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&host.len()) && host.bytes().all(allowed)
}

fn is_plain_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(allowed)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}
