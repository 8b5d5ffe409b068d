"""An Envoy of an operator's own, which has the filter in it as envoy/README.md says."""

import re

import yaml

from envoys import listener, manager
from places import ROOT


def own(bootstrap, entry, port, page_port):
    """The whole configuration: the entry of `filter`, what there is to take from the bootstrap
    for it, and the README's listener for the status page."""
    printed = bootstrap["static_resources"]
    clusters = [it for it in printed["clusters"] if it["name"] != "github_proxy_admin"]
    http = printed["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (host,) = http["route_config"]["virtual_hosts"]
    text = (ROOT / "envoy/README.md").read_text()
    (page,) = re.findall(r"```yaml\n(- name: github_proxy_admin\n.*?)```", text, re.DOTALL)
    (page,) = yaml.safe_load(page)
    page["address"]["socket_address"]["port_value"] = page_port
    filters = page["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    assert filters[0] == {"name": "github_proxy"}
    filters[0] = entry
    routes = [{**it, "request_headers_to_remove": ["x-forwarded-proto"]} for it in host["routes"]]
    listeners = [listener(port, manager("own", routes, [entry])), page]
    return {"static_resources": {"listeners": listeners, "clusters": clusters},
            "stats_config": bootstrap["stats_config"]}
