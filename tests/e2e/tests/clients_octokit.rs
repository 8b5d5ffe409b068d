//! Octokit, unmodified: the same results straight and through the proxy (see `e2e::clients`).

use e2e::apps::{app, with_app, ID, KEY};
use e2e::clients::{self, mapping, proof, Mount, Place};
use e2e::proxy::Setup;
use e2e::{GitHub, REGISTRY, TOKEN};
use github_simulator::Options;
use serde_json::json;

/// `@octokit/rest`: lists with `paginate`, files and diffs in their media types, the Git database,
/// search, conditional requests, redirects, errors.
#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    let seen = clients::node("octokit_read.mjs").compare().await;
    let numbers = |page: usize| seen["pages"][page]["numbers"].as_array().map(Vec::len);
    assert_eq!([numbers(0), numbers(2)], [Some(100), Some(50)]);
    let expected = json!({
        "tag": [304], "list": [304], "other": [200, 1], "date": [304], "earlier": [200, 1]
    });
    assert_eq!(seen["conditional"], expected);
}

/// `@octokit/rest`: issues, comments, labels, files, a commit of its parts, pull requests, a
/// release with a file; each change is seen by the next read.
#[tokio::test(flavor = "multi_thread")]
async fn writing() {
    let flow = clients::node("octokit_write.mjs").writes();
    let seen = flow.compare().await;
    assert_eq!(seen["release"]["same"], true);
    assert_eq!(seen["issues"]["open"], json!([37, 37]));
}

/// `@octokit/graphql` and paginate-graphql: cursors, fragments, errors, mutations.
#[tokio::test(flavor = "multi_thread")]
async fn graphql() {
    let flow = clients::node("octokit_graphql.mjs").writes();
    let seen = flow.compare().await;
    assert_eq!(seen["byHand"].as_array().map(Vec::len), Some(3));
}

/// `@actions/github`, which finds the API in the environment that a runner gives: a comment that is
/// kept up to date, pull requests with their files and labels, GraphQL.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_workflow() {
    let flow = clients::node("actions_github.mjs").writes();
    let seen = flow.compare().await;
    assert_eq!(seen["context"][0], "{api}");
    assert_eq!([&seen["sticky"][0][0], &seen["sticky"][1][0]], [201, 200]);
    assert_eq!(seen["issues"].as_array().map(Vec::len), Some(37));
}

/// The throttling and the retry plugin: the limits are used up in the middle of the flow, a server
/// fails, a secondary limit is hit. Octokit waits as it would for GitHub, and gets there.
#[tokio::test(flavor = "multi_thread")]
async fn waiting() {
    let flow = clients::node("octokit_waiting.mjs")
        .writes()
        .github(clients::scarce);
    let flow = flow.mounts(&[Mount::Root]);
    let seen = flow.compare().await;
    assert_eq!(seen["limits"]["waited"], true);
    assert_eq!(seen["banned"]["after"], "the ban");
}

/// `octokit`'s App, which signs and exchanges tokens by itself straight at GitHub; and the same
/// work with a proxy token, where the App is a credential of the proxy's.
#[tokio::test(flavor = "multi_thread")]
async fn an_app() {
    const INSTALLATION: u64 = 7001;
    let github = || GitHub::start_with(Options::default().app(app(&[INSTALLATION], 3600)));
    let flow = clients::node("octokit_app.mjs");
    let straight = github().await;
    let place = Place::new(straight.api_address(), Mount::Root, "");
    let as_app = flow
        .clone()
        .env("APP_ID", ID.to_string())
        .env("APP_KEY", KEY);
    let as_app = as_app.env("INSTALLATION", INSTALLATION.to_string());
    let expected = mapping::mapped(&as_app.run_at(&place).await, &place, &[]);
    assert_eq!(expected["comment"][1], "By the App");

    for mount in [Mount::Root, Mount::ApiV3] {
        let github = github().await;
        let setup = Setup::bare().env("GITHUB_API_URL", &github.api_url());
        let setup = setup.registry(REGISTRY);
        let proxy = with_app(setup, "BOT", INSTALLATION).start().await;
        let place = Place::new(proxy.address(), mount, TOKEN);
        let seen = mapping::mapped(&flow.run_at(&place).await, &place, &[]);
        mapping::assert_same(&format!("{mount:?}"), &expected, &seen);
        proof::no_proxy_token("an App", &github);
        let owners = github.requests().into_iter().map(|entry| entry.owner);
        let stranger = owners
            .filter(|owner| owner != &format!("installation/{INSTALLATION}"))
            .find(|owner| owner != &format!("app/{ID}"));
        assert_eq!(stranger, None, "{mount:?}");
    }
}
