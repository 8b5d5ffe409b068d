//! The real Envoy and the real filter accept what `config` prints.
//!
//! Needs what `scripts/setup` and `scripts/build filter` put into cargo's target folder.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{certificate, outcome, Fixture};

fn built(name: &str) -> PathBuf {
    let command = PathBuf::from(env!("CARGO_BIN_EXE_github-proxy"));
    let path = command.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup and scripts/build",
        path.display()
    );
    path
}

/// Prints a configuration with `arguments` and `variables`, and has Envoy validate it.
fn accepted(fixture: &Fixture, arguments: &[&str], variables: &[(&str, &str)]) {
    let mut config = fixture.command(&["config", "--filter"]);
    config
        .arg(built("filter/github_proxy.wasm"))
        .args(arguments);
    config.envs(variables.iter().copied());
    let (code, bootstrap, stderr) = outcome(&mut config);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let file = fixture.write("envoy.yaml", &bootstrap);
    let mut envoy = Command::new(built("tools/bin/envoy"));
    envoy
        .args([
            "--mode",
            "validate",
            "--log-level",
            "warning",
            "--config-path",
        ])
        .arg(file);
    envoy.env("GITHUB_PAT_BOT_1", support::PAT);
    envoy.envs(variables.iter().copied());
    let (code, _, log) = outcome(&mut envoy);
    assert_eq!(code, 0, "{arguments:?} {variables:?}: {log}");
    // Nothing that is deprecated either: it would be refused by a later Envoy.
    assert_eq!(log, "", "{arguments:?} {variables:?}");
}

/// Sealed, the credential is in the configuration, and all that Envoy needs to have is the key.
#[test]
fn a_sealed_credential_is_opened_with_the_key() {
    let fixture = Fixture::new();
    let key = ("GITHUB_PROXY_SEAL_KEY", "0a".repeat(32));
    accepted(&fixture, &[], &[(key.0, &key.1)]);
    let text = std::fs::read_to_string(fixture.path("envoy.yaml")).unwrap();
    assert!(text.contains("\"pat_sealed\""), "{text}");
    assert!(text.contains("- \"GITHUB_PROXY_SEAL_KEY\""), "{text}");
    assert!(!text.contains("GITHUB_PAT_BOT_1"), "{text}");
    let mut wrong = fixture.command(&["config"]);
    wrong.env(key.0, "0a");
    let errors = support::errors(&mut wrong);
    assert!(
        errors[0].starts_with("GITHUB_PROXY_SEAL_KEY: expected 64"),
        "{errors:?}"
    );
}

#[test]
fn every_kind_of_upstream_and_cache_is_accepted() {
    let fixture = Fixture::new();
    for (upstream, cache) in [
        ("https://api.github.com", "inmemory://"),
        (
            "https://ghes.example:8443/api/v3/",
            "redis://:hunter2@redis.example/1",
        ),
        ("http://127.0.0.1:3000", "webdis+http://webdis.example:7379"),
        ("https://[::1]:8443", "webdis+http://[::1]:7379"),
    ] {
        accepted(
            &fixture,
            &[],
            &[("GITHUB_API_URL", upstream), ("CACHE_BACKEND_URL", cache)],
        );
    }
    accepted(&fixture, &[], &[("GITHUB_UPLOADS_URL", "http://[::1]:81")]);
}

#[test]
fn every_flag_is_accepted() {
    let fixture = Fixture::new();
    let mut ecds = fixture.command(&["config", "--format", "ecds", "--filter"]);
    let (_, ecds, _) = outcome(ecds.arg(built("filter/github_proxy.wasm")));
    let reload = fixture.write("filter.json", &ecds);
    let log = fixture.path("access.log");
    let (certificate, key) = certificate(&fixture, "server");
    let arguments = [
        "--listen",
        "[::1]:8443",
        "--admin",
        "0.0.0.0:9902",
        "--concurrency",
        "3",
        "--access-log",
        log.to_str().unwrap(),
        "--reload-from",
        reload.to_str().unwrap(),
        "--tls-certificate",
        &certificate,
        "--tls-key",
        &key,
    ];
    accepted(&fixture, &arguments, &[]);
}
