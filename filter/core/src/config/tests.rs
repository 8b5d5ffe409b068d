use serde_json::json;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn environment(variable: &str) -> Option<String> {
    match variable {
        "GITHUB_PAT_BOT_1" => Some("ghp_one".to_owned()),
        "GITHUB_PAT_BOT_2" => Some(" ghp_two\n".to_owned()),
        _ => None,
    }
}

fn minimal() -> Value {
    json!({
        "upstream": { "authority": "api.github.com" },
        "clients": [{ "name": "test", "token": "secret-token" }],
        "credentials": [{ "name": "BOT_1", "pat_env": "GITHUB_PAT_BOT_1" }],
    })
}

/// The minimal configuration with the value at the JSON pointer's place replaced or added.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = minimal();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[key] = value;
    config
}

fn read(config: &Value) -> Result<Config, Vec<String>> {
    Config::from_json(config.to_string().as_bytes(), environment)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The one fault of a configuration.
fn fault(config: &Value) -> String {
    let mut errors = read(config).expect_err("a fault");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

#[test]
fn defaults_fill_what_is_left_out() {
    let config = read(&minimal()).unwrap();
    assert_eq!(
        config.upstream,
        Upstream::new(Place {
            authority: "api.github.com".to_owned(),
            base_path: String::new(),
            cluster: "github".to_owned(),
        })
    );
    assert_eq!(config.cache, Cache::default());
    assert_eq!(config.cache.ttl_seconds, 3600);
    assert_eq!(config.cache.memory_bytes, 134_217_728);
    assert_eq!(config.cache.max_entry_bytes, 4_194_304);
    assert_eq!(config.cache.serve_fresh_seconds, 0);
    assert_eq!(config.cache.stale_if_error_seconds, 3600);
    assert_eq!(config.cache.cluster, None);
    assert_eq!(config.cache.timeout_milliseconds, 500);
    assert_eq!(config.credentials[0].pool, "default");
    assert_eq!(config.pool.rate_poll_seconds, 60);
    assert_eq!(config.pool.token_padding_minutes, 10);
    assert_eq!(config.pool.low_priority_reserve_percent, 20);
    assert_eq!(config.clients.clients()[0].pool, "default");
}

#[test]
fn a_full_configuration_is_read() {
    let mut full = minimal();
    full["upstream"] = json!({
        "authority": "GitHub.example.com:8443", "base_path": "/api/v3/", "cluster": "ghes",
        "uploads": { "authority": "Files.example.com", "base_path": "/in", "cluster": "files" },
    });
    full["cache"] = json!({
        "ttl_seconds": 60.0, "memory_bytes": 0, "max_entry_bytes": 1, "serve_fresh_seconds": 5,
        "stale_if_error_seconds": 0, "cluster": "cache", "timeout_milliseconds": 10_000,
    });
    full["credentials"] = json!([
        { "name": "BOT_1", "pat_env": "GITHUB_PAT_BOT_1" },
        { "name": "BOT_2", "pat_env": "GITHUB_PAT_BOT_2", "pool": "ci" },
    ]);
    full["clients"][0]["pool"] = json!("ci");
    full["pool"] = json!({
        "rate_poll_seconds": 0, "token_padding_minutes": 60, "low_priority_reserve_percent": 90,
    });
    let config = read(&full).unwrap();
    assert_eq!(config.upstream.api.authority, "github.example.com:8443");
    assert_eq!(config.upstream.api.base_path, "/api/v3");
    assert_eq!(config.upstream.api.cluster, "ghes");
    let uploads = Place {
        authority: "files.example.com".to_owned(),
        base_path: "/in".to_owned(),
        cluster: "files".to_owned(),
    };
    assert_eq!(config.upstream.uploads, uploads);
    assert_eq!(config.cache.ttl_seconds, 60);
    assert_eq!(config.pool.rate_poll_seconds, 0);
    assert_eq!(config.pool.token_padding_minutes, 60);
    assert_eq!(config.pool.low_priority_reserve_percent, 90);
    assert_eq!(config.cache.cluster.as_deref(), Some("cache"));
    assert_eq!(config.clients.clients()[0].pool, "ci");
    let CredentialKind::Pat { token } = &config.credentials[1].kind else {
        panic!("a token");
    };
    assert_eq!(token.expose(), "ghp_two");
}

#[test]
fn authorities_and_base_paths() {
    for (authority, valid) in [
        ("localhost", true),
        ("127.0.0.1:1", true),
        ("[::1]", true),
        ("[::1]:65535", true),
        ("my_host.internal", true),
        ("", false),
        (":80", false),
        ("host:", false),
        ("host:0", false),
        ("host:65536", false),
        ("host:+1", false),
        ("::1", false),
        ("[::g]", false),
        ("user@host", false),
        ("https://api.github.com", false),
        ("api.github.com/api", false),
        ("a b", false),
        ("caf\u{e9}.fr", false),
    ] {
        let result = read(&with("/upstream/authority", json!(authority)));
        assert_eq!(result.is_ok(), valid, "{authority}");
    }
    for (base_path, normal) in [
        ("", Some("")),
        ("/", Some("")),
        ("/api/v3", Some("/api/v3")),
        ("/api/v3//", Some("/api/v3")),
        ("api/v3", None),
        ("//api", None),
        ("/a/../b", None),
        ("/a?b", None),
        ("/a%20b", None),
    ] {
        let config = read(&with("/upstream/base_path", json!(base_path)));
        let read = config.ok().map(|config| config.upstream.api.base_path);
        assert_eq!(read.as_deref(), normal, "{base_path}");
    }
}

#[test]
fn each_fault_names_its_path_and_what_is_expected() {
    for (pointer, value, expected) in [
        (
            "/upstream",
            json!([]),
            "upstream: expected a mapping, found a list",
        ),
        ("/upstream", json!({}), "upstream.authority: missing"),
        (
            "/upstream/host",
            json!("x"),
            "upstream.host: unknown key, expected one of: authority, base_path, cluster, uploads",
        ),
        (
            "/upstream/cluster",
            json!(""),
            "upstream.cluster: expected the name of an Envoy cluster",
        ),
        (
            "/caches",
            json!({}),
            "caches: unknown key, expected one of: upstream, cache",
        ),
        (
            "/cache",
            json!(null),
            "cache: expected a mapping, found nothing (null)",
        ),
        (
            "/cache",
            json!({ "ttl_seconds": 0 }),
            "cache.ttl_seconds: expected a whole number from 1 to 2592000, found 0",
        ),
        (
            "/cache",
            json!({ "ttl_seconds": "3600" }),
            "cache.ttl_seconds: expected a whole number from 1 to 2592000, found a string",
        ),
        (
            "/cache",
            json!({ "memory_bytes": -1 }),
            "cache.memory_bytes: expected a whole",
        ),
        (
            "/cache",
            json!({ "max_entry_bytes": 33_554_433 }),
            "cache.max_entry_bytes: expected",
        ),
        (
            "/cache",
            json!({ "timeout_milliseconds": 0.5 }),
            "cache.timeout_milliseconds: exp",
        ),
        (
            "/cache",
            json!({ "cluster": 7 }),
            "cache.cluster: expected a string, found a number",
        ),
        ("/pool", json!([]), "pool: expected a mapping, found a list"),
        (
            "/pool",
            json!({ "rate_poll": 1 }),
            "pool.rate_poll: unknown key, expected one of: rate_poll_seconds, token_padding_min",
        ),
        (
            "/pool",
            json!({ "rate_poll_seconds": 3601 }),
            "pool.rate_poll_seconds: expected a whole number from 0 to 3600, found 3601",
        ),
        (
            "/pool",
            json!({ "token_padding_minutes": 61 }),
            "pool.token_padding_minutes: expected a whole number from 0 to 60, found 61",
        ),
        (
            "/pool",
            json!({ "low_priority_reserve_percent": 91 }),
            "pool.low_priority_reserve_percent: expected a whole number from 0 to 90, found 91",
        ),
        (
            "/credentials",
            json!({}),
            "credentials: expected a list, found a mapping",
        ),
        (
            "/credentials",
            json!([]),
            "credentials: expected at least one credential",
        ),
        (
            "/credentials/0",
            json!({ "pat_env": "GITHUB_PAT_BOT_1" }),
            "credentials[0].name: mis",
        ),
    ] {
        let config = with_item(pointer, value);
        let fault = fault(&config);
        assert!(fault.starts_with(expected), "{fault}");
    }
}

/// Like [`with`], for a pointer whose last part may be an index.
fn with_item(pointer: &str, value: Value) -> Value {
    let mut config = minimal();
    match config.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => return with(pointer, value),
    }
    config
}

#[test]
fn all_faults_are_found_in_one_go() {
    let config = json!({
        "upstream": { "authority": "", "port": 1 },
        "cache": { "ttl_seconds": 0, "timeout_milliseconds": 0 },
        "clients": [{ "name": "-" }, 7, { "name": "ok", "token": 1234 }],
        "credentials": [{ "name": "", "pat_env": "GITHUB_PAT_NONE" }],
    });
    let errors = read(&config).unwrap_err();
    let paths: Vec<_> = errors
        .iter()
        .map(|error| error.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "upstream.port",
            "upstream.authority",
            "cache.ttl_seconds",
            "cache.timeout_milliseconds",
            "clients[0].name",
            "clients[0]",
            "clients[1]",
            "clients[2].token",
            "credentials[0].name",
            "credentials[0].pat_env",
        ]
    );
}

#[test]
fn unreadable_documents() {
    for (json, expected) in [
        ("", "(top level): not valid JSON: EOF"),
        ("{", "(top level): not valid JSON: EOF"),
        (
            "{} x",
            "(top level): not valid JSON: trailing characters at line 1 column 4",
        ),
        ("[]", "(top level): expected a mapping, found a list"),
        (
            "{\"cache\": {\"cluster\": \"a\", \"cluster\": \"b\"}}",
            "(top level): not valid JSON: cluster occurs twice in one mapping at line 1",
        ),
    ] {
        let errors = Config::from_json(json.as_bytes(), environment).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with(expected), "{}", errors[0]);
    }
    let top = read(&json!({})).unwrap_err();
    assert_eq!(
        top,
        [
            "upstream: missing",
            "credentials: missing",
            "clients: missing"
        ]
        .map(String::from)
    );
}

#[test]
fn the_reference_names_every_key() {
    let reference = include_str!("../../../../docs/configuration.md");
    let mut config = minimal();
    config["cache"] = json!({});
    config["pool"] = json!({});
    config["rewrite"] = json!({});
    config["clients"][0]["scopes"] = json!([{}]);
    let rotating = json!({ "name": "rotating", "tokens": [{}] });
    config["clients"].as_array_mut().unwrap().push(rotating);
    for place in [
        "",
        "/upstream",
        "/cache",
        "/pool",
        "/rewrite",
        "/credentials/0",
        "/clients/0",
        "/clients/0/scopes/0",
        "/clients/1/tokens/0",
    ] {
        let mut config = config.clone();
        config.pointer_mut(place).unwrap()["unknown"] = json!(1);
        let errors = read(&config).unwrap_err();
        let known = errors
            .iter()
            .find_map(|error| error.split_once("unknown key, expected one of: "))
            .expect("an unknown key");
        for key in known.1.split(", ") {
            assert!(reference.contains(&format!("`{key}`")), "{place}: {key}");
        }
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let output = format!("{:?}", read(&minimal()).unwrap());
    assert!(
        !output.contains("ghp_one") && !output.contains("secret-token"),
        "{output}"
    );
}
