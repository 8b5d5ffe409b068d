//! Octokit, unmodified: the same results straight and through the proxy (see `e2e::clients`).

use e2e::clients;
use e2e::GitHub;
use github_simulator::Action;
use serde_json::json;
use std::collections::BTreeMap;

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

/// The throttling and the retry plugin: the limits are used up in the middle of the flow, a server
/// fails, a secondary limit is hit. Octokit waits as it would for GitHub, and gets there.
#[tokio::test(flavor = "multi_thread")]
async fn waiting() {
    let flow = clients::node("octokit_waiting.mjs").writes().github(scarce);
    let seen = flow.compare().await;
    assert_eq!(seen["limits"]["waited"], true);
    assert_eq!(seen["banned"]["after"], "the ban");
}

/// Five requests in three seconds, a server that fails twice, and two refusals of a secondary
/// limit: one for each token of the pool.
fn scarce(github: &GitHub) {
    github.put_json("/flaky", json!({"works": true}));
    github.put_json("/banned", json!({"after": "the ban"}));
    github.set_quota("*", "core", 5, 3);
    let failure = Action::Status {
        status: 502,
        body: Some("<html>Unicorn!</html>".to_owned()),
        headers: BTreeMap::new(),
    };
    github.fail_next(2, "/flaky", failure);
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you \
try again.";
    let refusal = Action::Status {
        status: 403,
        body: Some(json!({"message": message}).to_string()),
        headers: BTreeMap::from([("retry-after".to_owned(), "1".to_owned())]),
    };
    github.fail_next(2, "/banned", refusal);
}
