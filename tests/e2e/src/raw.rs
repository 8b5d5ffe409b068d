//! Bytes on a connection, for requests that no decent client would send.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that is still open after so long stays open: what came until then counts.
const LIMIT: Duration = Duration::from_secs(10);

/// Sends `bytes` and returns all that comes back until the connection is closed.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    answer
}

/// Sends a GET of `target` exactly as given, with `fields` (each without its line end), and
/// returns the answer as text.
pub async fn get(address: SocketAddr, target: &str, fields: &[&str]) -> String {
    let mut request = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n");
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let answer = exchange(address, request.as_bytes()).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status code of an answer; 0 when there is none.
pub fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1);
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}
