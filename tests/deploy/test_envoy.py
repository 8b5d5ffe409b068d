"""What `config` prints is accepted by the real Envoy where it is meant to go: the entry of `filter`
in an Envoy of an operator's own, as envoy/README.md says, and the objects for Istio in what istiod
makes of them."""

import concurrent.futures
import copy
import unittest

from envoys import validate
from istiod import patched, with_plugin
from own import own
from printed import CASES, config


def forms(variables):
    (bootstrap,) = config("bootstrap", **variables)
    (entry,) = config("filter", **variables)
    (envoy_filter,) = config("envoyfilter", **variables)
    return {"filter": own(bootstrap, entry, 10000, 10001),
            "wasmplugin": with_plugin(config("wasmplugin", **variables), 10000),
            "envoyfilter": patched(envoy_filter, 10000)}


def spoilt(it, key, change):
    """A copy in which every text under `key` is changed, and at least one is."""
    found = 0

    def walk(value):
        nonlocal found
        if isinstance(value, dict):
            for name, inner in value.items():
                if name == key and isinstance(inner, str):
                    value[name] = change(inner)
                    found += value[name] != inner
                else:
                    walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    it = copy.deepcopy(it)
    walk(it)
    assert found, f"no {key} was changed"
    return it


# Each with one thing in it that another has not; test_istio.py looks at all.
VALID = ("without TLS", "without names", "GitHub Enterprise", "sealed")
# What is changed, and what the refusal has to say of it.
WRONG = {
    "a cluster that is not there": ("cluster", lambda it: f"{it}x", "unknown cluster"),
    "a key that the filter does not know": (
        "value", lambda it: it.replace("token_sha256", "token_sha265"), "clients[0].token_sha265"),
    "a credential that is not there": (
        "value", lambda it: it.replace("GITHUB_PAT_BOT", "GITHUB_PAT_TOB"), "credentials[0]"),
    "a type that is none": ("@type", lambda it: it.replace("wasm.v3.Wasm", "wasm.v3.Wasn"), "Wasn"),
}


def validate_all(bootstraps):
    """What becomes of each: (exit code, log). Two at a time; a VM is compiled for each."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(bootstraps, pool.map(lambda it: validate(it[0], **it[1]), bootstraps.values())))


class Envoy(unittest.TestCase):
    def test_every_form_is_accepted_in_its_place(self):
        tried = {(case, form): (bootstrap, CASES[case])
                 for case in VALID for form, bootstrap in forms(CASES[case]).items()}
        for name, (code, log) in validate_all(tried).items():
            with self.subTest(name):
                # Nothing deprecated either, which a later Envoy would refuse.
                self.assertEqual(code, 0, log)
                self.assertRegex(log, r"\Aconfiguration '.*' OK\n\Z")

    def test_what_is_wrong_is_refused_with_its_reason(self):
        """By Envoy, and by the filter, to which Envoy has given its configuration."""
        tried = {(case, form): (spoilt(bootstrap, key, change), {})
                 for form, bootstrap in forms(CASES["with a cache"]).items()
                 for case, (key, change, _) in WRONG.items()}
        for (case, form), (code, log) in validate_all(tried).items():
            with self.subTest(case=case, form=form):
                self.assertNotEqual(code, 0, log)
                self.assertIn(WRONG[case][2], log)
                self.assertNotIn("ghp_", log)


if __name__ == "__main__":
    unittest.main()
