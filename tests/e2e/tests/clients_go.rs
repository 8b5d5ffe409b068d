//! go-github and githubv4, unmodified: the same results straight and through the proxy (see
//! `e2e::clients`).

use e2e::clients::{self, mapping, proof, Mount, World};
use serde_json::json;

/// Lists with all their pages, files and diffs in their media types, the Git database, search,
/// redirects, conditional requests, refusals.
#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    let seen = clients::go("read").compare().await;
    assert_eq!(seen["lists"]["issues"].as_array().map(Vec::len), Some(45));
    assert_eq!(seen["lists"]["pages"], json!([1, 1, 3, 4, null]));
    let expected = json!({
        "first": [200, null], "tag": 304, "other": 200, "date": 304, "old": 200, "head": 200
    });
    assert_eq!(seen["conditional"], expected);
    assert_eq!(seen["refusals"]["blocked"][1], 451);
    assert_eq!([&seen["assignee"], &seen["no assignee"]], [true, false]);
}

/// Issues, comments, labels, files, a commit of its parts, pull requests, a release with a file; each
/// change is seen by the next read.
#[tokio::test(flavor = "multi_thread")]
async fn writing() {
    let seen = clients::go("write").writes().compare().await;
    assert_eq!(seen["release"]["downloaded"], json!([true, "", null]));
    assert_eq!(seen["issues"]["open"], json!([37, 37]));
}

/// githubv4: cursors, errors, mutations.
#[tokio::test(flavor = "multi_thread")]
async fn graphql() {
    let seen = clients::go("graphql").writes().compare().await;
    assert_eq!(seen["pages"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        seen["mutations"]["now"]["Repository"]["Issue"]["State"],
        "CLOSED"
    );
}

/// The limits are used up in the middle of the flow, a server fails, a secondary limit is hit: a
/// program that waits for what go-github's errors say gets there. The proxy says 429 where GitHub
/// said 403, which this version takes for an error like others.
#[tokio::test(flavor = "multi_thread")]
async fn waiting() {
    let (flow, mount) = (clients::go("waiting"), Mount::ApiV3);
    let straight = World::straight(mount).await;
    let proxied = World::proxied(|setup| setup).await;
    let mut seen = Vec::new();
    for (world, secondary) in [
        (&straight, "AbuseRateLimitError after 1s"),
        (&proxied, "ErrorResponse 429"),
    ] {
        clients::scarce(&world.github);
        let mut printed = world.run(&flow, mount).await;
        let errors = printed["errors"].take();
        let is_there = |error: &str| {
            errors
                .as_array()
                .is_some_and(|all| all.contains(&json!(error)))
        };
        for expected in ["RateLimitError", "ErrorResponse 502", secondary] {
            assert!(is_there(expected), "no {expected}: {errors}");
        }
        seen.push(printed);
    }
    mapping::assert_same("waiting", &seen[0], &seen[1]);
    proof::only_through_the_proxy("waiting", &proxied.github);
}
