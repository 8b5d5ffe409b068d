use std::path::PathBuf;

use super::*;

/// Has the shape of a key (an empty one), which is all that is looked at here.
const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMAMCAQA=\n-----END RSA PRIVATE KEY-----\n";

/// A GitHub App named MAIN, whose key is in a file of a folder.
struct App {
    folder: tempfile::TempDir,
    variables: Variables,
    settings: Settings,
}

impl App {
    fn new(content: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.pem");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        Self::with(folder, ("GITHUB_APP_MAIN_PEM_FILE", path.to_str().unwrap()))
    }

    fn of_variable(key: &str) -> Self {
        Self::with(tempfile::tempdir().unwrap(), ("GITHUB_APP_MAIN_PEM", key))
    }

    fn with(folder: tempfile::TempDir, key: (&str, &str)) -> Self {
        let id = ("GITHUB_APP_MAIN_ID", "1");
        let installation = ("GITHUB_APP_MAIN_INSTALLATION_ID", "2");
        let variables = Variables::new([id, installation, key, ("GITHUB_PAT_A", "ghp_a")]);
        Self {
            folder,
            settings: Settings::read(&variables).unwrap(),
            variables,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.pem")
    }

    fn key(&self) -> Option<&str> {
        self.variables.get("GITHUB_APP_MAIN_PEM")
    }
}

#[test]
fn a_key_from_a_file_becomes_a_variable() {
    for content in [
        KEY.to_owned(),
        KEY.replace('\n', "\r\n"),
        format!("\n{KEY}\n"),
    ] {
        let mut app = App::new(Some(content.as_bytes()));
        assert_eq!(app.key(), None);
        load(&app.settings, &mut app.variables).unwrap();
        assert_eq!(app.key(), Some(KEY));
        assert_eq!(malformed(&app.settings, &app.variables), [""; 0]);
        let expected = format!(
            "GITHUB_APP_MAIN_PEM_FILE: Envoy reads no file: set GITHUB_APP_MAIN_PEM in its \
             environment to the content of {}",
            app.path().display()
        );
        assert_eq!(to_do(&app.settings), [expected]);
    }
}

#[test]
fn a_key_in_a_variable_stays_as_it_is() {
    for key in [KEY.to_owned(), KEY.replace('\n', "\\n")] {
        let mut app = App::of_variable(&key);
        load(&app.settings, &mut app.variables).unwrap();
        assert_eq!(app.key(), Some(key.as_str()));
        assert_eq!(malformed(&app.settings, &app.variables), [""; 0]);
        assert_eq!(to_do(&app.settings), [""; 0]);
    }
}

#[test]
fn a_file_that_holds_no_text_is_a_fault() {
    for (content, expected) in [
        (None, "cannot be read: No such file or directory"),
        (
            Some(&b""[..]),
            "expected a private key in PEM, the file is empty",
        ),
        (
            Some(b" \n"),
            "expected a private key in PEM, the file is empty",
        ),
        (
            Some(b"0\x82\xff"),
            "cannot be read: stream did not contain valid UTF-8",
        ),
        (
            Some(b"hunter2\0"),
            "expected a private key in PEM: text of at most 32768 bytes",
        ),
        (
            Some(&[b'a'; 32 * 1024 + 1]),
            "expected a private key in PEM: text of at most 32768 bytes",
        ),
    ] {
        let mut app = App::new(content);
        let faults = load(&app.settings, &mut app.variables).expect_err("refused");
        let [fault] = faults.lines() else {
            panic!("{faults}");
        };
        let start = format!("GITHUB_APP_MAIN_PEM_FILE: {}: ", app.path().display());
        let message = fault.strip_prefix(&start).expect(fault);
        assert!(message.starts_with(expected), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn what_is_no_key_is_not_shown_and_no_fault_of_the_settings() {
    let bad = KEY.replace("MAMCAQA=", "hunter2!");
    for (app, variable) in [
        (App::of_variable(&bad), "GITHUB_APP_MAIN_PEM"),
        (App::new(Some(bad.as_bytes())), "GITHUB_APP_MAIN_PEM_FILE"),
    ] {
        let App {
            settings,
            mut variables,
            ..
        } = app;
        load(&settings, &mut variables).unwrap();
        let expected = format!(
            "{variable}: expected an RSA private key in PEM, from -----BEGIN RSA PRIVATE KEY----- \
             to -----END RSA PRIVATE KEY----- (or BEGIN PRIVATE KEY), found what is not base64 in \
             between"
        );
        assert_eq!(malformed(&settings, &variables), [expected]);
    }
}
