"""envoy/kubernetes/monitoring: the rules and dashboards of observability, as objects."""

import subprocess
import unittest

from objects import OBJECTS, load
from places import MANIFESTS, ROOT

RULES = ROOT / "observability/prometheus/rules"
DASHBOARDS = ROOT / "observability/grafana/dashboards"


def named(kind, name):
    (found,) = [it for it in OBJECTS if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


class Monitoring(unittest.TestCase):
    def test_the_rules_are_those_of_observability(self):
        sources = sorted(RULES.glob("*.yml"))
        self.assertEqual(len(sources), 2)
        for path in sources:
            (source,) = load(path.read_text())
            self.assertEqual(named("PrometheusRule", f"github-proxy-{path.stem}")["spec"], source)

    def test_the_rules_are_as_the_script_makes_them(self):
        made = subprocess.run([ROOT / "scripts/prometheusrule", "-"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual((MANIFESTS / "monitoring/prometheusrule.yaml").read_text(), made)

    def test_the_job_is_one_that_the_rules_look_for(self):
        """Without `jobLabel`, the operator names it after the service."""
        monitor = named("ServiceMonitor", "github-proxy")
        self.assertNotIn("jobLabel", monitor["spec"])
        self.assertTrue(named("Service", "github-proxy-admin"))
        alerts = named("PrometheusRule", "github-proxy-alerts")["spec"]["groups"][0]["rules"]
        (absent,) = [it for it in alerts if it["alert"] == "GithubProxyAbsent"]
        self.assertIn('up{job=~"github-proxy.*"} == 0', absent["expr"])

    def test_grafana_finds_every_dashboard(self):
        found = named("ConfigMap", "github-proxy-dashboards")
        self.assertEqual(found["metadata"]["labels"]["grafana_dashboard"], "1")
        dashboards = {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
        self.assertEqual(len(dashboards), 3)
        self.assertEqual(found["data"], dashboards)


if __name__ == "__main__":
    unittest.main()
