# shellcheck shell=bash
# What only the tests need: a runner for the core's tests as WebAssembly, and GitHub's published
# OpenAPI description, whose examples the simulator serves. Sourced after common.sh and debian.sh.

# The npm package has the description as GitHub publishes it; nothing of the package is run.
OPENAPI_VERSION=23.0.2
OPENAPI_SHA256=71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c
OPENAPI_DIR=$TOOLS/openapi
OPENAPI_FILE=$OPENAPI_DIR/api.github.com.json
OPENAPI_STAMP=$OPENAPI_DIR/version-$OPENAPI_VERSION

setup_openapi() {
  local work
  [[ ! -s $OPENAPI_FILE || ! -e $OPENAPI_STAMP ]] || return 0
  work=$TOOLS/fetch
  rm -rf "$work"
  mkdir -p "$work"
  step "fetching GitHub's OpenAPI description (29 MB, the npm package @octokit/openapi $OPENAPI_VERSION)" \
    npm pack --pack-destination "$work" "@octokit/openapi@$OPENAPI_VERSION" ||
    die "could not fetch @octokit/openapi: is the npm registry reachable? (the whole output: $LOG)"
  printf '%s  %s\n' "$OPENAPI_SHA256" "$work/octokit-openapi-$OPENAPI_VERSION.tgz" |
    sha256sum --check --quiet - || die "@octokit/openapi $OPENAPI_VERSION is not what it was: wrong SHA-256"
  tar -xzf "$work/octokit-openapi-$OPENAPI_VERSION.tgz" -C "$work" \
    package/generated/api.github.com.json package/LICENSE
  rm -rf "$OPENAPI_DIR"
  mkdir -p "$OPENAPI_DIR"
  mv "$work/package/generated/api.github.com.json" "$work/package/LICENSE" "$OPENAPI_DIR/"
  touch "$OPENAPI_STAMP"
  rm -rf "$work"
}

# The runner understands the modules of one version of wasm-bindgen only: that of Cargo.lock.
wasm_bindgen_version() {
  sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' "$ROOT/Cargo.lock"
}

# Prints the path of the runner for the version of Cargo.lock.
wasm_test_runner() {
  printf '%s\n' "$TOOLS/wasm-bindgen-$(wasm_bindgen_version)/bin/wasm-bindgen-test-runner"
}

# Unoptimised, without debug information and TLS, it is built in a third of the time, and the
# tests run in a moment all the same.
build_wasm_test_runner() {
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$TOOLS/wasm-bindgen-build \
    cargo install wasm-bindgen-cli --version "=$1" --bin wasm-bindgen-test-runner \
    --no-default-features --debug --no-track --force --root "$TOOLS/wasm-bindgen-$1" "${@:2}"
}

setup_wasm_test_runner() {
  local version runner
  version=$(wasm_bindgen_version)
  [[ -n $version ]] || die "Cargo.lock names no wasm-bindgen"
  runner=$(wasm_test_runner)
  [[ ! -x $runner ]] || return 0
  # Its own lock file first; a registry that lacks one of those exact versions gets a second try.
  attempt "building the runner of the wasm tests (one to three minutes, once)" \
    build_wasm_test_runner "$version" --locked ||
    step "once more, with the versions that the registry has" build_wasm_test_runner "$version" ||
    die "could not build wasm-bindgen-test-runner $version (the whole output: $LOG)"
  rm -rf "$TOOLS/wasm-bindgen-build"
}
