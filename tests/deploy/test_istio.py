"""Objects of Istio and of the Prometheus operator are what those two publish: the manifests, and
what `config` prints. Unknown fields are refused, too."""

import copy
import json
import subprocess
import unittest

from objects import OBJECTS
from places import MODELS, ROOT
from printed import CASES, config

CHECK = ROOT / "tests/deploy/models/check.mjs"
GROUPS = ("extensions.istio.io", "networking.istio.io", "monitoring.coreos.com")


def faults(objects):
    """Those of each of the objects."""
    found = subprocess.run([MODELS / "node", CHECK, MODELS], input=json.dumps(objects), check=True,
                           stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout)


def manifests():
    return [it for it in OBJECTS if it["apiVersion"].split("/")[0] in GROUPS]


class Istio(unittest.TestCase):
    def accept(self, objects):
        self.assertTrue(objects)
        for it, found in zip(objects, faults(objects), strict=True):
            with self.subTest(kind=it["kind"], name=it["metadata"]["name"]):
                self.assertEqual(found, [])

    def test_the_manifests_are_accepted(self):
        objects = manifests()
        self.assertEqual({it["kind"] for it in objects},
                         {"ServiceEntry", "DestinationRule", "ServiceMonitor", "PrometheusRule"})
        self.accept(objects)

    def test_what_config_prints_is_accepted(self):
        kinds = {"wasmplugin": {"WasmPlugin", "Gateway", "VirtualService", "ServiceEntry",
                                "DestinationRule"},
                 "envoyfilter": {"EnvoyFilter"}}
        for form, expected in kinds.items():
            printed = [it for variables in CASES.values() for it in config(form, **variables)]
            self.assertEqual({it["kind"] for it in printed}, expected)
            self.accept(printed)

    def test_no_credential_and_no_token_is_printed(self):
        for form in ("wasmplugin", "envoyfilter"):
            printed = json.dumps(config(form))
            self.assertNotIn("ghp_", printed)

    def test_an_unknown_field_and_a_wrong_value_are_refused(self):
        objects = {it["kind"]: it for it in [*manifests(), *config("wasmplugin"), *config("envoyfilter")]}
        spoilt = []
        for kind in ("WasmPlugin", "EnvoyFilter", "ServiceEntry", "DestinationRule",
                     "ServiceMonitor", "PrometheusRule"):
            it = copy.deepcopy(objects[kind])
            it["spec"]["noSuchField"] = True
            spoilt.append(it)
        deep = copy.deepcopy(objects["DestinationRule"])
        deep["spec"]["trafficPolicy"]["tls"]["snl"] = "api.github.com"
        strategy = copy.deepcopy(objects["WasmPlugin"])
        strategy["spec"]["failStrategy"] = "FAIL_SOMEHOW"
        patch = copy.deepcopy(objects["EnvoyFilter"])
        patch["spec"]["configPatches"][0]["match"]["context"] = "GATEWAYS"
        entry = copy.deepcopy(objects["ServiceEntry"])
        del entry["spec"]["hosts"]
        # A length: only the validators know it, not the types.
        nowhere = copy.deepcopy(objects["WasmPlugin"])
        nowhere["spec"]["url"] = ""
        spoilt += [deep, strategy, patch, entry, nowhere]
        for it, found in zip(spoilt, faults(spoilt), strict=True):
            self.assertNotEqual(found, [], it["kind"])


if __name__ == "__main__":
    unittest.main()
