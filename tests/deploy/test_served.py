"""Clients are served by a gateway that istiod has made of the printed objects, which follows a
change, and by an Envoy of an operator's own."""

import contextlib
import json
import pathlib
import tempfile
import unittest

from envoys import ask, free_port, running, simulator, until
from istiod import WASM, patched, wasm_of, with_plugin
from own import own
from places import ISTIOS_ENVOY
from printed import CREDENTIAL, REGISTRY, TOKEN, config

OTHER = "ghp_another_token_of_nobody_0123456789abcdef"
PRIVATE = ("x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address", "x-envoy-peer-metadata")
REVALIDATED = "github-proxy; hit; detail=revalidated"


class FromFile:
    """A resource of the gateway's that istiod would send, in a folder that Envoy watches."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "watched/resource.json"
        self.path.parent.mkdir()

    def write(self, name, resource, version):
        response = {"version_info": version, "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": name, "typed_config": resource}]}
        new = self.folder / "new"
        new.write_text(json.dumps(response))
        new.rename(self.path)

    def entry(self, name, resource):
        self.write(name, resource, "1")
        source = {"resource_api_version": "V3", "path_config_source": {
            "path": str(self.path), "watched_directory": {"path": str(self.path.parent)}}}
        types = [WASM, "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"]
        return {"name": name, "config_discovery": {"config_source": source, "type_urls": types}}


class Served(unittest.TestCase):
    def setUp(self):
        self.port, self.api, self.control = free_port(), free_port(), free_port()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.start = stack.enter_context
        self.start(simulator(self.api, self.control))
        # One by address, one by name, so that they are two hosts.
        self.variables = {"GITHUB_API_URL": f"http://127.0.0.1:{self.api}",
                          "GITHUB_UPLOADS_URL": f"http://localhost:{self.api}"}

    def ask(self, path, token=TOKEN, **more):
        return ask(self.port, path, token, **more)

    def log(self):
        """What arrived at GitHub from clients; the proxy itself asks for the rate limits."""
        entries = json.loads(ask(self.control, "/log")[2])
        return [it for it in entries if it["target"] != "/rate_limit"]

    def serves(self):
        until(lambda: self.ask("/users/octocat")[0] == 200)
        status, fields, _ = self.ask("/users/octocat", x_envoy_peer_metadata="who")
        self.assertEqual((status, fields["cache-status"]), (200, REVALIDATED))
        self.assertEqual(self.ask("/users/octocat", token=None)[0], 401)
        self.assertEqual(self.ask("/orgs/octo-org")[0], 403)
        self.ask("/api/uploads/repos/octocat/hello-world/releases/1/assets?name=a.txt", data=b"a",
                 content_type="text/plain")
        *_, asked, uploaded = self.log()
        for entry, path, host in ((asked, "/users/octocat", f"127.0.0.1:{self.api}"),
                                  (uploaded, "/repos/octocat/hello-world/", f"localhost:{self.api}")):
            headers = dict(entry["headers"])
            self.assertTrue(entry["target"].startswith(path), entry)
            self.assertEqual(headers["host"], host)
            self.assertIn(CREDENTIAL["GITHUB_PAT_BOT"], entry["authorization"])
            self.assertEqual([it for it in PRIVATE if it in headers], [])

    def test_by_an_envoy_of_ones_own_which_has_the_status_page_apart(self):
        (bootstrap,) = config("bootstrap", **self.variables)
        (entry,) = config("filter", **self.variables)
        page = free_port()
        self.start(running(own(bootstrap, entry, self.port, page)))
        self.serves()
        status, fields, body = ask(page, "/-/github-proxy/")
        self.assertEqual((status, fields.get_content_type()), (200, "text/html"))
        self.assertIn(b"github-proxy", body)
        self.assertEqual(ask(self.port, "/-/github-proxy/")[0], 401)

    def test_by_the_gateway_of_an_envoy_filter(self):
        (envoy_filter,) = config("envoyfilter", **self.variables)
        self.start(running(patched(envoy_filter, self.port), ISTIOS_ENVOY))
        self.serves()

    def test_by_the_gateway_of_a_wasm_plugin_which_changes(self):
        resource = FromFile(self.start(tempfile.TemporaryDirectory()))
        objects = config("wasmplugin", **self.variables)
        self.start(running(with_plugin(objects, self.port, resource.entry), ISTIOS_ENVOY))
        self.serves()
        counted = self.counted()
        # `kubectl apply` of the same with another client: the resource has another version, too,
        # and so Envoy makes new VMs. What was paid for is still there.
        self.assertEqual(self.ask("/users/octocat", OTHER)[0], 401)
        changed = config("wasmplugin", registry=REGISTRY.replace(TOKEN, OTHER), **self.variables)
        (plugin,) = [it for it in changed if it["kind"] == "WasmPlugin"]
        resource.write(*wasm_of(plugin, "2"), "2")
        until(lambda: self.ask("/users/octocat", OTHER)[0] == 200)
        status, fields, _ = self.ask("/users/octocat", OTHER)
        self.assertEqual((status, fields["cache-status"]), (200, REVALIDATED))
        self.assertEqual(self.ask("/users/octocat")[0], 401)
        self.assertEqual(self.counted(), counted)

    def counted(self):
        return sum(it["cost"] == "counted" for it in self.log())


if __name__ == "__main__":
    unittest.main()
