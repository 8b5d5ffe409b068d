# shellcheck shell=bash
# What only the tests of deployment need: Debian's skopeo, and Debian's Python with its YAML and
# JSON Schema packages. Sourced after common.sh and debian.sh.

# Debian's own: another python3 on PATH would not see Debian's packages.
DEBIAN_PYTHON=/usr/bin/python3

setup_deploy_tools() {
  local packages=()
  have skopeo || packages+=(skopeo)
  "$DEBIAN_PYTHON" -c 'import yaml' 2>/dev/null || packages+=(python3-yaml)
  "$DEBIAN_PYTHON" -c 'import jsonschema' 2>/dev/null || packages+=(python3-jsonschema)
  install_packages "${packages[@]}"
}
