use serde_json::{json, Value};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Credential, CredentialKind};
use crate::config::Config;
use crate::seal::{SealKey, KEY_VARIABLE};
use crate::secret::Secret;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nS3CR3T\n-----END PRIVATE KEY-----\n";

fn environment(variable: &str) -> Option<String> {
    match variable {
        "GITHUB_PAT_A" | "GITHUB_PAT_B" => Some("ghp_S3CR3T".to_owned()),
        "GITHUB_PAT_EMPTY" => Some(" \n".to_owned()),
        "GITHUB_PAT_BROKEN" => Some("ghp_\r\nS3CR3T".to_owned()),
        "GITHUB_APP_A_PEM" => Some(KEY.to_owned()),
        "GITHUB_APP_LITERAL_PEM" => Some(KEY.replace('\n', "\\n")),
        "GITHUB_APP_WINDOWS_PEM" => Some(format!(" {}", KEY.replace('\n', "\r\n"))),
        "GITHUB_APP_BAD_PEM" => Some("S3CR3T\\nS3CR3T\n".to_owned()),
        "GITHUB_APP_EMPTY_PEM" => Some("\r\n".to_owned()),
        "GITHUB_APP_HUGE_PEM" => Some("S3CR3T".repeat(6_000)),
        KEY_VARIABLE => Some("07".repeat(32)),
        _ => None,
    }
}

fn read(credentials: Value) -> Result<Vec<Credential>, Vec<String>> {
    let config = json!({
        "upstream": { "authority": "api.github.com" },
        "clients": [],
        "credentials": credentials,
    });
    Config::from_value(&config, &environment)
        .map(|config| config.credentials)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// An App with some keys replaced or, by null, taken away.
fn app(changes: Value) -> Value {
    let mut app = json!({
        "name": "A", "app_id": "1234", "installation_id": "56789", "pem_env": "GITHUB_APP_A_PEM",
    });
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => app.as_object_mut().unwrap().remove(key),
            value => app
                .as_object_mut()
                .unwrap()
                .insert(key.clone(), value.clone()),
        };
    }
    app
}

fn parts(credential: &Credential) -> (&str, &str, &str) {
    match &credential.kind {
        CredentialKind::App {
            app_id,
            installation_id,
            key,
        } => (app_id, installation_id, key.expose()),
        CredentialKind::Pat { .. } => panic!("{credential:?}"),
    }
}

#[test]
fn an_app_is_read_with_its_key() {
    let read = read(json!([app(json!({ "pool": "ci" }))])).unwrap();
    assert_eq!(parts(&read[0]), ("1234", "56789", KEY));
    assert_eq!((read[0].name.as_str(), read[0].pool.as_str()), ("A", "ci"));
    assert_eq!(read[0].user, None);
}

#[test]
fn ids_are_text_or_whole_numbers() {
    for (key, value, id) in [
        (
            "app_id",
            json!("Iv1.8a61f9b3a7aba766"),
            Some("Iv1.8a61f9b3a7aba766"),
        ),
        (
            "app_id",
            json!("Iv23liAbCdEf12345678"),
            Some("Iv23liAbCdEf12345678"),
        ),
        ("app_id", json!(1234), Some("1234")),
        ("app_id", json!(1234.0), Some("1234")),
        ("app_id", json!(0), None),
        ("app_id", json!(1.5), None),
        ("app_id", json!(true), None),
        ("app_id", json!(""), None),
        ("app_id", json!(" 1"), None),
        ("app_id", json!("a\"b"), None),
        ("app_id", json!("1".repeat(65)), None),
        ("installation_id", json!("007"), Some("007")),
        (
            "installation_id",
            json!(9_007_199_254_740_992_u64),
            Some("9007199254740992"),
        ),
        ("installation_id", json!(-1), None),
        ("installation_id", json!("+1"), None),
        ("installation_id", json!("1/../2"), None),
        ("installation_id", json!(""), None),
        ("installation_id", json!("1".repeat(21)), None),
    ] {
        let read = read(json!([app(json!({ key: value }))]));
        let found = read.as_ref().ok().map(|read| parts(&read[0]));
        let found = found.map(|(app, installation, _)| match key {
            "app_id" => app,
            _ => installation,
        });
        assert_eq!(found, id, "{key} {value}");
    }
}

#[test]
fn keys_have_real_line_breaks_and_may_be_bad() {
    for (variable, key) in [
        ("GITHUB_APP_LITERAL_PEM", KEY),
        ("GITHUB_APP_WINDOWS_PEM", KEY),
        // It is for the exchange to fail, and for the other credentials to serve.
        ("GITHUB_APP_BAD_PEM", "S3CR3T\nS3CR3T"),
    ] {
        let read = read(json!([app(json!({ "pem_env": variable }))])).unwrap();
        assert_eq!(parts(&read[0]).2, key, "{variable}");
    }
}

#[test]
fn users_are_compared_without_regard_to_case() {
    let read = read(json!([
        { "name": "A", "pat_env": "GITHUB_PAT_A", "user": "Octo-Cat_1" },
        { "name": "B", "pat_env": "GITHUB_PAT_B", "user": "octo-cat_1" },
        { "name": "C", "pat_env": "GITHUB_PAT_A" },
    ]))
    .unwrap();
    let users: Vec<_> = read.iter().map(|read| read.user.as_deref()).collect();
    assert_eq!(users, [Some("octo-cat_1"), Some("octo-cat_1"), None]);
}

#[test]
fn each_fault_names_its_key_and_what_is_expected() {
    let either = "credentials[0]: expected either pat_env, or app_id, installation_id and pem_env";
    let missing = |variable| {
        format!(
            "the environment variable {variable} is missing or empty: set it for Envoy and list"
        )
    };
    let pat = |variable: &str| json!({ "name": "A", "pat_env": variable });
    for (credential, expected) in [
        (json!({ "name": "A" }), either.to_owned()),
        (json!({ "name": "A", "user": "octocat" }), either.to_owned()),
        (app(json!({ "pat_env": "GITHUB_PAT_A" })), either.to_owned()),
        (
            json!({ "name": "A", "pat_env": "GITHUB_PAT_A", "pem_env": "GITHUB_APP_A_PEM" }),
            either.to_owned(),
        ),
        (
            app(json!({ "app_id": null })),
            "credentials[0].app_id: missing".to_owned(),
        ),
        (
            app(json!({ "installation_id": null })),
            "credentials[0].installation_id: missing".to_owned(),
        ),
        (
            app(json!({ "pem_env": null })),
            "credentials[0].pem_env: missing".to_owned(),
        ),
        (
            app(json!({ "app_id": "S3CR3T S3CR3T" })),
            "credentials[0].app_id: expected the id of a GitHub App (digits), or its client id"
                .to_owned(),
        ),
        (
            app(json!({ "installation_id": "S3CR3T" })),
            "credentials[0].installation_id: expected the id of an installation: digits".to_owned(),
        ),
        (
            app(json!({ "pem_env": KEY })),
            "credentials[0].pem_env: expected the name of an environment variable, \
             GITHUB_APP_<NAME>_PEM"
                .to_owned(),
        ),
        (
            app(json!({ "pem_env": "GITHUB_PAT_A" })),
            "credentials[0].pem_env: expected the name of an environment variable".to_owned(),
        ),
        (
            app(json!({ "pem_env": "GITHUB_APP__PEM" })),
            "credentials[0].pem_env: expected the name of an environment variable".to_owned(),
        ),
        (
            app(json!({ "pem_env": "GITHUB_APP_NONE_PEM" })),
            format!("credentials[0].pem_env: {}", missing("GITHUB_APP_NONE_PEM")),
        ),
        (
            app(json!({ "pem_env": "GITHUB_APP_EMPTY_PEM" })),
            format!(
                "credentials[0].pem_env: {}",
                missing("GITHUB_APP_EMPTY_PEM")
            ),
        ),
        (
            app(json!({ "pem_env": "GITHUB_APP_HUGE_PEM" })),
            "credentials[0].pem_env: the environment variable GITHUB_APP_HUGE_PEM holds what \
             cannot be a private key: expected at most 32768 bytes"
                .to_owned(),
        ),
        (
            app(json!({ "user": "octocat" })),
            "credentials[0].user: expected only beside pat_env: an installation's rate limit is \
             its own"
                .to_owned(),
        ),
        (
            json!({ "name": "A", "pat_env": "GITHUB_PAT_A", "user": "S3CR3T@example.com" }),
            "credentials[0].user: expected a name of 1 to 63 letters".to_owned(),
        ),
        (
            app(json!({ "pool": "" })),
            "credentials[0].pool: expected a name of 1 to 63 letters".to_owned(),
        ),
        (
            app(json!({ "pem": KEY })),
            "credentials[0].pem: unknown key, expected one of: name, pat_env, pat_sealed, app_id"
                .to_owned(),
        ),
        (
            pat("GITHUB_PAT_NONE"),
            format!("credentials[0].pat_env: {}", missing("GITHUB_PAT_NONE")),
        ),
        (
            pat("GITHUB_PAT_EMPTY"),
            format!("credentials[0].pat_env: {}", missing("GITHUB_PAT_EMPTY")),
        ),
        (
            pat("GITHUB_PAT_BROKEN"),
            "credentials[0].pat_env: the environment variable GITHUB_PAT_BROKEN holds what cannot \
             be a token"
                .to_owned(),
        ),
        (
            pat(""),
            "credentials[0].pat_env: expected the name of an environment variable, \
             GITHUB_PAT_<NAME>"
                .to_owned(),
        ),
        (
            pat("ghp_S3CR3T"),
            "credentials[0].pat_env: expected the name of an environment variable".to_owned(),
        ),
    ] {
        let faults = read(json!([credential])).expect_err("refused");
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].starts_with(&expected), "{faults:#?}, {expected}");
        assert!(!faults[0].contains("S3CR3T"), "{faults:#?}");
    }
}

fn sealed(label: &str, secret: &str) -> String {
    let key = SealKey::new([7; 32]);
    key.seal(label, &Secret::new(secret.to_owned())).unwrap()
}

#[test]
fn a_sealed_secret_is_opened() {
    let pat = json!({ "name": "B", "pat_sealed": sealed("pat/B", "ghp_S3CR3T\n") });
    let pem = sealed("pem/A", &KEY.replace('\n', "\\n"));
    let read = read(json!([
        pat,
        app(json!({ "pem_env": null, "pem_sealed": pem }))
    ]))
    .unwrap();
    let secrets: Vec<_> = read
        .iter()
        .map(|read| match &read.kind {
            CredentialKind::Pat { token } => token.expose(),
            CredentialKind::App { key, .. } => key.expose(),
        })
        .collect();
    assert_eq!(secrets, ["ghp_S3CR3T", KEY]);
}

#[test]
fn what_cannot_be_opened_is_a_fault_that_shows_nothing_of_it() {
    let pat = |name: &str, sealed: &str| json!({ "name": name, "pat_sealed": sealed });
    let pem = |sealed: &str| app(json!({ "pem_env": null, "pem_sealed": sealed }));
    for (credential, expected) in [
        (
            pat("B", &sealed("pat/A", "ghp_S3CR3T")),
            "credentials[0].pat_sealed: cannot be opened",
        ),
        (
            pat("B", "ghp_S3CR3T"),
            "credentials[0].pat_sealed: cannot be opened",
        ),
        (
            pat("B", &sealed("pat/B", " ")),
            "credentials[0].pat_sealed: sealed is an empty secret",
        ),
        (
            pat("B", &sealed("pat/B", "ghp_S3CR3T S3CR3T")),
            "credentials[0].pat_sealed: the sealed text holds what cannot be a token",
        ),
        (
            pem(&sealed("pat/A", KEY)),
            "credentials[0].pem_sealed: cannot be opened",
        ),
        (
            pem(&sealed("pem/A", &"S3CR3T".repeat(6_000))),
            "credentials[0].pem_sealed: the sealed text holds what cannot be a private key",
        ),
        (
            app(json!({ "pem_sealed": sealed("pem/A", KEY) })),
            "credentials[0].pem_sealed: expected either pat_env",
        ),
        (
            json!({ "name": "A", "pat_env": "GITHUB_PAT_A", "pat_sealed": sealed("pat/A", "x") }),
            "credentials[0]: expected either pat_env",
        ),
    ] {
        let faults = read(json!([credential])).expect_err("refused");
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].starts_with(expected), "{faults:#?}, {expected}");
        assert!(!faults[0].contains("S3CR3T"), "{faults:#?}");
    }
    for (key, expected) in [
        (None, "GITHUB_PROXY_SEAL_KEY is missing"),
        (Some("S3CR3T"), "expected 64 hexadecimal digits"),
    ] {
        let config = json!({
            "upstream": { "authority": "api.github.com" },
            "clients": [],
            "credentials": [pat("B", &sealed("pat/B", "ghp_S3CR3T"))],
        });
        let faults = Config::from_value(&config, &|_| key.map(str::to_owned)).unwrap_err();
        let [fault] = faults.as_slice() else {
            panic!("{faults:?}")
        };
        assert!(fault.message.contains(expected), "{fault}");
        assert!(!fault.message.contains("S3CR3T"), "{fault}");
    }
}

#[test]
fn names_are_unique_across_both_kinds() {
    let faults = read(json!([
        { "name": "A", "pat_env": "GITHUB_PAT_A" },
        app(json!({})),
        { "name": "A", "pat_env": "GITHUB_PAT_B" },
    ]))
    .expect_err("refused");
    assert_eq!(
        faults,
        [
            "credentials[1].name: the same name as credentials[0].name",
            "credentials[2].name: the same name as credentials[1].name",
        ]
    );
}

#[test]
fn debug_output_holds_no_secret() {
    let pat = json!({ "name": "B", "pat_env": "GITHUB_PAT_B" });
    let shown = format!("{:?}", read(json!([app(json!({})), pat])).unwrap());
    assert!(
        shown.contains("56789") && !shown.contains("S3CR3T"),
        "{shown}"
    );
}
