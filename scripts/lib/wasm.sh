# shellcheck shell=bash
# Compiles Rust to WebAssembly with whichever toolchain can. Sourced after common.sh.
#
# rustup's toolchain does it when it has, or can add, the standard library of the target.
# Otherwise Debian's rustc-web builds that library from source (rust-web-src) together with the
# crate; that is cargo's -Zbuild-std, which a released compiler allows with RUSTC_BOOTSTRAP=1.
# GITHUB_PROXY_WASM_TOOLCHAIN=rustup or =debian makes the choice by hand.

# The filter is WASI without a command: Envoy provides the few WASI calls that std makes.
# shellcheck disable=SC2034  # used by those who source this file
FILTER_TARGET=wasm32-wasip1
# The core's tests have no host but node.
# shellcheck disable=SC2034
CORE_TEST_TARGET=wasm32-unknown-unknown
# Bodies are searched sixteen bytes at a time. Every Envoy that can run the filter knows these instructions.
WASM_RUSTFLAGS='-C target-feature=+simd128'
# Apart from the native build, since the two compilers may differ.
# shellcheck disable=SC2153  # TARGET is set in common.sh
WASM_TARGET_DIR=$TARGET/wasm
# rustup waits this long for its server, in seconds.
RUSTUP_LIMIT=120

DEBIAN_RUSTC=/usr/bin/rustc
DEBIAN_CARGO=/usr/bin/cargo
DEBIAN_SYSROOT=/usr/lib/rustlib

# The sysroot of the rustc on PATH.
own_sysroot() { (cd "$ROOT" && rustc --print sysroot); }

own_toolchain_has() {
  [[ ${GITHUB_PROXY_WASM_TOOLCHAIN:-rustup} != debian && -d $(own_sysroot)/lib/rustlib/$1/lib ]]
}

# Debian's packages are there and new enough: bookworm's own rustc-web is too old, the one of its
# security updates is not.
debian_toolchain_ready() {
  [[ ${GITHUB_PROXY_WASM_TOOLCHAIN:-debian} != rustup ]] &&
    [[ -x $DEBIAN_RUSTC && -x $DEBIAN_CARGO && -d $DEBIAN_SYSROOT/src/rust/library/std ]] &&
    [[ -f /usr/lib/wasm32-wasi/libc.a ]] &&
    version_at_least "$(oldest_rust)" "$("$DEBIAN_RUSTC" --version | cut -d ' ' -f 2)" &&
    wasm_linker >/dev/null
}

# The linker for Debian's compiler: rustup's own copy of LLD, else Debian's.
wasm_linker() {
  local linker
  for linker in "$(own_sysroot)"/lib/rustlib/*/bin/rust-lld /usr/bin/wasm-ld /usr/bin/wasm-ld-[0-9]*; do
    if [[ -x $linker ]]; then
      printf '%s\n' "$linker"
      return 0
    fi
  done
  return 1
}

wasm_ready() { own_toolchain_has "$1" || debian_toolchain_ready; }

# Makes one target buildable; says what it does. Needs debian.sh. Usage: setup_wasm TARGET
setup_wasm() {
  local target=$1 packages=(rustc-web cargo-web rust-web-src wasi-libc)
  ! wasm_ready "$target" || return 0
  if [[ ${GITHUB_PROXY_WASM_TOOLCHAIN:-rustup} != debian ]] && have rustup; then
    if (cd "$ROOT" && attempt "adding $target to the Rust toolchain" \
      timeout "$RUSTUP_LIMIT" rustup target add "$target") && own_toolchain_has "$target"; then
      return 0
    fi
    say "rustup cannot add $target here; using Debian's Rust instead"
  fi
  [[ ${GITHUB_PROXY_WASM_TOOLCHAIN:-debian} != rustup ]] ||
    die "rustup has no $target, and GITHUB_PROXY_WASM_TOOLCHAIN forbids Debian's"
  wasm_linker >/dev/null || packages+=(lld)
  install_packages "${packages[@]}"
  debian_toolchain_ready ||
    die "no Rust for $target: rustup cannot add it, and Debian's $("$DEBIAN_RUSTC" --version) will not do" \
      "($(oldest_rust) or later, from Debian's security updates: is bookworm-security in apt's sources?)"
}

# Runs cargo for a wasm target. Usage: wasm_cargo TARGET SUBCOMMAND ARGS…
wasm_cargo() {
  local target=$1 subcommand=$2 name
  # Flags meant for the native compiler would replace those of the target.
  local environment=(env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS "CARGO_TARGET_DIR=$WASM_TARGET_DIR")
  shift 2
  name=${target//-/_}
  if own_toolchain_has "$target"; then
    "${environment[@]}" "CARGO_TARGET_${name^^}_RUSTFLAGS=$WASM_RUSTFLAGS" \
      cargo "$subcommand" --target "$target" "$@"
    return
  fi
  debian_toolchain_ready || die "no Rust for $target here: run ./scripts/setup"
  "${environment[@]}" "RUSTC=$DEBIAN_RUSTC" "RUSTDOC=${DEBIAN_RUSTC%rustc}rustdoc" RUSTC_BOOTSTRAP=1 \
    "CARGO_TARGET_${name^^}_LINKER=$(wasm_linker)" \
    "CARGO_TARGET_${name^^}_RUSTFLAGS=$WASM_RUSTFLAGS $(debian_rustflags "$target")" \
    "$DEBIAN_CARGO" "$subcommand" -Zbuild-std=std,panic_abort --target "$target" "$@"
}

# Debian keeps WASI's C library apart from the compiler, which would look for its own copy.
debian_rustflags() {
  case $1 in
    wasm32-wasi*) printf '%s' '-L /usr/lib/wasm32-wasi -C link-self-contained=no' ;;
  esac
}
