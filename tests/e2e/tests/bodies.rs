//! Bodies of any size, speed and direction arrive whole: what is too large for the cache, and
//! what clients send, streams through.

use bytes::Bytes;
use e2e::cache_status::{MISS, REVALIDATED, UNSTORED};
use e2e::http::Http2;
use e2e::{burst, GitHub, Proxy};
use github_simulator::stream::Generated;
use github_simulator::{Action, Content, Document};
use serde_json::json;
use sha2::{Digest, Sha256};

const MIB: u64 = 1 << 20;

fn generated(length: u64) -> Bytes {
    Generated { seed: 0, length }.bytes(0, length)
}

/// A document of that length with an entity tag, which what is generated while it is sent has not.
fn tagged(length: u64) -> Document {
    let text = String::from_utf8(generated(length).to_vec());
    Document::new(Content::Text(text.expect("text")))
}

/// A body over the entry limit arrives byte for byte, alone and for many at once, and is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_larger_than_the_entry_limit_streams_through() {
    let (github, proxy) = e2e::start().await;
    let length = 20 * MIB;
    let tag = Some("\"large\"".to_owned());
    let document = Document {
        etag: tag,
        ..Document::new(Content::Generated(length))
    };
    github.put("/things/large", document);
    let expected = generated(length);
    for _ in 0..2 {
        let response = proxy.get("/things/large").await;
        assert_eq!((response.status, response.cache()), (200, UNSTORED));
        assert!(
            response.body == expected,
            "{} bytes differ",
            response.body.len()
        );
    }
    for response in burst(4, |_| proxy.request("GET", "/things/large")).await {
        assert!(
            response.body == expected,
            "{} bytes differ",
            response.body.len()
        );
    }
    let head = proxy.request("HEAD", "/things/large").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// The limit is exact, and where it can only be noticed on the way (a body of unknown length)
/// the client does not notice at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_entry_limit_decides_what_is_kept() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).env("CACHE_MAX_ENTRY_BYTES", "100000");
    let proxy = setup.start().await;
    for (length, kept) in [
        (0, true),
        (1, true),
        (99_999, true),
        (100_000, true),
        (100_001, false),
    ] {
        let path = format!("/things/{length}");
        github.put(&path, tagged(length));
        for _ in 0..2 {
            let response = proxy.get(&path).await;
            assert!(response.body == generated(length), "{length}");
        }
        assert_eq!(
            proxy.get(&path).await.cache() == REVALIDATED,
            kept,
            "{length}"
        );
    }
    // JSON is compressed on its way, so that its length is not known beforehand.
    let long = json!((0..30_000).collect::<Vec<_>>());
    github.put_json("/things/json", long.clone());
    for _ in 0..3 {
        let response = proxy.get("/things/json").await;
        assert_eq!(response.json(), long);
        assert_ne!(response.cache(), REVALIDATED);
    }
}

/// A body that compresses extremely well arrives whole as well.
#[tokio::test(flavor = "multi_thread")]
async fn highly_compressible_bodies_are_not_cut() {
    let (github, proxy) = e2e::start().await;
    let long = json!({"text": "abc ".repeat(500_000)});
    github.put_json("/things/repetitive", long.clone());
    for expected in [MISS, REVALIDATED] {
        let response = proxy.get("/things/repetitive").await;
        assert_eq!(response.cache(), expected);
        assert!(response.json() == long, "{} bytes", response.body.len());
    }
}

/// A stored body passes Envoy's compressor if Envoy can buffer it, and arrives whole if it cannot:
/// over either version of HTTP, compressed or not.
#[tokio::test(flavor = "multi_thread")]
async fn stored_bodies_of_any_length_arrive_whole() {
    let (github, proxy) = e2e::start().await;
    let connection = Http2::connect(proxy.address()).await;
    const HALF: u64 = MIB / 2;
    for length in [1, HALF - 1, HALF, HALF + 1, MIB, 3 * MIB] {
        let path = format!("/things/{length}");
        github.put(&path, tagged(length));
        let expected = generated(length);
        for cache in [MISS, REVALIDATED] {
            let response = proxy.get(&path).await;
            assert_eq!(response.cache(), cache);
            assert!(
                response.body == expected,
                "{length}: {}",
                response.body.len()
            );
        }
        let http2 = connection
            .clone()
            .outcome(proxy.request("GET", &path))
            .await;
        assert!(http2.expect("an answer").body == expected, "{length}");
        let zipped = || {
            proxy
                .request("GET", &path)
                .header("accept-encoding", "gzip")
        };
        for answer in [
            zipped().send().await,
            connection
                .clone()
                .outcome(zipped())
                .await
                .expect("an answer"),
        ] {
            let is_zipped = answer.header("content-encoding") == "gzip";
            assert_eq!(is_zipped, (1024..=HALF).contains(&length), "{length}");
            let mut body = Vec::new();
            if is_zipped {
                let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]);
                std::io::Read::read_to_end(&mut decoder, &mut body).expect("gzip");
            } else {
                body.extend_from_slice(&answer.body);
            }
            assert!(body == expected, "{length}: {}", body.len());
        }
    }
}

/// A body that ends too early is an error for the client too, and is never kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_body_is_not_stored() {
    let (github, proxy) = e2e::start().await;
    for (path, length) in [("/things/short", 50_000), ("/things/long", 3 * MIB)] {
        github.put(path, tagged(length));
        github.fail_next(1, path, Action::Truncate { after_bytes: 500 });
        let outcome = proxy.request("GET", path).outcome().await;
        assert!(outcome.is_err(), "{path}: {outcome:?}");
        let response = proxy.get(path).await;
        assert_eq!((response.status, response.cache()), (200, MISS));
        assert!(response.body == generated(length));
        assert_eq!(proxy.get(path).await.cache(), REVALIDATED);
        // A revalidation that brings a new version, cut short, leaves the old one alone.
        github.touch(path);
        github.fail_next(1, path, Action::Truncate { after_bytes: 500 });
        let outcome = proxy.request("GET", path).outcome().await;
        assert!(outcome.is_err(), "{path}: {outcome:?}");
        assert_eq!(proxy.get(path).await.status, 200);
    }
}

/// A body that comes in small late pieces arrives whole and is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_arrives_whole() {
    let (github, proxy) = e2e::start().await;
    github.put("/things/slow", tagged(5_000));
    let slow = Action::Slow {
        chunk_bytes: 250,
        milliseconds: 50,
    };
    github.fail_next(1, "/things/slow", slow);
    let answers = burst(10, |_| proxy.request("GET", "/things/slow")).await;
    assert!(answers
        .iter()
        .all(|it| it.status == 200 && it.body == generated(5_000)));
    assert_eq!(github.counted(), 1);
    assert_eq!(proxy.get("/things/slow").await.cache(), REVALIDATED);
}

/// What clients send arrives as it was sent, of known and of unknown length, on every mount.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_arrive_byte_for_byte() {
    let (github, proxy) = e2e::start().await;
    let body = generated(10 * MIB);
    let digest = hex::encode(Sha256::digest(&body));
    let chunks = || {
        let mut chunks: Vec<Bytes> = body.chunks(70_001).map(Bytes::copy_from_slice).collect();
        chunks.push(Bytes::from_static(b"!"));
        chunks
    };
    let with_mark = hex::encode(Sha256::digest([&body[..], b"!"].concat()));
    for target in [
        "/repos/octocat/hello-world/things",
        "/api/v3/things",
        "/api/uploads/things",
    ] {
        for method in ["POST", "PUT", "PATCH"] {
            github.reset_log();
            let request = proxy
                .request(method, target)
                .header("content-type", "application/octet-stream");
            let whole = request.body(body.clone()).send().await;
            assert!(whole.status < 500, "{whole:?}");
            let chunked = proxy.request(method, target).chunked(chunks()).send().await;
            assert!(chunked.status < 500, "{chunked:?}");
            let digests: Vec<_> = github
                .requests()
                .into_iter()
                .map(|it| it.body_sha256)
                .collect();
            assert_eq!(
                digests,
                [Some(digest.clone()), Some(with_mark.clone())],
                "{method} {target}"
            );
        }
    }
    // A body with a GET or a DELETE is unusual, not wrong.
    github.reset_log();
    for method in ["GET", "DELETE"] {
        proxy
            .request(method, "/things/with-body")
            .body(&b"{\"a\":1}"[..])
            .send()
            .await;
    }
    assert!(github.requests().iter().all(|it| it.body_length == Some(7)));
}

/// Writing through the proxy changes what is read through it, at once.
#[tokio::test(flavor = "multi_thread")]
async fn writes_are_seen_by_the_next_read() {
    let (_github, proxy) = e2e::start().await;
    let issues = "/repos/octocat/hello-world/issues?state=all&per_page=1";
    let mut titles = vec![proxy.get(issues).await.json()[0]["title"].clone()];
    for title in ["first", "second"] {
        let body = json!({"title": title}).to_string();
        let request = proxy
            .request("POST", "/repos/octocat/hello-world/issues")
            .body(body);
        let created = request.send().await;
        assert_eq!(
            (created.status, created.json()["title"].clone()),
            (201, json!(title))
        );
        titles.push(proxy.get(issues).await.json()[0]["title"].clone());
    }
    assert_eq!(titles[1..], [json!("first"), json!("second")]);
    let query =
        json!({"query": "{ repository(owner: \"octocat\", name: \"hello-world\") { name } }"});
    let answer = proxy
        .request("POST", "/graphql")
        .body(query.to_string())
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"]["repository"]["name"], "hello-world");
}
