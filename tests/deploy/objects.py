"""The objects of envoy/kubernetes: what `kubectl apply -k` would send to a cluster."""

import subprocess

import yaml

from places import KUBECTL, MANIFESTS

# Each is applied by itself.
FOLDERS = [MANIFESTS, MANIFESTS / "monitoring", MANIFESTS / "istio"]


def load(text):
    return [it for it in yaml.safe_load_all(text) if it is not None]


def kubectl(*arguments, folder=None):
    """What it prints, without a cluster and without settings of whoever runs the test."""
    environment = {"HOME": "/nonexistent", "KUBECONFIG": "/dev/null"}
    found = subprocess.run([KUBECTL, *arguments], check=True, stdout=subprocess.PIPE, text=True,
                           cwd=folder, env=environment)
    return found.stdout


def kustomize(folder):
    return load(kubectl("kustomize", folder))


def identity(it):
    return it["apiVersion"], it["kind"], it["metadata"]["name"]


OBJECTS = [it for folder in FOLDERS for it in kustomize(folder)]
