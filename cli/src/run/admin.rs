//! Envoy's admin interface, as far as `run` asks it: at the address for operators, and, once no
//! listener takes connections any more, at its own socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A busy Envoy may take a moment.
const LIMIT: Duration = Duration::from_secs(2);
const RELOADS: &str = "extension_config_discovery.http_filter.github_proxy.";

/// Asks the admin interface at an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admin(SocketAddr);

/// What Envoy did with the configurations of the filter that it was handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reloads {
    /// The version that it took over last.
    pub version: String,
    /// How many it refused, or the filter did.
    pub refused: u64,
}

impl Admin {
    /// The interface that listens on `address`.
    pub(super) fn new(mut address: SocketAddr) -> Self {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self(address)
    }

    /// Whether Envoy serves.
    pub(super) async fn is_ready(self) -> bool {
        self.get("/ready")
            .await
            .is_some_and(|body| body.trim() == "LIVE")
    }

    /// What became of reloads; `None` when Envoy does not answer.
    pub(super) async fn reloads(self) -> Option<Reloads> {
        let stats = self.get(&format!("/stats?filter=^{RELOADS}")).await?;
        let value = |name: &str| {
            let value = |line: &str| {
                let value = line
                    .strip_prefix(RELOADS)?
                    .strip_prefix(name)?
                    .strip_prefix(": ")?;
                Some(value.trim().trim_matches('"').to_owned())
            };
            stats.lines().find_map(value).unwrap_or_default()
        };
        let counter = |name: &str| value(name).parse::<u64>().unwrap_or(0);
        Some(Reloads {
            version: value("version_text"),
            refused: counter("config_fail") + counter("update_rejected"),
        })
    }

    /// The body of a 200 answer.
    async fn get(self, path: &str) -> Option<String> {
        let exchange = async {
            let stream = TcpStream::connect(self.0).await?;
            exchange(stream, "GET", path).await
        };
        timeout(LIMIT, exchange).await.ok()?.ok()?
    }
}

/// Asks at the abstract socket of this name; the body of a 200 answer.
pub(super) async fn ask(socket: &str, method: &str, path: &str) -> Option<String> {
    let exchange = async {
        let address = std::os::unix::net::SocketAddr::from_abstract_name(socket)?;
        let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
        stream.set_nonblocking(true)?;
        exchange(UnixStream::from_std(stream)?, method, path).await
    };
    timeout(LIMIT, exchange).await.ok()?.ok()?
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
) -> std::io::Result<Option<String>> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        unchunked(body)
    } else {
        Some(body.to_owned())
    };
    Ok(body.filter(|_| head.starts_with("HTTP/1.1 200")))
}

/// The content of a chunked body (RFC 9112 §7.1); `None` when it is cut short.
fn unchunked(mut body: &str) -> Option<String> {
    let mut content = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        content.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::unchunked;

    #[test]
    fn chunks_are_joined_and_a_cut_body_is_none() {
        let joined = unchunked("4\r\nLI\r\n\r\nA\r\nVE 3456789\r\n0\r\n\r\n");
        assert_eq!(joined.as_deref(), Some("LI\r\nVE 3456789"));
        assert_eq!(unchunked("5\r\nLIV"), None);
        assert_eq!(unchunked("4\r\nLIVE\r\n"), None);
    }
}
