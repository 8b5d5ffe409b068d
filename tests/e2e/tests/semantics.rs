//! HTTP semantics across the cache: HEAD, preconditions, ranges, variants and compression work as
//! they do at GitHub.

use e2e::cache_status::{BYPASS, MISS, REVALIDATED, UNSTORED};
use e2e::{raw, TOKEN};
use github_simulator::{Content, Document};
use serde_json::json;
use std::collections::BTreeSet;

/// HEAD is answered from a cached GET, with its fields and without a body; a HEAD on a cold cache
/// is never taken for the GET's answer.
#[tokio::test(flavor = "multi_thread")]
async fn head_is_a_get_without_its_body() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/warm", json!({"n": 1}));
    github.put_json("/things/cold", json!({"n": 2}));

    let get = proxy.get("/things/warm").await;
    let head = proxy.request("HEAD", "/things/warm").send().await;
    assert_eq!((head.status, head.cache()), (200, REVALIDATED));
    assert!(head.body.is_empty());
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(github.paid("/things/warm"), 1);

    let head = proxy.request("HEAD", "/things/cold").send().await;
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    let get = proxy.get("/things/cold").await;
    assert_eq!((get.status, get.json()), (200, json!({"n": 2})));
    let head = proxy.request("HEAD", "/things/cold").send().await;
    assert_eq!((head.status, head.cache()), (200, REVALIDATED));
    let get = proxy.get("/things/cold").await;
    assert_eq!((get.json(), get.cache()), (json!({"n": 2}), REVALIDATED));
}

/// A client that holds what is current gets a 304: by the tag that it was given, by the tag that
/// another credential would have been given, by its date, from a cold and from a warm cache. A
/// client's own precondition never makes an entry.
#[tokio::test(flavor = "multi_thread")]
async fn the_preconditions_of_clients_are_honoured() {
    let (github, proxy) = e2e::start().await;
    let path = "/things/dated";
    let mut document = Document::json(json!({"n": 1}));
    document.modified = Some(1_700_000_000);
    github.put(path, document);
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let with =
        |name: &'static str, value: &str| proxy.request("GET", path).header(name, value).send();

    // Cold: GitHub decides, and there is nothing to store.
    let cold = with("if-modified-since", date).await;
    assert_eq!(cold.status, 304, "{cold:?}");
    let full = proxy.get(path).await;
    assert_eq!((full.status, full.cache()), (200, MISS));

    let tag = full.header("etag").to_owned();
    let strong = tag.trim_start_matches("W/").to_owned();
    for list in [
        tag.clone(),
        strong.clone(),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let warm = with("if-none-match", &list).await;
        assert_eq!((warm.status, warm.cache()), (304, REVALIDATED), "{list}");
        assert!(warm.body.is_empty());
        assert_eq!(warm.header("etag"), tag, "{list}");
        assert_eq!(warm.header("content-type"), "", "{list}");
    }
    assert_eq!(with("if-modified-since", date).await.status, 304);
    assert_eq!(
        with("if-modified-since", "Tue, 14 Nov 2023 22:13:19 GMT")
            .await
            .status,
        200
    );
    // If-None-Match ranks first (RFC 9110 §13.2.2).
    let both = proxy.request("GET", path).header("if-none-match", "\"x\"");
    assert_eq!(
        both.header("if-modified-since", date).send().await.status,
        200
    );
    let head = proxy
        .request("HEAD", path)
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(head.status, 304);

    // Every credential's own tag for these bytes is good.
    let mut tags = BTreeSet::new();
    for entry in github.requests_to(path) {
        tags.extend(entry.header("if-none-match").map(str::to_owned));
    }
    tags.remove(&tag);
    assert!(!tags.is_empty(), "no other credential confirmed it");
    for tag in tags {
        assert_eq!(with("if-none-match", &tag).await.status, 304, "{tag}");
    }
    assert_eq!(
        with("if-none-match", "\"nothing like it\"").await.status,
        200
    );

    github.touch(path);
    let changed = with("if-none-match", &tag).await;
    assert_eq!(
        (changed.status, changed.json()["version"].clone()),
        (200, json!(1))
    );
    assert_eq!(
        with("if-none-match", changed.header("etag")).await.status,
        304
    );
}

/// Each Accept has its own representation, and so has each value of a field that `Vary` names;
/// user agents, compression and cookies make no difference.
#[tokio::test(flavor = "multi_thread")]
async fn variants_are_told_apart_and_nothing_else() {
    let (github, proxy) = e2e::start().await;
    let path = "/repos/octocat/hello-world/pulls/43";
    let accepts = [
        "application/json",
        "application/vnd.github+json",
        "application/vnd.github.diff",
        "application/vnd.github.patch",
    ];
    let mut bodies = Vec::new();
    for accept in accepts {
        for expected in [MISS, REVALIDATED] {
            let response = proxy
                .request("GET", path)
                .header("accept", accept)
                .send()
                .await;
            assert_eq!(
                (response.status, response.cache()),
                (200, expected),
                "{accept}"
            );
            bodies.push(response.body);
        }
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[0], bodies[4]);
    assert_eq!(bodies[4], bodies[5]);
    assert_eq!(github.paid(path), accepts.len());

    // GitHub lays the body out for some of these; the proxy asks for one that it can compare.
    github.reset_log();
    github.put_json("/things/agents", json!({"a": [1, 2], "b": {}}));
    let mut seen = BTreeSet::new();
    for agent in [
        "curl/8.5.0",
        "PyGithub/Python",
        "Mozilla/5.0 Firefox/1.0",
        "octokit.js/1",
        "Wget/1.21",
    ] {
        for coding in ["identity", "gzip", "br"] {
            let request = proxy
                .request("GET", "/things/agents")
                .header("user-agent", agent);
            let request = request
                .header("accept-encoding", coding)
                .header("cookie", coding);
            let response = request.send().await;
            assert_eq!(response.status, 200);
            seen.insert(response.body);
        }
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(github.paid("/things/agents"), 1);

    let mut document = Document::json(json!({"n": 1}));
    document
        .headers
        .insert("vary".to_owned(), "X-Flavour".to_owned());
    github.put("/things/vary", document);
    let flavoured = |flavour: &'static str| {
        proxy
            .request("GET", "/things/vary")
            .header("x-flavour", flavour)
            .send()
    };
    assert_eq!(flavoured("a").await.cache(), MISS);
    assert_eq!(flavoured("a").await.cache(), REVALIDATED);
    let other = flavoured("b").await;
    assert_ne!(other.cache(), REVALIDATED, "another flavour's answer");
    assert_eq!(other.status, 200);
}

/// A compressed answer has a weak tag and is the same representation: the tag is good for the
/// uncompressed one and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_is_the_same_representation() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/long", json!({"text": "abc ".repeat(2_000)}));
    let zipped = || {
        proxy
            .request("GET", "/things/long")
            .header("accept-encoding", "gzip")
    };
    let first = zipped().send().await;
    assert_eq!(first.header("content-encoding"), "gzip");
    assert!(first.header("etag").starts_with("W/"));
    assert!(first
        .header("vary")
        .to_lowercase()
        .contains("accept-encoding"));
    let plain = proxy.get("/things/long").await;
    assert_eq!(
        (plain.header("content-encoding"), plain.body.len()),
        ("", 8_011)
    );
    assert!(first.body.len() < 2_000);
    for tag in [first.header("etag"), plain.header("etag")] {
        assert_eq!(
            zipped().header("if-none-match", tag).send().await.status,
            304
        );
        let plain = proxy
            .request("GET", "/things/long")
            .header("if-none-match", tag);
        assert_eq!(plain.send().await.status, 304);
    }
    assert_eq!(github.paid("/things/long"), 1);
}

/// Envoy drops a strong tag of what it compresses, so whoever asks for gzip gets a weak one, of
/// an upstream that sends strong ones, too; it is as good for a client's own precondition.
#[tokio::test(flavor = "multi_thread")]
async fn a_strong_tag_survives_compression_as_a_weak_one() {
    let (github, proxy) = e2e::start().await;
    let mut long = Document::json(json!({"text": "abc ".repeat(2_000)}));
    long.etag = Some("\"strong\"".to_owned());
    github.put("/things/strong", long);
    for _ in 0..2 {
        for encodings in ["gzip", "*"] {
            let zipped = proxy
                .request("GET", "/things/strong")
                .header("accept-encoding", encodings);
            assert_eq!(zipped.send().await.header("etag"), "W/\"strong\"");
        }
        let plain = proxy.get("/things/strong").await;
        assert_eq!(plain.header("etag"), "\"strong\"");
    }
    let known = proxy
        .request("GET", "/things/strong")
        .header("accept-encoding", "gzip")
        .header("if-none-match", "W/\"strong\"");
    assert_eq!(known.send().await.status, 304);
}

/// With a weak tag nobody may ask for the rest of a download (RFC 9110 §13.1.5). So it is weak where
/// the body is compressed, and only there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_compressed_keeps_its_strong_tag() {
    let (github, proxy) = e2e::start().await;
    let long = "text ".repeat(1_000);
    let compressed = [
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/x-javascript",
        "application/x-json",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
        "text/css",
        "text/ecmascript",
        "text/html; charset=utf-8",
        "text/javascript",
        "text/js",
        "text/jscript",
        "text/plain",
        "text/x-javascript",
        "text/x-js",
        "text/xml",
    ];
    let others = [
        "text/csv",
        "application/octet-stream",
        "application/vnd.github.raw; charset=utf-8",
        "application/vnd.github.v3.diff",
    ];
    let mut cases: Vec<_> = compressed.map(|it| (it, "", &long[..], true)).to_vec();
    cases.extend(others.map(|it| (it, "", &long[..], false)));
    cases.push(("text/plain", "no-transform", &long, false));
    for (number, (kind, control, text, compressed)) in cases.into_iter().enumerate() {
        let path = format!("/things/{number}");
        let mut document = Document::new(Content::Text(text.to_owned()));
        document.content_type = Some(kind.to_owned());
        document.etag = Some("\"strong\"".to_owned());
        if !control.is_empty() {
            let control = ("cache-control".to_owned(), control.to_owned());
            document.headers.extend([control]);
        }
        github.put(&path, document);
        let (coding, tag) = match compressed {
            true => ("gzip", "W/\"strong\""),
            false => ("", "\"strong\""),
        };
        let ask = |codings| {
            proxy
                .request("GET", &path)
                .header("accept-encoding", codings)
        };
        for expected in [MISS, REVALIDATED] {
            let response = ask("gzip").send().await;
            assert_eq!((response.status, response.cache()), (200, expected));
            assert_eq!(response.header("content-encoding"), coding, "{kind}");
            assert_eq!(response.header("etag"), tag, "{kind}, {expected}");
        }
        // A 304 names the tag in the form that the client has.
        for held in ["W/\"strong\"", "\"strong\""] {
            let known = ask("gzip").header("if-none-match", held).send().await;
            assert_eq!((known.status, known.header("etag")), (304, held), "{kind}");
        }
        let plain = ask("gzip;q=0").send().await;
        assert_eq!(plain.header("etag"), "\"strong\"", "{kind}");
    }
}

/// What comes from the cache is compressed for clients that ask for it, as what comes from GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn cached_answers_are_compressed_too() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/long", json!({"text": "abc ".repeat(2_000)}));
    for expected in [MISS, REVALIDATED] {
        let request = proxy
            .request("GET", "/things/long")
            .header("accept-encoding", "gzip");
        let response = request.send().await;
        assert_eq!(
            (response.cache(), response.header("content-encoding")),
            (expected, "gzip")
        );
        assert!(response.body.len() < 1_000, "{} bytes", response.body.len());
    }
    let plain = proxy.get("/things/long").await;
    assert_eq!(plain.header("content-length"), plain.body.len().to_string());
}

/// A 304 ends with its header section, whoever decided on it and whatever the client may get: a
/// byte more would be taken for the beginning of the next answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_304_has_no_content_on_the_wire() {
    let (github, proxy) = e2e::start().await;
    github.put_json("/things/long", json!({"text": "abc ".repeat(2_000)}));
    let ask = |more: &'static str| {
        let request = format!(
            "GET /things/long HTTP/1.1\r\nhost: x\r\nuser-agent: e2e\r\nconnection: close\r\n\
             authorization: token {TOKEN}\r\nif-none-match: *\r\naccept-encoding: gzip\r\n{more}\r\n"
        );
        let address = proxy.address();
        async move { raw::until_closed(address, request.as_bytes()).await }
    };
    for more in ["", "cache-control: no-store\r\n"] {
        for _ in 0..2 {
            let answer = String::from_utf8_lossy(&ask(more).await).into_owned();
            assert_eq!(raw::status(&answer), 304, "{answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
            assert!(!answer.contains("transfer-encoding"), "{answer}");
            assert!(!answer.contains("content-encoding"), "{answer}");
        }
        proxy.get("/things/long").await;
    }
}

/// The length that HEAD tells is that of the body that GET sends, with the URLs of that mount.
#[tokio::test(flavor = "multi_thread")]
async fn head_tells_the_length_of_what_get_sends() {
    let (_github, proxy) = e2e::start().await;
    for mount in ["", "/api/v3"] {
        let target = format!("{mount}/repos/octocat/hello-world");
        let get = proxy.get(&target).await;
        let head = proxy.request("HEAD", &target).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert_eq!(head.header("etag"), get.header("etag"));
    }
}

/// A part of a representation, and what the client does not want stored, goes around the cache
/// and leaves no entry.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_no_store_go_around_the_cache() {
    let (github, proxy) = e2e::start().await;
    github.put(
        "/things/text",
        Document::new(Content::Text("0123456789".repeat(10))),
    );
    let range = || {
        proxy
            .request("GET", "/things/text")
            .header("range", "bytes=2-5")
            .send()
    };
    let part = range().await;
    assert_eq!((part.status, part.cache()), (206, BYPASS), "{part:?}");
    assert_eq!(&part.body[..], b"2345");
    let whole = proxy.get("/things/text").await;
    assert_eq!(
        (whole.status, whole.cache(), whole.body.len()),
        (200, MISS, 100)
    );
    assert_eq!(range().await.status, 206);
    assert_eq!(proxy.get("/things/text").await.cache(), REVALIDATED);

    github.put_json("/things/private", json!({"n": 1}));
    for _ in 0..2 {
        let request = proxy
            .request("GET", "/things/private")
            .header("cache-control", "no-store");
        assert_eq!(request.send().await.cache(), BYPASS);
    }
    assert_eq!(proxy.get("/things/private").await.cache(), MISS);

    let mut document = Document::json(json!({"n": 1}));
    document
        .headers
        .insert("cache-control".to_owned(), "no-store".to_owned());
    github.put("/things/unstorable", document);
    for _ in 0..2 {
        assert_eq!(proxy.get("/things/unstorable").await.cache(), UNSTORED);
    }
}
