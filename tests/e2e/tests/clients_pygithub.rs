//! PyGithub, unmodified: the same results straight and through the proxy (see `e2e::clients`).

use e2e::clients::{self, Mount};

/// Repositories, issues and pull requests with their pages, files, the Git database, search,
/// errors, and PyGithub's own conditional requests.
#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    let seen = clients::python("pygithub_read.py").compare().await;
    assert_eq!(seen["issues"].as_array().map(Vec::len), Some(45));
    assert_eq!(seen["login"], "octocat");
}

/// Issues, labels, comments, files, the Git database, pull requests, releases with files; each
/// change is seen by the next read.
#[tokio::test(flavor = "multi_thread")]
async fn writing() {
    let flow = clients::python("pygithub_write.py").writes();
    let seen = flow.compare().await;
    assert_eq!(seen["downloaded"], true);
    assert_eq!(seen["one more"], 1);
}

/// The limits are used up in the middle of the flow, a server fails, a secondary limit is hit:
/// PyGithub waits as it would for GitHub, and gets there.
#[tokio::test(flavor = "multi_thread")]
async fn waiting() {
    let flow = clients::python("pygithub_waiting.py").writes();
    let flow = flow.github(clients::scarce).mounts(&[Mount::ApiV3]);
    let seen = flow.compare().await;
    assert_eq!(seen["waited"], true);
    assert_eq!(seen["banned"]["after"], "the ban");
}
