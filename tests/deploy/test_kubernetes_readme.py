"""envoy/kubernetes/README.md, followed: its kustomizations and its commands make what it says."""

import pathlib
import re
import shlex
import tempfile
import textwrap
import unittest

from objects import identity, kubectl, kustomize, load
from places import MANIFESTS, ROOT


def blocks(language):
    text = (MANIFESTS / "README.md").read_text()
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(it) for it in found]


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "mine"
        self.folder.mkdir()
        (self.folder / "../github-proxy").symlink_to(ROOT)

    def made_of(self, kustomization):
        (self.folder / "kustomization.yaml").write_text(kustomization)
        return kustomize(self.folder)

    def created(self):
        """By the commands of the README, had a cluster been there."""
        for name in ("bot-1.txt", "clients.yaml"):
            (self.folder / name).write_text("content\n")
        lines = "".join(blocks("sh")).splitlines()
        commands = [shlex.split(it) for it in lines if it.startswith("kubectl create ")]
        made = [kubectl(*it[1:], "--dry-run=client", "--output=yaml", folder=self.folder)
                for it in commands]
        return {it["kind"]: it for text in made for it in load(text)}

    def test_the_kustomization_changes_the_images_and_the_namespace_alone(self):
        objects = self.made_of(blocks("yaml")[0])
        self.assertEqual([identity(it) for it in objects],
                         [identity(it) for it in kustomize(MANIFESTS)])
        self.assertEqual({it["metadata"]["namespace"] for it in objects}, {"github-proxy"})
        images = {box["image"] for it in objects if it["kind"] == "Deployment"
                  for box in it["spec"]["template"]["spec"]["containers"]}
        own = {it for it in images if it.startswith("registry.example.com/")}
        pushed = {line.split()[-1] for line in blocks("sh")[0].splitlines() if " push " in line}
        self.assertEqual(own, pushed)
        self.assertTrue(all(it.startswith("redis:") for it in images - own))

    def test_the_commands_make_what_the_deployment_mounts(self):
        created = self.created()
        self.assertEqual(created["Namespace"]["metadata"]["name"], "github-proxy")
        objects = self.made_of(blocks("yaml")[0])
        (proxy,) = [it["spec"]["template"]["spec"] for it in objects
                    if identity(it)[1:] == ("Deployment", "github-proxy")]
        volumes = {it["name"]: it for it in proxy["volumes"]}
        for kind, mounted in (("Secret", volumes["credentials"]["secret"]["secretName"]),
                              ("ConfigMap", volumes["registry"]["configMap"]["name"])):
            self.assertEqual(created[kind]["metadata"]["name"], mounted)
            self.assertEqual(created[kind]["metadata"]["namespace"], "github-proxy")
        self.assertEqual(list(created["Secret"]["data"]), ["GITHUB_PAT_BOT_1"])
        self.assertEqual(list(created["ConfigMap"]["data"]), ["clients.yaml"])

    def test_the_label_is_on_everything_and_in_no_selector(self):
        objects = self.made_of(blocks("yaml")[1])
        self.assertEqual(len(objects), 4)
        for it in objects:
            self.assertEqual(it["metadata"]["labels"]["release"], "kube-prometheus-stack")
            self.assertEqual(it["metadata"]["namespace"], "github-proxy")
            self.assertNotIn("release", str(it.get("spec", {}).get("selector")))


if __name__ == "__main__":
    unittest.main()
