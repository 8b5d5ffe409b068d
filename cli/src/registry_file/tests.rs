use std::path::Path;

use super::*;
use crate::env::CredentialKind;

const TOKEN: &str = "H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=";
const EXAMPLE: &str = "---
version: 1
clients:
  - name: test
    token: H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=
  - name: read_only
    token: oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU=
    scopes:
      - method: GET
        path: .*
";

fn load_as(name: &str, text: &str, variables: &[(&str, &str)]) -> Result<RegistryFile, Faults> {
    let variables = Variables::new(variables.iter().copied());
    parse(
        Path::new(name),
        text.as_bytes(),
        &variables,
        &[],
        &Included::default(),
    )
}

fn faults(name: &str, text: &str) -> Vec<String> {
    load_as(name, text, &[])
        .expect_err("refused")
        .lines()
        .to_vec()
}

fn digest(token: &str) -> String {
    hex::encode(registry::token_digest(token.as_bytes()))
}

#[test]
fn the_tokens_leave_as_digests() {
    let registry = load_as("clients.yaml", EXAMPLE, &[]).unwrap();
    assert_eq!(registry.count, 2);
    let text = registry.clients.to_string();
    assert!(text.contains(&digest(TOKEN)), "{text}");
    assert!(
        !text.contains(TOKEN) && !text.contains("\"token\""),
        "{text}"
    );
    assert_eq!(registry.clients[1]["scopes"][0]["path"], ".*");
}

#[test]
fn a_fault_names_file_line_and_key() {
    let text = "version: 1
clients:
  - name: te st
    token: secret-token-one
    extra: 1
  - name: b
    token: 0123456
    scopes:
    - method: GET
      path: '(['
";
    let faults = faults("clients.yaml", text);
    let places: Vec<_> = faults
        .iter()
        .filter_map(|fault| {
            fault
                .split(": ")
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
                .into()
        })
        .collect();
    let expected: [String; 4] = [
        "clients.yaml:5 clients[0].extra".into(),
        "clients.yaml:3 clients[0].name".into(),
        "clients.yaml:7 clients[1].token".into(),
        "clients.yaml:10 clients[1].scopes[0].path".into(),
    ];
    assert_eq!(places, expected, "{faults:#?}");
    assert!(!faults.concat().contains("secret-token-one"));
}

#[test]
fn each_kind_of_fault_is_one_clear_line() {
    let place = |text: &str| faults("c.yaml", text);
    for (text, expected) in [
        (
            "",
            "c.yaml: expected a mapping with the keys version and clients, the file is empty",
        ),
        (
            "---\n",
            "c.yaml: expected a mapping with the keys version and clients, the file is empty",
        ),
        (
            "# nothing\n",
            "c.yaml: expected a mapping with the keys version and clients, the file is empty",
        ),
        (
            "- a\n",
            "c.yaml:1: (top level): expected a mapping, found a list",
        ),
        ("version: 1\n", "c.yaml:1: clients: missing"),
        (
            "version: 2\nclients: []\n",
            "c.yaml:1: version: expected 1, found 2",
        ),
        (
            "version: 1\nclients: []\nversion: 1\n",
            "c.yaml:3: version: the key occurs twice",
        ),
        (
            "version: 1\nclients:\n- name: a\n  token: t\n  name: b\n",
            "c.yaml:5: clients[0].name: the key occurs twice",
        ),
        (
            "version: 1\nclients: []\nhunter2+hunter2: 1\n",
            "c.yaml:3: (a key): unknown key, expected one of: version, clients",
        ),
        (
            "a: b: c\n",
            "c.yaml:1: not valid YAML: mapping values are not allowed in this context",
        ),
        (
            "version: 1\nclients: []\n---\nversion: 1\n",
            "c.yaml:3: expected one document, here a second one starts",
        ),
        (
            "version: 1\nclients: []\n1: 2\n",
            "c.yaml:3: expected a string as a key: put it in quotes",
        ),
    ] {
        assert_eq!(place(text), [expected], "{text:?}");
    }
    let error = parse(
        Path::new("c.yaml"),
        b"\xff",
        &Variables::default(),
        &[],
        &Included::default(),
    );
    assert_eq!(
        error.expect_err("refused").lines(),
        ["c.yaml: expected UTF-8 text"]
    );
    let error = load(
        Path::new("/nonexistent/c.yaml"),
        &Variables::default(),
        &[],
        &Included::default(),
    );
    let error = error.expect_err("refused").to_string();
    assert!(
        error.starts_with("/nonexistent/c.yaml: cannot be read: "),
        "{error}"
    );
    let endless = load(
        Path::new("/dev/zero"),
        &Variables::default(),
        &[],
        &Included::default(),
    );
    assert_eq!(
        endless.expect_err("refused").lines(),
        ["/dev/zero: expected at most 16777216 bytes"]
    );
}

#[test]
fn a_client_may_be_in_any_pool_only_while_no_credential_is_known() {
    let text = "version: 1\nclients:\n- {name: a, token: secret-token-one, pool: ci}\n";
    assert_eq!(load_as("c.yaml", text, &[]).unwrap().count, 1);
    let credential = |pool: Option<&str>| Credential {
        name: "A".to_owned(),
        variable: "GITHUB_PAT_A".to_owned(),
        pool: pool.map(str::to_owned),
        user: None,
        kind: CredentialKind::Pat,
    };
    let with = |pool| {
        parse(
            Path::new("c.yaml"),
            text.as_bytes(),
            &Variables::default(),
            &[credential(pool)],
            &Included::default(),
        )
    };
    assert_eq!(with(Some("ci")).unwrap().count, 1);
    let error = with(None).expect_err("refused").to_string();
    assert!(
        error.starts_with("c.yaml:3: clients[0].pool: unknown pool"),
        "{error}"
    );
}

#[test]
fn a_template_sees_the_environment() {
    let text = "version: 1
clients:
{% for name in ['a', 'b'] %}
  - name: {{ name }}
    token: {{ env['TOKEN_' ~ name] }}
{% endfor %}
{% if env.WITH_C %}
  - name: c
    token: {{ env.get('TOKEN_C', env.TOKEN_D | default(env.TOKEN_E or 'default-token-cccc')) }}
{% endif %}
";
    let variables = [
        ("TOKEN_a", "token-aaaaaaaaaaaa"),
        ("TOKEN_b", "token-bbbbbbbbbbbb=="),
    ];
    let registry = load_as("c.yaml.j2", text, &variables).unwrap();
    assert_eq!(registry.count, 2);
    assert_eq!(
        registry.clients[1]["token_sha256"],
        digest("token-bbbbbbbbbbbb==").as_str()
    );
    let all: Vec<_> = variables.into_iter().chain([("WITH_C", "1")]).collect();
    let registry = load_as("c.yaml.j2", text, &all).unwrap();
    assert_eq!(
        registry.clients[2]["token_sha256"],
        digest("default-token-cccc").as_str()
    );
}

#[test]
fn a_template_may_treat_the_environment_as_python_does() {
    let text = "version: 1
clients:
{% for name, value in env.items() if name.startswith('TOKEN_') %}
  - name: {{ name[6:].lower().replace('_', '-') }}
    token: {{ value.strip() }}
{% endfor %}
";
    let variables = [
        ("PATH", "/bin"),
        ("TOKEN_CI_A", "token-aaaaaaaaaaaa"),
        ("TOKEN_CI_B", " token-bbbbbbbbbbbb "),
    ];
    let registry = load_as("c.yml.j2", text, &variables).unwrap();
    assert_eq!(registry.count, 2);
    assert_eq!(registry.clients[0]["name"], "ci-a");
    assert_eq!(
        registry.clients[1]["token_sha256"],
        digest("token-bbbbbbbbbbbb").as_str()
    );
}

#[test]
fn a_template_may_include_another_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.yml.j2");
    std::fs::write(&path, "version: 1\nclients:\n{% include 'bots.yml.j2' %}\n").unwrap();
    let part = folder.path().join("bots.yml.j2");
    std::fs::write(&part, "  - name: bot\n    token: {{ env.TOKEN_BOT }}\n").unwrap();
    let bot = Variables::new([("TOKEN_BOT", "token-bot-bot-bot")]);
    assert_eq!(
        load(&path, &bot, &[], &Included::default()).unwrap().count,
        1
    );
    let missing = load(&path, &Variables::default(), &[], &Included::default()).unwrap_err();
    let missing = missing.to_string();
    assert!(missing.contains("bots.yml.j2:2: "), "{missing}");
    std::fs::remove_file(&part).unwrap();
    let absent = load(&path, &bot, &[], &Included::default())
        .unwrap_err()
        .to_string();
    assert!(
        absent.contains("clients.yml.j2:3: ") && absent.contains("bots.yml.j2"),
        "{absent}"
    );
}

#[test]
fn a_template_fault_names_the_line_and_what_is_missing() {
    let undefined = "version: 1\nclients:\n  - name: a\n    token: {{ env.TOKEN_TEST }}\n";
    let expected =
        "c.yaml.j2:4: env.TOKEN_TEST is not defined: set it in the environment, or give \
                    it a default";
    assert_eq!(faults("c.yaml.j2", undefined), [expected]);
    let syntax = faults("c.yaml.j2", "version: 1\n{% if %}\n");
    assert!(
        syntax[0].starts_with("c.yaml.j2:2: syntax error"),
        "{syntax:?}"
    );
    let filter = faults("c.yaml.j2", "\n{{ env.A | b64decode }}\n");
    assert!(
        filter[0].starts_with("c.yaml.j2:2: unknown filter"),
        "{filter:?}"
    );
    // What is wrong in the result is shown by the lines of the result.
    let rendered = faults(
        "c.yaml.j2",
        "{% set x = 1 %}\nversion: {{ x }}\nclients: {}\n",
    );
    assert!(
        rendered[0].starts_with("c.yaml.j2, rendered:3: clients: "),
        "{rendered:?}"
    );
}

#[test]
fn a_template_fault_quotes_no_value() {
    let text = "version: {{ env.SECRET | int }}\nclients: {{ env.SECRET.a.b }}\n";
    let error = load_as("c.yaml.j2", text, &[("SECRET", "hunter2")]).expect_err("refused");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    // A name, and "token:", were forgotten.
    let text = "version: 1
clients:
- name: a
  {{ env.SECRET }}: b
- name: b
  {{ env.SECRET }}: 1
  {{ env.SECRET }}: 2
";
    let error = load_as("c.yaml.j2", text, &[("SECRET", "hunter2")]).expect_err("refused");
    let unknown = "(a key): unknown key, expected one of: name, token, token_sha256, tokens";
    assert!(
        error.lines()[0].starts_with("c.yaml.j2, rendered:7: the key occurs twice"),
        "{error}"
    );
    assert!(
        error.lines()[1].starts_with(&format!("c.yaml.j2, rendered:4: clients[0].{unknown}")),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let text = "{% include env.SECRET %}";
    let error = load_as("c.yaml.j2", text, &[("SECRET", "hunter2")]).expect_err("refused");
    let expected = ["c.yaml.j2:1: template not found: include env.SECRET"];
    assert_eq!(error.lines(), expected);
}

#[test]
fn a_template_without_its_ending_is_recognised() {
    let faults = faults(
        "c.yaml",
        "version: 1\nclients:\n  - name: a\n    token: {{ env.A }}\n",
    );
    let expected = [
        "c.yaml:4: expected a string as a key",
        "c.yaml: a Jinja2 template needs a name that ends in .j2",
    ];
    assert_eq!(faults, expected);
}
