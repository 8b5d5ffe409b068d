# shellcheck shell=bash
# What the tests of rules and dashboards need: Prometheus with promtool, and Grafana's types of
# dashboards. Sourced after common.sh, debian.sh and pypi.sh.

PROMETHEUS_DIR=$TOOLS/prometheus

# The PyPI package grafana-foundation-sdk: version and digest for the oldest Grafana that it knows
# and for the newest. Its versions are EPOCH!GRAFANA.
GRAFANA_TYPES=(
  '1769699998!10.1.0' d131ffe49057fb669ba31ce7e28a303c96b3aecf4332b20de33cfa55110d498c
  '1769699379!11.6.0' 92d7a8144eba0fa802e728fb70e63d74b056fb1195ff116d812ad7a4ccfa5eca
)

# Debian's package is unpacked and not installed: it would start a server and claim a port. What is
# on PATH will do, too.
setup_prometheus() {
  local packages
  [[ ! -x $PROMETHEUS_DIR/prometheus || ! -x $PROMETHEUS_DIR/promtool ]] || return 0
  rm -rf "$PROMETHEUS_DIR" "$TOOLS/fetch"
  mkdir -p "$PROMETHEUS_DIR" "$TOOLS/fetch"
  if have prometheus && have promtool; then
    ln -s "$(command -v prometheus)" "$(command -v promtool)" "$PROMETHEUS_DIR/"
    return 0
  fi
  have apt-get || die "missing: prometheus, promtool. This is not Debian: install them your way, on PATH, and start again."
  attempt "fetching Prometheus (19 MB, the Debian package; it is not installed)" download_package prometheus ||
    { update_lists && step "once more, with new package lists" download_package prometheus; } ||
    die "apt-get could not fetch prometheus (the whole output: $LOG)"
  packages=("$TOOLS"/fetch/prometheus_*.deb)
  dpkg-deb --fsys-tarfile "${packages[0]}" |
    tar --extract --directory "$PROMETHEUS_DIR" --strip-components 3 ./usr/bin/prometheus ./usr/bin/promtool
  rm -rf "$TOOLS/fetch"
}

# apt checks the archive's signature and the package's digest.
download_package() { (cd "$TOOLS/fetch" && apt-get download "$1"); }

setup_grafana_types() {
  local version sha256 folder
  set -- "${GRAFANA_TYPES[@]}"
  while (($# > 0)); do
    version=$1 sha256=$2 folder=$TOOLS/grafana-types/${1#*!}
    shift 2
    [[ ! -d $folder ]] || continue
    fetch_pypi "the types of Grafana ${version#*!}" "0.3 MB" grafana-foundation-sdk "$version" "$sha256"
    mkdir -p "${folder%/*}"
    mv "$TOOLS/fetch/package" "$folder"
    rm -rf "$TOOLS/fetch"
  done
}
