"""Where the tests of this folder find what was built and installed."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
MODULE = TARGET / "filter/github_proxy.wasm"
COMMAND = TARGET / "release/github-proxy"
SIMULATOR = TARGET / "debug/github-simulator"
TOOLS = TARGET / "tools"
ENVOY = TOOLS / "bin/envoy"
# That of Istio 1.29.
ISTIOS_ENVOY = TOOLS / "envoy/1.37.0/envoy"
MANIFESTS = ROOT / "envoy/kubernetes"
(KUBERNETES_SCHEMAS,) = TOOLS.glob("kubernetes-schemas-*")
(KUBECTL,) = TOOLS.glob("kubectl-*")
# Models of Istio and of the Prometheus operator, and beside them the node that runs them.
MODELS = TOOLS / "models"
