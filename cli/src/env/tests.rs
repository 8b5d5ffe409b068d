use super::*;

fn settings(pairs: &[(&str, &str)]) -> Result<Settings, Faults> {
    Settings::read(&Variables::new(pairs.iter().copied()))
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    let faults = settings(pairs).expect_err("refused");
    faults.lines().to_vec()
}

#[test]
fn an_empty_environment_means_github_in_memory_and_no_credential() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.upstream.authority(), "api.github.com");
    assert!(settings.upstream.tls && !settings.upstream_is_set);
    assert_eq!(settings.backend, Backend::Memory);
    assert_eq!(settings.cache, CacheBounds::default());
    assert!(settings.credentials.is_empty() && settings.notices.is_empty());
}

#[test]
fn the_upstream_is_read_with_its_port_and_path() {
    for (url, tls, port, authority, base_path) in [
        ("https://api.github.com", true, 443, "api.github.com", ""),
        ("https://api.github.com/", true, 443, "api.github.com", ""),
        (
            "https://API.GitHub.com:443",
            true,
            443,
            "api.github.com",
            "",
        ),
        (
            "https://ghes.example/api/v3",
            true,
            443,
            "ghes.example",
            "/api/v3",
        ),
        (
            "https://ghes.example:8443/api/v3/",
            true,
            8443,
            "ghes.example:8443",
            "/api/v3",
        ),
        ("http://127.0.0.1:3000", false, 3000, "127.0.0.1:3000", ""),
        ("http://ghes.example", false, 80, "ghes.example", ""),
        (
            "HTTPS://[2001:DB8::1]:8443",
            true,
            8443,
            "[2001:db8::1]:8443",
            "",
        ),
        ("https://[::1]/x", true, 443, "[::1]", "/x"),
    ] {
        let upstream = settings(&[(API_URL, url)]).unwrap().upstream;
        let read = (upstream.tls, upstream.address.port, upstream.authority());
        assert_eq!(read, (tls, port, authority.to_owned()), "{url}");
        assert_eq!(upstream.base_path, base_path, "{url}");
    }
}

#[test]
fn uploads_are_where_githubs_are_unless_it_is_said() {
    for (api, given, expected) in [
        ("https://api.github.com", None, "uploads.github.com"),
        ("https://api.acme.ghe.com", None, "uploads.acme.ghe.com"),
        (
            "https://ghes.example/api/v3",
            None,
            "ghes.example/api/uploads",
        ),
        ("http://127.0.0.1:3000", None, "127.0.0.1:3000"),
        ("https://api.example.com", None, "api.example.com"),
        (
            "https://api.github.com",
            Some("http://files:81/in/"),
            "files:81/in",
        ),
        ("http://a:80/api/v3", Some("http://a/other"), "a/other"),
    ] {
        let mut pairs = vec![(API_URL, api)];
        pairs.extend(given.map(|url| (UPLOADS_URL, url)));
        let uploads = settings(&pairs).unwrap().uploads;
        let read = format!("{}{}", uploads.authority(), uploads.base_path);
        assert_eq!(read, expected, "{api} {given:?}");
    }
    for wrong in ["ftp://x", "", "http://api.github.com"] {
        let faults = settings(&[(UPLOADS_URL, wrong)]).expect_err("a fault");
        assert!(faults.to_string().starts_with(UPLOADS_URL), "{faults}");
    }
}

#[test]
fn a_bad_upstream_is_refused_without_being_quoted() {
    for url in [
        "",
        "api.github.com",
        "ftp://api.github.com",
        "https://",
        "https://:443",
        "https://host:0",
        "https://host:65536",
        "https://host:+1",
        "https://host:443x",
        "https://hunter2:x@host",
        "https://host/hunter2?a=b",
        "https://host/a/../b",
        "https://host//a",
        "https://host/#hunter2",
        "https://ho st/",
        "https://[::1",
        "https://[hunter2]",
    ] {
        let faults = faults(&[(API_URL, url)]);
        assert_eq!(faults.len(), 1, "{url}");
        assert!(
            faults[0].starts_with("GITHUB_API_URL: expected http://HOST"),
            "{url}"
        );
        assert!(!faults[0].contains("hunter2"), "{url}");
    }
}

#[test]
fn the_backend_is_read_with_user_password_and_database() {
    let redis = |url: &str| match settings(&[("CACHE_BACKEND_URL", url)]).unwrap().backend {
        Backend::Redis(redis) => (
            redis.tls,
            redis.address.to_string(),
            redis.user,
            redis.password.map(|password| password.expose().to_owned()),
            redis.database,
        ),
        other => panic!("{url}: {other:?}"),
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        redis("redis://cache"),
        (false, "cache:6379".into(), None, None, 0)
    );
    assert_eq!(
        redis("redis://cache:7000/3"),
        (false, "cache:7000".into(), None, None, 3)
    );
    assert_eq!(
        redis("rediss://[::1]:7000/"),
        (true, "[::1]:7000".into(), None, None, 0)
    );
    assert_eq!(
        redis("rediss://:p%40ss@cache/15"),
        (true, "cache:6379".into(), None, some("p@ss"), 15)
    );
    // A password may hold what would end it elsewhere in a URL.
    assert_eq!(
        redis("redis://app:a/b@c:d#e@cache"),
        (
            false,
            "cache:6379".into(),
            some("app"),
            some("a/b@c:d#e"),
            0
        )
    );
    let webdis = settings(&[("CACHE_BACKEND_URL", "webdis+http://webdis:7379/")]).unwrap();
    let address = HostPort {
        host: "webdis".to_owned(),
        port: 7379,
    };
    assert_eq!(webdis.backend, Backend::Webdis(address));
    assert_eq!(
        settings(&[("CACHE_BACKEND_URL", "inmemory://")])
            .unwrap()
            .backend,
        Backend::Memory
    );
}

#[test]
fn a_bad_backend_is_refused_without_being_quoted() {
    for url in [
        "",
        "inmemory",
        "inmemory://hunter2",
        "memcached://host",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@host/x",
        "redis://:hunter2@host/70000",
        "redis://:hunter2@host:port",
        "redis://:hunter2%0d%0a@host",
        "redis://hunter2@host",
        "webdis+http://",
        "webdis+http://hunter2@host:7379",
        "webdis+http://host:7379/hunter2",
        "webdis+https://host:7379",
    ] {
        let faults = faults(&[("CACHE_BACKEND_URL", url)]);
        assert_eq!(faults.len(), 1, "{url}");
        assert!(
            faults[0].starts_with("CACHE_BACKEND_URL: expected inmemory://"),
            "{url}"
        );
        assert!(!faults[0].contains("hunter2"), "{url}");
    }
}

#[test]
fn numbers_are_whole_and_within_their_bounds() {
    let cache = settings(&[
        ("CACHE_TTL", "60"),
        ("CACHE_MEMORY_BYTES", "0"),
        ("CACHE_MAX_ENTRY_BYTES", " 1024 "),
        ("CACHE_SERVE_FRESH", "5"),
        ("CACHE_STALE_IF_ERROR", "0"),
    ]);
    let expected = CacheBounds {
        ttl_seconds: Some(60),
        memory_bytes: Some(0),
        max_entry_bytes: Some(1024),
        serve_fresh_seconds: Some(5),
        stale_if_error_seconds: Some(0),
    };
    assert_eq!(cache.unwrap().cache, expected);
    for value in [
        "",
        "0",
        "-1",
        "+1",
        "1.5",
        "1h",
        "0x10",
        "2592001",
        "99999999999999999999",
    ] {
        let expected = "CACHE_TTL: expected a whole number of seconds from 1 to 2592000";
        assert_eq!(faults(&[("CACHE_TTL", value)]), [expected], "{value}");
    }
}

#[test]
fn the_pool_has_settings_of_its_own() {
    let pool = settings(&[
        ("GITHUB_RATE_POLL_INTERVAL", "0"),
        ("GITHUB_CREDS_CACHE_TTL_PADDING", "60"),
        ("LOW_PRIORITY_RESERVE_PERCENT", "90"),
    ]);
    let expected = PoolSettings {
        rate_poll_seconds: Some(0),
        token_padding_minutes: Some(60),
        low_priority_reserve_percent: Some(90),
    };
    assert_eq!(pool.unwrap().pool, expected);
    for (name, value, expected) in [
        (
            "GITHUB_RATE_POLL_INTERVAL",
            "3601",
            "seconds from 0 to 3600",
        ),
        (
            "GITHUB_CREDS_CACHE_TTL_PADDING",
            "61",
            "minutes from 0 to 60",
        ),
        ("LOW_PRIORITY_RESERVE_PERCENT", "91", "percent from 0 to 90"),
        (
            "LOW_PRIORITY_RESERVE_PERCENT",
            "20%",
            "percent from 0 to 90",
        ),
    ] {
        let expected = format!("{name}: expected a whole number of {expected}");
        assert_eq!(faults(&[(name, value)]), [expected]);
    }
}

#[test]
fn every_fault_is_found_at_once() {
    let faults = faults(&[
        (API_URL, "x"),
        ("CACHE_BACKEND_URL", "x"),
        ("CACHE_TTL", "x"),
        (REGISTRY_FILE, ""),
        ("GITHUB_PAT_A", ""),
        ("GITHUB_PAT_B", "two words"),
    ]);
    let names: Vec<_> = faults
        .iter()
        .filter_map(|fault| fault.split(':').next())
        .collect();
    let expected = [
        "GITHUB_API_URL",
        "CACHE_BACKEND_URL",
        "CACHE_TTL",
        "CLIENT_REGISTRY_FILE_PATH",
        "GITHUB_PAT_A",
        "GITHUB_PAT_B",
    ];
    assert_eq!(names, expected);
    assert!(!faults.concat().contains("two words"));
}

#[test]
fn settings_without_effect_are_said_to_have_none() {
    let notices = settings(&[
        ("GITHUB_CREDS_CACHE_MAXSIZE", "10"),
        ("TELEMETRY_COLLECTOR_TYPE", "noop"),
    ])
    .unwrap()
    .notices;
    let expected = [
        "GITHUB_CREDS_CACHE_MAXSIZE is accepted and has no effect",
        "TELEMETRY_COLLECTOR_TYPE is accepted and has no effect",
    ];
    assert_eq!(notices, expected);
}

#[test]
fn text_that_is_not_utf_8_is_a_fault_in_our_variables_only() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = || std::ffi::OsString::from_vec(vec![0xff]);
    let variables = Variables::new([("GITHUB_PAT_A", bytes()), ("LESSOPEN", bytes())]);
    let faults = Settings::read(&variables).expect_err("refused");
    assert_eq!(faults.lines(), ["GITHUB_PAT_A: expected UTF-8 text"]);
}

#[test]
fn debug_output_shows_no_secret() {
    let variables = Variables::new([
        ("GITHUB_PAT_A", "hunter2"),
        ("CACHE_BACKEND_URL", "redis://:hunter2@cache"),
    ]);
    let shown = format!("{variables:?} {:?}", Settings::read(&variables));
    assert!(
        shown.contains("GITHUB_PAT_A") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn a_public_url_is_scheme_and_host_and_nothing_else() {
    let read = |url: &str| settings(&[("PUBLIC_URL", url)]).unwrap().rewrite.public_url;
    let host = "https://github-proxy.example.com";
    assert_eq!(read(host).as_deref(), Some(host));
    assert_eq!(read(&format!("{host}/")).as_deref(), Some(host));
    assert_eq!(
        read("http://[::1]:8080").as_deref(),
        Some("http://[::1]:8080")
    );
    for url in [
        "",
        "github-proxy.example.com",
        "ftp://a",
        "https://",
        "https://a:b",
        "https://a/b",
        "https://a@b",
    ] {
        let expected = "PUBLIC_URL: expected scheme, host and optional port, such as \
                        https://github-proxy.example.com";
        assert_eq!(faults(&[("PUBLIC_URL", url)]), [expected], "{url}");
    }
}

#[test]
fn the_file_of_authorities_is_looked_into_only_where_something_needs_it() {
    let pat = ("GITHUB_PAT_A", "x");
    let http = ("GITHUB_API_URL", "http://127.0.0.1:1");
    let redis = ("CACHE_BACKEND_URL", "rediss://cache");
    let folder = tempfile::tempdir().unwrap();
    let file = |content: &str| {
        let path = folder.path().join("authorities.pem");
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let check = |path: &str, others: &[(&str, &str)]| {
        let pairs = [&[(authorities::VARIABLE, path)], others].concat();
        authorities::check(&settings(&pairs).unwrap())
    };
    assert_eq!(check("/nowhere", &[]), Ok(()), "the simulator has no TLS");
    assert_eq!(check("/nowhere", &[pat, http]), Ok(()));
    assert_eq!(check("", &[pat]), Ok(()), "as good as unset");
    for others in [&[pat][..], &[redis], &[pat, http, redis]] {
        let fault = check("/nowhere", others).unwrap_err().to_string();
        let expected = "SSL_CERT_FILE: /nowhere: cannot be read: ";
        assert!(fault.starts_with(expected), "{fault}");
    }
    for content in ["", "no certificate"] {
        let path = file(content);
        let fault = check(&path, &[pat]).unwrap_err().to_string();
        let expected = format!("SSL_CERT_FILE: {path}: expected certificates in PEM");
        assert!(fault.starts_with(&expected), "{fault}");
    }
    let path = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_eq!(check(&path, &[pat]), Ok(()));
}
