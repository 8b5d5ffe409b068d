"""What `github-proxy config` prints, in an environment that is otherwise empty."""

import os
import subprocess
import tempfile

from objects import load
from places import COMMAND, MODULE

TOKEN = "ghp_not_a_token_of_anyone_0123456789abcdef"
CREDENTIAL = {"GITHUB_PAT_BOT": "ghp_bot"}
REGISTRY = f"""
version: 1
clients:
- name: ci
  token: {TOKEN}
  scopes:
  - {{ method: GET|POST, path: /(repos|users)/.* }}
"""

CASES = {
    "the least": {},
    "with a cache": {"CACHE_BACKEND_URL": "webdis+http://cache.tools.svc.cluster.local:7379"},
    "with a cache beside it": {"CACHE_BACKEND_URL": "redis://redis.example.com"},
    "without TLS": {"GITHUB_API_URL": "http://github.example.com:8080"},
    "without names": {"GITHUB_API_URL": "https://192.0.2.1:8443/api/v3",
                      "GITHUB_UPLOADS_URL": "http://192.0.2.2/api/uploads",
                      "CACHE_BACKEND_URL": "webdis+http://192.0.2.3:7379"},
    "GitHub Enterprise": {"GITHUB_API_URL": "https://github.example.com/api/v3",
                          "CACHE_BACKEND_URL": "webdis+http://webdis:7379"},
    "sealed": {"GITHUB_PROXY_SEAL_KEY": "0a" * 32},
}


def text(form, *arguments, registry=REGISTRY, **variables):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "clients.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(registry)
        environment = {"CLIENT_REGISTRY_FILE_PATH": path, **CREDENTIAL, **variables}
        command = [COMMAND, "config", "--format", form, "--filter", MODULE, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                              env=environment).stdout


def config(form, *arguments, **options):
    return load(text(form, *arguments, **options))
