//! Whatever happens to the credentials, log lines name them and no secret of theirs is anywhere
//! that people look: log, statistics, configuration dump, answers, command lines.

use e2e::{apps, process, traces, wait, GitHub, Proxy};
use github_simulator::{Ban, Options};
use serde_json::json;

/// What can be looked at from outside.
const PLACES: [&str; 7] = [
    "/stats",
    "/stats/prometheus",
    "/config_dump?include_eds",
    "/clusters",
    "/server_info",
    "/listeners",
    "/contention",
];

/// The beginnings of installation tokens and of JSON Web Tokens.
const MINTED: [&str; 2] = ["ghs_", "eyJ"];

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_credential_is_told() {
    let options = Options::default().app(apps::app(&[7, 8], 4));
    let github = GitHub::start_with(options).await;
    github.change_installation(8, |installation| installation.suspended = true);
    let mut setup = Proxy::before(&github).env("GITHUB_RATE_POLL_INTERVAL", "1");
    for (name, installation) in [("GOOD", 7), ("SUSPENDED", 8), ("BAD", 7)] {
        setup = apps::with_app(setup, name, installation);
    }
    let setup = setup.env("GITHUB_APP_BAD_PEM", &apps::KEY.replacen("MIIE", "MIIF", 1));
    let access_log = setup.folder().join("access.log");
    let setup = setup
        .argument("--access-log")
        .argument(&access_log.display().to_string());
    let proxy = setup.start().await;
    // Everything that leads to a log line: used up, paused, refused, rotated.
    github.exhaust("A", "core");
    github.ban("B", Ban::default());
    github.revoke_token("C");
    let mut answers = Vec::new();
    for number in 0..12 {
        let path = format!("/users/octocat?number={number}");
        answers.extend(proxy.get(&path).await.everything());
        let issue = json!({"title": format!("issue {number}")}).to_string();
        let path = "/repos/octocat/hello-world/issues";
        let written = proxy.request("POST", path).body(issue).send().await;
        answers.extend(written.everything());
    }
    answers.extend(proxy.get("/rate_limit").await.everything());
    wait::until("some rotations", || {
        let exchanged = github.requests_to("/app/installations/7/").len();
        async move { (exchanged > 2).then_some(()) }
    })
    .await;

    let mut places = vec![("the answers".to_owned(), answers)];
    for place in PLACES {
        let found = proxy.admin(place).await;
        assert_eq!(found.status, 200, "{place}");
        places.push((place.to_owned(), found.body.to_vec()));
    }
    let mut family = vec![proxy.process().id()];
    let children = process::children(proxy.process().id());
    family.extend(children.into_iter().map(|(id, _)| id));
    for id in family {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).expect("a running process");
        places.push(("a command line".to_owned(), line));
    }
    let ended = proxy.stop().await;
    for credential in ["A", "B", "C", "SUSPENDED", "BAD"] {
        let line = format!("credential {credential}: ");
        assert!(ended.stderr.contains(&line), "{line}{}", ended.stderr);
    }
    places.push(("standard output".to_owned(), ended.stdout.into_bytes()));
    places.push(("standard error".to_owned(), ended.stderr.into_bytes()));

    // Of the key, a part of each line.
    let parts = apps::KEY.lines().filter(|line| line.len() == 64);
    let mut parts: Vec<&str> = parts.map(|line| &line[8..40]).collect();
    assert!(parts.len() > 20);
    parts.extend(MINTED);
    let tokens = e2e::github::CREDENTIALS.map(|(_, secret, _)| secret);
    for (what, place) in &places {
        traces::none_of(tokens, what, place);
        let text = String::from_utf8_lossy(place);
        for part in &parts {
            assert!(!text.contains(part), "{part} is in {what}: {text}");
        }
    }
}
