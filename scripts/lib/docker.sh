# shellcheck shell=bash
# A Docker engine of our own, for tests: its images and containers are in a folder that goes away
# with it, so that stand-ins never replace images of the machine. Needs root. Sourced after
# common.sh and debian.sh.

ENGINE_PID=
ENGINE_DIR=

setup_docker() {
  local packages=()
  have dockerd || packages+=(docker.io)
  have docker-compose || packages+=(docker-compose)
  have debootstrap || packages+=(debootstrap)
  have curl || packages+=(curl)
  have iptables || packages+=(iptables)
  install_packages "${packages[@]}"
}

# Starts the engine; returns 1, and leaves its log, where the machine does not allow one.
# Usage: start_engine FOLDER
start_engine() {
  local turn
  ENGINE_DIR=$1
  mkdir -p "$ENGINE_DIR"
  export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock
  # Neither needs a plugin of its own; both understand the Dockerfile.
  export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
  dockerd --host "$DOCKER_HOST" --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" \
    --pidfile "$ENGINE_DIR/pid" >"$ENGINE_DIR/dockerd.log" 2>&1 &
  ENGINE_PID=$!
  for ((turn = 0; turn < 150; turn++)); do
    docker version >/dev/null 2>&1 && return 0
    kill -0 "$ENGINE_PID" 2>/dev/null || break
    sleep 0.2
  done
  stop_engine
  return 1
}

stop_engine() {
  [[ -n $ENGINE_PID ]] || return 0
  kill "$ENGINE_PID" 2>/dev/null || true
  wait "$ENGINE_PID" 2>/dev/null || true
  ENGINE_PID=
}

# Debian as an image, with some packages, under the name that the files of the product use.
# Usage: import_debian NAME PACKAGE…
import_debian() {
  local root=$ENGINE_DIR/debian
  step "making a stand-in for $1" debootstrap --variant=minbase \
    --include="$(IFS=,; printf '%s' "${*:2}")" bookworm "$root" || return 1
  tar -C "$root" -c . | docker import - "$1" >/dev/null
  rm -rf "$root"
}
