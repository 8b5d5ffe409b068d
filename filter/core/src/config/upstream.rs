//! Where GitHub is: authority, base path, and Envoy's cluster, of its API and of its uploads.

use super::reader::{Fields, Node};
use crate::path::Mount;

/// The API that the proxy stands in front of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where REST and GraphQL are.
    pub api: Place,
    /// Where assets are uploaded to. A GitHub Enterprise Server has it beside `/api/v3`; at
    /// github.com it is a host of its own.
    pub uploads: Place,
}

/// Where requests are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Host and optional port (RFC 3986 §3.2), in lower case: `api.github.com`.
    pub authority: String,
    /// What goes before every path: empty, or as `/api/v3`, without a slash at the end.
    pub base_path: String,
    /// Envoy's cluster that leads there.
    pub cluster: String,
}

impl Upstream {
    /// The upstream whose API is `api`, with its uploads where they are unless it is said.
    pub fn new(api: Place) -> Self {
        let uploads = Place {
            base_path: match api.base_path.strip_suffix("/v3") {
                Some(beside) => format!("{beside}/uploads"),
                None => api.base_path.clone(),
            },
            ..api.clone()
        };
        Self { api, uploads }
    }

    /// Where what came in at `mount` goes.
    pub fn at(&self, mount: Mount) -> &Place {
        match mount {
            Mount::Uploads => &self.uploads,
            Mount::Root | Mount::ApiV3 | Mount::GraphQl => &self.api,
        }
    }

    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.fields(&["authority", "base_path", "cluster", "uploads"])?;
        let api = Place::read(&fields, "github");
        let uploads = match fields.optional("uploads") {
            Some(node) => node
                .fields(&["authority", "base_path", "cluster"])
                .and_then(|fields| Place::read(&fields, "github-uploads"))
                .map(Some),
            None => Some(None),
        };
        let upstream = Self::new(api?);
        Some(match uploads? {
            Some(uploads) => Self {
                uploads,
                ..upstream
            },
            None => upstream,
        })
    }
}

impl Place {
    fn read(fields: &Fields<'_, '_>, default_cluster: &str) -> Option<Self> {
        let authority = fields.required("authority").and_then(|node| {
            let authority = node.string()?.to_ascii_lowercase();
            node.check(check_authority(&authority)).map(|()| authority)
        });
        let base_path = match fields.optional("base_path") {
            Some(node) => node
                .string()
                .and_then(|base_path| node.check(normal_base_path(base_path))),
            None => Some(String::new()),
        };
        let cluster = match fields.optional("cluster") {
            Some(node) => cluster(&node),
            None => Some(default_cluster.to_owned()),
        };
        Some(Self {
            authority: authority?,
            base_path: base_path?,
            cluster: cluster?,
        })
    }
}

/// The name of one of Envoy's clusters.
pub(super) fn cluster(node: &Node<'_>) -> Option<String> {
    let name = node.string()?;
    if name.is_empty() || name.len() > 255 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.error("expected the name of an Envoy cluster: 1 to 255 visible ASCII characters");
        return None;
    }
    Some(name.to_owned())
}

/// Whether this is a host with an optional port, as it stands in a URL (RFC 3986 §3.2) without user.
pub fn is_authority(text: &str) -> bool {
    check_authority(text).is_ok()
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    const EXPECTED: &str = "expected a host with an optional port, such as api.github.com or \
                            github.example.com:8443, without scheme, user and path";
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_valid = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (1..=253).contains(&host.len()) && host.bytes().all(allowed)
        }
    };
    let port_is_valid = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if host_is_valid && port_is_valid {
        Ok(())
    } else {
        Err(EXPECTED)
    }
}

fn normal_base_path(base_path: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected nothing or a path such as /api/v3, of segments of letters, \
                            digits, '-', '.', '_' and '~'";
    let trimmed = base_path.trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok(String::new());
    }
    let segments = trimmed.strip_prefix('/').ok_or(EXPECTED)?;
    let is_segment = |segment: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !["", ".", ".."].contains(&segment) && segment.bytes().all(allowed)
    };
    if segments.split('/').all(is_segment) {
        Ok(trimmed.to_owned())
    } else {
        Err(EXPECTED)
    }
}
