"""What Istio refuses beyond the types and values of its models, as far as objects such as ours have
it: the rules in its custom resource definitions (CEL) and of istiod's webhook.

After the field comments in istio/api and pkg/config/validation of istio/istio. A rule that says that
something would be accepted and have no effect counts as one that refuses it."""

import ipaddress
import re

SCHEMES = {"", "http", "https", "oci", "file"}
PROTOCOLS = {"HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS"}
LISTENERS = {"LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"}
ROUTES = {"ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"}
CLUSTERS = {"CLUSTER"}
MATCHES = {"listener": LISTENERS, "routeConfiguration": ROUTES, "cluster": CLUSTERS}
LISTS = {"NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER", "HTTP_ROUTE"}
MANAGER = "envoy.filters.network.http_connection_manager"
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def one_of(spec, *fields):
    given = [it for it in fields if it in spec]
    if len(given) > 1:
        yield f"only one of {', '.join(given)} can be set"


def labels(found):
    for pair in found.items():
        for it in pair:
            if not it or "*" in it:
                yield "wildcard is not supported in a selector, nor is an empty label"


def is_name(host, wildcard=False):
    """A fully qualified name; the last label of one is never a number."""
    if wildcard:
        host = host.removeprefix("*.")
    parts = host.split(".")
    legal = all(re.fullmatch(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", it) for it in parts)
    return legal and len(host) <= 255 and not parts[-1].isdigit()


def is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def duration(text):
    number, unit = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text).groups()
    if float(number) * MILLISECONDS[unit] < 1:
        yield f"{text}: must be a valid duration greater than 1ms"


def ports(found):
    for field in ("name", "number"):
        values = [it[field] for it in found]
        if len(values) > len(set(values)):
            yield f"port {field} cannot be duplicated"
    for it in found:
        if not 0 < it["number"] <= 65535 or not 0 < it.get("targetPort", 1) <= 65535:
            yield "port must be between 1-65535"
        if it.get("protocol", "TCP") not in PROTOCOLS:
            yield f"unsupported protocol {it['protocol']}"
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", it["name"]):
            yield f"port name {it['name']}"


def exports(spec):
    for it in spec.get("exportTo", []):
        if it not in (".", "*", "~") and not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", it):
            yield f"exportTo {it}"


def wasm_plugin(spec):
    yield from one_of(spec, "selector", "targetRef", "targetRefs")
    yield from labels(spec.get("selector", {}).get("matchLabels", {}))
    scheme, separator, _ = spec["url"].partition("://")
    if (scheme if separator else "") not in SCHEMES:
        yield "url must have schema one of [http, https, file, oci]"
    variables = spec.get("vmConfig", {}).get("env", [])
    names = [it["name"] for it in variables]
    if len(names) > len(set(names)):
        yield "Duplicate value in env"
    for it in variables:
        if it.get("valueFrom") == "HOST" and "value" in it:
            yield "value may only be set when valueFrom is INLINE"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", it["name"]):
            yield "name of a variable must be a C_IDENTIFIER"


def envoy_filter(spec):
    yield from one_of(spec, "workloadSelector", "targetRefs")
    yield from labels(spec.get("workloadSelector", {}).get("labels", {}))
    for it in spec["configPatches"]:
        kind, match, patch = it["applyTo"], it.get("match", {}), it["patch"]
        if patch.get("operation", "INVALID") == "INVALID":
            yield "missing patch operation"
        if patch.get("operation") != "REMOVE" and "value" not in patch:
            yield "missing patch value for non-remove operation"
        for object_type, kinds in MATCHES.items():
            if object_type in match and kind not in kinds:
                yield f"applyTo {kind} cannot have a {object_type} match"
        if ("waypoint" in match) != (match.get("context") == "WAYPOINT"):
            yield "only support waypointMatch when context is WAYPOINT"
        wanted = match.get("listener", {}).get("filterChain", {}).get("filter", {})
        if wanted and not wanted.get("name"):
            yield "filter match has no name to match on"
        if "subFilter" in wanted:
            if kind != "HTTP_FILTER" or wanted.get("name") != MANAGER:
                yield "subfilter match can be used with applyTo HTTP_FILTER and the HTTP manager only"
            if not wanted["subFilter"].get("name"):
                yield "subfilter match has no name to match on"
        operation = patch.get("operation", "")
        if operation == "ADD" and kind in ("ROUTE_CONFIGURATION", "HTTP_ROUTE"):
            yield f"ADD to {kind} is ignored"
        if operation.startswith("INSERT_") and kind not in LISTS:
            yield f"{operation} is for filters and routes only"
        if operation in ("INSERT_BEFORE", "INSERT_AFTER") and kind.endswith("FILTER") and not wanted:
            yield f"{operation} needs a filter to match on"
        value = patch.get("value", {})
        if kind.endswith("FILTER") and not {"typed_config", "config_discovery"} & value.keys():
            yield "using deprecated types by name without typed_config"


def service_entry(spec):
    yield from one_of(spec, "endpoints", "workloadSelector")
    yield from ports(spec.get("ports", []))
    yield from exports(spec)
    resolution, endpoints = spec.get("resolution", "NONE"), spec.get("endpoints", [])
    for it in spec["hosts"]:
        if it == "*":
            yield "hostname cannot be wildcard"
        elif not is_name(it, wildcard=True):
            yield f"{it} is no name"
        if it.startswith("*") and resolution in ("DNS", "DNS_ROUND_ROBIN") and not endpoints:
            yield f"endpoints must be provided for {resolution} with a wildcard host"
    if any("/" in it for it in spec.get("addresses", [])) and resolution not in ("NONE", "STATIC"):
        yield "CIDR addresses are allowed only for NONE/STATIC resolution types"
    if resolution == "NONE" and endpoints:
        yield "NONE mode cannot set endpoints"
    if resolution == "DNS_ROUND_ROBIN" and len(endpoints) > 1:
        yield "DNS_ROUND_ROBIN mode cannot have multiple endpoints"
    if resolution == "STATIC" and not endpoints and "workloadSelector" not in spec:
        yield "endpoints must be provided if service entry resolution mode is static"
    if resolution == "STATIC" and not all(is_address(it["address"]) for it in endpoints):
        yield "an endpoint of a static service must be an address"


def destination_rule(spec):
    yield from exports(spec)
    if not is_name(spec["host"], wildcard=True):
        yield f"host {spec['host']}"
    policy = spec["trafficPolicy"]
    tls, pool = policy.get("tls", {}), policy.get("connectionPool", {})
    mode, certificates = tls.get("mode"), {"clientCertificate", "privateKey"} & tls.keys()
    if mode == "MUTUAL" and len(certificates) < 2 and "credentialName" not in tls:
        yield "client certificate required for mutual tls"
    if mode == "ISTIO_MUTUAL" and len(tls) > 1:
        yield "cannot be specified with mode ISTIO_MUTUAL"
    if "sni" in tls and not is_name(tls["sni"]):
        yield f"sni {tls['sni']} is no name"
    tcp, http = pool.get("tcp", {}), pool.get("http", {})
    keepalive = tcp.get("tcpKeepalive", {})
    for it in (tcp.get("connectTimeout"), http.get("idleTimeout"), keepalive.get("time"),
               keepalive.get("interval")):
        yield from duration(it) if it is not None else ()


def gateway(spec):
    yield from labels(spec.get("selector", {}))
    for server in spec["servers"]:
        yield from ports([server["port"]])
        for it in server["hosts"]:
            if it != "*" and not is_name(it, wildcard=True):
                yield f"host {it}"
        tls, protocol = server.get("tls"), server["port"]["protocol"]
        if protocol in ("HTTPS", "TLS") and not tls:
            yield "server must have TLS settings for HTTPS/TLS protocols"
        if protocol not in ("HTTPS", "TLS") and tls and not tls.get("httpsRedirect"):
            yield "server cannot have TLS settings for non HTTPS/TLS ports"
        if tls and tls.get("mode") == "SIMPLE" and "credentialName" not in tls:
            if not {"serverCertificate", "privateKey"} <= tls.keys():
                yield "SIMPLE TLS requires a private key and a server certificate"


def virtual_service(spec):
    yield from exports(spec)
    gateways = spec.get("gateways", ["mesh"])
    for it in spec["hosts"]:
        if it == "*" and "mesh" in gateways:
            yield "wildcard host * is not allowed for virtual services bound to the mesh gateway"
    names = [it["name"] for it in spec["http"] if "name" in it]
    if len(names) > len(set(names)):
        yield "duplicate name of a route"
    for index, it in enumerate(spec["http"]):
        if not {"route", "redirect", "directResponse"} & it.keys():
            yield "HTTP route, redirect or direct_response is required"
        if not it.get("match") and index + 1 < len(spec["http"]):
            yield "only the last HTTP route can match everything: those after it are never reached"
        if it.get("retries", {}).get("attempts", 0) < 0:
            yield "attempts cannot be negative"
        if "timeout" in it:
            yield from duration(it["timeout"])


RULES = {
    "WasmPlugin": wasm_plugin,
    "EnvoyFilter": envoy_filter,
    "ServiceEntry": service_entry,
    "DestinationRule": destination_rule,
    "Gateway": gateway,
    "VirtualService": virtual_service,
}


def faults(it):
    return list(RULES[it["kind"]](it["spec"]))
