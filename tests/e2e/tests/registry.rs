//! The client registry: every kind of fault stops the start and names the place of the bad value;
//! while running, a good file is taken over without a lost request and a bad one changes nothing.

use e2e::proxy::Setup;
use e2e::{traces, wait, GitHub, Proxy, TOKEN};
use github_simulator::{Content, Document};
use rustix::fs::{mkfifoat, Mode, CWD};
use serde_json::json;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// The whole text of a registry with this one client, given as the lines below its dash.
fn client(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!("version: 1\nclients:\n  - {lines}\n")
}

/// A fault, and what the message about it has to hold.
fn faults() -> Vec<(String, &'static str)> {
    let two =
        |second: &str| format!("version: 1\nclients:\n  - {{name: a, token: t1}}\n  - {second}\n");
    let scope = |scope: &str| client(&format!("name: a\ntoken: t\nscopes:\n  - {scope}"));
    vec![
        (String::new(), "empty"),
        (
            "version: 1\nclients:\n  - name: [".to_owned(),
            "clients.yaml:",
        ),
        ("just text".to_owned(), "clients.yaml:1"),
        ("version: 2\nclients: []\n".to_owned(), "version"),
        ("version: 1\n".to_owned(), "clients"),
        ("version: 1\nclients: {}\n".to_owned(), "clients"),
        ("version: 1\nclients: []\nmore: 1\n".to_owned(), "more"),
        (
            "version: 1\nversion: 1\nclients: []\n".to_owned(),
            "clients.yaml:2",
        ),
        (client("token: t"), "clients[0].name"),
        (client("name: a"), "clients[0]"),
        (client("name: 'a b'\ntoken: t"), "clients[0].name"),
        (client("name: .a\ntoken: t"), "clients[0].name"),
        (client("name: 5\ntoken: t"), "clients[0].name"),
        (client("name: a\ntoken: ''"), "clients[0].token"),
        (client("name: a\ntoken: 5"), "clients[0].token"),
        (
            client("name: a\ntoken_sha256: abc"),
            "clients[0].token_sha256",
        ),
        (client("name: a\ntokens: []"), "clients[0].tokens"),
        (
            client("name: a\ntokens:\n  - expires: 2030-01-01"),
            "clients[0].tokens[0]",
        ),
        (
            client("name: a\ntokens:\n  - {token: t, expires: soon}"),
            "clients[0].tokens[0].expires",
        ),
        (client("name: a\ntoken: t\nscope: []"), "clients[0].scope"),
        (client("name: a\ntoken: t\nscopes: []"), "clients[0].scopes"),
        (client("name: a\ntoken: t\nscopes: {}"), "clients[0].scopes"),
        (scope("{}"), "clients[0].scopes[0]"),
        (
            scope("{method: GET, path: '(' }"),
            "clients[0].scopes[0].path",
        ),
        (
            scope("{method: '*', path: '.*' }"),
            "clients[0].scopes[0].method",
        ),
        (
            scope("{method: GET, path: '.*', paths: x}"),
            "clients[0].scopes[0].paths",
        ),
        (scope("{graphql: mutation}"), "clients[0].scopes[0].graphql"),
        (
            client("name: a\ntoken: t\npool: nowhere"),
            "clients[0].pool",
        ),
        (client("name: a\ntoken: t\nbudget: -1"), "clients[0].budget"),
        (
            client("name: a\ntoken: t\nbudget: lots"),
            "clients[0].budget",
        ),
        (two("{name: a, token: t2}"), "clients[1].name"),
        (two("{name: b, token: t1}"), "clients[1].token"),
        (two("{name: b, token: t2, token: t3}"), "clients.yaml:4"),
        (client("name: a\ntoken: {{ env.TOKEN_TEST }}"), ".j2"),
    ]
}

/// Each fault is found by `check` and by `run`, which exits 1 without having started anything,
/// and the message names the key and no secret.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_refused_with_its_place() {
    for (number, (text, place)) in faults().into_iter().enumerate() {
        let setup = Setup::bare()
            .env("GITHUB_PAT_A", "ghp_0123456789abcdef")
            .registry(&text);
        let checked = setup.command("check").output().expect("the command runs");
        let error = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.code(), Some(1), "{text}\n{error}");
        assert!(
            error.contains(place),
            "{place} is not in:\n{error}of\n{text}"
        );
        assert!(
            error.lines().all(|line| line.starts_with("error: ")),
            "{error}"
        );
        // Starting it costs a second each: a part of them will do.
        if number % 5 == 0 {
            let ended = setup.run_to_its_end().await;
            assert_eq!(ended.status.code(), Some(1), "{text}");
            assert!(ended.stderr.contains(place), "{}", ended.stderr);
            assert!(!ended.stdout.contains("ready"));
        }
    }
}

/// All faults are told at once, and no token is quoted.
#[test]
fn all_faults_are_told_at_once() {
    let text = "version: 3
clients:
  - name: a
    token: the-secret-token-of-a-0123456789
    colour: red
  - name: a
    token: the-secret-token-of-a-0123456789
    scopes:
      - {method: GET, path: '['}
  - token_sha256: not-a-digest-but-a-token-perhaps
";
    let setup = Setup::bare().registry(text);
    let checked = setup.command("check").output().expect("the command runs");
    let error = String::from_utf8_lossy(&checked.stderr);
    for place in [
        "version",
        "clients[0].colour",
        "clients[1].name",
        "clients[1].token",
        "clients[1].scopes[0].path",
        "clients[2].name",
        "clients[2].token_sha256",
    ] {
        assert!(error.contains(place), "{place} is not in:\n{error}");
    }
    let secrets = [
        "the-secret-token-of-a-0123456789",
        "not-a-digest-but-a-token-perhaps",
    ];
    traces::none_of(secrets, "the message", &checked.stderr);
}

/// A file that is missing, or a variable that a template needs, is a fault as well.
#[tokio::test(flavor = "multi_thread")]
async fn missing_files_and_variables_are_faults() {
    let missing = Setup::bare().env("GITHUB_PAT_A", "ghp_0123456789abcdef");
    let missing = missing.env("CLIENT_REGISTRY_FILE_PATH", "/nonexistent/clients.yaml");
    let ended = missing.run_to_its_end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.stderr.contains("/nonexistent/clients.yaml"),
        "{}",
        ended.stderr
    );

    let none = Setup::bare().env("GITHUB_PAT_A", "ghp_0123456789abcdef");
    let ended = none.run_to_its_end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.stderr.contains("CLIENT_REGISTRY_FILE_PATH"),
        "{}",
        ended.stderr
    );

    let template = client("name: a\ntoken: {{ env.TOKEN_OF_A }}");
    let unset = Setup::bare().registry_file("clients.yaml.j2", &template);
    let checked = unset.command("check").output().expect("the command runs");
    let error = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{error}");
    assert!(
        error.contains("clients.yaml.j2") && error.contains("TOKEN_OF_A"),
        "{error}"
    );
}

/// A registry that is a template takes its tokens from the environment.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_takes_tokens_from_the_environment() {
    let github = GitHub::start().await;
    let template = "version: 1
clients:
  - name: test
    token: {{ env.TOKEN_TEST }}
{%- if env.MORE is defined %}
  - name: more
    token: {{ env.MORE }}
{%- endif %}
";
    let setup = Proxy::before(&github).registry_file("clients.yaml.j2", template);
    let proxy = setup.env("TOKEN_TEST", TOKEN).start().await;
    assert_eq!(proxy.get("/user").await.status, 200);
}

/// A token may be given by its digest, and several be good at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn digests_and_several_tokens_work() {
    let github = GitHub::start().await;
    let text = "version: 1
clients:
  - name: by-digest
    token_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  - name: rotating
    tokens:
      - token: the-old-token-of-rotating
        expires: 2999-12-31T00:00:00Z
      - token: the-new-token-of-rotating
      - token: the-late-token-of-rotating
        expires: 2020-12-31T00:00:00Z
";
    let proxy = Proxy::before(&github).registry(text).start().await;
    for (token, status) in [
        ("test", 200),
        ("the-old-token-of-rotating", 200),
        ("the-new-token-of-rotating", 200),
        ("the-late-token-of-rotating", 401),
        (
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            401,
        ),
    ] {
        let request = proxy.request("GET", "/user");
        let response = request
            .header("authorization", &format!("token {token}"))
            .send()
            .await;
        assert_eq!(response.status, status, "{token}");
    }
}

/// Under load, a good file takes effect and a bad one does not; no request fails, what is cached
/// stays, and counters go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_over_without_a_lost_request() {
    let github = GitHub::start().await;
    let proxy = Arc::new(Proxy::before(&github).start().await);
    github.put_json("/things/1", json!({"n": 1}));
    proxy.get("/things/1").await;
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (proxy, stop) = (Arc::clone(&proxy), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let response = proxy.get("/things/1").await;
                    assert_eq!((response.status, response.json()), (200, json!({"n": 1})));
                }
            })
        })
        .collect();
    let ask = |token: &'static str| {
        let request = proxy.request("GET", "/things/1");
        request
            .header("authorization", &format!("token {token}"))
            .send()
    };
    for round in ["first", "second"] {
        let token = if round == "first" {
            "the-first-new-token"
        } else {
            "the-second-new-token"
        };
        assert_eq!(ask(token).await.status, 401);
        let more = format!("{}  - name: {round}\n    token: {token}\n", e2e::REGISTRY);
        proxy.replace_registry(&more);
        wait::until("the new client", || async {
            (ask(token).await.status == 200).then_some(())
        })
        .await;

        let refusals = || {
            proxy
                .process()
                .stderr()
                .matches("the running one stays")
                .count()
        };
        let before = refusals();
        proxy.replace_registry(&format!("{more}  - name: {round}\n    token: x\n"));
        wait::until("a refusal", || async {
            (refusals() > before).then_some(())
        })
        .await;
        assert!(proxy.process().stderr().contains("clients[3].name"));
        assert_eq!(ask(token).await.status, 200);
    }
    // The first one's client is gone.
    assert_eq!(ask("the-first-new-token").await.status, 401);
    stop.store(true, Ordering::SeqCst);
    for client in load {
        client.await.expect("no request failed");
    }
    assert_eq!(github.counted(), 1);
    let text = "version: 1\nclients: []\n";
    proxy.replace_registry(text);
    wait::until("nobody to be let in", || async {
        (proxy.get("/things/1").await.status == 401).then_some(())
    })
    .await;
    let stats = proxy.stats().await;
    assert_eq!(
        stats.sum("github_proxy_config_reloads", &[("result", "applied")]),
        3,
        "{}",
        stats.ours()
    );
}

/// What is no registry at all in its place is refused, and does not keep the next good one from
/// being seen: a pipe that nobody writes to, a file without an end, a folder, nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_does_not_end_the_following() {
    let (_github, proxy) = e2e::start().await;
    let path = proxy.registry();
    let said = |text: &str| proxy.process().stderr().matches(text).count();
    let ask = |token: String| {
        let request = proxy.request("GET", "/rate_limit");
        request
            .header("authorization", &format!("token {token}"))
            .send()
    };
    for (number, reason) in ["the file is empty", "at most", "cannot be read", "No such"]
        .into_iter()
        .enumerate()
    {
        let before = said(reason);
        std::fs::remove_file(path).expect("a registry");
        match number {
            0 => mkfifoat(CWD, path, Mode::RUSR).expect("a pipe"),
            1 => symlink("/dev/zero", path).expect("a link"),
            2 => std::fs::create_dir(path).expect("a folder"),
            _ => {}
        }
        wait::until(reason, || async { (said(reason) > before).then_some(()) }).await;
        assert_eq!(ask(TOKEN.to_owned()).await.status, 200);
        if number == 2 {
            std::fs::remove_dir(path).expect("an empty folder");
        }
        let more = format!("{}  - name: n\n    token: new{number}\n", e2e::REGISTRY);
        proxy.replace_registry(&more);
        wait::until("the new client", || async {
            (ask(format!("new{number}")).await.status == 200).then_some(())
        })
        .await;
    }
}

/// What is under way while the registry changes goes on: a long download arrives whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_a_change() {
    let (github, proxy) = e2e::start().await;
    let mut document = Document::new(Content::Generated(200_000));
    document.chunk_bytes = Some(2_000);
    document.chunk_delay_ms = 30;
    github.put("/things/long", document);
    let download = tokio::spawn(proxy.request("GET", "/things/long").outcome());
    wait::until("the download", || async {
        (!github.requests().is_empty()).then_some(())
    })
    .await;
    proxy.replace_registry("version: 1\nclients: []\n");
    wait::until("nobody to be let in", || async {
        (proxy.get("/things/1").await.status == 401).then_some(())
    })
    .await;
    let response = download.await.expect("a task").expect("all of it");
    assert_eq!((response.status, response.body.len()), (200, 200_000));
}
