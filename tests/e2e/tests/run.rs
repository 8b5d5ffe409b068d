//! `github-proxy run` as an operator meets it: it starts, says what it does, stops cleanly, and
//! fails with a line that says why.

use e2e::proxy::Setup;
use e2e::{apps, process, wait, GitHub, Proxy, Redis};
use github_simulator::Document;
use github_simulator::Options;
use rustix::process::Signal;
use std::net::TcpListener;
use std::process::Command;

/// Without a credential of GitHub's the simulator stands in, and the two commands that are
/// printed do what is said: the first answer is paid for, the second comes from the cache.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_commands_do_what_is_said() {
    let proxy = Setup::bare().start().await;
    let commands = wait::until("two commands", || async {
        let output = proxy.process().stdout();
        let lines = output.lines().map(str::trim);
        let commands: Vec<String> = lines
            .filter(|it| it.starts_with("curl "))
            .map(str::to_owned)
            .collect();
        (commands.len() == 2).then_some(commands)
    })
    .await;
    let output = proxy.process().stdout();
    assert!(output.contains("simulator"), "{output}");
    let answers: Vec<String> = commands
        .iter()
        .map(|command| {
            let run = Command::new("sh")
                .args(["-c", command])
                .output()
                .expect("a shell");
            assert!(run.status.success(), "{command}: {run:?}");
            String::from_utf8_lossy(&run.stdout).to_lowercase()
        })
        .collect();
    assert!(answers[0].starts_with("http/1.1 200"), "{}", answers[0]);
    assert!(
        answers[0].contains("cache-status: github-proxy; fwd=miss; stored"),
        "{}",
        answers[0]
    );
    assert!(
        answers[1].contains("cache-status: github-proxy; hit; detail=revalidated"),
        "{}",
        answers[1]
    );
    assert!(
        answers[1].contains("\"login\":\"octocat\"")
            || answers[1].contains("\"login\": \"octocat\"")
    );
    for status in ["fwd=miss; stored", "hit; detail=revalidated"] {
        assert!(
            output.contains(status),
            "what to expect is not said: {output}"
        );
    }
}

/// With a registry file and no credential, the clients of the file are served by the simulator.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_serves_the_clients_of_a_registry() {
    let proxy = Setup::bare().registry(e2e::REGISTRY).start().await;
    assert_eq!(proxy.get("/users/octocat").await.status, 200);
    let without = proxy
        .request("GET", "/users/octocat")
        .without("authorization");
    assert_eq!(without.send().await.status, 401);
}

/// SIGTERM and SIGINT stop everything: exit code 0, no child left, nothing left in the folder for
/// temporary files, and the log has no complaint.
#[tokio::test(flavor = "multi_thread")]
async fn signals_stop_everything() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    for signal in [Signal::TERM, Signal::INT] {
        let setup = Proxy::before(&github).redis(&redis);
        let temporary = setup.folder().join("tmp");
        std::fs::create_dir(&temporary).expect("a folder");
        let setup = setup.env("TMPDIR", &temporary.display().to_string());
        let folder = setup.folder().to_path_buf();
        let proxy = setup.start().await;
        assert_eq!(proxy.get("/users/octocat").await.status, 200);
        let children = process::children(proxy.process().id());
        let names: Vec<&str> = children.iter().map(|(_, name)| name.as_str()).collect();
        assert!(
            names.contains(&"envoy") && names.contains(&"webdis"),
            "{names:?}"
        );
        assert!(!left(&folder.join("tmp")).is_empty());
        proxy.process().signal(signal);
        let (ended, folder) = proxy.end().await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        for (id, name) in children {
            assert!(!process::is_alive(id), "{name} is still there");
        }
        assert_eq!(left(&folder.path().join("tmp")), Vec::<String>::new());
        assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    }
}

/// What is under way when a signal comes is answered; with a second signal it is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_answered_before_the_end() {
    for (delay_ms, signals, status) in [(2_000, 1, Some(200)), (60_000, 2, None)] {
        let github = GitHub::start().await;
        let slow = Document {
            delay_ms,
            ..Document::json(serde_json::json!({"slow": true}))
        };
        github.put("/things/slow", slow);
        let proxy = Proxy::before(&github).start().await;
        let request = tokio::spawn(proxy.request("GET", "/things/slow").outcome());
        wait::until("the request at GitHub", || async {
            (!github.requests_to("/things/slow").is_empty()).then_some(())
        })
        .await;
        proxy.process().signal(Signal::TERM);
        wait::until("the listener to be closed", || async {
            std::net::TcpStream::connect(proxy.address())
                .is_err()
                .then_some(())
        })
        .await;
        for _ in 1..signals {
            proxy.process().signal(Signal::TERM);
        }
        let outcome = request.await.expect("no panic");
        let outcome = outcome.ok().map(|it| it.status);
        assert_eq!(outcome, status);
        assert_eq!(proxy.stop().await.status.code(), Some(0));
    }
}

fn left(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect()
}

/// Killed without a chance to tidy up, it takes its children along.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_no_child() {
    let (github, redis) = (GitHub::start().await, Redis::start().await);
    let proxy = Proxy::before(&github).redis(&redis).start().await;
    let children = process::children(proxy.process().id());
    assert!(children.len() >= 2, "{children:?}");
    proxy.process().signal(Signal::KILL);
    wait::until("the end of all children", || async {
        let alive = children.iter().any(|(id, _)| process::is_alive(*id));
        (!alive).then_some(())
    })
    .await;
}

/// When Envoy ends by itself, so does the command, with exit code 1 and a line about it.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_envoy_is_the_end() {
    let (_github, proxy) = e2e::start().await;
    let children = process::children(proxy.process().id());
    let (envoy, _) = children
        .iter()
        .find(|(_, name)| name == "envoy")
        .expect("an Envoy");
    process::signal_to(*envoy, Signal::KILL);
    let (ended, _) = proxy.end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.stderr.contains("Envoy ended by itself"),
        "{}",
        ended.stderr
    );
}

/// A port that is taken stops the start, and the message names the flag and the port.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for flag in ["--listen", "--admin"] {
        let ended = Setup::bare()
            .argument(flag)
            .argument(&address)
            .run_to_its_end()
            .await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(
            ended.stderr.contains(flag) && ended.stderr.contains(&address),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

/// What the environment holds is checked before anything starts; each fault names its variable.
#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_environment_are_named() {
    for (name, value) in [
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_API_URL", "ftp://api.github.com"),
        ("GITHUB_API_URL", "https://user:secret@api.github.com"),
        ("CACHE_BACKEND_URL", "memcached://localhost"),
        ("CACHE_BACKEND_URL", "redis://localhost:port"),
        ("CACHE_TTL", "soon"),
        ("CACHE_TTL", "0"),
        ("GITHUB_CREDS_CACHE_TTL_PADDING", "x"),
        ("GITHUB_PAT_EMPTY", ""),
        ("GITHUB_APP_A_ID", "1"),
    ] {
        let setup = Setup::bare()
            .env("GITHUB_PAT_A", "ghp_0123456789abcdef")
            .registry(e2e::REGISTRY);
        let ended = setup.env(name, value).run_to_its_end().await;
        assert_eq!(ended.status.code(), Some(1), "{name}={value}: {ended:?}");
        let stem = name.trim_end_matches("_ID");
        assert!(
            ended.stderr.contains(stem),
            "{name}={value}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("secret@"), "{}", ended.stderr);
    }
    let setup = Setup::bare()
        .env("GITHUB_CREDS_CACHE_MAXSIZE", "10")
        .env("TELEMETRY_COLLECTOR_TYPE", "x");
    let proxy = setup.start().await;
    let said = proxy.process().stderr();
    for name in ["GITHUB_CREDS_CACHE_MAXSIZE", "TELEMETRY_COLLECTOR_TYPE"] {
        assert!(
            said.contains(name),
            "{name} has no effect, which is not said: {said}"
        );
    }
}

/// A token and an App of the same `<NAME>`, as the environments of the Python github-proxy have
/// them, are both ready, and statistics tell them apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_an_app_of_the_same_name_are_told_apart() {
    let options = Options::default().app(apps::app(&[7], 3_600));
    let github = GitHub::start_with(options).await;
    let proxy = apps::with_app(Proxy::before(&github), "A", 7).start().await;
    let said = proxy.process().stderr();
    assert!(said.contains("is named A.app in statistics"), "{said}");
    let exchanged = [("credential", "A.app"), ("result", "ok")];
    let stats = proxy.stats_when("an installation token", |stats| {
        stats.sum("github_proxy_token_exchanges", &exchanged) == 1
    });
    let stats = stats.await;
    for name in ["A", "A.app"] {
        let of_it = [("credential", name)];
        let mut states = stats.of("github_proxy_credential_state", &of_it);
        assert!(states.next().is_some_and(|it| it.value == 0.0), "{name}");
    }
}

/// `token` prints a token once, with the entry for the registry, and that entry lets it in.
#[tokio::test(flavor = "multi_thread")]
async fn a_minted_token_works() {
    let minted = Setup::bare()
        .command("token")
        .arg("new-client")
        .output()
        .expect("the command runs");
    assert!(minted.status.success(), "{minted:?}");
    let text = String::from_utf8_lossy(&minted.stdout).into_owned();
    let mut indented = text.lines().filter(|line| line.starts_with("  "));
    let token = indented.next().expect("a token").trim();
    let entry: String = indented.take(2).map(|line| format!("{line}\n")).collect();
    assert!(!entry.contains(token), "{text}");
    let github = GitHub::start().await;
    let registry = format!("version: 1\nclients:\n{entry}");
    let proxy = Proxy::before(&github).registry(&registry).start().await;
    let request = proxy
        .request("GET", "/user")
        .header("authorization", &format!("token {token}"));
    assert_eq!(request.send().await.status, 200);
}
