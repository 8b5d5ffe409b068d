//! An HTTP client that does nothing by itself: no redirects, no decoding, no cookies, and a new
//! connection for each request, so that requests spread over Envoy's workers.

use bytes::Bytes;
use http_body_util::{combinators::BoxBody, BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A request that is being put together.
pub struct Request {
    address: SocketAddr,
    builder: hyper::http::request::Builder,
    body: BoxBody<Bytes, Infallible>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The fields after the body, if there are any.
    pub trailers: Option<HeaderMap>,
}

/// What came of a request: an answer, or why there is none or not all of it.
pub type Outcome = Result<Response, String>;

impl Request {
    /// A request to `address`, as a program called `e2e`.
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let builder = hyper::Request::builder()
            .method(method)
            .uri(target)
            .header("host", address.to_string())
            .header("user-agent", "e2e");
        Self {
            address,
            builder,
            body: BoxBody::default(),
        }
    }

    /// Sets a field, in place of one of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let headers = self.builder.headers_mut().expect("a valid request");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a field name");
        headers.insert(name, HeaderValue::from_str(value).expect("a field value"));
        self
    }

    /// Adds a field beside those of the same name.
    #[must_use]
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Leaves a field out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        let headers = self.builder.headers_mut().expect("a valid request");
        headers.remove(name);
        self
    }

    /// Sends a body of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Full::new(body.into()).boxed();
        self
    }

    /// Sends a body in chunks, its length unknown beforehand (RFC 9112 §7.1).
    #[must_use]
    pub fn chunked(mut self, chunks: Vec<Bytes>) -> Self {
        let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
        let frames: Vec<Result<_, Infallible>> = frames.collect();
        self.body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        self
    }

    /// Sends a body in chunks and fields after it (RFC 9110 §6.5).
    #[must_use]
    pub fn chunked_with_trailers(mut self, chunks: Vec<Bytes>, trailers: HeaderMap) -> Self {
        let chunks = chunks.into_iter().map(Frame::data);
        let frames = chunks.chain([Frame::trailers(trailers)]).map(Ok);
        let frames: Vec<Result<_, Infallible>> = frames.collect();
        self.body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When there is none, or not all of it.
    pub async fn send(self) -> Response {
        self.outcome().await.expect("a whole answer")
    }

    /// Sends it and reads the whole answer, if there is one.
    pub async fn outcome(self) -> Outcome {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| failed("connect", &error))?;
        self.over(stream).await
    }

    /// Sends it over `stream`, which is connected to the address, and reads the whole answer.
    pub async fn over(self, stream: impl Stream) -> Outcome {
        let request = self.builder.body(self.body).expect("a valid request");
        let connection = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connection.map_err(|error| failed("connect", &error))?;
        tokio::spawn(connection);
        read(sender.send_request(request).await).await
    }
}

/// What HTTP can be spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Requests over one HTTP/2 connection, of which many can be under way at once.
#[derive(Clone)]
pub struct Http2 {
    scheme: &'static str,
    sender: hyper::client::conn::http2::SendRequest<BoxBody<Bytes, Infallible>>,
}

impl Http2 {
    /// Connects without TLS, knowing that the other side speaks HTTP/2.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self::over("http", stream).await
    }

    /// Speaks HTTP/2 for URLs of `scheme` over `stream`.
    pub async fn over(scheme: &'static str, stream: impl Stream) -> Self {
        let executor = TokioExecutor::new();
        let connection =
            hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
        let (sender, connection) = connection.expect("an HTTP/2 connection");
        tokio::spawn(connection);
        Self { scheme, sender }
    }

    /// Sends a request over it.
    pub async fn outcome(mut self, request: Request) -> Outcome {
        let uri = format!(
            "{}://{}{}",
            self.scheme,
            request.address,
            request.builder.uri_ref().expect("a target")
        );
        // The host is a part of the target in HTTP/2.
        let request = request.without("host");
        let request = request
            .builder
            .uri(uri)
            .body(request.body)
            .expect("a valid request");
        read(self.sender.send_request(request).await).await
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> String {
    format!("{what}: {error}")
}

async fn read(response: hyper::Result<hyper::Response<hyper::body::Incoming>>) -> Outcome {
    let response = response.map_err(|error| failed("no answer", &error))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await;
    let body = body.map_err(|error| failed("not the whole body", &error))?;
    Ok(Response {
        status: head.status.as_u16(),
        headers: head.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    })
}

impl Response {
    /// A field's first value; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map_or("", |text| text.expect("a field value in ASCII"))
    }

    /// `Cache-Status`.
    pub fn cache(&self) -> &str {
        self.header("cache-status")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Status line, fields and body as one text, for searching.
    pub fn everything(&self) -> Vec<u8> {
        let mut text = format!("{}\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.extend_from_slice(&self.body);
        text
    }
}
