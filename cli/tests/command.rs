//! `check`, `config` and `token` from outside: exit codes, output, and never a secret.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;

use support::{errors, outcome, Fixture, PAT};

#[test]
fn check_sums_up_what_is_fine() {
    let fixture = Fixture::new();
    let mut check = fixture.command(&["check"]);
    check.env("CACHE_BACKEND_URL", "rediss://app:hunter2@cache.example/3");
    let (code, stdout, stderr) = outcome(&mut check);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for part in [
        "clients.yaml: 2 clients",
        "https://api.github.com",
        "1 credential",
        "BOT_1",
        "cache.example",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
}

#[test]
fn check_finds_the_faults_of_the_file_and_of_the_environment_together() {
    let fixture = Fixture::new();
    let file = fixture.write(
        "bad.yaml",
        "version: 1\nclients:\n- name: a b\n  token: hunter2hunter2\n",
    );
    let file = file.to_str().unwrap();
    let mut check = fixture.command(&["check", file]);
    check
        .env("CACHE_TTL", "hunter2")
        .env("CACHE_BACKEND_URL", "redis://:hunter2@");
    let errors = errors(&mut check);
    let named = [
        "CACHE_BACKEND_URL: ",
        "CACHE_TTL: ",
        &format!("{file}:3: clients[0].name: "),
    ];
    assert_eq!(errors.len(), named.len(), "{errors:?}");
    for (error, place) in errors.iter().zip(named) {
        assert!(error.starts_with(place), "{error}");
    }
}

#[test]
fn check_needs_no_credential_to_validate_a_file() {
    let fixture = Fixture::new();
    let file = fixture.path("clients.yaml");
    let (code, stdout, _) = outcome(&mut fixture.bare(&["check", file.to_str().unwrap()]));
    assert_eq!(code, 0);
    assert!(stdout.contains("credentials: none"), "{stdout}");
}

#[test]
fn a_credential_without_a_registry_is_one_clear_error() {
    let fixture = Fixture::new();
    let expected = ["CLIENT_REGISTRY_FILE_PATH: expected the path of the client registry file"];
    for arguments in [&["check"][..], &["config"]] {
        let mut command = fixture.bare(arguments);
        command.env("GITHUB_PAT_BOT_1", support::PAT);
        assert_eq!(errors(&mut command), expected, "{arguments:?}");
    }
}

#[test]
fn config_without_a_credential_is_an_error() {
    let fixture = Fixture::new();
    let mut config = fixture.bare(&["config"]);
    config.env("CLIENT_REGISTRY_FILE_PATH", fixture.path("clients.yaml"));
    let errors = errors(&mut config);
    let expected = "GITHUB_PAT_<NAME>: expected at least one personal access token";
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with(expected), "{errors:?}");
}

#[test]
fn every_format_is_printed_without_a_secret() {
    let fixture = Fixture::new();
    for (format, part) in [
        ("bootstrap", "static_resources:"),
        ("filter", "typed_config:"),
        ("ecds", "TypedExtensionConfig"),
        ("wasmplugin", "kind: WasmPlugin"),
        ("envoyfilter", "kind: EnvoyFilter"),
    ] {
        let mut config = fixture.command(&["config", "--format", format]);
        config.env("CACHE_BACKEND_URL", "redis://:hunter2@cache.example");
        let (code, stdout, stderr) = outcome(&mut config);
        assert_eq!((code, stderr.as_str()), (0, ""), "{format}");
        assert!(
            stdout.contains(part) && stdout.contains("token_sha256"),
            "{format}: {stdout}"
        );
        assert!(stdout.contains("GITHUB_PAT_BOT_1"), "{format}: {stdout}");
    }
}

#[test]
fn the_default_format_is_the_bootstrap() {
    let fixture = Fixture::new();
    let bootstrap = outcome(&mut fixture.command(&["config", "--format", "bootstrap"]));
    assert_eq!(outcome(&mut fixture.command(&["config"])), bootstrap);
}

#[test]
fn an_unknown_flag_or_format_is_refused() {
    let fixture = Fixture::new();
    for arguments in [
        &["config", "--format", "x"][..],
        &["config", "--listen", "8080"],
        &["fly"],
        &[],
    ] {
        let (code, stdout, _) = outcome(&mut fixture.command(arguments));
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn token_prints_a_new_token_and_an_entry_that_check_accepts() {
    let fixture = Fixture::new();
    let mint = || {
        let (code, stdout, _) = outcome(&mut fixture.bare(&["token", "ci-1.x"]));
        assert_eq!(code, 0);
        stdout
    };
    let stdout = mint();
    let lines: Vec<&str> = stdout.lines().map(str::trim_end).collect();
    let token = lines[2].trim();
    assert_eq!(token.len(), 44, "256 bits in base64: {token}");
    let start = lines
        .iter()
        .position(|line| line.trim().starts_with("- name:"))
        .unwrap();
    let entry = lines[start..start + 2].join("\n");
    assert!(!entry.contains(token));
    let registry = format!("version: 1\nclients:\n{entry}\n  - name: same\n    token: {token}\n");
    let file = fixture.write("minted.yaml", &registry);
    // The entry's digest is the token's: the registry sees the same token twice.
    let errors = errors(&mut fixture.bare(&["check", file.to_str().unwrap()]));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("clients[1].token: the same token as clients[0]"),
        "{errors:?}"
    );
    assert_ne!(mint().lines().nth(2), stdout.lines().nth(2));
}

#[test]
fn token_refuses_a_name_that_no_registry_accepts() {
    let fixture = Fixture::new();
    for name in ["", "a b", ".a", "-a", "ä", &"a".repeat(64)] {
        let errors = errors(&mut fixture.bare(&["token", "--", name]));
        assert!(
            errors[0].starts_with("NAME: expected 1 to 63 letters"),
            "{name}: {errors:?}"
        );
    }
}

/// Settings may be in a file or in a folder of files, which wins over the environment.
#[test]
fn settings_may_be_in_a_file() {
    let fixture = Fixture::new();
    let file = fixture.write(
        "env",
        &format!("# the pool\nGITHUB_PAT_BOT_2='{PAT}'\nCACHE_TTL=60\n"),
    );
    let mut check = fixture.command(&["check", "--env-file"]);
    let (code, stdout, stderr) = outcome(check.arg(&file));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.contains("\n  BOT_1 ") && stdout.contains("\n  BOT_2 "),
        "{stdout}"
    );

    let folder = fixture.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("CACHE_TTL"), "60\n").unwrap();
    let mut config = fixture.command(&["config"]);
    config
        .env("CACHE_TTL", "nonsense")
        .env("GITHUB_PROXY_ENV_FILE", &folder);
    let (code, stdout, _) = outcome(&mut config);
    assert_eq!(code, 0);
    assert!(stdout.contains("\"ttl_seconds\": 60"), "{stdout}");

    fixture.write("env", "CACHE_TTL=60\nno assignment\n");
    for command in ["check", "config", "run"] {
        let mut command = fixture.command(&[command, "--env-file"]);
        let errors = errors(command.arg(&file));
        assert_eq!(
            errors,
            [format!("{}:2: expected NAME=VALUE", file.display())]
        );
    }
}

/// What only `config` or `run` reads is a fault of `check` too, under its variable's name.
#[test]
fn check_finds_what_the_others_would_refuse() {
    let fixture = Fixture::new();
    let junk = fixture.write("junk.pem", "hunter2");
    let with = |command: &str| {
        let mut command = fixture.command(&[command]);
        command
            .env("PUBLIC_URL", "https://hunter2/path")
            .env("GITHUB_PROXY_SEAL_KEY", "hunter2")
            .env("SSL_CERT_FILE", &junk);
        command
    };
    let found = errors(&mut with("check"));
    let names: Vec<_> = found.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(names, ["PUBLIC_URL", "GITHUB_PROXY_SEAL_KEY"], "{found:?}");
    assert_eq!(errors(&mut with("run"))[0], found[0]);
    assert_eq!(errors(&mut with("config"))[0], found[0]);

    for command in ["check", "run"] {
        let mut command = fixture.command(&[command]);
        let found = errors(command.env("SSL_CERT_FILE", &junk));
        let expected = format!("SSL_CERT_FILE: {}: expected ", junk.display());
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{found:?}"
        );
    }
}

/// `SSL_CERT_FILE` is a variable as all others: the environment file has the last word. What is
/// printed may be for another machine, so the file need not be here.
#[test]
fn the_authorities_may_be_named_in_the_environment_file() {
    let fixture = Fixture::new();
    let file = fixture.write("env", "SSL_CERT_FILE=/etc/envoy/authorities.pem\n");
    let mut config = fixture.command(&["config", "--env-file"]);
    let (code, stdout, _) = outcome(config.arg(&file).env("SSL_CERT_FILE", "/elsewhere"));
    assert_eq!(code, 0);
    assert!(
        stdout.contains("\"/etc/envoy/authorities.pem\""),
        "{stdout}"
    );
    assert!(!stdout.contains("/elsewhere"), "{stdout}");
}
