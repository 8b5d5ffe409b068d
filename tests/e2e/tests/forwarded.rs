//! URLs lead to where the client came in: the connection and the `Host` say where that is, and
//! what other fields claim counts only when it comes from a proxy that the operator trusts.

use e2e::cache_status::{MISS, REVALIDATED};
use e2e::http::Http2;
use e2e::tls::{Authority, Terminator};
use e2e::{raw, GitHub, Proxy, Response, TOKEN};
use github_simulator::{BaseUrl, Options};

const PATH: &str = "/repos/octocat/hello-world/issues?per_page=2";
const CLAIMS: [(&str, &str); 5] = [
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "public.example"),
    ("x-forwarded-for", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;host=public.example;proto=https"),
    ("x-forwarded-port", "8443"),
];

/// Where the URLs of an answer lead: those of the body and those of `Link`, which must agree.
fn root(response: &Response) -> String {
    let body = response.json();
    let url = body[0]["url"].as_str().expect("a URL");
    let root = url.split("/repos/").next().expect("a root").to_owned();
    let link = response.header("link");
    assert!(
        link.starts_with(&format!("<{root}/repos/")),
        "{link} and {url}"
    );
    root
}

async fn claimed(proxy: &Proxy, claims: &[(&str, &str)]) -> Response {
    let request = proxy
        .request("GET", PATH)
        .header("host", "inner.example:81");
    let request = claims
        .iter()
        .fold(request, |it, (name, value)| it.header(name, value));
    request.send().await
}

/// Anyone can send such fields. They say nothing, they get nowhere, and what one client claimed is
/// not in what another one gets from the cache.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_claims_is_ignored() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).env("TRUSTED_PROXIES", "10.0.0.0/8, ::1");
    let proxy = setup.start().await;
    for (claims, cache) in [
        (&CLAIMS[..], MISS),
        (&[], REVALIDATED),
        (&CLAIMS, REVALIDATED),
    ] {
        let response = claimed(&proxy, claims).await;
        assert_eq!((response.status, response.cache()), (200, cache));
        assert_eq!(root(&response), "http://inner.example:81", "{claims:?}");
    }
    // In HTTP/2 the scheme is a field of the client's, too.
    let connection = Http2::connect(proxy.address()).await;
    let mut request = proxy.request("GET", PATH);
    for (name, value) in CLAIMS {
        request = request.header(name, value);
    }
    let response = connection.outcome(request).await.expect("an answer");
    assert_eq!(root(&response), format!("http://{}", proxy.address()));
    for entry in github.requests() {
        let sent = |name: &str| entry.header(name).is_some();
        assert!(!CLAIMS.iter().any(|(name, _)| sent(name)), "{entry:?}");
        assert!(!format!("{entry:?}").contains(".example"), "{entry:?}");
    }
}

/// A proxy in front says where its clients came in. Each answer is its own client's, though all
/// are made of one entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_believed() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).env("TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.0/8");
    let proxy = setup.start().await;
    for (claims, expected) in [
        (&CLAIMS[..], "https://public.example"),
        (&CLAIMS[..1], "https://inner.example:81"),
        (&[], "http://inner.example:81"),
        (
            &[("x-forwarded-host", "one.example:8443, two.example")],
            "http://one.example:8443",
        ),
        (&[("x-forwarded-host", "a@b/c")], "http://inner.example:81"),
        (
            &[("x-forwarded-proto", "gopher")],
            "http://inner.example:81",
        ),
    ] {
        let response = claimed(&proxy, claims).await;
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(root(&response), expected, "{claims:?}");
    }
    assert_eq!(github.paid("/repos"), 1);
}

/// `PUBLIC_URL` is the last word.
#[tokio::test(flavor = "multi_thread")]
async fn a_configured_address_is_the_last_word() {
    let github = GitHub::start().await;
    let setup = Proxy::before(&github).env("TRUSTED_PROXIES", "127.0.0.1");
    let setup = setup.env("PUBLIC_URL", "https://gh.example.com:8443/");
    let proxy = setup.start().await;
    for claims in [&CLAIMS[..], &[]] {
        let response = claimed(&proxy, claims).await;
        assert_eq!(root(&response), "https://gh.example.com:8443");
    }
    let mounted = proxy.get(&format!("/api/v3{PATH}")).await;
    assert_eq!(root(&mounted), "https://gh.example.com:8443/api/v3");
}

/// A `Host` that could break out of a URL or of JSON is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_none_is_refused() {
    let (github, proxy) = e2e::start().await;
    let token = format!("authorization: token {TOKEN}");
    for host in ["a\"b", "user@host", "a/b", "a b", "host:99999"] {
        let host = format!("host: {host}");
        let answer = raw::get(proxy.address(), PATH, &[&host, &token, "user-agent: e2e"]).await;
        assert_eq!(raw::status(&answer), 400, "{host}: {answer}");
    }
    assert!(github.requests().is_empty());
}

/// GitHub is spoken to in HTTP/2 where it offers that, with one entry for clients of both versions.
#[tokio::test(flavor = "multi_thread")]
async fn github_is_spoken_to_in_http2() {
    let github = GitHub::start_with(Options {
        base_url: BaseUrl::github_com(),
        ..Options::default()
    });
    let github = github.await;
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    let front = Terminator::start_http2(&identity, github.api_address()).await;
    let setup = Proxy::before(&github);
    let bundle = authority.write(setup.folder());
    let url = format!("https://localhost:{}", front.port());
    let setup = setup.env("GITHUB_API_URL", &url);
    let setup = setup.env("SSL_CERT_FILE", &bundle.display().to_string());
    let proxy = setup.start().await;
    let connection = Http2::connect(proxy.address()).await;
    for cache in [MISS, REVALIDATED] {
        let response = connection.clone().outcome(proxy.request("GET", PATH)).await;
        let response = response.expect("an answer");
        assert_eq!((response.status, response.cache()), (200, cache));
        assert_eq!(root(&response), format!("http://{}", proxy.address()));
    }
    assert_eq!(proxy.get(PATH).await.cache(), REVALIDATED);
    let body = vec![b'x'; 3 << 20];
    let posted = proxy.request("POST", "/things").body(body).send().await;
    assert_eq!(posted.status, 404);
    let requests = github.requests();
    assert_eq!(requests.last().and_then(|it| it.body_length), Some(3 << 20));
    // An HTTP/2 request has its host in `:authority`.
    assert!(
        requests.iter().all(|it| it.header("host").is_none()),
        "not HTTP/2"
    );
}
