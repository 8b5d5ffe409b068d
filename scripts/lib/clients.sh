# shellcheck shell=bash
# The real clients that the end-to-end tests run: Python's in a virtual environment, Node's in a
# node_modules beside the node that runs them, each exactly as pinned, with its digest, in
# tests/clients; Go's where Debian's packages put them. Sourced after common.sh, debian.sh and
# test_tools.sh.

PYTHON_PINS=$ROOT/tests/clients/python/requirements.txt
PYTHON_CLIENTS=$TOOLS/clients/python
NODE_PINS=$ROOT/tests/clients/node
NODE_CLIENTS=$TOOLS/clients/node
# shellcheck disable=SC2034  # used by scripts/setup
GO_LIBRARIES=/usr/share/gocode/src/github.com

# The first python3 that can make a virtual environment; Debian's alone cannot.
python_with_venv() {
  local python
  for python in python3 /usr/bin/python3; do
    if have "$python" && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      printf '%s\n' "$python"
      return 0
    fi
  done
  return 1
}

setup_python_clients() {
  local python
  ! cmp --silent "$PYTHON_PINS" "$PYTHON_CLIENTS/pins" || return 0
  python_with_venv >/dev/null || install_packages python3-venv
  python=$(python_with_venv) || die "no python3 with venv, for the clients of the tests"
  rm -rf "$PYTHON_CLIENTS"
  mkdir -p "${PYTHON_CLIENTS%/*}"
  step "making a virtual environment for the Python clients" \
    "$python" -m venv "$PYTHON_CLIENTS" || die "could not make it (the whole output: $LOG)"
  step "fetching the Python clients (15 MB)" "$PYTHON_CLIENTS/bin/python" -m pip install \
    --disable-pip-version-check --no-deps --no-compile --only-binary :all: --require-hashes \
    --requirement "$PYTHON_PINS" ||
    die "could not fetch them: is the Python package index reachable? (the whole output: $LOG)"
  cp "$PYTHON_PINS" "$PYTHON_CLIENTS/pins"
}

setup_node_clients() {
  setup_npm_project "the Node.js clients" "8 MB" "$NODE_PINS" "$NODE_CLIENTS"
}
