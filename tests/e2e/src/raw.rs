//! Bytes on a connection, for requests that no decent client would send.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that is still open after so long stays open: what came until then counts.
const LIMIT: Duration = Duration::from_secs(10);

/// Sends `bytes` and returns one answer, or all that came until the connection was closed.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = async {
        while !is_whole(&answer) {
            match stream.read_buf(&mut answer).await {
                Ok(1..) => {}
                _ => break,
            }
        }
    };
    let _ = timeout(LIMIT, read).await;
    answer
}

/// Sends `bytes` and returns all that comes back until the connection is closed.
pub async fn until_closed(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(bytes).await.expect("an open connection");
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    answer
}

/// Whether this is all of an answer whose end can be seen. Envoy closes only a second later.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
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
