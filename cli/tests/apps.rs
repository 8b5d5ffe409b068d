//! GitHub Apps from outside: what `check` and `config` say of them, and how their private keys
//! reach Envoy: sealed, and in no other way.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::process::Command;

use github_proxy_core::seal::SealKey;
use support::{errors, outcome, script, Fixture};

/// Has the shape of a private key, which is all that is looked at before GitHub sees a signature.
const KEY: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nMAoCAQAAhunter2A\n-----END RSA PRIVATE KEY-----\n";
const BAD_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n";
const NO_KEY: &str = "GITHUB_APP_MAIN_PEM: expected an RSA private key in PEM";

/// A command with an App and a registry, and no token.
fn with_app(fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = fixture.bare(arguments);
    command
        .env("CLIENT_REGISTRY_FILE_PATH", fixture.path("clients.yaml"))
        .env("GITHUB_APP_MAIN_ID", "Iv23liAbCdEf12345678")
        .env("GITHUB_APP_MAIN_INSTALLATION_ID", "56789");
    command
}

/// A stand-in for Envoy that notes its arguments and its environment. A file shows up whole.
fn run_noting(fixture: &Fixture) -> Command {
    let envoy = fixture.path("envoy");
    let folder = fixture.folder.path().display();
    let body = format!(
        "echo \"$@\" > {folder}/arguments; cp \"$2\" {folder}/bootstrap; env > {folder}/environment"
    );
    script(&envoy, &body);
    let filter = fixture.write("filter.wasm", "");
    let mut command = with_app(fixture, &["run", "--listen", "127.0.0.1:0"]);
    command.args(["--admin", "127.0.0.1:0", "--envoy"]);
    command.arg(envoy).arg("--filter").arg(filter);
    command
}

#[test]
fn check_says_what_it_found() {
    let fixture = Fixture::new();
    let mut check = with_app(&fixture, &["check"]);
    check
        .env("GITHUB_APP_MAIN_PEM", KEY.replace('\n', "\\n"))
        .env("GITHUB_PAT_BOT", support::PAT)
        .env("GITHUB_PAT_BOT_USER", "octocat")
        .env("GITHUB_PAT_BOT_POOL", "ci")
        .env("GITHUB_APP_ID", "1");
    let (code, stdout, stderr) = outcome(&mut check);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for line in [
        "2 credentials",
        "  BOT in pool ci: personal access token of octocat",
        "  MAIN in pool default: GitHub App Iv23liAbCdEf12345678, installation 56789",
        "note: GITHUB_APP_ID has no effect: expected GITHUB_APP_<NAME>_ID",
    ] {
        assert!(
            stdout.lines().any(|found| found == line),
            "{line}: {stdout}"
        );
    }
}

#[test]
fn a_malformed_key_is_an_error_of_check_and_a_warning_of_config() {
    let fixture = Fixture::new();
    let mut check = with_app(&fixture, &["check"]);
    let errors = errors(check.env("GITHUB_APP_MAIN_PEM", BAD_KEY));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with(NO_KEY), "{errors:?}");
    let mut config = with_app(&fixture, &["config"]);
    let (code, _, stderr) = outcome(config.env("GITHUB_APP_MAIN_PEM", BAD_KEY));
    assert_eq!(code, 0);
    assert!(stderr.starts_with(&format!("note: {NO_KEY}")), "{stderr}");
}

#[test]
fn every_format_names_the_variable_of_the_key() {
    let fixture = Fixture::new();
    let file = fixture.write("app.pem", KEY);
    for format in ["bootstrap", "filter", "ecds", "wasmplugin", "envoyfilter"] {
        let mut config = with_app(&fixture, &["config", "--format", format]);
        let (code, stdout, stderr) = outcome(config.env("GITHUB_APP_MAIN_PEM_FILE", &file));
        assert_eq!(code, 0, "{format}: {stderr}");
        let note = "note: GITHUB_APP_MAIN_PEM_FILE: Envoy reads no file: set GITHUB_APP_MAIN_PEM";
        assert!(stderr.starts_with(note), "{format}: {stderr}");
        // Once for the filter's configuration, once for what the filter may see.
        assert_eq!(
            stdout.matches("GITHUB_APP_MAIN_PEM").count(),
            2,
            "{format}: {stdout}"
        );
        assert!(
            stdout.contains("Iv23liAbCdEf12345678"),
            "{format}: {stdout}"
        );
    }
}

#[test]
fn envoy_gets_the_key_sealed_and_in_no_other_way() {
    let fixture = Fixture::new();
    let file = fixture.write("app.pem", &KEY.replace('\n', "\r\n"));
    for (variable, value) in [
        ("GITHUB_APP_MAIN_PEM", KEY.as_ref()),
        ("GITHUB_APP_MAIN_PEM_FILE", file.as_os_str()),
    ] {
        let (code, _, stderr) = outcome(run_noting(&fixture).env(variable, value));
        assert_eq!(code, 1);
        assert!(stderr.contains("Envoy ended by itself"), "{stderr}");
        let noted = |name: &str| std::fs::read_to_string(fixture.path(name)).unwrap();
        let environment = noted("environment");
        let key = environment
            .lines()
            .find_map(|line| line.strip_prefix("GITHUB_PROXY_SEAL_KEY="));
        let key = SealKey::from_hex(key.unwrap()).unwrap();
        let bootstrap = noted("bootstrap");
        let (_, sealed) = bootstrap.split_once("\"pem_sealed\": \"").unwrap();
        let (sealed, _) = sealed.split_once('"').unwrap();
        assert_eq!(key.open("pem/MAIN", sealed).unwrap().expose(), KEY);
        for name in ["arguments", "bootstrap", "environment"] {
            let noted = noted(name);
            assert!(!noted.contains("hunter2"), "{variable}, {name}");
            assert!(!noted.contains("GITHUB_APP_MAIN_PEM"), "{variable}, {name}");
        }
    }
}

#[test]
fn run_starts_with_a_malformed_key_and_warns() {
    let fixture = Fixture::new();
    let (_, _, stderr) = outcome(run_noting(&fixture).env("GITHUB_APP_MAIN_PEM", BAD_KEY));
    assert!(stderr.contains(&format!("warning: {NO_KEY}")), "{stderr}");
    assert!(fixture.path("environment").exists(), "{stderr}");
}

#[test]
fn a_key_file_that_cannot_be_read_is_an_error_everywhere() {
    let fixture = Fixture::new();
    let missing = fixture.path("missing.pem");
    for command in [&["check"][..], &["config"], &["run"]] {
        let mut command = match command {
            ["run"] => run_noting(&fixture),
            other => with_app(&fixture, other),
        };
        let errors = errors(command.env("GITHUB_APP_MAIN_PEM_FILE", &missing));
        let expected = format!(
            "GITHUB_APP_MAIN_PEM_FILE: {}: cannot be read: ",
            missing.display()
        );
        assert!(errors[0].starts_with(&expected), "{errors:?}");
    }
}
