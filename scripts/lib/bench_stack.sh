# shellcheck shell=bash
# The processes that scripts/bench measures and those they need, all on loopback, with files in a
# folder that is removed in the end. Envoy's configuration is what `github-proxy config` prints;
# the plain Envoy has the same without the filter. Sourced after common.sh; needs $WORKERS.

WORK=$(mktemp -d)
ENVOY=$TOOLS/bin/envoy
# Read by the parts of the script that send requests.
declare -A PORT=() ADMIN=() PID=()

# No credential of the user's own gets into this: all are made up. A pool has the first two, or
# with LARGE_POOL all of them.
CLIENT_TOKEN=bench-client-token
GITHUB_TOKEN=bench-github-token
LARGE_POOL=()
for number in {1..20}; do
  LARGE_POOL+=("GITHUB_PAT_BENCH_$number=$GITHUB_TOKEN-$number")
done
POOL=("${LARGE_POOL[@]:0:2}")

stop_all() {
  local pid
  for pid in "${PID[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${PID[@]}"; do
    wait "$pid" 2>/dev/null || true
  done
  PID=()
}

clean_up() {
  stop_all
  rm -rf "$WORK"
}

# Sets NAME's port, and that of its admin interface or control port, to free ones. They are below
# those that the system gives to outgoing connections, of which there will be many.
take_ports() {
  read -r "PORT[$1]" "ADMIN[$1]" < <(python3 -c '
import random, socket
def free():
    while True:
        try:
            return socket.create_server(("127.0.0.1", random.randrange(20000, 32768)))
        except OSError:
            pass
print(*(s.getsockname()[1] for s in [free(), free()]))')
}

# Runs a program until the end of the script. Usage: start NAME program args…
start() {
  local name=$1
  shift
  "$@" >"$WORK/$name.log" 2>&1 </dev/null &
  PID[$name]=$!
}

# Waits until a command succeeds. Usage: until_ready NAME command args…
until_ready() {
  local name=$1 limit=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "${PID[$name]}" 2>/dev/null || ((SECONDS > limit)); then
      tail -n 20 "$WORK/$name.log" >&2
      die "$name did not start; the end of its log is above"
    fi
    sleep 0.1
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

# Usage: start_envoy NAME [VARIABLE=VALUE…]
start_envoy() {
  local name=$1
  shift
  start "$name" env -i PATH="$PATH" "${POOL[@]}" "$@" "$ENVOY" --config-path "$WORK/$name.yaml" \
    --concurrency "$WORKERS" --disable-hot-restart --log-level warning
  until_ready "$name" curl --silent --fail "http://127.0.0.1:${ADMIN[$name]}/ready"
}

# Prints the configuration of an Envoy in front of an upstream, with further settings. GitHub's
# limits are put out of the way: a paced request says nothing about speed.
configuration() {
  local name=$1 upstream=$2
  shift 2
  cat >"$WORK/clients.yaml" <<END
version: 1
clients:
  - name: bench
    token: $CLIENT_TOKEN
    scopes: [{ method: GET, path: /repos/acme/.* }]
END
  env -i PATH="$PATH" "${POOL[@]}" GITHUB_API_URL="http://127.0.0.1:${PORT[$upstream]}" \
    GITHUB_RATE_POLL_INTERVAL=0 CLIENT_REGISTRY_FILE_PATH="$WORK/clients.yaml" "$@" \
    "$TARGET/release/github-proxy" config --listen "127.0.0.1:${PORT[$name]}" \
    --admin "127.0.0.1:${ADMIN[$name]}" --filter "$TARGET/filter/github_proxy.wasm" |
    sed 's/"inspect_bodies": true/&, "points_per_minute": 0, "concurrency": 0/'
}

# Usage: start_filter NAME UPSTREAM [VARIABLE=VALUE…]
start_filter() {
  take_ports "$1"
  configuration "$@" >"$WORK/$1.yaml"
  grep --quiet '"points_per_minute": 0' "$WORK/$1.yaml" || die "the configuration has no place for the pace"
  start_envoy "$1" "${@:3}"
}

# The same, but for the one entry of the filter. Usage: start_plain NAME UPSTREAM
start_plain() {
  take_ports "$1"
  configuration "$@" | awk '
    /^ +- [&*]filter$/ && filters { width = match($0, /-/); next }
    width && match($0, /[^ ]/) > width { next }
    { width = 0; filters = filters || /http_filters:/; print }' >"$WORK/$1.yaml"
  ! grep --quiet 'filters.http.wasm' "$WORK/$1.yaml" || die "the filter is still in the plain configuration"
  start_envoy "$1"
}

declare -A ITEMS=([small]=1 [large]=100)
# So long that an item has about 2 KB.
PROSE=$(printf 'When I turn the frob by a quarter, nothing turns with it at all.%.0s' {1..20})

# Prints a JSON body about as GitHub writes them, with URLs of an upstream. Usage: body UPSTREAM small|large
body() {
  local base=http://127.0.0.1:${PORT[$1]}/repos/acme/widgets item separator=[
  for ((item = 1; item <= ITEMS[$2]; item++)); do
    printf '%s{"id":%d,"url":"%s/issues/%d","repository_url":"%s","labels_url":"%s/issues/%d/labels{/name}",' \
      "$separator" "$item" "$base" "$item" "$base" "$base" "$item"
    printf '"comments_url":"%s/issues/%d/comments","events_url":"%s/issues/%d/events",' "$base" "$item" "$base" "$item"
    printf '"html_url":"https://github.com/acme/widgets/issues/%d","number":%d,"state":"open","locked":false,' \
      "$item" "$item"
    printf '"title":"The \\"frob\\" of widget %d does not turn","comments":3,"user":{"login":"octocat","id":%d},' \
      "$item" "$item"
    printf '"avatar_url":"https://avatars.githubusercontent.com/u/%d?v=4","body":"%s"}' "$item" "$PROSE"
    separator=,
  done
  printf ']'
}

# An Envoy that answers at once, so that it is not what limits a request that is passed through.
start_instant_upstream() {
  take_ports instant
  body instant small >"$WORK/small.json"
  body instant large >"$WORK/large.json"
  cat >"$WORK/instant.yaml" <<END
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${ADMIN[instant]} } } }
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${PORT[instant]} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: instant
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            max_direct_response_body_size_bytes: 1048576
            response_headers_to_add:
            - header: { key: content-type, value: application/json; charset=utf-8 }
              append_action: OVERWRITE_IF_EXISTS_OR_ADD
            - header: { key: x-ratelimit-limit, value: "5000" }
            - header: { key: x-ratelimit-remaining, value: "4999" }
            - header: { key: x-ratelimit-used, value: "1" }
            - header: { key: x-ratelimit-reset, value: "$(($(date +%s) + 3600))" }
            - header: { key: x-ratelimit-resource, value: core }
            virtual_hosts:
            - name: instant
              domains: ["*"]
              routes:
              - match: { prefix: /repos/acme/small }
                direct_response: { status: 200, body: { filename: "$WORK/small.json" } }
              - match: { prefix: /repos/acme/large }
                direct_response: { status: 200, body: { filename: "$WORK/large.json" } }
END
  start_envoy instant
}

# Tells the simulator something. Usage: control PATH JSON
control() {
  curl --silent --show-error --fail --output /dev/null --header 'content-type: application/json' \
    --data-binary "@-" "http://127.0.0.1:${ADMIN[simulator]}$1" <<<"$2"
}

# The simulator validates, so that revalidations are real ones; its limits are out of reach.
start_simulator() {
  local size credential tokens=()
  take_ports simulator
  for credential in "${LARGE_POOL[@]#GITHUB_PAT_}"; do
    tokens+=(--token "$credential@user-${#tokens[@]}")
  done
  start simulator "$TARGET/release/github-simulator" --listen "127.0.0.1:${PORT[simulator]}" \
    --control "127.0.0.1:${ADMIN[simulator]}" "${tokens[@]}"
  until_ready simulator curl --silent --fail "http://127.0.0.1:${ADMIN[simulator]}/health"
  control /quotas '{"owner": "*", "resource": "*", "limit": 1000000000, "window_seconds": 3600}'
  for size in small large; do
    control /documents \
      "{\"path\": \"/repos/acme/$size\", \"document\": {\"content\": {\"json\": $(body simulator "$size")}}}"
  done
}

# Redis, which keeps nothing on disk, and Webdis in front of it, as `github-proxy run` has them.
start_redis() {
  take_ports redis
  take_ports webdis
  start redis redis-server --bind 127.0.0.1 --port "${PORT[redis]}" --save '' --appendonly no --dir "$WORK"
  until_ready redis listens "${PORT[redis]}"
  cat >"$WORK/webdis.json" <<END
{ "http_host": "127.0.0.1", "http_port": ${PORT[webdis]}, "redis_host": "127.0.0.1", "redis_port": ${PORT[redis]},
  "threads": 2, "pool_size": 8, "daemonize": false, "websockets": false, "verbosity": 2,
  "logfile": "$WORK/webdis.log" }
END
  start webdis webdis "$WORK/webdis.json"
  until_ready webdis listens "${PORT[webdis]}"
}
