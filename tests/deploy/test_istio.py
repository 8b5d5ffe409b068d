"""Objects of Istio and of the Prometheus operator are what those two publish: the manifests, and
what `config` prints. Unknown fields are refused, too."""

import copy
import json
import os
import subprocess
import tempfile
import unittest

from objects import OBJECTS, load
from places import COMMAND, MODELS, MODULE, ROOT

CHECK = ROOT / "tests/deploy/models/check.mjs"
GROUPS = ("extensions.istio.io", "networking.istio.io", "monitoring.coreos.com")
REGISTRY = """
version: 1
clients:
- name: ci
  token: ghp_not_a_token_of_anyone_0123456789abcdef
  scopes:
  - { method: GET, path: /repos/.* }
"""


def faults(objects):
    """Those of each of the objects."""
    found = subprocess.run([MODELS / "node", CHECK, MODELS], input=json.dumps(objects), check=True,
                           stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout)


def manifests():
    return [it for it in OBJECTS if it["apiVersion"].split("/")[0] in GROUPS]


def config(form, *arguments, **variables):
    """What the command prints, in an environment that is otherwise empty."""
    with tempfile.TemporaryDirectory() as folder:
        registry = os.path.join(folder, "clients.yaml")
        with open(registry, "w", encoding="utf-8") as file:
            file.write(REGISTRY)
        environment = {"CLIENT_REGISTRY_FILE_PATH": registry, "GITHUB_PAT_BOT": "ghp_bot", **variables}
        command = [COMMAND, "config", "--format", form, "--filter", MODULE, *arguments]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return load(found.stdout)


CASES = {
    "the least": {},
    "with a cache": {"CACHE_BACKEND_URL": "webdis+http://cache.example.com:7379"},
    "without TLS": {"GITHUB_API_URL": "http://github.example.com:8080"},
    "GitHub Enterprise": {"GITHUB_API_URL": "https://github.example.com/api/v3"},
}


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
        kinds = {"wasmplugin": {"WasmPlugin", "ServiceEntry", "DestinationRule"},
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
