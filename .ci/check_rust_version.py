"""Checks that no crate of Cargo.lock needs a newer Rust than Cargo.toml promises (`rust-version`).

Cargo says so only to whoever has an older one. Reads `cargo metadata` from standard input; ends
with 1 and one line a finding.
"""

import json
import sys


def number(version):
    """1.88 and 1.88.0 are the same."""
    major, minor, *patch = (int(part) for part in version.split("."))
    return major, minor, *(patch or [0])


def main():
    metadata = json.load(sys.stdin)
    members = set(metadata["workspace_members"])
    needed = [package for package in metadata["packages"] if package["rust_version"]]
    promised = max(number(it["rust_version"]) for it in needed if it["id"] in members)
    findings = [it for it in needed if number(it["rust_version"]) > promised]
    for package in findings:
        needs = f"needs Rust {package['rust_version']}"
        print(f"{package['name']} {package['version']} {needs}", file=sys.stderr)
    print(f"{len(needed)} crates, {len(findings)} that need a newer Rust than Cargo.toml promises")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
