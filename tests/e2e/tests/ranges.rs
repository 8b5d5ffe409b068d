//! Parts of a representation: GitHub is asked for one of the form that the client asked for, and
//! the client gets the very bytes that came.

use e2e::lockstep::Upstream;
use e2e::proxy::Setup;
use e2e::{Proxy, Request, Response, REGISTRY};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::Compression;
use std::io::{Read, Write};

/// A proxy before an upstream that the test plays itself.
async fn start() -> (Upstream, Proxy) {
    let (upstream, address) = Upstream::listen().await;
    let setup = Setup::bare()
        .env("GITHUB_API_URL", &format!("http://{address}"))
        .env("GITHUB_PAT_A", "ghp_k3WqZx81LsVbNf7RyTa0HcPmUo52DjGiE9XA")
        .env("GITHUB_RATE_POLL_INTERVAL", "0")
        .registry(REGISTRY);
    (upstream, setup.start().await)
}

/// Sends `request`, and answers it in GitHub's place. Returns what GitHub saw, in lower case, and
/// what the client got.
async fn exchange(
    upstream: &mut Upstream,
    request: Request,
    (status, fields, body): (&str, &[(&str, &str)], &[u8]),
) -> (String, Response) {
    let answering = async {
        let head = upstream.accept().await;
        upstream.answer(status, fields).await;
        upstream.send(body).await;
        head.to_lowercase()
    };
    tokio::join!(answering, request.send())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    let read = GzDecoder::new(bytes).read_to_string(&mut text);
    read.expect("gzip");
    text
}

/// The value of `accept-encoding` in what GitHub saw.
fn accepted(head: &str) -> Vec<&str> {
    let values = head
        .lines()
        .filter_map(|it| it.strip_prefix("accept-encoding: "));
    values.collect()
}

/// Bytes 100 to 199 of the gzip form are no gzip text, and no part of the plain one.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_one_of_the_form_that_was_asked_for() {
    let (mut upstream, proxy) = start().await;
    let text: Vec<u8> = (0..1_000)
        .flat_map(|it| format!("line {it}\n").into_bytes())
        .collect();
    let zipped = gzip(&text);
    for (codings, expected, coding, whole) in [
        (None, "identity", "", &text),
        (Some("identity"), "identity", "", &text),
        (Some("gzip"), "gzip", "gzip", &zipped),
        (Some("gzip, br"), "gzip, br", "gzip", &zipped),
    ] {
        for first in [0, 100] {
            let part = &whole[first..first + 100];
            let range = format!("bytes {first}-{}/{}", first + 99, whole.len());
            let mut request = proxy.request("GET", "/things/text");
            request = request.header("range", &format!("bytes={first}-{}", first + 99));
            if let Some(codings) = codings {
                request = request.header("accept-encoding", codings);
            }
            let mut fields = vec![
                ("content-type", "text/plain"),
                ("content-range", &range),
                ("content-length", "100"),
                ("vary", "accept-encoding"),
                ("connection", "close"),
            ];
            if !coding.is_empty() {
                fields.push(("content-encoding", coding));
            }
            let answer = ("206 Partial Content", &fields[..], part);
            let (head, response) = exchange(&mut upstream, request, answer).await;
            assert_eq!(accepted(&head), [expected]);
            assert_eq!(response.status, 206);
            assert_eq!(response.header("content-range"), range);
            assert_eq!(response.header("content-encoding"), coding);
            assert_eq!(response.header("content-length"), "100");
            assert_eq!(&response.body[..], part, "{codings:?} from {first}");
        }
    }
}

/// Compressed on its way, a part would be one of nothing: neither of what GitHub has, nor of what
/// the client would get of it as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_not_compressed_on_its_way() {
    let (mut upstream, proxy) = start().await;
    let part = "text ".repeat(1_000);
    for (kind, status, coding) in [
        ("text/plain", "206 Partial Content", ""),
        ("application/json", "206 Partial Content", ""),
        ("text/plain", "200 OK", "gzip"),
    ] {
        let request = proxy.request("GET", "/things/text");
        let request = request.header("range", "bytes=0-4999");
        let request = request.header("accept-encoding", "gzip");
        let mut fields = vec![
            ("content-type", kind),
            ("content-length", "5000"),
            ("connection", "close"),
        ];
        if coding.is_empty() {
            fields.push(("content-range", "bytes 0-4999/9999"));
        }
        let answer = (status, &fields[..], part.as_bytes());
        let (_, response) = exchange(&mut upstream, request, answer).await;
        assert_eq!(response.header("content-encoding"), coding, "{status}");
        if coding.is_empty() {
            assert_eq!(response.header("content-length"), "5000");
            assert_eq!(response.body, part);
        }
    }
}

/// GitHub may answer with the whole all the same. Then it is what it would have been without a
/// range, in whichever form it came: its URLs lead to the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_in_place_of_a_part_is_read_as_ever() {
    let (mut upstream, proxy) = start().await;
    let api = format!("http://{}", upstream.address());
    let text = format!("{{\"url\":\"{api}/things/1\"}}");
    let zipped = gzip(text.as_bytes());
    let length = zipped.len().to_string();
    let request = proxy.request("GET", "/things/1");
    let request = request.header("range", "bytes=0-9");
    let request = request.header("accept-encoding", "gzip");
    let fields = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("content-length", &length),
        ("connection", "close"),
    ];
    let answer = ("200 OK", &fields[..], &zipped[..]);
    let (_, response) = exchange(&mut upstream, request, answer).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-encoding"), "gzip");
    let expected = text.replace(&api, &format!("http://{}", proxy.address()));
    assert_eq!(gunzip(&response.body), expected);
}

/// Without a range GitHub is asked for gzip, whatever the client takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_is_asked_for_in_gzip() {
    let (mut upstream, proxy) = start().await;
    let zipped = gzip(b"plain");
    let length = zipped.len().to_string();
    let fields = [
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("content-length", &length),
        ("connection", "close"),
    ];
    for codings in ["identity", "br"] {
        let request = proxy.request("GET", "/things/text");
        let request = request.header("accept-encoding", codings);
        let answer = ("200 OK", &fields[..], &zipped[..]);
        let (head, response) = exchange(&mut upstream, request, answer).await;
        assert_eq!(accepted(&head), ["gzip"]);
        assert_eq!(&response.body[..], b"plain");
    }
}
