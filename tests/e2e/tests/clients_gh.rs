//! GitHub's own command line program, `gh`, unmodified: it has the same results through the proxy,
//! over TLS, as at a GitHub Enterprise Server. (It knows no API but that, and no HTTP.)

use e2e::clients::{mapping, proof, Flow, Mount, Place, World};
use e2e::github::{GitHub, CREDENTIALS};
use e2e::tls::{Authority, Identity, Terminator};
use github_simulator::{self as simulator, BaseUrl, Options};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A certificate for this machine, and the file that makes `gh` trust it.
struct Trust {
    identity: Identity,
    authority: PathBuf,
    folder: TempDir,
}

impl Trust {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
        Self {
            identity: authority.issue(&["127.0.0.1"]),
            authority: authority.write(folder.path()),
            folder,
        }
    }

    fn flow(&self, part: &str) -> Flow {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/gh/flow.py");
        Flow::new("python3")
            .argument(script.display().to_string())
            .argument(part)
            .env("SSL_CERT_FILE", self.authority.display().to_string())
    }

    /// What it prints at a GitHub Enterprise Server.
    async fn straight(&self, flow: &Flow) -> Value {
        let terminator = Terminator::bind(&self.identity).await;
        let origin = format!("https://127.0.0.1:{}", terminator.port());
        let options = Options {
            mount: simulator::Mount::EnterpriseServer,
            base_url: BaseUrl::Fixed {
                api: format!("{origin}/api/v3"),
                uploads: format!("{origin}/api/uploads"),
            },
            ..Options::default()
        };
        let github = GitHub::start_with(options).await;
        let _terminator = terminator.before(github.api_address());
        let (_, token, _) = CREDENTIALS[0];
        flow.run_at(&place(origin, token)).await
    }

    /// A GitHub with a proxy before it that speaks TLS.
    async fn proxied(&self) -> World {
        let (certificate, key) = self.identity.write(self.folder.path());
        let flags = [("--tls-certificate", certificate), ("--tls-key", key)];
        World::proxied(|setup| {
            flags.iter().fold(setup, |setup, (flag, path)| {
                setup.argument(flag).argument(&path.display().to_string())
            })
        })
        .await
    }
}

fn place(origin: String, token: &str) -> Place {
    Place {
        origin,
        mount: Mount::ApiV3,
        token: token.to_owned(),
    }
}

async fn through_the_proxy(flow: &Flow, world: &World) -> Value {
    let proxy = world.proxy.as_ref().expect("a proxy");
    let origin = format!("https://{}", proxy.address());
    let printed = flow.run_at(&place(origin, e2e::TOKEN)).await;
    proof::only_through_the_proxy("gh", &world.github);
    printed
}

/// Lists, views, searches, diffs, `gh api` with its pages, templates and cache, errors.
#[tokio::test(flavor = "multi_thread")]
async fn gh_reads_the_same() {
    let trust = Trust::new();
    let flow = trust.flow("read");
    let expected = trust.straight(&flow).await;
    assert_eq!(expected["auth status"]["code"], 0, "{expected:#}");
    let world = trust.proxied().await;
    let cold = through_the_proxy(&flow, &world).await;
    mapping::assert_same("gh, cold", &expected, &cold);
    world.github.reset_log();
    let warm = through_the_proxy(&flow, &world).await;
    mapping::assert_same("gh, warm", &expected, &warm);
    // What is not there has no validator, so it is asked for anew.
    let mut paid = proof::paid_reads(&world.github);
    paid.retain(|request| !request.ends_with("Some(404)"));
    assert!(paid.is_empty(), "paid again for {paid:#?}");
}

/// Issues, pull requests, labels, releases with files up and down, `gh api` that writes.
#[tokio::test(flavor = "multi_thread")]
async fn gh_writes_the_same() {
    let trust = Trust::new();
    let flow = trust.flow("write");
    let expected = trust.straight(&flow).await;
    let world = trust.proxied().await;
    let actual = through_the_proxy(&flow, &world).await;
    mapping::assert_same("gh", &expected, &actual);
    let downloaded = expected["downloaded asset one.bin"].as_str();
    assert_eq!(downloaded.map(str::len), Some(2 * 256 * 4096));
}
