mod stats_tags;

use std::collections::BTreeMap;

use super::*;
use crate::env::Variables;

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let credentials = [("GITHUB_PAT_A", "ghp_a"), ("GITHUB_PAT_B.C-d", "ghp_b")];
    let pairs = pairs.iter().copied().chain(credentials);
    Settings::read(&Variables::new(pairs)).unwrap()
}

fn placement() -> Placement {
    Placement {
        listen: "127.0.0.1:8080".parse().unwrap(),
        admin: "[::1]:9901".parse().unwrap(),
        admin_hosts: vec!["ops.example.com".to_owned()],
        concurrency: None,
        module: PathBuf::from("/opt/a \"quoted\" {{ path }}.wasm"),
        webdis: "127.0.0.1:7379".parse().unwrap(),
        reload_from: None,
        access_log: None,
        tls: None,
        tls_secret: None,
    }
}

/// Text that would break out of a careless template.
fn plugin() -> Value {
    json!({
        "credentials": [{ "pat_env": "GITHUB_PAT_A" }, { "pat_env": "GITHUB_PAT_B.C-d" }],
        "clients": [{ "name": "a", "scopes": [{ "path": "/x\n: '\"{{ 1 }}#" }] }],
    })
}

fn parsed(text: &str) -> Value {
    let document = yaml::load(text).unwrap();
    assert_eq!(document.errors, []);
    document.value
}

fn bootstrap(settings: &Settings, placement: &Placement) -> Value {
    parsed(
        &EnvoyConfig::new(settings, placement, plugin())
            .bootstrap()
            .unwrap(),
    )
}

/// The clusters of the filter's own.
fn clusters(bootstrap: &Value) -> Vec<Value> {
    let all = bootstrap["static_resources"]["clusters"]
        .as_array()
        .unwrap();
    let own = |cluster: &&Value| cluster["name"] != "github_proxy_admin";
    all.iter().filter(own).cloned().collect()
}

fn filters(bootstrap: &Value) -> BTreeMap<String, Value> {
    let filters = bootstrap.pointer(HCM).unwrap()["http_filters"]
        .as_array()
        .unwrap();
    let named = |filter: &Value| (filter["name"].as_str().unwrap().to_owned(), filter.clone());
    filters.iter().map(named).collect()
}

/// Envoy reads the files; their content has no place in a configuration.
#[test]
fn a_certificate_is_named_and_changes_nothing_else() {
    let settings = settings(&[]);
    let chain = |placement: &Placement| {
        let bootstrap = bootstrap(&settings, placement);
        let chain = bootstrap.pointer("/static_resources/listeners/0/filter_chains/0");
        chain.unwrap().clone()
    };
    let mut placement = placement();
    let plain = chain(&placement);
    assert_eq!(plain.get("transport_socket"), None);
    let (certificate, key) = ("/etc/a \"quoted\" {{ name }}.pem", "server.key");
    placement.tls = TlsFiles::of(Some(Path::new(certificate)), Some(Path::new(key))).unwrap();
    let secured = chain(&placement);
    let tls = secured
        .pointer("/transport_socket/typed_config/common_tls_context")
        .unwrap();
    let files = json!([{
        "certificate_chain": { "filename": certificate },
        "private_key": { "filename": key },
    }]);
    assert_eq!(tls["tls_certificates"], files);
    assert_eq!(tls["alpn_protocols"], json!(["h2", "http/1.1"]));
    assert_eq!(secured["filters"], plain["filters"]);
}

#[test]
fn the_filter_gets_its_configuration_module_and_variables() {
    let bootstrap = bootstrap(&settings(&[]), &placement());
    let config = &filters(&bootstrap)["github_proxy"]["typed_config"]["config"];
    let given: Value =
        serde_json::from_str(config["configuration"]["value"].as_str().unwrap()).unwrap();
    assert_eq!(given, plugin());
    assert_eq!(config["failure_policy"], "FAIL_RELOAD");
    let vm = &config["vm_config"];
    assert_eq!(vm["vm_id"], "github-proxy");
    assert_eq!(
        vm["code"]["local"]["filename"],
        placement().module.to_str().unwrap()
    );
    let variables = &vm["environment_variables"];
    assert_eq!(
        *variables,
        json!({ "host_env_keys": ["GITHUB_PAT_A", "GITHUB_PAT_B.C-d"] })
    );
}

#[test]
fn the_filters_stand_in_the_order_that_the_filter_needs() {
    let bootstrap = bootstrap(&settings(&[]), &placement());
    let filters = bootstrap.pointer(HCM).unwrap()["http_filters"]
        .as_array()
        .unwrap();
    let names: Vec<_> = filters
        .iter()
        .map(|filter| filter["name"].as_str().unwrap())
        .collect();
    let expected = [
        "envoy.filters.http.compressor",
        "github_proxy",
        "envoy.filters.http.lua",
        "envoy.filters.http.decompressor",
        "envoy.filters.http.router",
    ];
    assert_eq!(names, expected);
}

#[test]
fn addresses_are_where_they_were_put() {
    let bootstrap = bootstrap(&settings(&[]), &placement());
    let address = |pointer: &str| bootstrap.pointer(pointer).unwrap()["socket_address"].clone();
    let listen = address("/static_resources/listeners/0/address");
    assert_eq!(
        listen,
        json!({ "address": "127.0.0.1", "port_value": 8080 })
    );
    assert_eq!(
        address("/static_resources/listeners/1/address"),
        json!({ "address": "::1", "port_value": 9901 })
    );
}

/// The status page has a place of its own beside Envoy's admin interface, which nothing else
/// leads to; clients come in elsewhere.
#[test]
fn operators_come_in_where_the_filter_knows_them() {
    let bootstrap = bootstrap(&settings(&[]), &placement());
    let listeners = &bootstrap["static_resources"]["listeners"];
    let chains = |listener: usize| listeners[listener]["filter_chains"].clone();
    let admin = &chains(1)[0];
    assert_eq!(admin["name"], github_proxy_core::status::FILTER_CHAIN);
    assert_eq!(chains(0)[0]["name"], Value::Null);
    let manager = &admin["filters"][0]["typed_config"];
    let guard = &manager["http_filters"][0]["typed_config"]["default_source_code"];
    let script = guard["inline_string"].as_str().unwrap();
    assert!(script.contains(r#"["ops.example.com"] = true"#), "{script}");
    assert_eq!(
        manager["http_filters"][1],
        filters(&bootstrap)["github_proxy"]
    );
    let socket = json!({ "pipe": { "path": "@github-proxy-admin-[::1]:9901" } });
    assert_eq!(bootstrap["admin"]["address"], socket);
    let clusters = bootstrap["static_resources"]["clusters"].as_array();
    let cluster = clusters.unwrap().last().unwrap();
    let endpoint = cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint");
    assert_eq!(endpoint.unwrap()["address"], socket);
}

#[test]
fn github_is_reached_over_verified_tls() {
    let bootstrap = bootstrap(
        &settings(&[("GITHUB_API_URL", "https://ghes.example:8443/api/v3")]),
        &placement(),
    );
    let cluster = &bootstrap["static_resources"]["clusters"][0];
    assert_eq!(cluster["name"], "github");
    assert_eq!(cluster["cluster_type"]["name"], "envoy.clusters.dns");
    let tls = &cluster["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "ghes.example");
    let context = &tls["common_tls_context"];
    assert_eq!(
        context["tls_params"]["tls_minimum_protocol_version"],
        "TLSv1_2"
    );
    let validation = &context["validation_context"];
    assert_eq!(
        validation["trusted_ca"]["filename"],
        authorities::bundle(None).to_str().unwrap()
    );
    let names = json!([{ "san_type": "DNS", "matcher": { "exact": "ghes.example" } }]);
    assert_eq!(validation["match_typed_subject_alt_names"], names);
}

#[test]
fn an_upstream_by_address_and_without_tls_needs_neither_dns_nor_certificates() {
    let plain = bootstrap(
        &settings(&[("GITHUB_API_URL", "http://127.0.0.1:3000")]),
        &placement(),
    );
    let cluster = &plain["static_resources"]["clusters"][0];
    assert_eq!(cluster["type"], "STATIC");
    assert!(cluster.get("transport_socket").is_none());
    let tls = bootstrap(
        &settings(&[("GITHUB_API_URL", "https://[::1]")]),
        &placement(),
    );
    let context = &tls["static_resources"]["clusters"][0]["transport_socket"]["typed_config"];
    assert!(
        context.get("sni").is_none(),
        "an address is no server name (RFC 6066 §3)"
    );
    let names =
        &context["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"];
    assert_eq!(
        *names,
        json!([{ "san_type": "IP_ADDRESS", "matcher": { "exact": "::1" } }])
    );
}

/// Only what the filter gave the host of the uploads goes there; a GitHub that has them on the
/// same host needs neither cluster nor route.
#[test]
fn uploads_have_a_cluster_and_a_route_where_their_host_is_another() {
    let of = |api: &str| {
        let bootstrap = bootstrap(&settings(&[("GITHUB_API_URL", api)]), &placement());
        let hosts = &bootstrap.pointer(HCM).unwrap()["route_config"]["virtual_hosts"];
        let routes = hosts[0]["routes"].as_array().unwrap().clone();
        (routes, clusters(&bootstrap))
    };
    let (routes, clusters) = of("https://api.github.com");
    let host = json!([{ "name": ":authority", "string_match": { "exact": "uploads.github.com" } }]);
    assert_eq!(routes[0]["match"]["headers"], host);
    assert_eq!(routes[0]["route"]["cluster"], "github-uploads");
    assert_eq!(routes[1]["route"]["cluster"], "github");
    let tls = &clusters[1]["transport_socket"]["typed_config"];
    assert_eq!(
        (&clusters[1]["name"], &tls["sni"]),
        (&json!("github-uploads"), &json!("uploads.github.com"))
    );
    let (routes, clusters) = of("https://ghes.example/api/v3");
    assert_eq!((routes.len(), clusters.len()), (1, 1));
}

#[test]
fn the_cache_cluster_is_there_when_the_cache_is_shared() {
    let clusters = |url: &str| {
        let github = ("GITHUB_API_URL", "https://ghes.example/api/v3");
        let settings = settings(&[github, ("CACHE_BACKEND_URL", url)]);
        let bootstrap = bootstrap(&settings, &placement());
        self::clusters(&bootstrap)
    };
    assert_eq!(clusters("inmemory://").len(), 1);
    for (url, kind, host, port) in [
        ("redis://redis:6379", "STATIC", "127.0.0.1", 7379),
        ("webdis+http://webdis:80", "STRICT_DNS", "webdis", 80),
    ] {
        let cluster = &clusters(url)[1];
        assert_eq!(
            (&cluster["name"], &cluster["type"]),
            (&json!("cache"), &json!(kind))
        );
        assert_eq!(cluster["lb_policy"], "MAGLEV");
        let endpoint = cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint");
        let address = json!({ "address": host, "port_value": port });
        assert_eq!(endpoint.unwrap()["address"]["socket_address"], address);
    }
}

#[test]
fn the_reload_file_holds_what_the_bootstrap_starts_with() {
    let placement = Placement {
        reload_from: Some(PathBuf::from("/run/github-proxy/ecds/filter.json")),
        ..placement()
    };
    let settings = settings(&[]);
    let discovery = &filters(&bootstrap(&settings, &placement))["github_proxy"]["config_discovery"];
    let source = &discovery["config_source"]["path_config_source"];
    assert_eq!(source["path"], "/run/github-proxy/ecds/filter.json");
    assert_eq!(
        source["watched_directory"]["path"],
        "/run/github-proxy/ecds"
    );
    let ecds = EnvoyConfig::new(&settings, &placement, plugin())
        .ecds("7")
        .unwrap();
    let ecds: Value = serde_json::from_str(&ecds).unwrap();
    assert_eq!(ecds["version_info"], "7");
    assert_eq!(ecds["resources"][0]["name"], "github_proxy");
    assert_eq!(
        ecds["resources"][0]["typed_config"],
        discovery["default_config"]
    );
}

#[test]
fn the_filter_alone_is_the_bootstraps_entry() {
    let (settings, placement) = (settings(&[]), placement());
    let alone = EnvoyConfig::new(&settings, &placement, plugin())
        .filter()
        .unwrap();
    assert_eq!(
        parsed(&alone),
        filters(&bootstrap(&settings, &placement))["github_proxy"]
    );
}

#[test]
fn istio_gets_the_same_configuration() {
    let (settings, placement) = (
        settings(&[("CACHE_BACKEND_URL", "redis://redis")]),
        placement(),
    );
    let config = EnvoyConfig::new(&settings, &placement, plugin());
    let filter = parsed(&config.envoy_filter().unwrap());
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    let bootstrap = bootstrap(&settings, &placement);
    let values = |kind: &str| -> Vec<Value> {
        let of_kind = patches.iter().filter(|patch| patch["applyTo"] == kind);
        of_kind
            .map(|patch| patch["patch"]["value"].clone())
            .collect()
    };
    assert_eq!(
        values("HTTP_FILTER"),
        [filters(&bootstrap)["github_proxy"].clone()]
    );
    assert_eq!(values("CLUSTER"), clusters(&bootstrap));
    let mut routes = values("HTTP_ROUTE");
    routes.reverse(); // Each goes before what is there.
    let routes: Vec<_> = routes.iter().map(|route| &route["match"]).collect();
    let own = bootstrap.pointer(HCM).unwrap()["route_config"]["virtual_hosts"][0]["routes"].clone();
    let own: Vec<_> = own
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["match"])
        .collect();
    assert_eq!(routes, own);
    let resources = config.wasm_plugin().unwrap();
    let mut resources = resources.split("\n---\n").map(parsed);
    let wasm_plugin = resources.next().unwrap();
    assert_eq!(wasm_plugin["kind"], "WasmPlugin");
    assert_eq!(wasm_plugin["spec"]["pluginConfig"], plugin());
    let env = json!([
        { "name": "GITHUB_PAT_A", "valueFrom": "HOST" },
        { "name": "GITHUB_PAT_B.C-d", "valueFrom": "HOST" },
    ]);
    assert_eq!(wasm_plugin["spec"]["vmConfig"]["env"], env);
    let resources: Vec<_> = resources.collect();
    let kinds: Vec<_> = resources.iter().map(|it| it["kind"].clone()).collect();
    let both = ["ServiceEntry", "DestinationRule"];
    let way_in = ["Gateway", "VirtualService"];
    assert_eq!(kinds, [way_in, both, both, both].concat());
    let entries = resources.iter().filter(|it| it["kind"] == "ServiceEntry");
    let entries: Vec<_> = entries.map(|it| it["spec"].clone()).collect();
    assert_eq!(entries[0]["hosts"], json!(["api.github.com"]));
    assert_eq!(entries[1]["hosts"], json!(["uploads.github.com"]));
    // Webdis is at an address here, for which a service needs a name.
    assert_eq!(entries[2]["hosts"], json!(["cache.github-proxy.internal"]));
    assert_eq!(entries[2]["endpoints"], json!([{ "address": "127.0.0.1" }]));
}
