//! `run` with stand-ins for Envoy: what stops it, what it leaves behind. (With the real
//! Envoy it is tested end to end.)

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::{certificate, errors, script, Fixture};

/// `run` with a stand-in for Envoy whose script is `body`.
fn run(fixture: &Fixture, body: &str) -> Command {
    let envoy = fixture.path("envoy");
    script(&envoy, body);
    let filter = fixture.write("filter.wasm", "");
    let mut command =
        fixture.command(&["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command
        .arg("--envoy")
        .arg(envoy)
        .arg("--filter")
        .arg(filter);
    command
}

/// Waits for as long as it takes; the test runner's limit ends what never happens.
fn until<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = condition() {
            return value;
        }
        sleep(Duration::from_millis(10));
    }
}

/// The number in a file that a stand-in writes at once.
fn number(path: &Path) -> Option<i32> {
    fs::read_to_string(path)
        .ok()?
        .strip_suffix('\n')?
        .parse()
        .ok()
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn run_folders(fixture: &Fixture) -> usize {
    let entries = fs::read_dir(fixture.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with("github-proxy-"))
        .count()
}

#[test]
fn an_envoy_that_ends_by_itself_ends_the_run() {
    let fixture = Fixture::new();
    let mut command = run(&fixture, "exit 3");
    let errors = errors(&mut command);
    assert!(
        errors[0].contains("Envoy ended by itself (exit status: 3)"),
        "{errors:?}"
    );
    assert_eq!(run_folders(&fixture), 0);
}

#[test]
fn envoy_sees_no_secret_but_the_key_that_opens_the_sealed_ones() {
    let fixture = Fixture::new();
    let seen = fixture.path("seen");
    let mut command = run(&fixture, &format!("env > {}; exit 3", seen.display()));
    command
        .env("TOKEN_TEST", "another-secret")
        .env("CACHE_BACKEND_URL", "inmemory://");
    errors(&mut command);
    let seen = fs::read_to_string(seen).unwrap();
    let key = seen
        .lines()
        .find_map(|line| line.strip_prefix("GITHUB_PROXY_SEAL_KEY="));
    assert_eq!(key.map(str::len), Some(64), "{seen}");
    for other in [support::PAT, "another-secret", "CACHE_BACKEND_URL"] {
        assert!(!seen.contains(other), "{seen}");
    }
}

#[test]
fn a_signal_ends_everything_and_is_success() {
    for stop in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let fixture = Fixture::new();
        let pid = fixture.path("pid");
        let body = format!("echo $$ > {}; exec sleep 1000", pid.display());
        let mut child = run(&fixture, &body).stderr(Stdio::null()).spawn().unwrap();
        let envoy = until(|| number(&pid));
        signal(&child, stop);
        assert!(child.wait().unwrap().success());
        assert!(!Path::new(&format!("/proc/{envoy}")).exists());
        assert_eq!(run_folders(&fixture), 0);
    }
}

#[test]
fn a_killed_run_leaves_no_envoy() {
    let fixture = Fixture::new();
    let pid = fixture.path("pid");
    let body = format!("echo $$ > {}; exec sleep 1000", pid.display());
    let mut child = run(&fixture, &body).stderr(Stdio::null()).spawn().unwrap();
    let envoy = until(|| number(&pid));
    child.kill().unwrap();
    child.wait().unwrap();
    // Gone, or dead and not yet collected by whoever inherited it.
    until(|| {
        let state = fs::read_to_string(format!("/proc/{envoy}/stat")).unwrap_or_default();
        let dead = state.is_empty() || state.contains(") Z ");
        dead.then_some(())
    });
}

#[test]
fn the_run_folder_is_private_and_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    // The stand-in looks while the folder is there: Envoy's configuration is its second argument.
    let copy = fixture.path("copy");
    let body = format!("cp -rp \"$(dirname \"$2\")\" {}; exit 3", copy.display());
    errors(&mut run(&fixture, &body));
    assert_eq!(
        fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for name in ["envoy.yaml", "ecds/filter.json"] {
        let file = copy.join(name);
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("token_sha256"), "{name}: {text}");
        assert!(
            !text.contains(support::PAT) && !text.contains(support::CLIENT_TOKEN),
            "{name}"
        );
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let fixture = Fixture::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin"] {
        let mut command = fixture.command(&["run", flag, &address]);
        script(&fixture.path("envoy"), "exit 3");
        command.arg("--envoy").arg(fixture.path("envoy"));
        command
            .arg("--filter")
            .arg(fixture.write("filter.wasm", ""));
        let other = if flag == "--listen" {
            "--admin"
        } else {
            "--listen"
        };
        command.args([other, "127.0.0.1:0"]);
        let errors = errors(&mut command);
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].starts_with(&format!("{flag} {address}: cannot listen there")),
            "{errors:?}"
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    let fixture = Fixture::new();
    let nowhere = fixture.path("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let missing = errors(&mut fixture.command(&["run", "--envoy", nowhere]));
    assert_eq!(missing, [format!("--envoy: there is no file {nowhere}")]);
    script(&fixture.path("envoy"), "exit 3");
    let mut no_filter = fixture.command(&["run", "--filter", nowhere]);
    no_filter.arg("--envoy").arg(fixture.path("envoy"));
    assert_eq!(
        errors(&mut no_filter),
        [format!("--filter: there is no file {nowhere}")]
    );
    let mut no_webdis = run(&fixture, "exit 3");
    no_webdis
        .env("CACHE_BACKEND_URL", "redis://localhost")
        .env("PATH", nowhere);
    let missing = errors(&mut no_webdis);
    assert!(
        missing[0].contains("Webdis") && missing[0].contains("scripts/setup"),
        "{missing:?}"
    );
}

#[test]
fn a_credential_needs_a_registry_and_a_bad_registry_is_shown_with_all_its_faults() {
    let fixture = Fixture::new();
    let mut without = run(&fixture, "exit 3");
    without.env_remove("CLIENT_REGISTRY_FILE_PATH");
    let expected = ["CLIENT_REGISTRY_FILE_PATH: expected the path of the client registry file"];
    assert_eq!(errors(&mut without), expected);
    fixture.write(
        "clients.yaml",
        "version: 2\nclients:\n- name: a b\n  token: hunter2hunter2\n",
    );
    let faults = errors(&mut run(&fixture, "exit 3"));
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn an_access_log_that_cannot_be_written_is_named() {
    let fixture = Fixture::new();
    let nowhere = fixture.path("nowhere/access.log");
    for (path, reason) in [
        (nowhere.as_path(), "No such file or directory (os error 2)"),
        (fixture.folder.path(), "Is a directory (os error 21)"),
    ] {
        let mut command = run(&fixture, "exit 3");
        command.arg("--access-log").arg(path);
        let expected = format!(
            "--access-log: {}: cannot be written: {reason}",
            path.display()
        );
        assert_eq!(errors(&mut command), [expected]);
    }
    for path in ["-", "/dev/null"] {
        let mut command = run(&fixture, "exit 3");
        command.args(["--access-log", path]);
        let errors = errors(&mut command);
        assert!(errors[0].contains("Envoy ended by itself"), "{errors:?}");
    }
}

/// A listener without a usable certificate would answer nobody: it is not even started.
#[test]
fn a_certificate_that_cannot_serve_is_refused_by_a_line_that_says_why() {
    let fixture = Fixture::new();
    let ((good, key), (other, other_key)) = (
        certificate(&fixture, "good"),
        certificate(&fixture, "other"),
    );
    let nowhere = fixture.path("nowhere").to_str().unwrap().to_owned();
    let block = |label: &str| {
        let text = format!("-----BEGIN {label}-----\nbm9uc2Vuc2U=\n-----END {label}-----\n");
        let path = fixture.write(&format!("{}.pem", label.replace(' ', "-")), &text);
        path.to_str().unwrap().to_owned()
    };
    let (no_certificate, no_key) = (block("CERTIFICATE"), block("PRIVATE KEY"));
    let encrypted = block("ENCRYPTED PRIVATE KEY");
    let certificates = "expected certificates in PEM";
    let private_key = "expected a private key in PEM without a passphrase: RSA of 2048 bits or \
                       more, ECDSA of P-256 or P-384, or Ed25519";
    let missing = "cannot be read: No such file or directory (os error 2)";
    let mismatch = format!("not the key of the certificate in {good}");
    for (certificate, key, flag, path, fault) in [
        (&nowhere, &key, "--tls-certificate", &nowhere, missing),
        (&good, &nowhere, "--tls-key", &nowhere, missing),
        (&key, &key, "--tls-certificate", &key, certificates),
        (
            &no_certificate,
            &key,
            "--tls-certificate",
            &no_certificate,
            certificates,
        ),
        (&good, &other, "--tls-key", &other, private_key),
        (&good, &no_key, "--tls-key", &no_key, private_key),
        (&good, &encrypted, "--tls-key", &encrypted, private_key),
        (
            &good,
            &other_key,
            "--tls-key",
            &other_key,
            mismatch.as_str(),
        ),
    ] {
        let mut command = run(&fixture, "exit 3");
        command.args(["--tls-certificate", certificate.as_str(), "--tls-key", key]);
        assert_eq!(errors(&mut command), [format!("{flag}: {path}: {fault}")]);
    }
}

#[test]
fn a_certificate_needs_its_key_and_a_key_its_certificate() {
    let fixture = Fixture::new();
    for (given, missing) in [
        (
            "--tls-certificate",
            "--tls-key: expected the file of the key",
        ),
        (
            "--tls-key",
            "--tls-certificate: expected the file of the certificate",
        ),
    ] {
        let mut command = run(&fixture, "exit 3");
        let expected = format!("{missing}, since {given} is given");
        assert_eq!(
            errors(command.args([given, "file.pem"])),
            [expected.as_str()]
        );
        let mut config = fixture.command(&["config", given, "file.pem"]);
        assert_eq!(errors(&mut config), [expected]);
    }
}
