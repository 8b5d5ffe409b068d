"""githubkit reads a repository: typed REST with its paginator, its own cache with conditional
requests, GraphQL with cursors; the same in sync and async."""

import asyncio
import warnings

from flow import BASE_URL, OWNER, REPO, TOKEN, show
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import GraphQLFailed, RequestFailed

warnings.simplefilter("ignore")
ISSUES = """
query ($owner: String!, $name: String!, $cursor: String) {
  repository(owner: $owner, name: $name) {
    issues(first: 20, after: $cursor) {
      nodes { number title }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
variables = {"owner": OWNER, "name": REPO}


def client():
    return GitHub(TokenAuthStrategy(TOKEN), base_url=BASE_URL, auto_retry=False)


def in_sync():
    with client() as api:
        rest = api.rest
        repos, issues, git = rest.repos, rest.issues, rest.git
        seen = {"user": rest.users.get_authenticated().parsed_data.login}
        seen["repository"] = repos.get(OWNER, REPO).json()
        for method in [issues.list_for_repo, rest.pulls.list]:
            pages = rest.paginate(method, owner=OWNER, repo=REPO, state="all", per_page=10)
            seen[method.__name__] = [it.number for it in pages]
        seen["issue"] = issues.get(OWNER, REPO, 3).json()
        # Its cache asks whether the answer still holds.
        seen["issue again"] = issues.get(OWNER, REPO, 3).parsed_data.title
        seen["file"] = repos.get_content(OWNER, REPO, "docs/guide/first steps.md").json()
        head = repos.get_branch(OWNER, REPO, "feature/x").parsed_data.commit.sha
        tree = git.get_tree(OWNER, REPO, head, recursive="1")
        seen["tree"] = tree.json()
        blob = next(it for it in tree.parsed_data.tree if it.type == "blob")
        seen["blob"] = git.get_blob(OWNER, REPO, blob.sha).json()
        seen["release"] = repos.get_latest_release(OWNER, REPO).json()
        found = rest.search.issues_and_pull_requests(q=f"repo:{OWNER}/{REPO} is:open")
        seen["search"] = found.json()["total_count"]
        seen["limits"] = rest.rate_limit.get().parsed_data.resources.core.limit > 0
        seen["moved"] = repos.get("octocat", "old-name").parsed_data.full_name
        try:
            repos.get(OWNER, "none")
        except RequestFailed as error:
            seen["refused"] = [error.response.status_code, error.response.json()]
        pages = api.graphql.paginate(ISSUES, variables=variables)
        seen["graphql"] = [page["repository"]["issues"]["nodes"] for page in pages]
        try:
            api.graphql("{ viewer { shoeSize } }")
        except GraphQLFailed as error:
            seen["graphql refused"] = [it.message for it in error.response.errors]
        return seen


async def in_async():
    async with client() as api:
        rest = api.rest
        numbers = range(1, 11)
        some = [rest.issues.async_get(OWNER, REPO, number) for number in numbers]
        seen = {"at once": [it.parsed_data.title for it in await asyncio.gather(*some)]}
        pages = rest.paginate(
            rest.issues.async_list_for_repo, owner="octo-org", repo="widgets", per_page=50
        )
        seen["issues"] = [it.number async for it in pages]
        pages = api.graphql.paginate(ISSUES, variables=variables)
        seen["graphql"] = [page["repository"]["issues"]["nodes"] async for page in pages]
        return seen


show({"sync": in_sync(), "async": asyncio.run(in_async())})
