"""Checks that each path that the documentation names is in the repository.

A path is a relative link target, a word in code that starts with `./`, or one whose first part
is something at the top of the repository (`filter/core/src`). What a build makes (`target/`) and
patterns (`*`, `<name>`, `…`) are left out. Ends with 1 and one line a finding.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*```.*?^\s*```", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"^(?:\./)?[\w.-]+(?:/[\w.-]+)*/?$")


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    return [name for name in listing.stdout.decode().split("\0") if name]


def words(text, tops):
    """The words in code spans and code blocks that mean a path, without `./`."""
    code = CODE.findall(FENCE.sub("", text)) + FENCE.findall(text)
    for word in re.split(r"[\s'\"=,;:|]+", " ".join(code)):
        if WORD.match(word) and (word.startswith("./") or ("/" in word and word.split("/")[0] in tops)):
            yield word.removeprefix("./")


def missing_in(document, tops):
    text = (ROOT / document).read_text(encoding="utf-8")
    folder = pathlib.PurePosixPath(document).parent
    for target in LINK.findall(text):
        target = target.split("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            if not (ROOT / folder / target).exists():
                yield target
    for word in words(text, tops):
        if not word.startswith("target") and not (ROOT / word).exists():
            yield word


def main():
    files = tracked()
    tops = {name.split("/")[0] for name in files}
    documents = [name for name in files if name.endswith(".md") and (ROOT / name).exists()]
    findings = [f"{name}: {path}" for name in documents for path in missing_in(name, tops)]
    for finding in findings:
        print(f"no such path: {finding}", file=sys.stderr)
    print(f"{len(documents)} documents, {len(findings)} paths that do not exist")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
