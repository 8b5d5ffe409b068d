"""The objects for Istio keep Istio's rules; and each rule refuses what breaks it."""

import copy
import unittest

from istio_rules import RULES, faults
from objects import OBJECTS
from printed import CASES, config

PRINTED = {case: [it for form in ("wasmplugin", "envoyfilter") for it in config(form, **variables)]
           for case, variables in CASES.items()}

# Of a good object: the kind, what is put where (None: taken away), and what the rule says.
BROKEN = [
    ("WasmPlugin", "targetRefs", [{"kind": "Gateway", "name": "x"}], "only one of"),
    ("WasmPlugin", "selector.matchLabels.istio", "ingress*", "wildcard"),
    ("WasmPlugin", "url", "ftp://example.com/filter.wasm", "schema"),
    ("WasmPlugin", "vmConfig.env.0.value", "x", "INLINE"),
    ("WasmPlugin", "vmConfig.env.0.name", "GITHUB-PAT", "C_IDENTIFIER"),
    ("WasmPlugin", "vmConfig.env", [{"name": "A"}, {"name": "A"}], "Duplicate"),
    ("EnvoyFilter", "workloadSelector.labels", {"istio": "*"}, "wildcard"),
    ("EnvoyFilter", "configPatches.0.match.cluster", {}, "cannot have a cluster match"),
    ("EnvoyFilter", "configPatches.1.match.listener", {}, "cannot have a listener match"),
    ("EnvoyFilter", "configPatches.0.match.context", "WAYPOINT", "WAYPOINT"),
    ("EnvoyFilter", "configPatches.0.match.listener.filterChain.filter.name", "x", "HTTP manager"),
    ("EnvoyFilter", "configPatches.0.match.listener.filterChain.filter.subFilter", {}, "no name"),
    ("EnvoyFilter", "configPatches.0.match.listener", {}, "needs a filter"),
    ("EnvoyFilter", "configPatches.0.patch.value.typed_config", None, "typed_config"),
    ("EnvoyFilter", "configPatches.1.patch.operation", "ADD", "ignored"),
    ("EnvoyFilter", "configPatches.3.patch.operation", "INSERT_FIRST", "filters and routes"),
    ("EnvoyFilter", "configPatches.3.patch.operation", None, "missing patch operation"),
    ("EnvoyFilter", "configPatches.3.patch.value", None, "missing patch value"),
    ("ServiceEntry", "hosts", ["*"], "wildcard"),
    ("ServiceEntry", "hosts", ["192.0.2.1"], "no name"),
    ("ServiceEntry", "hosts", ["*.github.com"], "endpoints must be provided"),
    ("ServiceEntry", "resolution", "STATIC", "endpoints must be provided"),
    ("ServiceEntry", "endpoints", [{"address": "a.b"}, {"address": "a.c"}], "multiple endpoints"),
    ("ServiceEntry", "addresses", ["192.0.2.0/24"], "CIDR"),
    ("ServiceEntry", "ports.0.number", 65536, "1-65535"),
    ("ServiceEntry", "ports.0.protocol", "HTTP/3", "unsupported protocol"),
    ("ServiceEntry", "exportTo", ["./"], "exportTo"),
    ("DestinationRule", "host", "192.0.2.1", "host"),
    ("DestinationRule", "trafficPolicy.tls.mode", "MUTUAL", "client certificate"),
    ("DestinationRule", "trafficPolicy.tls.mode", "ISTIO_MUTUAL", "ISTIO_MUTUAL"),
    ("DestinationRule", "trafficPolicy.tls.sni", "192.0.2.1", "sni"),
    ("DestinationRule", "trafficPolicy.connectionPool.http.idleTimeout", "0s", "1ms"),
    ("Gateway", "servers.0.tls", None, "must have TLS"),
    ("Gateway", "servers.0.tls.credentialName", None, "private key"),
    ("Gateway", "servers.0.port.protocol", "HTTP", "cannot have TLS"),
    ("VirtualService", "gateways", None, "mesh"),
    ("VirtualService", "http.1.name", "uploads", "duplicate"),
    ("VirtualService", "http.0.match", None, "never reached"),
    ("VirtualService", "http.0.route", None, "required"),
]


def changed(it, path, value):
    it = copy.deepcopy(it)
    *way, last = path.split(".")
    at = it["spec"]
    for name in way:
        at = at[int(name) if name.isdigit() else name]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return it


class Rules(unittest.TestCase):
    def test_everything_keeps_them(self):
        objects = [(case, it) for case, printed in PRINTED.items() for it in printed]
        objects += [("manifests", it) for it in OBJECTS if it["kind"] in RULES]
        self.assertEqual({it["kind"] for _, it in objects}, set(RULES))
        for case, it in objects:
            with self.subTest(case=case, kind=it["kind"], name=it["metadata"]["name"]):
                self.assertEqual(faults(it), [])

    def test_each_refuses_what_breaks_it(self):
        good = {}
        for it in PRINTED["the least"]:
            good.setdefault(it["kind"], it)
        for kind, path, value, said in BROKEN:
            with self.subTest(kind=kind, path=path, value=value):
                found = faults(changed(good[kind], path, value))
                self.assertIn(said, "; ".join(found))

    def test_what_refers_to_another_object_finds_it(self):
        for case, printed in PRINTED.items():
            of = {kind: [it for it in printed if it["kind"] == kind] for kind in RULES}
            services = {(it["spec"]["hosts"][0], it["spec"]["ports"][0]["number"])
                        for it in of["ServiceEntry"]}
            with self.subTest(case=case):
                self.assertEqual({it["spec"]["host"] for it in of["DestinationRule"]},
                                 {host for host, _ in services})
                (routes,) = of["VirtualService"]
                self.assertEqual(routes["spec"]["gateways"],
                                 [it["metadata"]["name"] for it in of["Gateway"]])
                for http in routes["spec"]["http"]:
                    (target,) = http["route"]
                    to = target["destination"]
                    self.assertIn((to["host"], to["port"]["number"]), services)
                self.assertEqual({it["metadata"]["namespace"] for it in printed}, {"istio-ingress"})
                (plugin,) = of["WasmPlugin"]
                upstream = plugin["spec"]["pluginConfig"]["upstream"]
                clusters = {f"outbound|{port}||{host}" for host, port in services}
                self.assertIn(upstream["cluster"], clusters)
                self.assertIn(upstream["uploads"]["cluster"], clusters)


if __name__ == "__main__":
    unittest.main()
