"""PyGithub reads a repository: lists with their pages, files, the Git database, search."""

import github
from flow import BASE_URL, FULL_NAME, TOKEN, show

# Small pages, so that Link is followed; without the pauses that PyGithub makes by default.
api = github.Github(
    base_url=BASE_URL, auth=github.Auth.Token(TOKEN), per_page=7, seconds_between_requests=0
)
repo = api.get_repo(FULL_NAME)
seen = {}


def raw(things):
    return [thing.raw_data for thing in things]


seen["user"] = api.get_user().raw_data
seen["login"] = api.get_user().login
seen["named user"] = api.get_user("hubot").raw_data
seen["repository"] = repo.raw_data
seen["repository by id"] = api.get_repo(repo.id).full_name
seen["repositories"] = [it.full_name for it in api.get_user("octocat").get_repos()]
seen["organization"] = [it.full_name for it in api.get_organization("octo-org").get_repos()]
seen["renamed"] = api.get_repo("octocat/old-name").raw_data

issues = repo.get_issues(state="all", sort="updated", direction="asc")
seen["issues"] = raw(issues)
seen["issue count"] = issues.totalCount
seen["issues backwards"] = [it.number for it in repo.get_issues(state="closed").reversed]
seen["page 3"] = [it.number for it in repo.get_issues().get_page(2)]
seen["slice"] = [it.title for it in api.get_repo("octo-org/widgets").get_issues()[20:31]]
issue = repo.get_issue(3)
seen["issue"] = issue.raw_data
seen["issue labels"] = raw(issue.get_labels())
seen["issue comments"] = raw(issue.get_comments())
# An object that knows only a part fetches the rest from its URL.
seen["lazy"] = issue.user.name
seen["by lazy ways"] = api.withLazy(True).get_repo(FULL_NAME).get_issue(1).title

pulls = repo.get_pulls(state="all")
seen["pulls"] = raw(pulls)
pull = pulls[0]
seen["pull"] = repo.get_pull(pull.number).raw_data
seen["pull files"] = raw(pull.get_files())
seen["pull commits"] = raw(pull.get_commits())
seen["merged"] = pull.is_merged()
seen["pull as issue"] = pull.as_issue().raw_data

seen["readme"] = repo.get_readme().decoded_content.decode()
seen["folder"] = raw(repo.get_contents(""))
seen["file"] = repo.get_contents("src/main.rs", ref="main").decoded_content.decode()
seen["file with a space"] = repo.get_contents("docs/guide/first steps.md").raw_data
head = repo.get_branch("main").commit
seen["branch"] = repo.get_branch("feature/x").raw_data
seen["branches"] = raw(repo.get_branches())
seen["tags"] = raw(repo.get_tags())
seen["commits"] = raw(repo.get_commits(sha="feature/x"))
seen["commit"] = repo.get_commit(head.sha).raw_data
tree = repo.get_git_tree(head.sha, recursive=True)
seen["tree"] = tree.raw_data
blob = next(it for it in tree.tree if it.path == "src/main.rs")
seen["blob"] = repo.get_git_blob(blob.sha).raw_data
seen["git commit"] = repo.get_git_commit(head.sha).raw_data
seen["reference"] = repo.get_git_ref("heads/feature/x").raw_data
seen["comparison"] = repo.compare("main", "feature/x").raw_data

seen["labels"] = raw(repo.get_labels())
seen["topics"] = repo.get_topics()
seen["languages"] = repo.get_languages()
seen["contributors"] = raw(repo.get_contributors())
seen["collaborator"] = repo.has_in_collaborators("octocat")
seen["not a collaborator"] = repo.has_in_collaborators("nobody")
seen["releases"] = raw(repo.get_releases())
seen["latest release"] = repo.get_latest_release().raw_data
seen["archive"] = repo.get_archive_link("tarball")

found = api.search_issues(f"repo:{FULL_NAME} is:issue is:open")
seen["search issues"] = [found.totalCount, [it.number for it in found]]
seen["search code"] = [it.path for it in api.search_code(f"repo:{FULL_NAME} println")]
seen["search repositories"] = raw(api.search_repositories("widgets"))


def refusal(request):
    try:
        request()
    except github.GithubException as error:
        return [type(error).__name__, error.status, error.data]


seen["no such repository"] = refusal(lambda: api.get_repo("octocat/none"))
seen["no such file"] = refusal(lambda: repo.get_contents("none.txt"))
seen["blocked"] = refusal(lambda: api.get_repo("octo-org/blocked").get_issues()[0])
seen["no issues"] = refusal(lambda: list(api.get_repo("octo-org/no-issues").get_issues()))

# Its own conditional request: nothing new is a 304.
seen["update"] = [repo.update(), issue.update(), repo.get_label("bug").update()]
limits = api.get_rate_limit()
seen["limits"] = limits.resources.core.limit > 0 and limits.resources.search.remaining >= 0
seen["limits of the last answer"] = api.rate_limiting[1] >= api.rate_limiting[0] >= 0
seen["reset"] = api.rate_limiting_resettime > 1_700_000_000
show(seen)
