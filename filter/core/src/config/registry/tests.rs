use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64::Engine;
use serde_json::{json, Value};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{
    from_document, token_digest, without_tokens, Client, ClientRegistry, Denied, Priority,
};
use crate::scope::Permission;

const TOKEN: &str = "H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=";

fn document(clients: Value) -> Value {
    json!({ "version": 1, "clients": clients })
}

fn read_clients(clients: Value) -> Result<ClientRegistry, Vec<String>> {
    from_document(&document(clients), &["default"])
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The one fault of a registry with this client.
fn fault_of(client: Value) -> String {
    let mut errors = read_clients(json!([client])).expect_err("a fault");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

fn name(result: Result<&Client, Denied<'_>>) -> String {
    match result {
        Ok(client) => client.name.clone(),
        Err(Denied::BadToken) => "bad".to_owned(),
        Err(Denied::ExpiredToken { client }) => format!("expired {}", client.name),
    }
}

#[test]
fn tokens_lead_to_their_clients() {
    let digest = token_digest(b"by-digest");
    let clients = read_clients(json!([
        { "name": "test", "token": TOKEN },
        { "name": "hex", "token_sha256": hex::encode(digest) },
        { "name": "base64", "token_sha256": STANDARD.encode(token_digest(b"b64")) },
        { "name": "bare", "token_sha256": STANDARD_NO_PAD.encode(token_digest(b"bare")) },
        { "name": "rotating", "tokens": [
            { "token": "old", "expires": "2026-01-31T12:00:00Z" },
            { "token_sha256": hex::encode(token_digest(b"new")).to_uppercase() },
            { "token": "seconds", "expires": 1_769_860_801 },
            { "token": "day", "expires": "2026-01-31" },
        ] },
    ]))
    .unwrap();
    let noon = 1_769_860_800;
    for (token, now, who) in [
        (TOKEN, noon, "test"),
        ("by-digest", noon, "hex"),
        ("b64", noon, "base64"),
        ("bare", noon, "bare"),
        ("new", noon, "rotating"),
        ("old", noon - 1, "rotating"),
        ("old", noon, "expired rotating"),
        ("seconds", noon, "rotating"),
        ("seconds", noon + 1, "expired rotating"),
        ("day", noon, "expired rotating"),
        ("day", noon - 43_201, "rotating"),
        ("", noon, "bad"),
        ("other", noon, "bad"),
        ("H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ", noon, "bad"),
    ] {
        assert_eq!(
            name(clients.authenticate(token.as_bytes(), now)),
            who,
            "{token} {now}"
        );
    }
}

#[test]
fn the_documented_example_is_read() {
    let clients = read_clients(json!([
        { "name": "test", "token": TOKEN },
        {
            "name": "read_only",
            "token": "oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU=",
            "scopes": [{ "method": "GET", "path": ".*" }],
        },
    ]))
    .unwrap();
    let [test, read_only] = clients.clients() else {
        panic!("two clients");
    };
    assert_eq!((test.budget, test.priority), (None, Priority::Normal));
    assert_eq!(
        test.scopes.permit("DELETE", "/repos/a/b"),
        Permission::Everything
    );
    assert_eq!(
        read_only.scopes.permit("GET", "/repos/a/b"),
        Permission::Everything
    );
    assert_eq!(
        read_only.scopes.permit("DELETE", "/repos/a/b"),
        Permission::Nothing
    );
}

#[test]
fn optional_keys_are_read() {
    let clients = read_clients(json!([{
        "name": "a.B-c_1",
        "token": "t",
        "pool": "default",
        "budget": 500,
        "priority": "low",
        "graphql_cache_seconds": 60,
        "scopes": [{ "graphql": "query" }, { "method": "GET", "path": "/user" }],
    }]))
    .unwrap();
    let client = &clients.clients()[0];
    assert_eq!(client.budget, Some(500));
    assert_eq!(client.priority, Priority::Low);
    assert_eq!(client.graphql_cache_seconds, Some(60));
    assert_eq!(client.scopes.permit("GET", "/user"), Permission::Everything);
    assert_eq!(
        client.scopes.permit("POST", "/graphql"),
        Permission::Queries
    );
    assert_eq!(client.scopes.permit("POST", "/user"), Permission::Nothing);
}

#[test]
fn a_scope_may_name_the_method_or_the_path_alone() {
    let clients = read_clients(json!([{
        "name": "a",
        "token": "t",
        "scopes": [{ "method": "GET" }, { "path": "/repos/a/.*" }],
    }]))
    .unwrap();
    let scopes = &clients.clients()[0].scopes;
    assert_eq!(scopes.permit("GET", "/user"), Permission::Everything);
    assert_eq!(
        scopes.permit("DELETE", "/repos/a/b"),
        Permission::Everything
    );
    assert_eq!(scopes.permit("DELETE", "/user"), Permission::Nothing);
}

#[test]
fn a_registry_without_clients_lets_nobody_in() {
    let clients = read_clients(json!([])).unwrap();
    assert_eq!(name(clients.authenticate(b"", 0)), "bad");
}

#[test]
fn faults_of_one_client() {
    let digest = hex::encode(token_digest(b"t"));
    for (client, expected) in [
        (
            json!("test"),
            "clients[0]: expected a mapping, found a string",
        ),
        (json!({ "token": "t" }), "clients[0].name: missing"),
        (
            json!({ "name": "", "token": "t" }),
            "clients[0].name: expected a name of 1 to 63",
        ),
        (
            json!({ "name": ".a", "token": "t" }),
            "clients[0].name: expected a name of 1 to 63",
        ),
        (
            json!({ "name": "a;b", "token": "t" }),
            "clients[0].name: expected a name of 1 to 63",
        ),
        (
            json!({ "name": "a".repeat(64), "token": "t" }),
            "clients[0].name: expected a name",
        ),
        (
            json!({ "name": 1, "token": "t" }),
            "clients[0].name: expected a string, found a num",
        ),
        (
            json!({ "name": true, "token": "t" }),
            "clients[0].name: expected a string, found a b",
        ),
        (
            json!({ "name": "a" }),
            "clients[0]: missing token: expected token or token_sha256",
        ),
        (
            json!({ "name": "a", "token": "" }),
            "clients[0].token: expected a token of 1 to 1024",
        ),
        (
            json!({ "name": "a", "token": "a b" }),
            "clients[0].token: expected a token of 1 to",
        ),
        (
            json!({ "name": "a", "token": 12345 }),
            "clients[0].token: expected a string, found a number: put it in quotes",
        ),
        (
            json!({ "name": "a", "token": null }),
            "clients[0].token: expected a string, found n",
        ),
        (
            json!({ "name": "a", "token": "t", "token_sha256": digest }),
            "clients[0]: expected only one of token and token_sha256",
        ),
        (
            json!({ "name": "a", "token": "t", "tokens": [{ "token": "u" }] }),
            "clients[0]: expected only one of token, token_sha256 and tokens",
        ),
        (
            json!({ "name": "a", "tokens": [] }),
            "clients[0].tokens: expected at least one token",
        ),
        (
            json!({ "name": "a", "tokens": "t" }),
            "clients[0].tokens: expected a list, found a s",
        ),
        (
            json!({ "name": "a", "tokens": [{}] }),
            "clients[0].tokens[0]: missing token",
        ),
        (
            json!({ "name": "a", "tokens": [{ "token": "t", "expires": "soon" }] }),
            "clients[0].tokens[0].expires: expected a time such as 2030-01-31T12:00:00Z",
        ),
        (
            json!({ "name": "a", "tokens": [{ "token": "t", "expires": -1 }] }),
            "clients[0].tokens[0].expires: expected a whole number from 0 to",
        ),
        (
            json!({ "name": "a", "token": "t", "expires": "2030-01-31" }),
            "clients[0].expires: unknown key, expected one of: name, token, token_sha256, tokens",
        ),
        (
            json!({ "name": "a", "token_sha256": "abc" }),
            "clients[0].token_sha256: expected a SHA-256 digest: 64 hexadecimal digits, or 32",
        ),
        (
            json!({ "name": "a", "token_sha256": "g".repeat(64) }),
            "clients[0].token_sha256: expected a SHA-256 digest",
        ),
        (
            json!({ "name": "a", "token": "t", "tokn": "secret" }),
            "clients[0].tokn: unknown key, expected one of: name, token",
        ),
        (
            json!({ "name": "a", "token": "t", "pool": "ci" }),
            "clients[0].pool: unknown pool",
        ),
        (
            json!({ "name": "a", "token": "t", "budget": -1 }),
            "clients[0].budget: expected a wh",
        ),
        (
            json!({ "name": "a", "token": "t", "graphql_cache_seconds": 0 }),
            "clients[0].graphql_cache_seconds: expected a whole number from 1 to 86400, found 0",
        ),
        (
            json!({ "name": "a", "token": "t", "budget": 0 }),
            "clients[0].budget: expected a whole number from 1 to 1000000, found 0",
        ),
        (
            json!({ "name": "a", "token": "t", "priority": "high" }),
            "clients[0].priority: expected \"normal\" or \"low\"",
        ),
        (
            json!({ "name": "a", "token": "t", "priority": 1 }),
            "clients[0].priority: expected a string, found a number",
        ),
        (
            json!({ "name": "a", "token": "t", "scopes": null }),
            "clients[0].scopes: expected a l",
        ),
        (
            json!({ "name": "a", "token": "t", "scopes": [] }),
            "clients[0].scopes: expected at le",
        ),
    ] {
        let fault = fault_of(client);
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn faults_of_scopes() {
    for (scope, expected) in [
        (json!(".*"), ": expected a mapping, found a string"),
        (json!({}), ": expected method, path or graphql"),
        (
            json!({ "method": ["GET"], "path": ".*" }),
            ".method: expected a string, found a list",
        ),
        (
            json!({ "method": "GET", "path": "(" }),
            ".path: not a valid regular expression: ",
        ),
        (
            json!({ "method": ")(", "path": ".*" }),
            ".method: not a valid regular expression: ",
        ),
        (
            json!({ "method": "GET", "path": "" }),
            ".path: expected a regular expression",
        ),
        (
            json!({ "graphql": "mutation" }),
            ".graphql: expected \"query\"",
        ),
        (
            json!({ "graphql": true }),
            ".graphql: expected a string, found a boolean",
        ),
        (
            json!({ "method": "GET", "path": ".*", "host": "x" }),
            ".host: unknown key, expected",
        ),
    ] {
        let fault = fault_of(json!({ "name": "a", "token": "t", "scopes": [
            { "method": "GET", "path": "/user" }, scope,
        ] }));
        let fault = fault.strip_prefix("clients[0].scopes[1]").expect(&fault);
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn names_and_tokens_are_unique_across_all_clients() {
    let digest = hex::encode(token_digest(b"t"));
    let errors = read_clients(json!([
        { "name": "a", "token": "t" },
        { "name": "a", "token": "u" },
        { "name": "b", "token_sha256": digest },
        { "name": "c", "tokens": [{ "token": "v" }, { "token": "u" }, { "token": "v" }] },
    ]))
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "clients[1].name: the same name as clients[0].name",
            "clients[2].token_sha256: the same token as clients[0].token",
            "clients[3].tokens[1].token: the same token as clients[1].token",
            "clients[3].tokens[2].token: the same token as clients[3].tokens[0].token",
        ]
        .map(String::from)
    );
}

#[test]
fn a_document_without_a_version_is_of_version_1() {
    let registry = from_document(&json!({ "clients": [] }), &["default"]);
    assert!(registry.unwrap().clients().is_empty());
}

#[test]
fn faults_of_the_document() {
    for (document, expected) in [
        (
            json!(null),
            "(top level): expected a mapping, found nothing (null)",
        ),
        (json!({ "version": 1 }), "clients: missing"),
        (json!({}), "clients: missing"),
        (
            json!({ "version": 2, "clients": [] }),
            "version: expected 1, found 2",
        ),
        (
            json!({ "version": "1", "clients": [] }),
            "version: expected 1, found a string",
        ),
        (
            json!({ "version": 1, "clients": {} }),
            "clients: expected a list, found a mapping",
        ),
        (
            json!({ "version": 1, "clients": [], "H+hYxlecgRq7yfmhq2COlJk7tpSw=": 1 }),
            "(a key): unknown key, expected one of: version, clients",
        ),
    ] {
        let errors = from_document(&document, &["default"]).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].to_string().starts_with(expected), "{}", errors[0]);
    }
}

#[test]
fn a_client_needs_a_pool_with_a_credential() {
    let document = document(json!([{ "name": "a", "token": "t" }]));
    let errors = from_document(&document, &["ci"]).unwrap_err();
    assert_eq!(errors[0].path, "clients[0]");
    assert!(from_document(&document, &["ci", "default"]).is_ok());
}

#[test]
fn a_registry_without_plain_tokens_lets_the_same_clients_in() {
    let plain = document(json!([
        { "name": "a", "token": "t", "scopes": [{ "method": "GET", "path": "/token" }] },
        { "name": "b", "tokens": [{ "token": "u", "expires": "2030-01-31" }, { "token": "v" }] },
    ]));
    let hashed = without_tokens(&plain);
    for key in ["\"token\"", "\"t\"", "\"u\"", "\"v\""] {
        assert!(!hashed.to_string().contains(key), "{hashed}");
    }
    let clients = from_document(&hashed, &["default"]).unwrap();
    for (token, who) in [("t", "a"), ("u", "b"), ("v", "b"), ("w", "bad")] {
        assert_eq!(name(clients.authenticate(token.as_bytes(), 0)), who);
    }
    assert_eq!(without_tokens(&hashed), hashed);
}

#[test]
fn no_fault_shows_a_token() {
    let secret = "S3CR3T";
    let bad = format!("{secret} {secret}");
    let errors = read_clients(json!([
        { "name": format!("{secret}/"), "token": bad },
        { "name": "b", "token_sha256": secret, "pool": secret },
        { "name": "c", "tokens": [{ "token": "t", "expires": secret }, secret] },
        { "name": "d", "token": "t", format!("{secret}="): 1, "scopes": [secret] },
    ]))
    .unwrap_err();
    assert!(errors.len() == 8, "{errors:#?}");
    assert!(
        errors.iter().all(|error| !error.contains(secret)),
        "{errors:#?}"
    );
}
