"""What istiod makes of the printed objects: the configuration of a gateway's Envoy.

As far as these objects need it, and after Istio's reference documentation and its sources
(pilot/pkg/networking/core and pilot/pkg/model of 1.29). What a field of theirs comes to is here,
or it is an error: nothing that is printed goes untried. Two things differ from a real gateway: its
listener has no TLS, as no Secret is there, and resources come from files in place of istiod."""

import json

from envoys import TYPES, listener, manager

# Before what a WasmPlugin or an EnvoyFilter brings, as far as every Envoy has them.
OWN_FILTERS = [
    {"name": "envoy.filters.http.cors", "typed_config": {"@type": f"{TYPES}.filters.http.cors.v3.Cors"}},
    {"name": "envoy.filters.http.fault",
     "typed_config": {"@type": f"{TYPES}.filters.http.fault.v3.HTTPFault"}},
]
WASM = f"{TYPES}.filters.http.wasm.v3.Wasm"
HTTP_OPTIONS = f"{TYPES}.upstreams.http.v3.HttpProtocolOptions"
FAILURE_POLICIES = {"FAIL_CLOSE": "FAIL_CLOSED", "FAIL_OPEN": "FAIL_OPEN", "FAIL_RELOAD": "FAIL_RELOAD"}


def only(it, *fields):
    unknown = it.keys() - set(fields)
    assert not unknown, f"what comes of {unknown}?"
    return it


def cluster_name(host, port):
    return f"outbound|{port}||{host}"


def routes_of(virtual_service):
    spec = only(virtual_service["spec"], "hosts", "gateways", "exportTo", "http")
    return [route_of(it) for it in spec["http"]]


def route_of(http):
    only(http, "name", "match", "route", "retries", "headers")
    (target,) = http["route"]
    destination = only(target, "destination")["destination"]
    # Other attempts would be a retry policy.
    assert http["retries"] == {"attempts": 0}
    match = {"prefix": "/"}
    for it in http.get("match", []):
        exact = only(only(it, "authority")["authority"], "exact")
        match["headers"] = [{"name": ":authority", "string_match": exact}]
    cluster = cluster_name(destination["host"], destination["port"]["number"])
    removed = only(only(http["headers"], "request")["request"], "remove")["remove"]
    return {"name": http["name"], "match": match, "route": {"cluster": cluster, "timeout": "0s"},
            "request_headers_to_remove": removed}


def cluster_of(entry, rule):
    spec = only(entry["spec"], "hosts", "location", "resolution", "endpoints", "ports", "exportTo")
    (host,) = spec["hosts"]
    (port,) = spec["ports"]
    name = cluster_name(host, port["number"])
    kinds = {"STATIC": "STATIC", "DNS_ROUND_ROBIN": "LOGICAL_DNS"}
    addresses = [only(it, "address")["address"] for it in spec.get("endpoints", [])] or [host]
    endpoints = [{"endpoint": {"address": {"socket_address": {
        "address": it, "port_value": port["number"]}}}} for it in addresses]
    cluster = {"name": name, "type": kinds[spec["resolution"]], "dns_lookup_family": "V4_ONLY",
               "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}}
    policy = only(rule["spec"], "host", "exportTo", "trafficPolicy")["trafficPolicy"]
    pool = only(only(policy, "connectionPool", "tls")["connectionPool"], "tcp", "http")
    tcp = only(pool["tcp"], "connectTimeout", "tcpKeepalive")
    # Istio has Go's durations, Envoy only those in seconds.
    cluster["connect_timeout"] = tcp["connectTimeout"].replace("250ms", "0.250s")
    if "tcpKeepalive" in tcp:
        keepalive = only(tcp["tcpKeepalive"], "time", "interval", "probes")
        cluster["upstream_connection_options"] = {"tcp_keepalive": {
            "keepalive_time": int(keepalive["time"].removesuffix("s")),
            "keepalive_interval": int(keepalive["interval"].removesuffix("s")),
            "keepalive_probes": keepalive["probes"]}}
    if "http" in pool:
        idle = only(pool["http"], "idleTimeout")["idleTimeout"]
        cluster["typed_extension_protocol_options"] = {HTTP_OPTIONS.removeprefix("type.googleapis.com/"): {
            "@type": HTTP_OPTIONS, "common_http_protocol_options": {"idle_timeout": idle},
            "explicit_http_config": {"http_protocol_options": {}}}}
    tls = only(policy["tls"], "mode", "sni", "subjectAltNames", "caCertificates")
    if tls["mode"] == "SIMPLE":
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": f"{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls.get("sni", ""),
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": tls["caCertificates"]},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": it}}
                                                  for it in tls["subjectAltNames"]]}}}}
    else:
        assert tls == {"mode": "DISABLE"}
    return cluster


def wasm_of(plugin, version):
    """The resource that the gateway asks for by the plugin's name, and its name."""
    metadata, spec = plugin["metadata"], plugin["spec"]
    only(spec, "selector", "url", "pluginName", "failStrategy", "vmConfig", "pluginConfig")
    variables = [only(it, "name", "valueFrom") for it in spec["vmConfig"]["env"]]
    assert all(it["valueFrom"] == "HOST" for it in variables)
    assert spec["url"].startswith("file:///")
    name = f"{metadata['namespace']}.{metadata['name']}"
    return name, {
        "@type": WASM,
        "config": {
            "name": name,
            "root_id": spec["pluginName"],
            "failure_policy": FAILURE_POLICIES[spec["failStrategy"]],
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
                              "value": json.dumps(spec["pluginConfig"])},
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": spec["url"].removeprefix("file://")}},
                "environment_variables": {
                    "host_env_keys": [it["name"] for it in variables],
                    # Another one after each change.
                    "key_values": {"ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": version}},
            },
        },
    }


def gateway(port, routes, filters, clusters):
    """The bootstrap of a gateway with a server for every host."""
    http = manager(f"http.{port}", routes, [*OWN_FILTERS, *filters], use_remote_address=True,
                   normalize_path=True, server_name="istio-envoy",
                   path_with_escaped_slashes_action="KEEP_UNCHANGED")
    return {"static_resources": {"listeners": [listener(port, http)], "clusters": clusters},
            "node": {"id": "gateway", "cluster": "gateway"}}


def at_once(name, resource):
    """An entry of `http_filters` that has its resource with it."""
    return {"name": name, "typed_config": resource}


def with_plugin(objects, port, entry=at_once):
    """The gateway of a WasmPlugin and what is printed with it. `entry` makes the entry in
    `http_filters` of the plugin's name and resource."""
    of = {kind: [it for it in objects if it["kind"] == kind] for kind in
          ("WasmPlugin", "Gateway", "VirtualService", "ServiceEntry", "DestinationRule")}
    assert sum(map(len, of.values())) == len(objects)
    (own,) = of["Gateway"]
    (virtual_service,) = of["VirtualService"]
    (server,) = own["spec"]["servers"]
    assert server["hosts"] == virtual_service["spec"]["hosts"] == ["*"]
    assert virtual_service["spec"]["gateways"] == [own["metadata"]["name"]]
    rules = {it["spec"]["host"]: it for it in of["DestinationRule"]}
    clusters = [cluster_of(it, rules.pop(it["spec"]["hosts"][0])) for it in of["ServiceEntry"]]
    assert not rules
    (plugin,) = of["WasmPlugin"]
    return gateway(port, routes_of(virtual_service), [entry(*wasm_of(plugin, "1"))], clusters)


def patched(envoy_filter, port):
    """The gateway of an EnvoyFilter, with every patch of it in place."""
    bootstrap = gateway(port, [], [], [])
    (own,) = bootstrap["static_resources"]["listeners"]
    (network_filter,) = own["filter_chains"][0]["filters"]
    http = network_filter["typed_config"]
    for it in only(envoy_filter["spec"], "workloadSelector", "configPatches")["configPatches"]:
        match, patch = it["match"], only(it["patch"], "operation", "value")
        assert match["context"] == "GATEWAY"
        operation, value = patch["operation"], patch["value"]
        if (it["applyTo"], operation) == ("HTTP_FILTER", "INSERT_BEFORE"):
            wanted = only(match, "context", "listener")["listener"]["filterChain"]["filter"]
            assert wanted["name"] == network_filter["name"]
            names = [found["name"] for found in http["http_filters"]]
            http["http_filters"].insert(names.index(wanted["subFilter"]["name"]), value)
        elif (it["applyTo"], operation) == ("HTTP_ROUTE", "INSERT_FIRST"):
            only(match, "context")
            http["route_config"]["virtual_hosts"][0]["routes"].insert(0, value)
        elif (it["applyTo"], operation) == ("CLUSTER", "ADD"):
            only(match, "context")
            bootstrap["static_resources"]["clusters"].append(value)
        else:
            raise AssertionError(f"what comes of {operation} to {it['applyTo']}?")
    return bootstrap
