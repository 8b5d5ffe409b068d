//! The same filter and the same configuration in every Envoy that is installed: the one that `run`
//! starts, and those that `scripts/setup --test` puts beside it. In each: a first answer is paid
//! for, a second is not, a refused credential is replaced, an App signs.

use e2e::cache_status::{MISS, REVALIDATED};
use e2e::proxy::Setup;
use e2e::{apps, binaries, wait, GitHub, Proxy, Request, TOKEN};
use github_simulator::Options;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Releases of the package that were built without V8, the runtime that the filter needs.
const WITHOUT_V8: [&str; 1] = ["1.38.3"];

/// Every installed Envoy with its version.
fn installed() -> Vec<(String, PathBuf)> {
    let versions = binaries::envoy_versions();
    let folders = std::fs::read_dir(&versions).expect("the folder of Envoy's versions");
    let paths = folders.map(|entry| entry.expect("an entry").path());
    let mut envoys: Vec<_> = paths
        .filter(|path| path.join("envoy").is_file())
        .map(|path| {
            let version = path.file_name().expect("a version").to_string_lossy();
            (version.into_owned(), path.join("envoy"))
        })
        .collect();
    envoys.sort();
    envoys
}

fn setup(github: &GitHub, envoy: &Path) -> Setup {
    let setup = Proxy::before(github)
        .env("GITHUB_RATE_POLL_INTERVAL", "0")
        .argument("--envoy")
        .argument(envoy.to_str().expect("a path in UTF-8"));
    apps::with_app(setup, "APP", 7)
}

async fn github() -> GitHub {
    GitHub::start_with(Options::default().app(apps::app(&[7], 3600))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_installed_envoy_runs_the_filter() {
    let envoys = installed();
    assert!(envoys.len() > 1, "run scripts/setup --test: {envoys:?}");
    for (version, envoy) in envoys {
        println!("Envoy {version}");
        let github = github().await;
        let setup = setup(&github, &envoy);
        if WITHOUT_V8.contains(&version.as_str()) {
            let ended = setup.run_to_its_end().await;
            assert_ne!(ended.status.code(), Some(0), "{version}");
            assert!(
                ended.stderr.contains("envoy.wasm.runtime.v8"),
                "{version}: {ended:?}"
            );
            continue;
        }
        let proxy = setup.start().await;
        github.put_json("/things/1", json!({"n": 1}));
        let first = proxy.get("/things/1").await;
        assert_eq!((first.status, first.cache()), (200, MISS), "{version}");
        let second = proxy.get("/things/1").await;
        assert_eq!(second.cache(), REVALIDATED, "{version}");
        assert_eq!(second.body, first.body, "{version}");
        assert_eq!(github.paid("/things/1"), 1, "{version}");

        // No token is accepted any more: the App alone is left, and its JWT has to be signed.
        for (name, ..) in e2e::github::CREDENTIALS {
            github.revoke_token(name);
        }
        github.put_json("/things/2", json!({"n": 2}));
        wait::until("the App to serve", || async {
            let request = Request::new(proxy.address(), "GET", "/things/2");
            let request = request.header("authorization", &format!("token {TOKEN}"));
            (request.send().await.status == 200).then_some(())
        })
        .await;
        let served = github.requests_to("/things/2");
        let by_app = |token: &str| token.starts_with("installation-7-");
        let last = served.last().and_then(|entry| entry.token.clone());
        assert!(last.as_deref().is_some_and(by_app), "{version}: {served:?}");
        let stats = proxy.stats().await;
        let exchanged = [("credential", "APP"), ("result", "ok")];
        assert_eq!(
            stats.sum("github_proxy_token_exchanges", &exchanged),
            1,
            "{version}"
        );
        assert!(stats.sum("github_proxy_failovers", &[]) > 0, "{version}");
        let ended = proxy.stop().await;
        assert_eq!(ended.status.code(), Some(0), "{version}");
        assert!(!ended.stderr.contains("deprecated"), "{version}: {ended:?}");
    }
}
