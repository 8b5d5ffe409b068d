//! Whether URLs of the API are rewritten to where the client came in, and where that is.

use super::reader::Node;

/// How URLs in answers are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteSettings {
    /// Whether URLs of the API in `Link`, `Location`, `Content-Location` and JSON bodies are
    /// rewritten at all.
    pub urls: bool,
    /// Scheme and authority under which clients reach the proxy, without a slash at the end;
    /// `None`: what each request itself says.
    pub public_url: Option<String>,
}

impl Default for RewriteSettings {
    fn default() -> Self {
        Self {
            urls: true,
            public_url: None,
        }
    }
}

impl RewriteSettings {
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.fields(&["urls", "public_url"])?;
        let public_url = match fields.optional("public_url") {
            Some(node) => {
                let url = node.string()?;
                node.check(check_public_url(url))?;
                Some(url.trim_end_matches('/').to_owned())
            }
            None => None,
        };
        Some(Self {
            urls: fields.flag_or("urls", true),
            public_url,
        })
    }
}

fn check_public_url(url: &str) -> Result<(), &'static str> {
    const EXPECTED: &str =
        "expected scheme, host and optional port, such as https://github-proxy.example.com";
    let authority = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or(EXPECTED)?
        .trim_end_matches('/');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if (1..=260).contains(&authority.len()) && authority.bytes().all(allowed) {
        Ok(())
    } else {
        Err(EXPECTED)
    }
}
