//! githubkit, unmodified: the same results straight and through the proxy (see `e2e::clients`).

use e2e::clients;

/// Typed REST with its paginator, GraphQL with cursors, its own cache, many requests at once; in
/// sync and async.
#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    let seen = clients::python("githubkit_read.py").compare().await;
    assert_eq!(seen["async"]["issues"].as_array().map(Vec::len), Some(200));
    assert_eq!(seen["sync"]["moved"], "octocat/new-name");
}
