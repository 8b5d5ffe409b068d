# shellcheck shell=bash
# A Docker engine of our own, for tests: its images and containers are in a folder that goes away
# with it, so that stand-ins never replace images of the machine. Needs root. Sourced after
# common.sh and debian.sh.

# Compose 2, which Debian 12 does not have: one program, of the next Debian's package.
COMPOSE_2_DEB=pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb
COMPOSE_2_SHA256=47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea
COMPOSE_2=$TOOLS/docker-compose-2.26.1/cli-plugins/docker-compose

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

# Fetches Compose 2 from the mirror that apt uses; returns 1 where that has no such package.
setup_compose_2() {
  local mirror deb=$TOOLS/fetch/docker-compose.deb
  [[ ! -x $COMPOSE_2 ]] || return 0
  mirror=$(apt-get download --print-uris debianutils | sed -n "s,^'\\(.*\\)/pool/.*,\\1,p")
  rm -rf "$TOOLS/fetch"
  mkdir -p "$TOOLS/fetch" "$(dirname "$COMPOSE_2")"
  attempt "fetching Compose 2 (13 MB)" curl --fail --silent --show-error --location \
    --output "$deb" "$mirror/$COMPOSE_2_DEB" || return 1
  printf '%s  %s\n' "$COMPOSE_2_SHA256" "$deb" | sha256sum --check --status - || return 1
  dpkg-deb --extract "$deb" "$TOOLS/fetch/package"
  mv "$TOOLS/fetch/package/usr/libexec/docker/cli-plugins/docker-compose" "$COMPOSE_2"
  rm -rf "$TOOLS/fetch"
}

# Starts the engine; returns 1, and leaves its log, where the machine does not allow one.
# Usage: start_engine FOLDER
start_engine() {
  local turn
  ENGINE_DIR=$1
  mkdir -p "$ENGINE_DIR"
  export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock
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

# Whether this machine lets an engine start. Installs what one needs. Usage: engine_can_start FOLDER
engine_can_start() {
  ((EUID == 0)) && have apt-get || return 1
  setup_docker
  local status=0
  start_engine "$1" || status=1
  stop_engine
  rm -rf "$1"
  return "$status"
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
