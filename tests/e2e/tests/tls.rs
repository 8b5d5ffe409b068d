//! TLS between clients and the proxy: real handshakes, HTTP/2 by ALPN, and renewed certificates.

use e2e::http::Http2;
use e2e::proxy::Setup;
use e2e::tls::{connect, protocol, Authority};
use e2e::{wait, GitHub, Proxy};
use std::path::{Path, PathBuf};

/// What a certificate of the proxy has to name: clients of these tests connect to the address.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Writes a certificate of this authority and its key into `folder`.
fn issue(authority: &Authority, folder: &Path) -> (PathBuf, PathBuf) {
    authority.issue(&NAMES).write(folder)
}

/// A proxy that speaks TLS, with a certificate in its folder.
async fn start(setup: Setup, authority: &Authority) -> Proxy {
    let (certificate, key) = issue(authority, setup.folder());
    let flags = [("--tls-certificate", certificate), ("--tls-key", key)];
    let setup = flags.iter().fold(setup, |setup, (flag, path)| {
        setup.argument(flag).argument(&path.display().to_string())
    });
    setup.start().await
}

/// Client and proxy agree on HTTP/2 where the client can, and on HTTP/1.1 otherwise; links in
/// answers lead to where the client came in, over TLS, and nothing reaches GitHub of how.
#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_and_links_over_tls() {
    let (github, authority) = (GitHub::start().await, Authority::new());
    let proxy = start(Proxy::before(&github), &authority).await;
    let target = "/repos/octocat/hello-world/issues?per_page=2";
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = connect(proxy.address(), &authority, offered).await;
        let stream = stream.expect("a handshake");
        assert_eq!(protocol(&stream).as_deref(), agreed);
        let request = proxy.request("GET", target);
        let outcome = if agreed == Some("h2") {
            Http2::over("https", stream).await.outcome(request).await
        } else {
            request.over(stream).await
        };
        let response = outcome.expect("a whole answer");
        assert_eq!(response.status, 200);
        let root = format!("https://{}", proxy.address());
        let next = format!("<{root}/repos/octocat/hello-world/issues?per_page=2&page=2>");
        assert!(response.header("link").starts_with(&next), "{response:?}");
        let url = response.json()[0]["url"].as_str().map(str::to_owned);
        assert!(
            url.is_some_and(|url| url.starts_with(&root)),
            "{response:?}"
        );
    }
    for entry in github.requests() {
        let names: Vec<&String> = entry.headers.iter().map(|(name, _)| name).collect();
        let told = names.iter().find(|name| name.starts_with("x-forwarded"));
        assert_eq!(told, None, "{entry:?}");
    }
}

/// Who does not trust the authority is not served, and who speaks no TLS gets no answer.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_without_a_handshake() {
    let (github, authority) = (GitHub::start().await, Authority::new());
    let proxy = start(Proxy::before(&github), &authority).await;
    let stranger = connect(proxy.address(), &Authority::new(), &["h2"]).await;
    let refusal = stranger.expect_err("no handshake");
    assert!(refusal.contains("invalid peer certificate"), "{refusal}");
    let plain = proxy.request("GET", "/user").outcome().await;
    plain.expect_err("no answer without TLS");
    assert_eq!(github.requests_to("/user").len(), 0);
}

/// A renewed certificate is taken up without a restart; one that does not fit its key is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_up() {
    let (github, first, second) = (GitHub::start().await, Authority::new(), Authority::new());
    let proxy = start(Proxy::before(&github), &first).await;
    let open = connect(proxy.address(), &first, &["http/1.1"]).await;
    let open = open.expect("a handshake");

    let key = proxy.folder().join("server.key");
    let good = std::fs::read(&key).expect("the key");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let (_, other) = issue(&first, elsewhere.path());
    std::fs::copy(other, &key).expect("a key that does not fit");
    wait::until("the refusal", || async {
        let said = proxy.process().stderr();
        said.contains("not the key of the certificate")
            .then_some(())
    })
    .await;
    connect(proxy.address(), &first, &["h2"])
        .await
        .expect("the running one stays");
    std::fs::write(&key, good).expect("the key");

    issue(&second, proxy.folder());
    wait::until("a certificate of the second authority", || async {
        connect(proxy.address(), &second, &["h2"]).await.ok()
    })
    .await;
    // A connection that is open already goes on.
    let response = proxy.request("GET", "/user").over(open).await;
    assert_eq!(response.expect("an answer").status, 200);
    let said = proxy.process().stderr();
    assert!(said.contains("certificate reloaded"), "{said}");
    assert!(!said.contains("PRIVATE KEY"), "{said}");
}

/// A renewed certificate that Envoy cannot be told of is taken up once it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_handed_over_is_taken_up_later() {
    let (github, first, second) = (GitHub::start().await, Authority::new(), Authority::new());
    let setup = Proxy::before(&github);
    let temporary = setup.folder().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let setup = setup.env("TMPDIR", &temporary.display().to_string());
    let proxy = start(setup, &first).await;
    let mut entries = std::fs::read_dir(&temporary).expect("a folder");
    let folder = entries.next().expect("a folder of the run's");
    // In the way of the file that Envoy is to read next.
    let obstacle = folder.expect("an entry").path().join("new");
    std::fs::create_dir(&obstacle).expect("a folder");
    issue(&second, proxy.folder());
    let says = |text: &'static str| {
        let proxy = &proxy;
        wait::until(text, move || async move {
            proxy.process().stderr().contains(text).then_some(())
        })
    };
    says("the running one stays: cannot write").await;
    connect(proxy.address(), &first, &["h2"])
        .await
        .expect("the running one stays");
    std::fs::remove_dir(&obstacle).expect("no folder");
    says("certificate reloaded").await;
    wait::until("a certificate of the second authority", || async {
        connect(proxy.address(), &second, &["h2"]).await.ok()
    })
    .await;
}

/// The command that is printed for a try works as it stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_command_trusts_the_certificate() {
    let proxy = start(Setup::bare(), &Authority::new()).await;
    let command = wait::until("a command", || async {
        let output = proxy.process().stdout();
        let mut lines = output.lines().map(str::trim);
        lines.find(|it| it.starts_with("curl ")).map(str::to_owned)
    })
    .await;
    let shell = std::process::Command::new("sh")
        .args(["-c", &command])
        .output();
    let output = shell.expect("a shell");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.starts_with("HTTP/2 200"), "{command}: {output:?}");
}
