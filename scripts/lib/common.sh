# shellcheck shell=bash
# What every script needs: where things are, how to speak to the user, how to fail.
# Sourced, never run.
# shellcheck disable=SC2034  # what is set here is used by those who source it

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Everything that is built or fetched goes below cargo's target folder; the command finds the
# filter and Envoy there, relative to its own executable.
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
[[ $TARGET == /* ]] || TARGET=$ROOT/$TARGET
export CARGO_TARGET_DIR=$TARGET
TOOLS=$TARGET/tools
LOG=$TARGET/setup.log

# A shell that has not read rustup's profile (sudo's, say) still finds its cargo.
if ! command -v cargo >/dev/null && [[ -x ${HOME-}/.cargo/bin/cargo ]]; then
  PATH=$HOME/.cargo/bin:$PATH
fi

say() { printf '==> %s\n' "$*" >&2; }

# One line that says what is wrong and what to do about it.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command whose own output goes to the log alone. A line every ten seconds shows that it is
# still at work. Usage: attempt "what it does" command args…
attempt() {
  local what=$1 started=$SECONDS next=10 job
  shift
  say "$what"
  mkdir -p "$TARGET"
  printf '\n--- %s: %s\n' "$what" "$*" >>"$LOG"
  "$@" >>"$LOG" 2>&1 </dev/null &
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS - started >= next)); then
      say "… still at it, $next s"
      ((next += 10))
    fi
  done
  wait "$job"
}

# An attempt whose failure the user must see: the end of its output is shown then.
step() {
  attempt "$@" && return
  tail -n 15 "$LOG" >&2
  return 1
}

# The version of a program is at least this one. Usage: version_at_least 1.85 1.96.0
version_at_least() {
  [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# The oldest compiler that builds the workspace.
oldest_rust() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml"; }
