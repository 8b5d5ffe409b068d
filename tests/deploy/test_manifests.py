"""envoy/kubernetes: every object is what Kubernetes accepts, and they fit together."""

import json
import unittest

import jsonschema

from objects import FOLDERS, OBJECTS, identity, load
from places import KUBERNETES_SCHEMAS

# Kinds of others, of which Kubernetes publishes no schema: see test_istio.py.
FOREIGN = {"ServiceMonitor", "PrometheusRule", "ServiceEntry", "DestinationRule"}
# Where the schemas say that their common parts are.
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"


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
    (found,) = [it for it in OBJECTS if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


def of(kind):
    return [it for it in OBJECTS if it["kind"] == kind]


def pod(deployment):
    return deployment["spec"]["template"]


def selects(selector, labels):
    return selector.items() <= labels.items()


class Manifests(unittest.TestCase):
    def test_kubernetes_accepts_every_object(self):
        self.assertEqual(len(VERSIONS), 2)
        for it in OBJECTS:
            if it["kind"] in FOREIGN:
                continue
            for schemas in VERSIONS:
                with self.subTest(object=identity(it), version=schemas.folder.name):
                    self.assertEqual(schemas.faults(it), [])

    def test_every_manifest_is_applied_with_its_folder(self):
        for folder in FOLDERS:
            files = sorted(set(folder.glob("*.yaml")) - {folder / "kustomization.yaml"})
            written = [it for path in files for it in load(path.read_text())]
            applied = [identity(it) for it in OBJECTS]
            for it in written:
                self.assertIn(identity(it), applied)

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

    def test_the_registry_and_the_credentials_are_mounted_such_that_changes_are_seen(self):
        """As folders: a file that is mounted by itself (`subPath`) keeps its first content."""
        spec = pod(named("Deployment", "github-proxy"))["spec"]
        (proxy,) = spec["containers"]
        variables = {it["name"]: it["value"] for it in proxy["env"]}
        volumes = {it["name"]: it for it in spec["volumes"]}
        mounts = {it["mountPath"]: it for it in proxy["volumeMounts"]}
        registry, _, file = variables["CLIENT_REGISTRY_FILE_PATH"].rpartition("/")
        self.assertEqual(file, "clients.yaml")
        for path, source in ((registry, {"configMap": {"name": "github-proxy"}}),
                             (variables["GITHUB_PROXY_ENV_FILE"],
                              {"secret": {"secretName": "github-proxy"}})):
            self.assertFalse({"subPath", "subPathExpr"} & mounts[path].keys())
            volume = dict(volumes[mounts[path]["name"]])
            del volume["name"]
            self.assertEqual(volume, source)

    def test_nothing_runs_as_root_or_writes_where_it_should_not(self):
        """More than the Pod Security Standard "restricted" asks for."""
        for deployment in of("Deployment"):
            spec = pod(deployment)["spec"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse({"hostNetwork", "hostPID", "hostIPC"} & spec.keys())
            kinds = {key for volume in spec["volumes"] for key in volume} - {"name"}
            self.assertLessEqual(kinds, {"configMap", "secret", "emptyDir"})
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
