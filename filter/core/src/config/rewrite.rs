//! Whether URLs of the API are rewritten to where the client came in, and where that is.

use super::reader::Node;
use super::upstream::is_authority;
use crate::forwarded::Network;

const EXPECTED_NETWORK: &str = "expected an IP address or a network, such as 10.0.0.0/8";

/// How URLs in answers are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteSettings {
    /// Whether URLs of the API in `Link`, `Location`, `Content-Location` and JSON bodies are
    /// rewritten at all.
    pub urls: bool,
    /// Scheme and authority under which clients reach the proxy, without a slash at the end;
    /// `None`: what each request itself says.
    pub public_url: Option<String>,
    /// Who may say by X-Forwarded-Proto and X-Forwarded-Host where a client came in.
    pub trusted_proxies: Vec<Network>,
}

impl Default for RewriteSettings {
    fn default() -> Self {
        Self {
            urls: true,
            public_url: None,
            trusted_proxies: Vec::new(),
        }
    }
}

impl RewriteSettings {
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.fields(&["urls", "public_url", "trusted_proxies"])?;
        let public_url = match fields.optional("public_url") {
            Some(node) => {
                let url = node.string()?;
                Some(node.check(public_url(url))?.to_owned())
            }
            None => None,
        };
        let mut trusted_proxies = Vec::new();
        if let Some(list) = fields.optional("trusted_proxies") {
            for node in list.items()? {
                let network = Network::parse(node.string()?);
                trusted_proxies.push(node.check(network.ok_or(EXPECTED_NETWORK))?);
            }
        }
        Some(Self {
            urls: fields.flag_or("urls", true),
            public_url,
            trusted_proxies,
        })
    }
}

/// Reads scheme and authority, such as `https://github-proxy.example.com`; a slash at the end is
/// left out.
///
/// # Errors
/// What is expected.
pub fn public_url(url: &str) -> Result<&str, &'static str> {
    const EXPECTED: &str =
        "expected scheme, host and optional port, such as https://github-proxy.example.com";
    let url = url.trim_end_matches('/');
    let authority = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or(EXPECTED)?;
    is_authority(authority).then_some(url).ok_or(EXPECTED)
}
