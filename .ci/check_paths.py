"""Checks that each path that the documentation names is in the repository.

A path is a relative link target, a word in code that starts with `./`, or one whose first part
is something at the top of the repository (`filter/core/src`). What a build makes (`target/`) and
patterns (`*`, `<name>`, `…`) are left out. A link into a document must lead to one of its
headings, by the anchor that GitHub gives it. Ends with 1 and one line a finding.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*```.*?^\s*```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
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


def anchors(document):
    """The anchors of a document's headings: lower case, without punctuation, words joined by
    hyphens; of equal ones the second ends in -1, and so on."""
    found = []
    for heading in HEADING.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        visible = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", visible.lower()).replace(" ", "-")
        count = sum(anchor == other for other, _ in found)
        found.append((anchor, f"{anchor}-{count}" if count else anchor))
    return {anchor for _, anchor in found}


def missing_in(document, tops):
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in LINK.findall(FENCE.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = ROOT / pathlib.PurePosixPath(document).parent / name if name else ROOT / document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link
    for word in words(text, tops):
        if not word.startswith("target") and not (ROOT / word).exists():
            yield word


def main():
    files = tracked()
    tops = {name.split("/")[0] for name in files}
    documents = [name for name in files if name.endswith(".md") and (ROOT / name).exists()]
    findings = [f"{name}: {path}" for name in documents for path in missing_in(name, tops)]
    for finding in findings:
        print(f"no such path or anchor: {finding}", file=sys.stderr)
    print(f"{len(documents)} documents, {len(findings)} paths or anchors that do not exist")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
