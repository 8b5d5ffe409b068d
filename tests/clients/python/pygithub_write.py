"""PyGithub changes a repository, and sees each change at once: issues, labels, comments, pull
requests, files, the Git database, releases with files."""

import pathlib

import github
from flow import BASE_URL, FULL_NAME, TOKEN, show

api = github.Github(
    base_url=BASE_URL,
    auth=github.Auth.Token(TOKEN),
    seconds_between_requests=0,
    seconds_between_writes=0,
)
repo = api.get_repo(FULL_NAME)
seen = {}

before = repo.get_issues().totalCount
label = repo.create_label("needs care", "ff8800", "To be looked at")
label.edit("handle with care", "00ff00")
seen["label"] = repo.get_label("handle with care").raw_data
issue = repo.create_issue("Something is wrong", body="It is.", labels=[label, "bug"])
seen["created"] = issue.raw_data
seen["one more"] = repo.get_issues().totalCount - before
seen["first of the list"] = repo.get_issues()[0].raw_data

issue.edit(title="Nothing is wrong", body="It was ✓ \U0001f600.")
seen["edited"] = repo.get_issue(issue.number).raw_data
comment = issue.create_comment("First")
comment.edit("First, edited")
seen["second comment"] = issue.create_comment("Second").raw_data
seen["comments"] = [it.body for it in issue.get_comments()]
comment.delete()
seen["comments left"] = [it.body for it in issue.get_comments()]
issue.add_to_labels("enhancement")
issue.remove_from_labels("bug")
seen["labels"] = [it.name for it in issue.get_labels()]
issue.set_labels("bug")
issue.add_to_assignees("octocat")
issue.lock("resolved")
issue.edit(state="closed", state_reason="completed")
seen["updated"] = [issue.update(), issue.raw_data]
seen["not among the open"] = issue.number in [it.number for it in repo.get_issues()]
seen["among the closed"] = issue.number in [it.number for it in repo.get_issues(state="closed")]
label.delete()

made = repo.create_file("notes/new.txt", "Add a note", "first\n", branch="main")
seen["file made"] = made["content"].raw_data
file = repo.get_contents("notes/new.txt")
repo.update_file(file.path, "Change it", "second\n", file.sha)
file = repo.get_contents("notes/new.txt")
seen["file changed"] = file.decoded_content.decode()
repo.delete_file(file.path, "Remove it", file.sha)
seen["commits"] = [it.commit.message for it in repo.get_commits()[:3]]

head = repo.get_branch("main").commit
blob = repo.create_git_blob("by hand\n", "utf-8")
entry = github.InputGitTreeElement("by-hand.txt", "100644", "blob", sha=blob.sha)
tree = repo.create_git_tree([entry], base_tree=head.commit.tree)
commit = repo.create_git_commit("By hand", tree, [repo.get_git_commit(head.sha)])
ref = repo.create_git_ref("refs/heads/by-hand", commit.sha)
seen["reference"] = ref.raw_data
seen["on the branch"] = repo.get_contents("by-hand.txt", ref="by-hand").decoded_content.decode()
pull = repo.create_pull("main", "by-hand", title="By hand", body="See there.")
seen["pull"] = pull.raw_data
pull.create_issue_comment("Looks good")
pull.edit(title="By hand, at last")
seen["merge"] = pull.merge("Merged").raw_data
seen["merged"] = repo.get_pull(pull.number).raw_data
ref.delete()
seen["branches"] = [it.name for it in repo.get_branches()]

release = repo.create_git_release("v2.0.0", "Two", "The second.", target_commitish="main")
seen["release"] = release.raw_data
path = pathlib.Path("asset.bin")
path.write_bytes(bytes(range(256)) * 4096)
asset = release.upload_asset(str(path), "A file", "application/octet-stream", "whole.bin")
seen["asset"] = [asset.name, asset.label, asset.size, asset.content_type, asset.state]
with path.open("rb") as file:
    release.upload_asset_from_memory(
        file, path.stat().st_size, "again.bin", content_type="application/x-thing", label="Again"
    )
asset.download_asset("copy.bin")
seen["downloaded"] = pathlib.Path("copy.bin").read_bytes() == path.read_bytes()
seen["assets"] = [it.raw_data for it in repo.get_release("v2.0.0").get_assets()]
seen["asset by id"] = repo.get_release_asset(asset.id).raw_data
asset.delete_asset()
seen["assets left"] = [it.name for it in release.get_assets()]
release.update_release("Two and a bit", "Still the second.", prerelease=True)
seen["latest"] = repo.get_latest_release().tag_name
release.delete_release()
seen["releases"] = [it.tag_name for it in repo.get_releases()]

repo.edit(description="Described anew")
repo.replace_topics(["one", "two"])
seen["repository"] = api.get_repo(FULL_NAME).raw_data
seen["topics"] = repo.get_topics()

try:
    repo.create_issue("")
except github.GithubException as error:
    seen["refused"] = [error.status, error.data]
show(seen)
