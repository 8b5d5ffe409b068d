"""The real Envoy, with a configuration that a test has put together."""

import contextlib
import json
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from places import ENVOY, SIMULATOR
from printed import CREDENTIAL

TYPES = "type.googleapis.com/envoy.extensions"
ROUTER = {"name": "envoy.filters.http.router",
          "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"}}


def manager(name, routes, filters, **more):
    """A network filter: HTTP, by these filters and then by the router."""
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "route_config": {"name": name, "virtual_hosts": [
                {"name": name, "domains": ["*"], "routes": routes}]},
            "http_filters": [*filters, ROUTER],
            **more,
        },
    }


def listener(port, *filters):
    return {"name": f"0.0.0.0_{port}", "filter_chains": [{"filters": list(filters)}],
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def command(envoy, folder, bootstrap, *arguments):
    path = pathlib.Path(folder) / "envoy.json"
    path.write_text(json.dumps(bootstrap))
    return [envoy, "--config-path", path, "--log-level", "warning", *arguments]


def validate(bootstrap, **variables):
    """Envoy's exit code, and what it has to say."""
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(command(ENVOY, folder, bootstrap, "--mode", "validate"), check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**CREDENTIAL, **variables})
    return found.returncode, found.stdout


@contextlib.contextmanager
def running(bootstrap, envoy=ENVOY):
    with tempfile.TemporaryDirectory() as folder:
        line = command(envoy, folder, bootstrap, "--disable-hot-restart", "--concurrency", "2")
        with subprocess.Popen(line, env=CREDENTIAL) as process:
            try:
                yield
            finally:
                process.terminate()


@contextlib.contextmanager
def simulator(port, control):
    """GitHub's stand-in, which knows the credential."""
    line = [SIMULATOR, "--listen", f"127.0.0.1:{port}", "--control", f"127.0.0.1:{control}",
            "--token", f"BOT={CREDENTIAL['GITHUB_PAT_BOT']}@octocat"]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: ask(control, "/log"))
            yield
        finally:
            process.terminate()


def ask(port, path, token=None, data=None, **fields):
    """Status, header fields and body of the answer."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def until(condition):
    """What the condition yields once it is neither empty nor a failed connection."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            found = condition()
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
