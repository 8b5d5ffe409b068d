//! What `config` prints is for an Envoy of one's own: it runs as printed, and with a plugin
//! configuration that the filter cannot take Envoy refuses to start and says what to mend.

use e2e::cache_status::REVALIDATED;
use e2e::github::CREDENTIALS;
use e2e::process::Ended;
use e2e::proxy::Setup;
use e2e::stock::{config, envoy, envoy_with, printed, printed_with};
use e2e::{traces, wait, GitHub, Proxy, Request, REGISTRY, TOKEN};
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

/// Sealed in the configuration, a credential is exchanged by moving a new file into the folder that
/// Envoy watches, as documented; its environment holds the key alone.
#[tokio::test(flavor = "multi_thread")]
async fn sealed_credentials_change_without_a_restart() {
    let github = GitHub::start().await;
    let key = "0a".repeat(32);
    let setup = |(name, secret, _): (&str, &str, _)| {
        let setup = Setup::bare().env("GITHUB_API_URL", &github.api_url());
        let setup = setup.env(&format!("GITHUB_PAT_{name}"), secret);
        setup.env("GITHUB_PROXY_SEAL_KEY", &key).registry(REGISTRY)
    };
    let [a, b, _] = CREDENTIALS;
    let before = setup(a);
    let watched = before.folder().join("ecds");
    std::fs::create_dir(&watched).expect("a folder");
    let file = watched.join("filter.json");
    std::fs::write(&file, config(&before, &["--format", "ecds"])).expect("a file");
    let from = file.display().to_string();
    let printed = printed_with(&before, &["--reload-from", &from]);
    let variable = ("GITHUB_PROXY_SEAL_KEY".to_owned(), key.as_str());
    let (process, _folder) = envoy_with(&printed.bootstrap, [variable]);
    let ask = |path: &str| {
        let request = Request::new(printed.listen, "GET", path);
        request
            .header("authorization", &format!("token {TOKEN}"))
            .outcome()
    };
    let first = || async { ask("/user").await.ok().filter(|it| it.status == 200) };
    wait::until("an Envoy that answers", first).await;
    let served = |number: usize| {
        github
            .requests()
            .get(number)
            .and_then(|it| it.token.clone())
    };
    assert_eq!(served(0).as_deref(), Some(a.0));

    let after = config(&setup(b), &["--format", "ecds"]);
    let new = before.folder().join("filter.json.new");
    std::fs::write(&new, &after).expect("a file");
    std::fs::rename(&new, &file).expect("the same folder");
    wait::until("the other credential", || async {
        ask("/user").await.expect("no request fails");
        let last = github.requests().pop()?;
        (last.token.as_deref() == Some(b.0)).then_some(())
    })
    .await;
    for (what, text) in [("the bootstrap", &printed.bootstrap), ("the file", &after)] {
        traces::none_of([a.1, b.1, &key], what, text.as_bytes());
    }
    assert_eq!(process.stop().await.status.code(), Some(0));
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
