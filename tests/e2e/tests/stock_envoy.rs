//! What `config` prints is for an Envoy of one's own: it runs as printed, and with a plugin
//! configuration that the filter cannot take Envoy refuses to start and says what to mend.

use e2e::cache_status::REVALIDATED;
use e2e::github::CREDENTIALS;
use e2e::process::Ended;
use e2e::stock::{envoy, printed};
use e2e::{wait, GitHub, Proxy, Request, TOKEN};
use serde_json::json;

/// The printed bootstrap works as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_envoy_runs_what_is_printed() {
    let github = GitHub::start().await;
    let printed = printed(&Proxy::before(&github));
    let (process, _folder) = envoy(&printed.bootstrap);
    github.put_json("/things/1", json!({"n": 1}));
    let ask = || {
        let request = Request::new(printed.listen, "GET", "/things/1");
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
    let bootstrap = printed(&Proxy::before(&github)).bootstrap;
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
