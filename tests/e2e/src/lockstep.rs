//! Both ends of a message in one hand: a part is sent only when the one before it has arrived at
//! the other side. Whatever stands between and waits for more than it has been given brings this
//! to a halt, so that streaming is proved without a look at the clock.

use crate::TOKEN;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long to wait for a part before it counts as held back.
const LIMIT: Duration = Duration::from_secs(30);

/// GitHub's end: one connection, and one exchange on it.
pub struct Upstream {
    listener: TcpListener,
    stream: Option<Wire>,
}

/// The client's end.
pub struct Client(Wire);

/// A connection, and what was read from it and not yet asked for.
struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP connection");
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    async fn more(&mut self, wanted: &str) {
        let read = timeout(LIMIT, self.stream.read_buf(&mut self.unread)).await;
        let read = read.unwrap_or_else(|_| panic!("held back: {wanted}"));
        assert!(read.expect("a connection") > 0, "closed before: {wanted}");
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|it| it == b"\r\n") {
                let line = self.unread.drain(..end + 2).collect();
                return String::from_utf8(line).expect("text").trim_end().to_owned();
            }
            self.more("a line").await;
        }
    }

    async fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return head;
            }
            head.push_str(&line);
            head.push('\n');
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            self.more("a part of the body").await;
        }
        self.unread.drain(..length).collect()
    }

    /// So many bytes of a body in chunks, however they are cut.
    async fn chunked(&mut self, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            let line = self.line().await;
            let size = usize::from_str_radix(&line, 16).expect("the size of a chunk");
            assert!(size > 0, "the end came early");
            body.extend(self.exactly(size).await);
            self.exactly(2).await;
        }
        assert_eq!(body.len(), length, "more came than was sent");
        body
    }

    async fn write(&mut self, bytes: &[u8]) {
        let written = timeout(LIMIT, self.stream.write_all(bytes)).await;
        written.expect("a reader").expect("a connection");
    }

    async fn chunk(&mut self, part: &[u8]) {
        let mut bytes = format!("{:x}\r\n", part.len()).into_bytes();
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes).await;
    }
}

fn fields(fields: &[(&str, &str)]) -> String {
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    lines.collect()
}

impl Upstream {
    /// One that waits to be connected to, and its address.
    pub async fn listen() -> (Self, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let upstream = Self {
            listener,
            stream: None,
        };
        (upstream, address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("its address")
    }

    /// Takes the header section of the next request, on the same connection.
    pub async fn next(&mut self) -> String {
        self.wire().head().await
    }

    fn wire(&mut self) -> &mut Wire {
        self.stream.as_mut().expect("a connection")
    }

    /// Takes a connection and the header section of a request; returns the latter.
    pub async fn accept(&mut self) -> String {
        let accepted = timeout(LIMIT, self.listener.accept()).await;
        let (stream, _) = accepted.expect("a request").expect("a connection");
        self.stream = Some(Wire::new(stream));
        self.wire().head().await
    }

    /// Takes so many bytes of a body in chunks.
    pub async fn receive(&mut self, length: usize) -> Vec<u8> {
        self.wire().chunked(length).await
    }

    /// Sends the header section of the answer.
    pub async fn answer(&mut self, status: &str, more: &[(&str, &str)]) {
        let head = format!("HTTP/1.1 {status}\r\n{}\r\n", fields(more));
        self.wire().write(head.as_bytes()).await;
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.wire().write(bytes).await;
    }

    /// Sends a chunk; an empty one is the last.
    pub async fn send_chunk(&mut self, part: &[u8]) {
        self.wire().chunk(part).await;
    }
}

impl Client {
    /// A client of the proxy at this address.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await;
        Self(Wire::new(stream.expect("a connection")))
    }

    /// Sends the header section of a request of the client `test`.
    pub async fn send_head(&mut self, method: &str, target: &str, more: &[(&str, &str)]) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: proxy.example\r\nuser-agent: e2e\r\n\
             authorization: token {TOKEN}\r\n{}\r\n",
            fields(more)
        );
        self.0.write(head.as_bytes()).await;
    }

    /// Sends a chunk; an empty one is the last.
    pub async fn send_chunk(&mut self, part: &[u8]) {
        self.0.chunk(part).await;
    }

    /// Takes the header section of the answer.
    pub async fn receive_head(&mut self) -> String {
        self.0.head().await
    }

    /// Takes so many bytes of a body in chunks.
    pub async fn receive(&mut self, length: usize) -> Vec<u8> {
        self.0.chunked(length).await
    }
}
