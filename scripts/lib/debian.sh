# shellcheck shell=bash
# Debian packages: asks for nothing that is there already, starts no service, removes no package.
# Sourced, never run.

LISTS_UPDATED=0

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

# Packages with a service (redis-server, webdis) would start it and claim its port; the product
# runs its own. policy-rc.d is Debian's switch for that; one that is there already is left alone.
without_services() {
  local policy=/usr/sbin/policy-rc.d ours=0 status=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    ours=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive "$@" || status=$?
  ((ours == 0)) || as_root rm -f "$policy"
  return "$status"
}

# A package that was just installed also enables its service for the next boot: undo that.
disable_services() {
  local package
  have systemctl || return 0
  for package in "$@"; do
    case $package in
      redis-server | webdis) as_root systemctl disable --quiet "$package" >/dev/null 2>&1 || true ;;
    esac
  done
}

can_install() {
  if ! have apt-get; then
    die "missing: $*. This is not Debian: install them your way, on PATH, and start again."
  elif ((EUID != 0)) && ! have sudo; then
    die "missing Debian packages, and neither root nor sudo. As root: apt-get install $*"
  elif ((EUID != 0)) && [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; then
    die "missing Debian packages, and sudo would ask for a password. As root: apt-get install $*"
  fi
}

# Once a run. Not fatal: a broken third-party list must not stop packages that Debian's have.
update_lists() {
  ((LISTS_UPDATED == 0)) || return 0
  LISTS_UPDATED=1
  step "updating the package lists" as_root apt-get update -o DPkg::Lock::Timeout=300 ||
    say "apt-get update failed; going on with the lists there are"
}

# Usage: install_packages name…; does nothing without names.
install_packages() {
  (($# > 0)) || return 0
  can_install "$@"
  say "Debian packages to install: $*"
  # Ask for sudo's password here, while the terminal is ours.
  ((EUID == 0)) || sudo -v || die "sudo refused; as root: apt-get install $*"
  update_lists
  step "installing the packages" without_services apt-get install --yes \
    --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "$@" ||
    die "apt-get could not install: $* (the whole output: $LOG)"
  disable_services "$@"
}
