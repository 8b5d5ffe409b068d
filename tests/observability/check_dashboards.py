"""Checks dashboards against Grafana's own types for them.

Usage: check_dashboards.py SDK DASHBOARD…

SDK is a folder with the Python package `grafana_foundation_sdk`, which is made from Grafana's
schemas, for one version of Grafana. A dashboard is read into its types and written again; a key
or a value that does not survive is one that this Grafana does not know. Ends with 1 and one line
a finding.
"""

import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])
from grafana_foundation_sdk.cog import encoder, plugins  # noqa: E402
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402


def lost(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: unknown"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after)):
            yield from lost(left, right, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"


def findings(path):
    text = path.read_text(encoding="utf-8")
    typed = Dashboard.from_json(json.loads(text))
    written = json.loads(encoder.JSONEncoder().encode(typed))
    return lost(json.loads(text), written, path.name)


def main():
    plugins.register_default_plugins()
    found = [line for name in sys.argv[2:] for line in findings(pathlib.Path(name))]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
