//! The pool keeps to GitHub's secondary limits by itself, so that it trips none.

use e2e::{burst, GitHub, Proxy};
use github_simulator::{Document, SecondaryRules};
use serde_json::json;

/// GitHub bans whoever has more than 100 requests under way. With one credential and 130 slow
/// things wanted at once, the last 30 wait for their turn, and nobody is banned.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundred_at_once_take_turns() {
    let github = GitHub::start().await;
    github.set_secondary(SecondaryRules {
        concurrent: Some(100),
        ..SecondaryRules::default()
    });
    for number in 0..130 {
        let mut slow = Document::json(json!({ "number": number }));
        slow.delay_ms = 300;
        github.put(&format!("/things/{number}"), slow);
    }
    let setup = Proxy::before(&github)
        .unset("GITHUB_PAT_B")
        .unset("GITHUB_PAT_C")
        .workers(2);
    let proxy = setup.start().await;
    let answers = burst(130, |number| {
        proxy.request("GET", &format!("/things/{number}"))
    })
    .await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(github.paid("/things/"), 130);
    let log = github.requests_to("/things/");
    assert!(
        log.iter().all(|entry| entry.status == Some(200)),
        "no refusal"
    );
    assert!(log.iter().map(|entry| entry.in_flight).max() <= Some(100));
}

/// GitHub bans whoever spends more than 900 points in a minute, and a write costs five: the
/// 181st write of a minute is refused by the pool, with the time to come back, and GitHub never
/// has to. What is free goes on.
#[tokio::test(flavor = "multi_thread")]
async fn points_are_not_overspent() {
    let github = GitHub::start().await;
    github.set_secondary(SecondaryRules {
        points_per_minute: Some(900),
        ..SecondaryRules::default()
    });
    let setup = Proxy::before(&github)
        .unset("GITHUB_PAT_B")
        .unset("GITHUB_PAT_C");
    let proxy = setup.start().await;
    let write = |number: usize| {
        proxy
            .request("POST", "/repos/octocat/hello-world/labels")
            .body(json!({ "name": format!("label-{number}"), "color": "ffffff" }).to_string())
    };
    // One point for this, and 179 writes make 896: the next write would make 901.
    assert_eq!(proxy.get("/users/octocat").await.status, 200);
    for number in 0..179 {
        assert_eq!(write(number).send().await.status, 201, "{number}");
    }
    let refused = write(200).send().await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let retry_after: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&retry_after));
    assert_eq!(
        proxy.get("/users/octocat").await.cache(),
        "github-proxy; hit; detail=revalidated"
    );
    assert!(
        github
            .requests()
            .iter()
            .all(|entry| entry.status < Some(400)),
        "never tripped"
    );
}
