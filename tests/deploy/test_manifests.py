"""envoy/kubernetes: every object is what Kubernetes accepts, and they fit together."""

import json
import unittest

import jsonschema
import yaml

from places import KUBERNETES_SCHEMAS, MANIFESTS

# Kinds of others, of which Kubernetes publishes no schema: see test_istio.py.
FOREIGN = {"ServiceMonitor", "ServiceEntry", "DestinationRule"}
# Where the schemas say that their common parts are.
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"


def load(path):
    return [it for it in yaml.safe_load_all(path.read_text()) if it is not None]


OBJECTS = [(path.name, it) for path in sorted(MANIFESTS.rglob("*.yaml")) for it in load(path)]


class Schemas:
    """Those of one version of Kubernetes."""

    def __init__(self, folder):
        self.folder = folder
        self.definitions = json.loads((folder / "_definitions.json").read_text())

    def faults(self, it):
        group, _, version = it["apiVersion"].rpartition("/")
        group = group.split(".")[0]
        name = "-".join(part for part in (it["kind"].lower(), group, version) if part)
        schema = json.loads((self.folder / f"{name}.json").read_text())
        resolver = jsonschema.RefResolver("", schema, store={DEFINITIONS: self.definitions})
        found = jsonschema.Draft7Validator(schema, resolver=resolver).iter_errors(it)
        return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in found]


VERSIONS = [Schemas(folder) for folder in sorted(KUBERNETES_SCHEMAS.iterdir())]


def named(kind, name):
    (found,) = [it for _, it in OBJECTS if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


def of(kind):
    return [it for _, it in OBJECTS if it["kind"] == kind]


def pod(deployment):
    return deployment["spec"]["template"]


def selects(selector, labels):
    return selector.items() <= labels.items()


class Manifests(unittest.TestCase):
    def test_kubernetes_accepts_every_object(self):
        self.assertEqual(len(VERSIONS), 2)
        for file, it in OBJECTS:
            if it["kind"] in FOREIGN:
                continue
            for schemas in VERSIONS:
                with self.subTest(file=file, kind=it["kind"], version=schemas.folder.name):
                    self.assertEqual(schemas.faults(it), [])

    def test_the_schemas_refuse_what_is_unknown(self):
        deployment = json.loads(json.dumps(named("Deployment", "github-proxy")))
        pod(deployment)["spec"]["containers"][0]["imagePolicy"] = "Always"
        for schemas in VERSIONS:
            self.assertNotEqual(schemas.faults(deployment), [])

    def test_services_budgets_and_policies_select_pods_that_there_are(self):
        pods = [pod(it) for it in of("Deployment")]
        for kind, key in [("Service", ()), ("PodDisruptionBudget", ("matchLabels",)),
                          ("NetworkPolicy", ("matchLabels",))]:
            for it in of(kind):
                selector = it["spec"].get("podSelector") or it["spec"]["selector"]
                for name in key:
                    selector = selector[name]
                found = [it for it in pods if selects(selector, it["metadata"]["labels"])]
                self.assertEqual(len(found), 1, it["metadata"]["name"])

    def test_ports_that_are_named_exist(self):
        pods = [pod(it) for it in of("Deployment")]
        ports = {port["name"] for it in pods for box in it["spec"]["containers"]
                 for port in box.get("ports", [])}
        wanted = {port["targetPort"] for it in of("Service") for port in it["spec"]["ports"]}
        for policy in of("NetworkPolicy"):
            for rule in policy["spec"]["ingress"]:
                wanted |= {port["port"] for port in rule["ports"]}
        self.assertEqual(wanted, ports)

    def test_the_monitor_finds_the_admin_service(self):
        (monitor,) = of("ServiceMonitor")
        admin = named("Service", "github-proxy-admin")
        selector = monitor["spec"]["selector"]["matchLabels"]
        found = [it for it in of("Service") if selects(selector, it["metadata"]["labels"])]
        self.assertEqual(found, [admin])
        (endpoint,) = monitor["spec"]["endpoints"]
        self.assertIn(endpoint["port"], [port["name"] for port in admin["spec"]["ports"]])

    def test_the_cache_is_where_the_proxy_looks_for_it(self):
        (proxy,) = pod(named("Deployment", "github-proxy"))["spec"]["containers"]
        variables = {it["name"]: it["value"] for it in proxy["env"]}
        service = named("Service", "github-proxy-cache")
        (port,) = service["spec"]["ports"]
        address = f"webdis+http://{service['metadata']['name']}:{port['port']}"
        self.assertEqual(variables["CACHE_BACKEND_URL"], address)

    def test_nothing_runs_as_root_or_writes_where_it_should_not(self):
        for deployment in of("Deployment"):
            spec = pod(deployment)["spec"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertFalse(spec["automountServiceAccountToken"])
            for box in spec["containers"]:
                security = box["securityContext"]
                self.assertFalse(security["allowPrivilegeEscalation"])
                self.assertTrue(security["readOnlyRootFilesystem"])
                self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                self.assertIn("memory", box["resources"]["limits"])

    def test_two_proxies_stay_through_every_change(self):
        (scaler,) = of("HorizontalPodAutoscaler")
        self.assertGreaterEqual(scaler["spec"]["minReplicas"], 2)
        self.assertEqual(scaler["spec"]["scaleTargetRef"]["name"], "github-proxy")
        rolling = named("Deployment", "github-proxy")["spec"]["strategy"]["rollingUpdate"]
        self.assertEqual(rolling["maxUnavailable"], 0)


if __name__ == "__main__":
    unittest.main()
