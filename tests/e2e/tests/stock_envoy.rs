//! What `config` prints is for an Envoy of one's own: it runs as printed, and with a plugin
//! configuration that the filter cannot take Envoy refuses to start and says what to mend.

use e2e::cache_status::REVALIDATED;
use e2e::github::CREDENTIALS;
use e2e::process::{Ended, Process};
use e2e::proxy::Setup;
use e2e::{binaries, wait, GitHub, Proxy, Request, TOKEN};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use tempfile::TempDir;

/// A free address: Envoy is told the port, since there is no `run` to choose one.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

/// The bootstrap that `config` prints for this GitHub, and where its Envoy will listen.
fn printed(setup: &Setup) -> (String, SocketAddr) {
    let (listen, admin) = (free(), free());
    let mut command = setup.command("config");
    command.args(["--format", "bootstrap", "--listen", &listen.to_string()]);
    command.args(["--admin", &admin.to_string()]);
    let output = command.output().expect("the command runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (String::from_utf8(output.stdout).expect("text"), listen)
}

/// An Envoy with that text as its configuration, and the credentials in its environment.
fn envoy(bootstrap: &str) -> (Process, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("envoy.yaml");
    std::fs::write(&path, bootstrap).expect("a temporary file");
    let mut command = Command::new(binaries::envoy());
    command.arg("--config-path").arg(&path);
    command.args([
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]);
    for (name, secret, _) in CREDENTIALS {
        command.env(format!("GITHUB_PAT_{name}"), secret);
    }
    (Process::start(command), folder)
}

/// The printed bootstrap works as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_envoy_runs_what_is_printed() {
    let github = GitHub::start().await;
    let (bootstrap, address) = printed(&Proxy::before(&github));
    let (process, _folder) = envoy(&bootstrap);
    github.put_json("/things/1", json!({"n": 1}));
    let ask = || {
        let request = Request::new(address, "GET", "/things/1");
        request
            .header("authorization", &format!("token {TOKEN}"))
            .outcome()
    };
    let first = wait::until("an Envoy that answers", || async { ask().await.ok() }).await;
    assert_eq!((first.status, first.json()), (200, json!({"n": 1})));
    let second = ask().await.expect("an answer");
    assert_eq!(second.cache(), REVALIDATED);
    let ended = process.stop().await;
    assert_eq!(ended.status.code(), Some(0));
}

/// Faults in the plugin configuration: Envoy does not start, and its log names the path of each.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_plugin_configuration_is_refused_with_its_place() {
    let github = GitHub::start().await;
    let (bootstrap, _) = printed(&Proxy::before(&github));
    for (good, bad, place) in [
        (
            "\"token_sha256\"",
            "\"token_sha265\"",
            "clients[0].token_sha265",
        ),
        (
            "\"name\": \"read_only\"",
            "\"name\": \"test\"",
            "clients[1].name",
        ),
        (
            "\"path\": \".*\"",
            "\"path\": \"(\"",
            "clients[1].scopes[0].path",
        ),
        ("\"GITHUB_PAT_A\"", "\"GITHUB_PAT_UNSET\"", "credentials[0]"),
        ("\"authority\"", "\"authorities\"", "upstream.authorit"),
    ] {
        assert!(bootstrap.contains(good), "{good} is not in:\n{bootstrap}");
        let plugin = bootstrap
            .find("\"upstream\"")
            .or_else(|| bootstrap.find("value: |"));
        let (head, plugin) = bootstrap.split_at(plugin.expect("a plugin configuration"));
        let (process, _folder) = envoy(&format!("{head}{}", plugin.replacen(good, bad, 1)));
        let Ended { status, stderr, .. } = process.end().await;
        assert_ne!(status.code(), Some(0), "{bad}: {stderr}");
        assert!(stderr.contains(place), "{place} is not in:\n{stderr}");
        for (_, secret, _) in CREDENTIALS {
            assert!(
                e2e::traces::find(secret, stderr.as_bytes()).is_none(),
                "{stderr}"
            );
        }
    }
}
