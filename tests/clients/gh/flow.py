"""What people and scripts do with GitHub's command line program, gh, at the host of BASE_URL.

Usage: flow.py read|write. Prints a JSON object: for each command its exit code and what it said.
Host and token are left out of that, since they differ from run to run.
"""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

HOST = urlsplit(os.environ["BASE_URL"]).netloc
REPO = os.environ["OWNER"] + "/" + os.environ["REPO"]
ENVIRONMENT = os.environ | {
    "GH_HOST": HOST,
    "GH_ENTERPRISE_TOKEN": os.environ["TOKEN"],
    "GH_NO_UPDATE_NOTIFIER": "1",
    "NO_COLOR": "1",
    # gh keeps what --cache stored, and what it found out about the server, below this folder.
    "TMPDIR": os.environ["HOME"],
}
ISSUE = "number,title,body,state,author,labels,assignees,comments,createdAt,updatedAt,closedAt,url"
PULL = (
    "number,title,body,state,author,labels,files,commits,headRefName,baseRefName,mergeable,"
    "isDraft,statusCheckRollup,reviewDecision,additions,changedFiles"
)
EVERY_ISSUE = """
query($owner: String!, $name: String!, $endCursor: String) {
  repository(owner: $owner, name: $name) {
    issues(first: 15, after: $endCursor) {
      nodes { number title author { login } labels(first: 5) { nodes { name } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

results = {}


def gh(*arguments, stdin=None):
    """Runs gh and keeps what came of it."""
    done = subprocess.run(
        ["gh", *arguments], env=ENVIRONMENT, input=stdin, capture_output=True, text=True
    )
    said = {"code": done.returncode, "out": shown(done.stdout), "err": shown(done.stderr)}
    name = " ".join(argument for argument in arguments if "\n" not in argument)
    while name in results:
        name += " (again)"
    results[name] = said


def shown(text):
    """The text without host, token, and what gh says of the token's kind."""
    text = text.replace(HOST, "HOST").replace(os.environ["TOKEN"], "TOKEN")
    lines = text.splitlines()
    return [line for line in lines if "Token: " not in line and "Token scopes: " not in line]


def on_repo(*arguments, **options):
    """The same for the repository."""
    gh(*arguments, "-R", REPO, **options)


def read():
    """Everything that changes nothing."""
    gh("auth", "status")
    on_repo("issue", "list")
    on_repo("issue", "list", "--state", "all", "--limit", "100", "--json", "number,state,title")
    on_repo("issue", "list", "--label", "bug", "--json", ISSUE)
    on_repo("issue", "list", "--search", "Issue in:title", "--limit", "5")
    on_repo("issue", "view", "3")
    on_repo("issue", "view", "3", "--comments")
    on_repo("issue", "view", "3", "--json", ISSUE)
    on_repo("issue", "view", "4000")
    on_repo("issue", "status")
    gh("issue", "list", "-R", "octo-org/widgets", "--limit", "220", "--json", "number")
    on_repo("pr", "list")
    on_repo("pr", "list", "--json", PULL)
    on_repo("pr", "view", "44")
    on_repo("pr", "view", "44", "--json", PULL)
    on_repo("pr", "diff", "44")
    on_repo("pr", "diff", "44", "--name-only")
    on_repo("pr", "checks", "44")
    on_repo("pr", "status")
    on_repo("label", "list")
    on_repo("release", "list")
    on_repo("release", "view", "v1.0.0")
    gh("repo", "view", REPO)
    gh("repo", "view", REPO, "--json", "name,owner,issues,labels,latestRelease,defaultBranchRef")
    gh("repo", "view", "octocat/nothing")
    gh("repo", "list", "octocat")
    gh("search", "issues", "Issue", "--repo", REPO, "--limit", "50", "--json", "number,title")
    gh("search", "prs", "Topic", "--repo", REPO)
    gh("search", "repos", "hello")
    gh("search", "commits", "Update", "--repo", REPO)
    read_api()


def read_api():
    """gh api, the way of scripts."""
    issues = f"repos/{REPO}/issues?state=all&per_page=10"
    gh("api", "user", "--jq", ".login")
    gh("api", "--paginate", issues, "--jq", ".[].number")
    gh("api", "--paginate", issues)
    gh("api", issues, "--template", "{{range .}}{{.number}} {{.url}}\n{{end}}")
    gh("api", f"repos/{REPO}/contents/README.md", "-H", "Accept: application/vnd.github.raw+json")
    gh("api", f"repos/{REPO}/pulls/44", "-H", "Accept: application/vnd.github.diff")
    gh("api", "search/issues", "-X", "GET", "-f", "q=Issue repo:" + REPO, "--jq", ".total_count")
    gh("api", "--cache", "1h", f"repos/{REPO}", "--jq", ".full_name")
    gh("api", "--cache", "1h", f"repos/{REPO}", "--jq", ".full_name")
    gh("api", f"repos/{REPO}/nothing")
    owner, name = REPO.split("/")
    variables = ["-F", f"owner={owner}", "-F", f"name={name}"]
    gh("api", "graphql", "--paginate", "-f", "query=" + EVERY_ISSUE, *variables)
    gh("api", "graphql", "-f", "query={ viewer { login } nothing }")
    gh("api", "graphql", "-f", "query={ viewer { login } }", "--jq", ".data.viewer.login")


def write():
    """Everything that changes something, each change looked at afterwards."""
    number = "46"
    on_repo("issue", "create", "--title", "From gh", "--body", "Text", "--label", "bug")
    on_repo("issue", "comment", number, "--body", "A comment")
    edits = ["--title", "Renamed", "--add-label", "enhancement", "--remove-label", "bug"]
    on_repo("issue", "edit", number, *edits)
    on_repo("issue", "view", number, "--json", ISSUE)
    on_repo("issue", "close", number, "--comment", "Done")
    on_repo("issue", "view", number, "--json", ISSUE)
    on_repo("issue", "reopen", number)
    on_repo("issue", "list", "--limit", "3")
    on_repo("pr", "edit", "44", "--title", "Renamed", "--add-label", "bug")
    on_repo("pr", "comment", "44", "--body", "Another")
    on_repo("pr", "merge", "43", "--merge")
    on_repo("pr", "close", "45")
    on_repo("pr", "list", "--state", "all", "--json", PULL)
    write_labels()
    write_releases()
    write_api()


def write_labels():
    """Labels."""
    on_repo("label", "create", "new", "--color", "aabbcc", "--description", "Of gh")
    on_repo("label", "create", "new")
    on_repo("label", "edit", "new", "--name", "newer")
    on_repo("label", "delete", "newer", "--yes")
    on_repo("label", "list")


def write_releases():
    """Releases with their files."""
    with open("asset one.bin", "wb") as file:
        file.write(bytes(range(256)) * 4096)
    with open("notes.txt", "w", encoding="utf-8") as file:
        file.write("What is new: näher dran.\n")
    on_repo("release", "create", "v2.0.0", "--title", "Two", "--notes-file", "notes.txt")
    on_repo("release", "upload", "v2.0.0", "asset one.bin", "notes.txt#The notes")
    on_repo("release", "view", "v2.0.0", "--json", "tagName,name,body,isDraft,assets")
    on_repo("release", "download", "v2.0.0", "--dir", "downloaded")
    for name in sorted(os.listdir("downloaded")):
        with open(f"downloaded/{name}", "rb") as file:
            results[f"downloaded {name}"] = file.read().hex()
    on_repo("release", "create", "v3.0.0", "notes.txt", "--draft", "--notes", "")
    on_repo("release", "list")
    on_repo("release", "delete-asset", "v2.0.0", "notes.txt", "--yes")
    on_repo("release", "delete", "v2.0.0", "--yes")
    on_repo("release", "list")


def write_api():
    """gh api, the way of scripts."""
    issues = f"repos/{REPO}/issues"
    gh("api", issues, "-f", "title=From the API", "-f", "labels[]=bug", "--jq", ".number")
    gh("api", "-X", "PATCH", f"{issues}/47", "--input", "-", stdin='{"state": "closed"}')
    gh("api", f"{issues}/47", "--jq", "[.state, .title]")
    gh("api", "-X", "PUT", f"{issues}/47/lock", "--silent")
    gh("api", "-X", "POST", issues, "-f", "body=without a title")


{"read": read, "write": write}[sys.argv[1]]()
json.dump(results, sys.stdout)
