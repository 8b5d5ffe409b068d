use super::*;

const TOKEN: &str = "ghp_0123456789";
const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n";
const APP: [(&str, &str); 3] = [
    ("GITHUB_APP_MAIN_ID", "1234"),
    ("GITHUB_APP_MAIN_INSTALLATION_ID", "56789"),
    ("GITHUB_APP_MAIN_PEM", PEM),
];

/// The credentials and the notices.
fn found(pairs: &[(&str, &str)]) -> Result<(Vec<Credential>, Vec<String>), Faults> {
    let mut notices = Vec::new();
    let variables = Variables::new(pairs.iter().copied());
    read(&variables, &mut notices).map(|credentials| (credentials, notices))
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    found(pairs).expect_err("refused").lines().to_vec()
}

/// The App with some variables replaced; `None` takes one away.
fn app_with<'a>(changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    let kept = APP
        .into_iter()
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let changed = changes
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    kept.chain(changed).collect()
}

#[test]
fn what_describes_a_token_is_no_token() {
    let (credentials, notices) = found(&[
        ("GITHUB_PAT_BOT", TOKEN),
        ("GITHUB_PAT_BOT_POOL", "ci"),
        ("GITHUB_PAT_BOT_USER", "octocat"),
        // There is no GITHUB_PAT_CAR: these are tokens with unlucky names.
        ("GITHUB_PAT_CAR_POOL", TOKEN),
        ("GITHUB_PAT_END_USER", TOKEN),
    ])
    .unwrap();
    let shown: Vec<_> = credentials
        .iter()
        .map(|c| (c.variable.as_str(), c.pool.as_deref(), c.user.as_deref()))
        .collect();
    let expected = [
        ("GITHUB_PAT_BOT", Some("ci"), Some("octocat")),
        ("GITHUB_PAT_CAR_POOL", None, None),
        ("GITHUB_PAT_END_USER", None, None),
    ];
    assert_eq!(shown, expected);
    assert_eq!(credentials[0].name, "BOT");
    assert!(notices.is_empty(), "{notices:?}");
}

#[test]
fn an_app_is_a_credential_by_itself() {
    let mut expected = Credential {
        name: "MAIN".to_owned(),
        variable: "GITHUB_APP_MAIN_PEM".to_owned(),
        pool: None,
        user: None,
        kind: CredentialKind::App {
            app_id: "1234".to_owned(),
            installation_id: "56789".to_owned(),
            key_file: None,
        },
    };
    assert_eq!(found(&APP).unwrap().0, [expected.clone()]);
    let elsewhere = app_with(&[
        ("GITHUB_APP_MAIN_ID", Some(" Iv23liAbCdEf12345678\n")),
        ("GITHUB_APP_MAIN_PEM", None),
        ("GITHUB_APP_MAIN_PEM_FILE", Some("/run/secrets/app key.pem")),
        ("GITHUB_APP_MAIN_POOL", Some("ci")),
    ]);
    expected.pool = Some("ci".to_owned());
    expected.kind = CredentialKind::App {
        app_id: "Iv23liAbCdEf12345678".to_owned(),
        installation_id: "56789".to_owned(),
        key_file: Some(PathBuf::from("/run/secrets/app key.pem")),
    };
    assert_eq!(found(&elsewhere).unwrap().0, [expected]);
}

#[test]
fn names_may_look_like_what_ends_a_variable() {
    let pairs = [
        ("GITHUB_APP_A_POOL_ID", "1"),
        ("GITHUB_APP_A_POOL_INSTALLATION_ID", "2"),
        ("GITHUB_APP_A_POOL_PEM", PEM),
        ("GITHUB_APP_A_POOL_POOL", "ci"),
        ("GITHUB_APP_B_ID", "1"),
        ("GITHUB_APP_B_INSTALLATION_ID", "2"),
        ("GITHUB_APP_B_PEM_FILE", "b.pem"),
        ("GITHUB_APP_B_WEBHOOK_SECRET", "of no interest"),
        ("GITHUB_PAT_Z", TOKEN),
    ];
    let (credentials, notices) = found(&pairs).unwrap();
    let names: Vec<_> = credentials.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["Z", "A_POOL", "B"]);
    assert!(notices.is_empty(), "{notices:?}");
}

#[test]
fn what_has_no_name_is_said_to_have_no_effect() {
    let pairs = [
        ("GITHUB_APP_ID", "1"),
        ("GITHUB_APP_INSTALLATION_ID", "2"),
        ("GITHUB_APP_PEM", PEM),
        ("GITHUB_PAT_", TOKEN),
    ];
    let (credentials, notices) = found(&pairs).unwrap();
    assert_eq!(credentials, []);
    let expected = [
        "GITHUB_PAT_ has no effect: expected GITHUB_PAT_<NAME>",
        "GITHUB_APP_ID has no effect: expected GITHUB_APP_<NAME>_ID",
        "GITHUB_APP_PEM has no effect: expected GITHUB_APP_<NAME>_PEM",
        "GITHUB_APP_INSTALLATION_ID has no effect: expected GITHUB_APP_<NAME>_INSTALLATION_ID",
    ];
    assert_eq!(notices, expected);
}

#[test]
fn what_is_missing_of_an_app_is_one_fault() {
    let needs = "an App needs GITHUB_APP_MAIN_ID, GITHUB_APP_MAIN_INSTALLATION_ID, and \
                 GITHUB_APP_MAIN_PEM or GITHUB_APP_MAIN_PEM_FILE";
    for (given, missing) in [
        (&[1, 2][..], "GITHUB_APP_MAIN_ID"),
        (&[0, 2], "GITHUB_APP_MAIN_INSTALLATION_ID"),
        (&[0, 1], "GITHUB_APP_MAIN_PEM"),
        (&[0], "GITHUB_APP_MAIN_INSTALLATION_ID, GITHUB_APP_MAIN_PEM"),
        (&[1], "GITHUB_APP_MAIN_ID, GITHUB_APP_MAIN_PEM"),
        (&[2], "GITHUB_APP_MAIN_ID, GITHUB_APP_MAIN_INSTALLATION_ID"),
    ] {
        let given: Vec<_> = given.iter().map(|index| APP[*index]).collect();
        assert_eq!(faults(&given), [format!("{missing}: missing: {needs}")]);
    }
    let pool_alone = faults(&[("GITHUB_APP_MAIN_POOL", "ci")]);
    assert_eq!(pool_alone.len(), 1, "{pool_alone:?}");
}

#[test]
fn each_fault_names_its_variable_and_what_is_expected() {
    let long = "x".repeat(129);
    let long_variable = format!("GITHUB_PAT_{long}");
    for (pairs, expected) in [
        (
            vec![("GITHUB_PAT_A", "")],
            "GITHUB_PAT_A: expected a personal access token",
        ),
        (
            vec![("GITHUB_PAT_A", "hunter2 x")],
            "GITHUB_PAT_A: expected a personal access token",
        ),
        (
            vec![("GITHUB_PAT_A", PEM)],
            "GITHUB_PAT_A: expected a personal access token",
        ),
        (
            vec![("GITHUB_PAT_a b", TOKEN)],
            "GITHUB_PAT_<NAME>: expected a name of 1 to 128 letters",
        ),
        (
            vec![(&long_variable, TOKEN)],
            "GITHUB_PAT_<NAME>: expected a name of 1 to 128 letters",
        ),
        (
            vec![("GITHUB_PAT_A", TOKEN), ("GITHUB_PAT_A_POOL", "hunter2 x")],
            "GITHUB_PAT_A_POOL: expected the name of a pool: up to 63 letters",
        ),
        (
            vec![("GITHUB_PAT_A", TOKEN), ("GITHUB_PAT_A_USER", "")],
            "GITHUB_PAT_A_USER: expected a GitHub login: up to 63 letters",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_ID", Some(""))]),
            "GITHUB_APP_MAIN_ID: expected the App's id or client id",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_ID", Some("my \"hunter2\""))]),
            "GITHUB_APP_MAIN_ID: expected the App's id or client id",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_INSTALLATION_ID", Some("../hunter2"))]),
            "GITHUB_APP_MAIN_INSTALLATION_ID: expected digits",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_PEM", Some(" \n"))]),
            "GITHUB_APP_MAIN_PEM: expected the App's private key, it is empty",
        ),
        (
            app_with(&[
                ("GITHUB_APP_MAIN_PEM", None),
                ("GITHUB_APP_MAIN_PEM_FILE", Some("")),
            ]),
            "GITHUB_APP_MAIN_PEM_FILE: expected the path of a file",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_PEM_FILE", Some("app.pem"))]),
            "GITHUB_APP_MAIN_PEM: expected only one of GITHUB_APP_MAIN_PEM and \
             GITHUB_APP_MAIN_PEM_FILE",
        ),
        (
            app_with(&[("GITHUB_APP_MAIN_POOL", Some(".hunter2"))]),
            "GITHUB_APP_MAIN_POOL: expected the name of a pool: up to 63 letters",
        ),
    ] {
        let faults = faults(&pairs);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(expected), "{faults:?}");
        assert!(!faults[0].contains("hunter2"), "{faults:?}");
    }
}

#[test]
fn a_token_and_an_app_may_have_the_same_name() {
    let names = |pairs: &[(&str, Option<&str>)]| {
        let (credentials, notices) = found(&app_with(pairs)).unwrap();
        let names = credentials.into_iter().map(|it| it.name);
        (names.collect::<Vec<_>>().join(" "), notices)
    };
    let (both, notices) = names(&[("GITHUB_PAT_MAIN", Some(TOKEN))]);
    assert_eq!(both, "MAIN MAIN.app");
    let expected = "the App of GITHUB_APP_MAIN_ID is named MAIN.app in statistics and logs, since \
                    GITHUB_PAT_MAIN is there too";
    assert_eq!(notices, [expected]);
    let (others, _) = names(&[
        ("GITHUB_PAT_MAIN", Some(TOKEN)),
        ("GITHUB_PAT_MAIN.app", Some(TOKEN)),
        ("GITHUB_APP_MAIN.app.app_ID", Some("1")),
        ("GITHUB_APP_MAIN.app.app_INSTALLATION_ID", Some("1")),
        ("GITHUB_APP_MAIN.app.app_PEM", Some("key")),
    ]);
    assert_eq!(others, "MAIN MAIN.app MAIN.app.app.app MAIN.app.app");
    let long = "N".repeat(128);
    let variable = |prefix: &str, suffix: &str| format!("{prefix}{long}{suffix}");
    let pairs = [
        (variable("GITHUB_PAT_", ""), TOKEN),
        (variable("GITHUB_APP_", "_ID"), "1"),
        (variable("GITHUB_APP_", "_INSTALLATION_ID"), "1"),
        (variable("GITHUB_APP_", "_PEM"), "key"),
    ];
    let pairs = pairs
        .each_ref()
        .map(|(name, value)| (name.as_str(), *value));
    let expected = "GITHUB_APP_<NAME>_ID beside GITHUB_PAT_<NAME>: expected a name of 1 to 128";
    assert!(faults(&pairs)[0].starts_with(expected));
}

#[test]
fn debug_output_shows_no_secret() {
    let pairs = app_with(&[("GITHUB_PAT_A", Some("hunter2"))]);
    let shown = format!("{:?}", found(&pairs).unwrap());
    assert!(
        shown.contains("MAIN") && !shown.contains("hunter2"),
        "{shown}"
    );
}
