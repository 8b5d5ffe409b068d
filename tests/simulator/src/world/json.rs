//! The JSON bodies of accounts, repositories, issues and the rest.
//!
//! Fields are those that clients of GitHub rely on, in GitHub's order.

use crate::shared::Bases;
use crate::world::time::iso;
use crate::world::{Account, Asset, Comment, Issue, Label, Release, Repo, World};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::{json, Value};

/// What bodies are made from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What is shown.
    pub world: &'a World,
    /// What URLs begin with.
    pub bases: &'a Bases,
}

/// An opaque node id.
pub fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{:02}:{kind}{id}", kind.len()))
}

/// GitHub's pages for people, which are not on the API.
const SITE: &str = "https://github.com";

impl View<'_> {
    fn api(&self) -> &str {
        &self.bases.api
    }

    /// The URL of a repository.
    pub fn repo_url(&self, repo: &Repo) -> String {
        format!("{}/repos/{}", self.api(), repo.full_name())
    }

    /// The short form of an account by login.
    pub fn login(&self, login: &str) -> Value {
        match self.world.account(login) {
            Some(account) => self.account(account),
            None => Value::Null,
        }
    }

    /// The short form of an account.
    pub fn account(&self, account: &Account) -> Value {
        let (login, id) = (&account.login, account.id);
        let kind = if account.organization {
            "Organization"
        } else {
            "User"
        };
        let url = format!("{}/users/{login}", self.api());
        json!({
            "login": login,
            "id": id,
            "node_id": node_id(kind, id),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{SITE}/{login}"),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind,
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    /// The full form of a user.
    pub fn full_account(&self, account: &Account) -> Value {
        let mut value = self.account(account);
        let repos = self
            .world
            .repos()
            .filter(|repo| repo.owner == account.login)
            .count();
        extend(
            &mut value,
            json!({
                "name": account.login,
                "company": null,
                "blog": "",
                "location": null,
                "email": null,
                "hireable": null,
                "bio": null,
                "twitter_username": null,
                "public_repos": repos,
                "public_gists": 0,
                "followers": 0,
                "following": 0,
                "created_at": iso(account.created),
                "updated_at": iso(account.updated),
            }),
        );
        value
    }

    /// An organization.
    pub fn organization(&self, account: &Account) -> Value {
        let (login, id) = (&account.login, account.id);
        let url = format!("{}/orgs/{login}", self.api());
        json!({
            "login": login,
            "id": id,
            "node_id": node_id("Organization", id),
            "url": url,
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"),
            "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "description": null,
            "name": login,
            "public_repos": self.world.repos().filter(|repo| repo.owner == *login).count(),
            "html_url": format!("{SITE}/{login}"),
            "created_at": iso(account.created),
            "updated_at": iso(account.updated),
            "type": "Organization",
        })
    }

    /// A repository.
    pub fn repo(&self, repo: &Repo) -> Value {
        let url = self.repo_url(repo);
        let full = repo.full_name();
        let mut value = json!({
            "id": repo.id,
            "node_id": node_id("Repository", repo.id),
            "name": repo.name,
            "full_name": full,
            "private": repo.private,
            "owner": self.login(&repo.owner),
            "html_url": format!("{SITE}/{full}"),
            "description": repo.description,
            "fork": false,
            "url": url,
        });
        for (key, path) in REPO_URLS {
            extend(&mut value, json!({*key: format!("{url}{path}")}));
        }
        let open = repo.issues.values().filter(|issue| issue.open).count();
        extend(
            &mut value,
            json!({
                "created_at": iso(repo.created),
                "updated_at": iso(repo.updated),
                "pushed_at": iso(repo.pushed),
                "git_url": format!("git://github.com/{full}.git"),
                "ssh_url": format!("git@github.com:{full}.git"),
                "clone_url": format!("{SITE}/{full}.git"),
                "svn_url": format!("{SITE}/{full}"),
                "homepage": null,
                "size": 0,
                "stargazers_count": 0,
                "watchers_count": 0,
                "language": null,
                "has_issues": repo.has_issues,
                "has_projects": true,
                "has_downloads": true,
                "has_wiki": true,
                "has_pages": false,
                "has_discussions": false,
                "forks_count": 0,
                "mirror_url": null,
                "archived": repo.archived,
                "disabled": false,
                "open_issues_count": open,
                "license": null,
                "allow_forking": true,
                "is_template": false,
                "web_commit_signoff_required": false,
                "topics": repo.topics,
                "visibility": if repo.private { "private" } else { "public" },
                "forks": 0,
                "open_issues": open,
                "watchers": 0,
                "default_branch": repo.default_branch,
                "permissions": {
                    "admin": false, "maintain": false, "push": true, "triage": true, "pull": true,
                },
            }),
        );
        value
    }

    /// A label.
    pub fn label(&self, repo: &Repo, label: &Label) -> Value {
        json!({
            "id": label.id,
            "node_id": node_id("Label", label.id),
            "url": format!("{}/labels/{}", self.repo_url(repo), encoded(&label.name)),
            "name": label.name,
            "color": label.color,
            "default": false,
            "description": label.description,
        })
    }

    fn labels(&self, repo: &Repo, issue: &Issue) -> Vec<Value> {
        issue
            .labels
            .iter()
            .filter_map(|name| repo.labels.get(&name.to_lowercase()))
            .map(|label| self.label(repo, label))
            .collect()
    }

    fn people(&self, logins: &[String]) -> Vec<Value> {
        logins.iter().map(|login| self.login(login)).collect()
    }

    /// An issue, or a pull request as an issue.
    pub fn issue(&self, repo: &Repo, issue: &Issue) -> Value {
        let repo_url = self.repo_url(repo);
        let number = issue.number;
        let url = format!("{repo_url}/issues/{number}");
        let kind = if issue.pull.is_some() {
            "pull"
        } else {
            "issues"
        };
        let html = format!("{SITE}/{}/{kind}/{number}", repo.full_name());
        let mut value = json!({
            "url": url,
            "repository_url": repo_url,
            "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"),
            "html_url": html,
            "id": issue.id,
            "node_id": node_id("Issue", issue.id),
            "number": number,
            "title": issue.title,
            "user": self.login(&issue.user),
            "labels": self.labels(repo, issue),
            "state": if issue.open { "open" } else { "closed" },
            "locked": issue.locked,
            "assignee": issue.assignees.first().map(|login| self.login(login)),
            "assignees": self.people(&issue.assignees),
            "milestone": null,
            "comments": repo.comments_on(number).count(),
            "created_at": iso(issue.created),
            "updated_at": iso(issue.updated),
            "closed_at": issue.closed.map(iso),
            "author_association": "OWNER",
            "active_lock_reason": null,
            "body": issue.body,
            "reactions": reactions(&url),
            "timeline_url": format!("{url}/timeline"),
            "performed_via_github_app": null,
            "state_reason": null,
        });
        if let Some(pull) = &issue.pull {
            let link = json!({
                "url": format!("{repo_url}/pulls/{number}"),
                "html_url": html,
                "diff_url": format!("{html}.diff"),
                "patch_url": format!("{html}.patch"),
                "merged_at": pull.merged.as_ref().map(|(_, at)| iso(*at)),
            });
            extend(&mut value, json!({"draft": false, "pull_request": link}));
        }
        value
    }

    /// A pull request; `null` for an issue that is none.
    pub fn pull(&self, repo: &Repo, issue: &Issue) -> Value {
        let Some(pull) = &issue.pull else {
            return Value::Null;
        };
        let repo_url = self.repo_url(repo);
        let number = issue.number;
        let url = format!("{repo_url}/pulls/{number}");
        let issue_url = format!("{repo_url}/issues/{number}");
        let html = format!("{SITE}/{}/pull/{number}", repo.full_name());
        let side = |name: &str, sha: &str| {
            json!({
                "label": format!("{}:{name}", repo.owner),
                "ref": name,
                "sha": sha,
                "user": self.login(&repo.owner),
                "repo": self.repo(repo),
            })
        };
        json!({
            "url": url,
            "id": issue.id,
            "node_id": node_id("PullRequest", issue.id),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "issue_url": issue_url,
            "number": number,
            "state": if issue.open { "open" } else { "closed" },
            "locked": issue.locked,
            "title": issue.title,
            "user": self.login(&issue.user),
            "body": issue.body,
            "created_at": iso(issue.created),
            "updated_at": iso(issue.updated),
            "closed_at": issue.closed.map(iso),
            "merged_at": pull.merged.as_ref().map(|(_, at)| iso(*at)),
            "merge_commit_sha": pull.merged.as_ref().map(|(sha, _)| sha),
            "assignee": issue.assignees.first().map(|login| self.login(login)),
            "assignees": self.people(&issue.assignees),
            "requested_reviewers": [],
            "requested_teams": [],
            "labels": self.labels(repo, issue),
            "milestone": null,
            "draft": false,
            "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"),
            "review_comment_url": format!("{repo_url}/pulls/comments{{/number}}"),
            "comments_url": format!("{issue_url}/comments"),
            "statuses_url": format!("{repo_url}/statuses/{}", pull.head_sha),
            "head": side(&pull.head, &pull.head_sha),
            "base": side(&pull.base, &pull.base_sha),
            "_links": {
                "self": {"href": url},
                "html": {"href": html},
                "issue": {"href": issue_url},
                "comments": {"href": format!("{issue_url}/comments")},
                "review_comments": {"href": format!("{url}/comments")},
                "review_comment": {"href": format!("{repo_url}/pulls/comments{{/number}}")},
                "commits": {"href": format!("{url}/commits")},
                "statuses": {"href": format!("{repo_url}/statuses/{}", pull.head_sha)},
            },
            "author_association": "OWNER",
            "auto_merge": null,
            "active_lock_reason": null,
        })
    }

    /// A comment on an issue.
    pub fn comment(&self, repo: &Repo, comment: &Comment) -> Value {
        let repo_url = self.repo_url(repo);
        let url = format!("{repo_url}/issues/comments/{}", comment.id);
        json!({
            "url": url,
            "html_url": format!(
                "{SITE}/{}/issues/{}#issuecomment-{}", repo.full_name(), comment.issue, comment.id
            ),
            "issue_url": format!("{repo_url}/issues/{}", comment.issue),
            "id": comment.id,
            "node_id": node_id("IssueComment", comment.id),
            "user": self.login(&comment.user),
            "created_at": iso(comment.created),
            "updated_at": iso(comment.updated),
            "author_association": "OWNER",
            "body": comment.body,
            "reactions": reactions(&url),
            "performed_via_github_app": null,
        })
    }

    /// A release.
    pub fn release(&self, repo: &Repo, release: &Release) -> Value {
        let repo_url = self.repo_url(repo);
        let url = format!("{repo_url}/releases/{}", release.id);
        let uploads = format!(
            "{}/repos/{}/releases/{}/assets{{?name,label}}",
            self.bases.uploads,
            repo.full_name(),
            release.id
        );
        let assets: Vec<Value> = release
            .assets
            .values()
            .map(|asset| self.asset(repo, release, asset))
            .collect();
        json!({
            "url": url,
            "assets_url": format!("{url}/assets"),
            "upload_url": uploads,
            "html_url": format!("{SITE}/{}/releases/tag/{}", repo.full_name(), release.tag),
            "id": release.id,
            "author": self.login(&release.user),
            "node_id": node_id("Release", release.id),
            "tag_name": release.tag,
            "target_commitish": release.target,
            "name": release.name,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "created_at": iso(release.created),
            "published_at": if release.draft { None } else { Some(iso(release.created)) },
            "assets": assets,
            "tarball_url": format!("{repo_url}/tarball/{}", release.tag),
            "zipball_url": format!("{repo_url}/zipball/{}", release.tag),
            "body": release.body,
        })
    }

    /// A file of a release.
    pub fn asset(&self, repo: &Repo, release: &Release, asset: &Asset) -> Value {
        json!({
            "url": format!("{}/releases/assets/{}", self.repo_url(repo), asset.id),
            "id": asset.id,
            "node_id": node_id("ReleaseAsset", asset.id),
            "name": asset.name,
            "label": asset.label,
            "uploader": self.login(&asset.user),
            "content_type": asset.content_type,
            "state": "uploaded",
            "size": asset.size,
            "digest": format!("sha256:{}", asset.sha256),
            "download_count": 0,
            "created_at": iso(asset.created),
            "updated_at": iso(asset.created),
            "browser_download_url": format!(
                "{SITE}/{}/releases/download/{}/{}", repo.full_name(), release.tag, asset.name
            ),
        })
    }
}

fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"),
        "total_count": 0,
        "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
        "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    })
}

/// Adds the members of one object to another.
pub fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (value, more) {
        members.extend(more);
    }
}

/// A path segment, percent-encoded where needed.
pub fn encoded(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%2E", ".")
        .replace("%5F", "_")
        .replace("%7E", "~")
}

/// The URLs of a repository: member and what follows the repository's own URL.
const REPO_URLS: &[(&str, &str)] = &[
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
];
