//! Files go to where GitHub takes them, a host of its own, and nothing else does.

use bytes::Bytes;
use e2e::{raw, GitHub, Proxy, TOKEN};
use github_simulator::{BaseUrl, Mount, Options};
use serde_json::{json, Value};

/// Two hosts that say of themselves that they are github.com's, each with a world of the same kind.
async fn hosts() -> (GitHub, GitHub) {
    let start = || {
        GitHub::start_with(Options {
            base_url: BaseUrl::github_com(),
            ..Options::default()
        })
    };
    (start().await, start().await)
}

async fn proxy(api: &GitHub, uploads: &GitHub) -> Proxy {
    let setup = Proxy::before(api).env("GITHUB_UPLOADS_URL", &uploads.api_url());
    setup.start().await
}

fn targets(github: &GitHub) -> Vec<String> {
    let requests = github.requests().into_iter();
    requests
        .map(|it| format!("{} {}", it.method, it.target))
        .collect()
}

/// A client takes `upload_url` from a release and sends the file there, on either mount: it gets to
/// the host of the uploads, with a credential of the pool, and everything else to the API's.
#[tokio::test(flavor = "multi_thread")]
async fn assets_are_uploaded_to_the_host_of_the_uploads() {
    let (api, uploads) = hosts().await;
    let proxy = proxy(&api, &uploads).await;
    let releases = "/repos/octocat/hello-world/releases/latest";
    for (number, mount) in ["", "/api/v3"].into_iter().enumerate() {
        let release = proxy.get(&format!("{mount}{releases}")).await.json();
        let template = release["upload_url"].as_str().expect("a template");
        let root = format!("http://{}/api/uploads", proxy.address());
        assert!(template.starts_with(&root), "{template}");
        let path = template[root.len()..].split('{').next().expect("a path");
        let target = format!("/api/uploads{path}?name=file-{number}.bin");
        let request = proxy.request("POST", &target);
        let request = request.header("content-type", "application/octet-stream");
        let created = request.body(vec![b'x'; 100_000]).send().await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.json()["size"], 100_000);
        let url = created.json()["url"].as_str().map(str::to_owned);
        assert!(url.is_some_and(|url| url.starts_with(&format!("http://{}", proxy.address()))));
        assert_eq!(
            targets(&uploads),
            [format!("POST {path}?name=file-{number}.bin")]
        );
        assert!(
            targets(&api).iter().all(|it| it.starts_with("GET ")),
            "{:?}",
            targets(&api)
        );
        for entry in uploads.requests() {
            assert!(
                entry.token.is_some(),
                "no credential of the pool: {entry:?}"
            );
            assert!(!format!("{entry:?}").contains(TOKEN));
        }
        uploads.reset_log();
    }
}

/// A GitHub Enterprise Server takes files beside its API, on the same host.
#[tokio::test(flavor = "multi_thread")]
async fn an_enterprise_server_takes_them_beside_its_api() {
    let options = Options {
        mount: Mount::EnterpriseServer,
        ..Options::default()
    };
    let github = GitHub::start_with(options).await;
    let url = format!("{}/api/v3", github.api_url());
    let setup = Proxy::before(&github).env("GITHUB_API_URL", &url);
    let proxy = setup.start().await;
    let root = format!("http://{}", proxy.address());
    for mount in ["", "/api/v3"] {
        let target = format!("{mount}/repos/octocat/hello-world/releases/latest");
        let release = proxy.get(&target).await.json();
        let upload = release["upload_url"].as_str().expect("a template");
        let path = upload
            .strip_prefix(&root)
            .and_then(|it| it.split('{').next());
        let path = path.unwrap_or_else(|| panic!("{upload}"));
        assert!(path.starts_with("/api/uploads/repos/"), "{upload}");
        let name = format!("?name=enterprise{}", mount.len());
        let request = proxy.request("POST", &format!("{path}{name}"));
        let created = request.body("content").send().await;
        assert_eq!(created.status, 201, "{created:?}");
        let own = created.json()["url"]
            .as_str()
            .map(|url| url.starts_with(&root));
        assert_eq!(own, Some(true), "{created:?}");
        let last = github.requests().last().map(|it| it.target.clone());
        assert_eq!(last, Some(format!("{path}{name}")));
    }
}

/// Where a request goes is the filter's to say: neither a host nor a field of the client's leads an
/// API request, or an upload, to the other host.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_choose_the_host() {
    let (api, uploads) = hosts().await;
    let proxy = proxy(&api, &uploads).await;
    let token = format!("authorization: token {TOKEN}");
    for (host, target, at_uploads) in [
        (uploads.api_address(), "/users/octocat", false),
        (api.api_address(), "/api/uploads/users/octocat", true),
    ] {
        api.reset_log();
        uploads.reset_log();
        let fields = [
            format!("host: {host}"),
            format!("x-forwarded-host: {host}"),
            token.clone(),
        ];
        let mut fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        fields.push("user-agent: e2e");
        let answer = raw::get(proxy.address(), target, &fields).await;
        assert_eq!(raw::status(&answer), 200, "{answer}");
        let count = (api.requests().len(), uploads.requests().len());
        assert_eq!(count, if at_uploads { (0, 1) } else { (1, 0) }, "{target}");
    }
}

/// An upload that is refused for its credential is sent again on another one, to the same host.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_is_repeated_there() {
    let (api, uploads) = hosts().await;
    let proxy = proxy(&api, &uploads).await;
    for name in ["A", "B"] {
        uploads.revoke_token(name);
    }
    let release = proxy
        .get("/repos/octocat/hello-world/releases/latest")
        .await;
    let id = release.json()["id"].clone();
    for number in 0..3 {
        let target =
            format!("/api/uploads/repos/octocat/hello-world/releases/{id}/assets?name={number}");
        let created = proxy.request("POST", &target).body("content").send().await;
        assert_eq!(created.status, 201, "{created:?}");
    }
    let refused = uploads
        .requests()
        .iter()
        .filter(|it| it.status == Some(401))
        .count();
    assert!(refused > 0, "nothing was refused");
    assert!(
        targets(&api).iter().all(|it| it.starts_with("GET ")),
        "{:?}",
        targets(&api)
    );
}

/// A URL of the API that somebody wrote into a text is no link: it stays as it was written, from
/// GitHub and from the cache, whatever the text is the value of.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_wrote_is_left_alone() {
    let (api, uploads) = hosts().await;
    let proxy = proxy(&api, &uploads).await;
    let written = "https://api.github.com/repos/octocat/hello-world";
    let issues = "/repos/octocat/hello-world/issues";
    let body = json!({"title": written, "body": written}).to_string();
    let created = proxy.request("POST", issues).body(body).send().await.json();
    let url = created["url"].as_str().expect("a URL").to_owned();
    let root = format!("http://{}", proxy.address());
    let path = url
        .strip_prefix(&root)
        .expect("a URL of the proxy")
        .to_owned();
    let check = |issue: &Value, root: &str| {
        assert_eq!(
            (&issue["title"], &issue["body"]),
            (&json!(written), &json!(written))
        );
        assert!(
            issue["url"].as_str().is_some_and(|it| it.starts_with(root)),
            "{issue}"
        );
    };
    check(&created, &root);
    for _ in 0..2 {
        check(&proxy.get(&path).await.json(), &root);
        check(
            &proxy.get(&format!("/api/v3{path}")).await.json(),
            &format!("{root}/api/v3"),
        );
    }
}

/// A file larger than anybody would hold in memory passes as it is sent: no part of it is sent
/// before the one before it has arrived at GitHub.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_streams() {
    let (api, _) = hosts().await;
    let (mut upstream, address) = e2e::lockstep::Upstream::listen().await;
    let setup = Proxy::before(&api).env("GITHUB_UPLOADS_URL", &format!("http://{address}"));
    let proxy = setup.start().await;
    let mut client = e2e::lockstep::Client::connect(proxy.address()).await;
    client
        .send_head(
            "POST",
            "/api/uploads/things",
            &[("transfer-encoding", "chunked")],
        )
        .await;
    upstream.accept().await;
    let part = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..100 {
        client.send_chunk(&part).await;
        upstream.receive(part.len()).await;
    }
    client.send_chunk(&[]).await;
    upstream
        .answer("201 Created", &[("content-length", "2")])
        .await;
    upstream.send(b"{}").await;
    assert_eq!(client.receive_head().await.split(' ').nth(1), Some("201"));
}
