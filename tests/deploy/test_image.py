"""scripts/image: both layouts are whole, hold the module as it is, and other tools take them."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from places import MODULE, ROOT

WASM_LAYER = "application/vnd.module.wasm.content.layer.v1+wasm"


class Image:
    """An OCI image layout in a tar file, read without any help of the script that wrote it."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            files = [entry for entry in archive if entry.isfile()]
            self.files = {entry.name: archive.extractfile(entry).read() for entry in files}
        (self.entry,) = json.loads(self.files["index.json"])["manifests"]
        self.manifest = json.loads(self.blob(self.entry))

    def blob(self, descriptor):
        algorithm, digest = descriptor["digest"].split(":")
        content = self.files[f"blobs/{algorithm}/{digest}"]
        assert len(content) == descriptor["size"]
        assert hashlib.new(algorithm, content).hexdigest() == digest
        return content


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name)
        cls.module = MODULE.read_bytes()
        cls.printed = cls.make(cls.path)

    @classmethod
    def make(cls, output):
        command = [ROOT / "scripts/image", "--module", MODULE, "--output", output, "--tag", "1.2.3"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def image(self, name):
        return Image(self.path / f"github-proxy-filter.{name}.tar")

    def test_a_layout_names_its_version_and_every_blob_is_what_its_digest_says(self):
        for name in ("compat", "artifact"):
            image = self.image(name)
            self.assertEqual(json.loads(image.files["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
            tag = image.entry["annotations"]["org.opencontainers.image.ref.name"]
            self.assertEqual(tag, "1.2.3")
            named = [image.entry, image.manifest["config"], *image.manifest["layers"]]
            for descriptor in named:
                image.blob(descriptor)
            stored = {path for path in image.files if path.startswith("blobs/")}
            digests = {descriptor["digest"].replace(":", "/") for descriptor in named}
            self.assertEqual(stored, {f"blobs/{digest}" for digest in digests})
            self.assertIn(image.entry["digest"], self.printed)

    def test_the_compat_image_is_one_ordinary_layer_with_plugin_wasm(self):
        """What Istio's extractOCIStandardImage and the "compat" specification ask for."""
        image = self.image("compat")
        (layer,) = image.manifest["layers"]
        self.assertEqual(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")
        self.assertEqual(image.manifest["annotations"]["module.wasm.image/variant"], "compat")
        plain = gzip.decompress(image.blob(layer))
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            self.assertEqual(archive.getnames(), ["plugin.wasm", "runtime-config.json"])
            self.assertEqual(archive.extractfile("plugin.wasm").read(), self.module)
            runtime = json.load(archive.extractfile("runtime-config.json"))
        self.assertEqual(runtime["type"], "envoy_proxy")
        config = json.loads(image.blob(image.manifest["config"]))
        digest = f"sha256:{hashlib.sha256(plain).hexdigest()}"
        self.assertEqual(config["rootfs"], {"type": "layers", "diff_ids": [digest]})

    def test_the_artifact_is_the_module_beside_its_runtime_configuration(self):
        """What Istio's extractOCIArtifactImage asks for: two layers, one of them the module."""
        image = self.image("artifact")
        layers = {layer["mediaType"]: image.blob(layer) for layer in image.manifest["layers"]}
        config = "application/vnd.module.wasm.config.v1+json"
        self.assertEqual(set(layers), {WASM_LAYER, config})
        self.assertEqual(layers[WASM_LAYER], self.module)
        self.assertEqual(json.loads(layers[config])["type"], "envoy_proxy")
        self.assertEqual(image.manifest["config"]["mediaType"], config)

    def test_the_same_module_makes_the_same_images(self):
        with tempfile.TemporaryDirectory() as again:
            self.make(again)
            for path in self.path.iterdir():
                other = pathlib.Path(again) / path.name
                self.assertEqual(path.read_bytes(), other.read_bytes(), path.name)

    def test_skopeo_reads_and_copies_both(self):
        for name in ("compat", "artifact"):
            source = f"oci-archive:{self.path}/github-proxy-filter.{name}.tar"
            raw = self.skopeo("inspect", "--raw", source)
            self.assertEqual(json.loads(raw), self.image(name).manifest)
            with tempfile.TemporaryDirectory() as copy:
                self.skopeo("copy", source, f"oci:{copy}:copied")
                index = json.loads((pathlib.Path(copy) / "index.json").read_text())
                digest = index["manifests"][0]["digest"]
                self.assertEqual(digest, self.image(name).entry["digest"])

    def test_skopeo_makes_a_docker_image_of_the_compat_one(self):
        """Docker's media types are the second form of the "compat" specification."""
        source = f"oci-archive:{self.path}/github-proxy-filter.compat.tar"
        with tempfile.TemporaryDirectory() as copy:
            self.skopeo("copy", "--format", "v2s2", source, f"dir:{copy}")
            manifest = json.loads((pathlib.Path(copy) / "manifest.json").read_text())
        (layer,) = manifest["layers"]
        self.assertEqual(layer["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip")

    def test_skopeo_takes_it_from_a_user_other_than_root(self):
        """What it unpacks has to belong to that user, folders included."""
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            script, module, output = folder / "scripts/image", folder / "filter.wasm", folder / "out"
            script.parent.mkdir()
            output.mkdir()
            shutil.copy(ROOT / "scripts/image", script)
            shutil.copy(ROOT / "Cargo.toml", folder)
            shutil.copy(MODULE, module)
            for path in (folder, output):
                path.chmod(0o777)
            make = [script, "--module", module, "--output", output, "--tag", "1.2.3"]
            subprocess.run(make, check=True, capture_output=True, **user)
            for name in ("compat", "artifact"):
                source = f"oci-archive:{output}/github-proxy-filter.{name}.tar"
                copy = ["copy", source, f"oci:{output}/{name}:copied"]
                self.skopeo(*copy, env={"PATH": os.environ["PATH"], "HOME": output}, **user)

    def test_what_is_no_module_is_refused(self):
        command = [ROOT / "scripts/image", "--module", ROOT / "README.md", "--output", self.path]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("is not a WebAssembly module", outcome.stderr)

    @staticmethod
    def skopeo(*arguments, **how):
        # Its policy file is not part of every installation; nothing is fetched here.
        command = ["skopeo", "--insecure-policy", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout


if __name__ == "__main__":
    unittest.main()
