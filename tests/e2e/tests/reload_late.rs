//! Configurations that Envoy cannot be handed at once, or takes over late: what runs stays, nothing is
//! forgotten, and what the files say in the end takes effect.

use e2e::process::{children, signal_to};
use e2e::proxy::Setup;
use e2e::stats::Stats;
use e2e::{GitHub, Proxy, REGISTRY};
use rustix::process::Signal;
use std::path::PathBuf;

async fn ask(proxy: &Proxy) -> u16 {
    proxy.get("/users/octocat").await.status
}

/// A proxy whose own temporary folder is known.
async fn with_folder(setup: Setup) -> (Proxy, PathBuf) {
    let temporary = setup.folder().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let setup = setup.env("TMPDIR", &temporary.display().to_string());
    let proxy = setup.start().await;
    let mut entries = std::fs::read_dir(&temporary).expect("a folder");
    let folder = entries.next().expect("a folder of the run's");
    (proxy, folder.expect("an entry").path())
}

const NOBODY: &str = "version: 1\nclients: []\n";

/// While nothing can be written for Envoy, what runs stays, which is said and counted once; as
/// soon as it can be, the new version takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_for_envoy_is_handed_over_later() {
    let github = GitHub::start().await;
    let (proxy, folder) = with_folder(Proxy::before(&github)).await;
    // In the way of the file that Envoy is to read next.
    let obstacle = folder.join("new");
    std::fs::create_dir(&obstacle).expect("a folder");
    proxy.replace_registry(NOBODY);
    proxy
        .until_said("the running one stays: cannot write", 1)
        .await;
    assert_eq!(ask(&proxy).await, 200);
    std::fs::remove_dir(&obstacle).expect("no folder");
    proxy
        .until_said("reloaded: 0 clients, 3 credentials\n", 1)
        .await;
    assert_eq!(ask(&proxy).await, 401);
    assert_eq!(proxy.said("the running one stays"), 1);
    let results = |stats: &Stats| {
        ["refused", "applied"]
            .map(|result| stats.sum("github_proxy_config_reloads", &[("result", result)]))
    };
    proxy
        .stats_when("one refusal", |stats| results(stats) == [1, 1])
        .await;
}

/// A cleaner that removes the temporary folder of a run does not end the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_temporary_folder() {
    let github = GitHub::start().await;
    let (proxy, folder) = with_folder(Proxy::before(&github)).await;
    std::fs::remove_dir_all(&folder).expect("no folder");
    proxy.replace_registry("version: 2\n");
    proxy.until_said("the running one stays", 1).await;
    proxy.replace_registry(NOBODY);
    proxy
        .until_said(
            "was removed, and Envoy would not see another one: it takes a restart",
            2,
        )
        .await;
    assert_eq!(ask(&proxy).await, 200);
    assert_eq!(proxy.stop().await.status.code(), Some(0));
}

/// What an Envoy that stood still takes over late is known to run, and so what is taken back after
/// that is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn what_envoy_takes_over_late_can_be_taken_back() {
    let (_github, proxy) = e2e::start().await;
    let envoy = children(proxy.process().id()).pop().expect("an Envoy");
    let token = "the-token-of-a-new-client";
    let more = format!("{REGISTRY}  - name: new\n    token: {token}\n");
    signal_to(envoy.0, Signal::STOP);
    proxy.replace_registry(&more);
    proxy
        .until_said("was not seen to take the new configuration over", 1)
        .await;
    signal_to(envoy.0, Signal::CONT);
    proxy
        .until_said("reloaded: 3 clients, 3 credentials\n", 1)
        .await;
    let late = || async {
        let request = proxy.request("GET", "/users/octocat");
        let request = request.header("authorization", &format!("token {token}"));
        request.send().await.status
    };
    assert_eq!(late().await, 200);
    proxy.replace_registry(REGISTRY);
    proxy
        .until_said("reloaded: 2 clients, 3 credentials\n", 1)
        .await;
    assert_eq!(late().await, 401);
    assert_eq!(proxy.said("nothing changed"), 0);
}
