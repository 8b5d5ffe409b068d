//! Objects of GitHub's schema, whole: the selection is cut out of them afterwards.
//!
//! A connection without code of its own is a member of this form: `{"__connection": [nodes]}`
//! ([`connection`]); its nodes are in the order in which they were made.

use crate::routes::Call;
use crate::world::json::node_id;
use crate::world::time::iso;
use crate::world::{Comment, Issue, Label, Release, Repo, World};
use serde_json::{json, Value};

const SITE: &str = "https://github.com";

/// A connection with these nodes.
pub fn connection(nodes: Vec<Value>) -> Value {
    json!({ "__connection": nodes })
}

fn none() -> Value {
    connection(Vec::new())
}

/// A user or an organization.
pub fn actor(call: &Call<'_>, world: &World, login: &str) -> Value {
    let account = world.account(login);
    let organization = account.is_some_and(|account| account.organization);
    let kind = if organization { "Organization" } else { "User" };
    let id = account.map_or(0, |account| account.id);
    let viewer = call.who.login().is_some_and(|viewer| viewer == login);
    json!({
        "__typename": kind,
        "id": node_id(kind, id),
        "databaseId": id,
        "login": login,
        "name": login,
        "url": format!("{SITE}/{login}"),
        "isViewer": viewer,
        "organizations": none(),
    })
}

/// A repository, without what has code of its own.
pub fn repository(call: &Call<'_>, world: &World, repo: &Repo) -> Value {
    let full = repo.full_name();
    let releases = repo
        .releases
        .values()
        .map(|it| release(call, world, repo, it));
    let topics = repo.topics.iter().map(|name| {
        json!({
            "__typename": "RepositoryTopic",
            "topic": { "__typename": "Topic", "name": name },
        })
    });
    json!({
        "__typename": "Repository",
        "id": node_id("Repository", repo.id),
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": full,
        "owner": actor(call, world, &repo.owner),
        "description": repo.description,
        "homepageUrl": null,
        "isPrivate": repo.private,
        "isArchived": repo.archived,
        "isFork": false,
        "isEmpty": false,
        "isTemplate": false,
        "visibility": if repo.private { "PRIVATE" } else { "PUBLIC" },
        "hasIssuesEnabled": repo.has_issues,
        "hasProjectsEnabled": true,
        "hasWikiEnabled": true,
        "hasVulnerabilityAlertsEnabled": false,
        "autoMergeAllowed": false,
        "mergeCommitAllowed": true,
        "rebaseMergeAllowed": true,
        "squashMergeAllowed": true,
        "viewerPermission": "WRITE",
        "viewerHasStarred": false,
        "stargazerCount": 0,
        "forkCount": 0,
        "diskUsage": 0,
        "parent": null,
        "licenseInfo": null,
        "primaryLanguage": null,
        "languages": none(),
        "milestones": none(),
        "projects": none(),
        "assignableUsers": connection(vec![actor(call, world, &repo.owner)]),
        "labels": connection(repo.labels.values().map(label).collect()),
        "releases": connection(releases.collect()),
        "repositoryTopics": connection(topics.collect()),
        "latestRelease": latest(repo).map(|it| release(call, world, repo, it)),
        "issueTemplates": [],
        "pullRequestTemplates": [],
        "url": format!("{SITE}/{full}"),
        "sshUrl": format!("git@github.com:{full}.git"),
        "createdAt": iso(repo.created),
        "updatedAt": iso(repo.updated),
        "pushedAt": iso(repo.pushed),
        "defaultBranchRef": reference(repo, "refs/heads/", &repo.default_branch),
    })
}

/// A branch or tag.
pub fn reference(repo: &Repo, prefix: &str, name: &str) -> Value {
    let commit = repo.refs.get(&format!("{prefix}{name}"));
    let commit = commit.and_then(|sha| repo.git.commit(sha));
    json!({
        "__typename": "Ref",
        "name": name,
        "prefix": prefix,
        "target": commit.map(|commit| json!({
            "__typename": "Commit",
            "oid": commit.sha,
            "committedDate": iso(commit.date),
            "message": commit.message,
        })),
    })
}

fn latest(repo: &Repo) -> Option<&Release> {
    let mut newest_first = repo.releases.values().rev();
    newest_first.find(|release| !release.draft && !release.prerelease)
}

/// A label.
pub fn label(label: &Label) -> Value {
    json!({
        "__typename": "Label",
        "id": node_id("Label", label.id),
        "name": label.name,
        "color": label.color,
        "description": label.description,
        "isDefault": false,
    })
}

/// A release.
pub fn release(call: &Call<'_>, world: &World, repo: &Repo, release: &Release) -> Value {
    let is_latest = latest(repo).is_some_and(|latest| latest.id == release.id);
    let assets = release.assets.values().map(|asset| {
        json!({
            "__typename": "ReleaseAsset",
            "id": node_id("ReleaseAsset", asset.id),
            "name": asset.name,
            "size": asset.size,
            "contentType": asset.content_type,
            "createdAt": iso(asset.created),
        })
    });
    json!({
        "__typename": "Release",
        "id": node_id("Release", release.id),
        "databaseId": release.id,
        "name": release.name,
        "tagName": release.tag,
        "description": release.body,
        "isDraft": release.draft,
        "isLatest": is_latest,
        "isPrerelease": release.prerelease,
        "author": actor(call, world, &release.user),
        "createdAt": iso(release.created),
        "publishedAt": (!release.draft).then(|| iso(release.created)),
        "url": format!("{SITE}/{}/releases/tag/{}", repo.full_name(), release.tag),
        "releaseAssets": connection(assets.collect()),
    })
}

/// What an issue is called in the schema.
pub fn kind(issue: &Issue) -> &'static str {
    match issue.pull {
        Some(_) => "PullRequest",
        None => "Issue",
    }
}

/// `OPEN`, `CLOSED` or `MERGED`.
pub fn state(issue: &Issue) -> &'static str {
    let merged = issue
        .pull
        .as_ref()
        .is_some_and(|pull| pull.merged.is_some());
    match (issue.open, merged) {
        (true, _) => "OPEN",
        (false, true) => "MERGED",
        (false, false) => "CLOSED",
    }
}

/// An issue or a pull request.
pub fn issue(call: &Call<'_>, world: &World, repo: &Repo, issue: &Issue) -> Value {
    let kind = kind(issue);
    let page = if issue.pull.is_some() {
        "pull"
    } else {
        "issues"
    };
    let labels = issue.labels.iter();
    let labels = labels.filter_map(|name| repo.labels.get(&name.to_lowercase()));
    let people = issue.assignees.iter();
    let people = people.map(|login| actor(call, world, login)).collect();
    let comments = repo.comments_on(issue.number);
    let comments = comments.map(|it| comment(call, world, repo, it)).collect();
    let mut whole = json!({
        "__typename": kind,
        "id": node_id(kind, issue.id),
        "databaseId": issue.id,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body.clone().unwrap_or_default(),
        "state": state(issue),
        "closed": !issue.open,
        "locked": issue.locked,
        "url": format!("{SITE}/{}/{page}/{}", repo.full_name(), issue.number),
        "author": actor(call, world, &issue.user),
        "createdAt": iso(issue.created),
        "updatedAt": iso(issue.updated),
        "closedAt": issue.closed.map(iso),
        "labels": connection(labels.map(label).collect()),
        "assignees": connection(people),
        "comments": connection(comments),
        "milestone": null,
        "projectCards": none(),
        "reactionGroups": [],
        "repository": {
            "__typename": "Repository",
            "id": node_id("Repository", repo.id),
            "name": repo.name,
            "nameWithOwner": repo.full_name(),
            "owner": actor(call, world, &repo.owner),
        },
    });
    let more = match issue.pull {
        Some(_) => pull(call, world, repo, issue),
        None => json!({ "stateReason": null, "isPinned": false }),
    };
    crate::world::json::extend(&mut whole, more);
    whole
}

/// What only pull requests have.
fn pull(call: &Call<'_>, world: &World, repo: &Repo, issue: &Issue) -> Value {
    let Some(pull) = &issue.pull else {
        return Value::Null;
    };
    let changes = repo.git.changes(Some(&pull.base_sha), &pull.head_sha);
    let files = changes.keys().map(|path| {
        json!({
            "__typename": "PullRequestChangedFile",
            "path": path,
            "additions": 1,
            "deletions": 0,
        })
    });
    let commits = repo.git.history(&pull.head_sha).into_iter();
    let mut commits: Vec<Value> = commits
        .take_while(|commit| commit.sha != pull.base_sha)
        .map(|commit| {
            json!({
                "__typename": "PullRequestCommit",
                "commit": {
                    "__typename": "Commit",
                    "oid": commit.sha,
                    "messageHeadline": commit.message,
                    "messageBody": "",
                    "committedDate": iso(commit.date),
                    "authoredDate": iso(commit.date),
                    "authors": none(),
                    "statusCheckRollup": null,
                },
            })
        })
        .collect();
    commits.reverse();
    json!({
        "isDraft": false,
        "isCrossRepository": false,
        "maintainerCanModify": false,
        "mergeable": if issue.open { "MERGEABLE" } else { "UNKNOWN" },
        "mergeStateStatus": if issue.open { "CLEAN" } else { "UNKNOWN" },
        "merged": pull.merged.is_some(),
        "mergedAt": pull.merged.as_ref().map(|(_, at)| iso(*at)),
        "mergeCommit": pull.merged.as_ref().map(|(sha, _)| json!({
            "__typename": "Commit",
            "oid": sha,
        })),
        "additions": changes.len(),
        "deletions": 0,
        "changedFiles": changes.len(),
        "files": connection(files.collect()),
        "commits": connection(commits),
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
        "baseRefOid": pull.base_sha,
        "baseRef": {
            "__typename": "Ref",
            "name": pull.base,
            "branchProtectionRule": null,
        },
        "headRepositoryOwner": actor(call, world, &repo.owner),
        "headRepository": {
            "__typename": "Repository",
            "id": node_id("Repository", repo.id),
            "name": repo.name,
        },
        "reviewDecision": null,
        "reviewRequests": none(),
        "reviews": none(),
        "latestReviews": none(),
    })
}

/// A comment on an issue.
pub fn comment(call: &Call<'_>, world: &World, repo: &Repo, comment: &Comment) -> Value {
    let login = call.who.login();
    json!({
        "__typename": "IssueComment",
        "id": node_id("IssueComment", comment.id),
        "databaseId": comment.id,
        "body": comment.body,
        "author": actor(call, world, &comment.user),
        "authorAssociation": "OWNER",
        "createdAt": iso(comment.created),
        "includesCreatedEdit": comment.updated > comment.created,
        "isMinimized": false,
        "minimizedReason": null,
        "reactionGroups": [],
        "viewerDidAuthor": login.is_some_and(|login| login == comment.user),
        "url": format!(
            "{SITE}/{}/issues/{}#issuecomment-{}",
            repo.full_name(), comment.issue, comment.id
        ),
    })
}
