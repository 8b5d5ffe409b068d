//! A repository and what belongs to it.

use crate::world::git::Git;
use bytes::Bytes;
use std::collections::BTreeMap;

/// A label.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Six hex digits.
    pub color: String,
    /// What it is for.
    pub description: Option<String>,
}

/// What makes an issue a pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The branch that is to be merged.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// The commit that `head` pointed at last.
    pub head_sha: String,
    /// The commit of `base` when it was opened.
    pub base_sha: String,
    /// The merge commit and its time.
    pub merged: Option<(String, u64)>,
}

/// An issue or a pull request.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its number among all things.
    pub id: u64,
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: Option<String>,
    /// Who opened it.
    pub user: String,
    /// Whether it is open.
    pub open: bool,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Logins of its assignees.
    pub assignees: Vec<String>,
    /// Whether it is locked.
    pub locked: bool,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds.
    pub updated: u64,
    /// Unix seconds, when closed.
    pub closed: Option<u64>,
    /// Present on pull requests.
    pub pull: Option<Pull>,
}

/// A comment on an issue.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// The number of its issue in the repository.
    pub issue: u64,
    /// Who wrote it.
    pub user: String,
    /// Its text.
    pub body: String,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds.
    pub updated: u64,
}

/// A file that belongs to a release.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its number.
    pub id: u64,
    /// Its file name.
    pub name: String,
    /// A label, if any.
    pub label: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its bytes; of very large ones the beginning only.
    pub content: Bytes,
    /// Its whole length.
    pub size: u64,
    /// Hex SHA-256 of the whole.
    pub sha256: String,
    /// Who uploaded it.
    pub user: String,
    /// Unix seconds.
    pub created: u64,
}

/// A release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its number.
    pub id: u64,
    /// Its tag.
    pub tag: String,
    /// Branch or commit that it was made from.
    pub target: String,
    /// Its name.
    pub name: Option<String>,
    /// Its text.
    pub body: Option<String>,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether it is a pre-release.
    pub prerelease: bool,
    /// Who made it.
    pub user: String,
    /// Unix seconds.
    pub created: u64,
    /// Its files by number.
    pub assets: BTreeMap<u64, Asset>,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repo {
    /// Its number.
    pub id: u64,
    /// Login of its owner.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether only `visible_to` see it.
    pub private: bool,
    /// Owners' keys, token names or logins that see it while it is private.
    pub visible_to: Vec<String>,
    /// Whether it is blocked for legal reasons (451).
    pub blocked: bool,
    /// Whether it has issues; GitHub answers 410 without.
    pub has_issues: bool,
    /// Whether it is read-only.
    pub archived: bool,
    /// Its topics.
    pub topics: Vec<String>,
    /// Logins of its collaborators besides the owner.
    pub collaborators: Vec<String>,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds.
    pub updated: u64,
    /// Unix seconds of the last change of a ref.
    pub pushed: u64,
    /// Its default branch.
    pub default_branch: String,
    /// Labels by lower-case name.
    pub labels: BTreeMap<String, Label>,
    /// Issues and pull requests by number.
    pub issues: BTreeMap<u64, Issue>,
    /// Numbers of issues that were deleted (410).
    pub deleted_issues: Vec<u64>,
    /// Comments by number.
    pub comments: BTreeMap<u64, Comment>,
    /// Releases by number.
    pub releases: BTreeMap<u64, Release>,
    /// Git objects.
    pub git: Git,
    /// Commits by ref, as `refs/heads/main`.
    pub refs: BTreeMap<String, String>,
    /// Whether statistics were asked for, so that they are there the next time.
    pub statistics_ready: bool,
}

impl Repo {
    /// A public repository with a README on `main`.
    pub fn new(id: u64, owner: &str, name: &str, now: u64) -> Self {
        let mut git = Git::default();
        let blob = git.add_blob(Bytes::from(format!("# {name}\n")));
        let readme = ("100644".to_owned(), blob);
        let tree = git.add_tree(&BTreeMap::from([("README.md".to_owned(), readme)]));
        let commit = git.add_commit(tree, Vec::new(), owner, "Initial commit", now);
        Self {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            description: None,
            private: false,
            visible_to: Vec::new(),
            blocked: false,
            has_issues: true,
            archived: false,
            topics: Vec::new(),
            collaborators: Vec::new(),
            created: now,
            updated: now,
            pushed: now,
            default_branch: "main".to_owned(),
            labels: BTreeMap::new(),
            issues: BTreeMap::new(),
            deleted_issues: Vec::new(),
            comments: BTreeMap::new(),
            releases: BTreeMap::new(),
            git,
            refs: BTreeMap::from([("refs/heads/main".to_owned(), commit)]),
            statistics_ready: false,
        }
    }

    /// Whether it is theirs, or they were added to it.
    pub fn has_collaborator(&self, login: &str) -> bool {
        let is_theirs = |name: &String| name.eq_ignore_ascii_case(login);
        is_theirs(&self.owner) || self.collaborators.iter().any(is_theirs)
    }

    /// Owner and name.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The number that the next issue or pull request gets.
    pub fn next_number(&self) -> u64 {
        let last = self.issues.keys().chain(&self.deleted_issues).max();
        last.copied().unwrap_or(0) + 1
    }

    /// The commit that a branch, tag, full ref or (abbreviated) id means; the default branch for
    /// an empty one.
    pub fn resolve(&self, reference: &str) -> Option<String> {
        let reference = match reference {
            "" | "HEAD" => &self.default_branch,
            other => other,
        };
        for full in [
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
            format!("refs/{reference}"),
            reference.to_owned(),
        ] {
            if let Some(sha) = self.refs.get(&full) {
                return Some(sha.clone());
            }
        }
        self.git.commit(reference).map(|commit| commit.sha.clone())
    }

    /// Comments on an issue, in order.
    pub fn comments_on(&self, issue: u64) -> impl Iterator<Item = &Comment> {
        self.comments
            .values()
            .filter(move |comment| comment.issue == issue)
    }

    /// Commits a change of one file to a branch: `content`, or its removal. Returns the commit.
    pub fn commit_file(
        &mut self,
        branch: &str,
        path: &str,
        content: Option<Bytes>,
        author: &str,
        message: &str,
        now: u64,
    ) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        let parent = self.refs.get(&reference)?.clone();
        let mut files = self.git.files(&self.git.commit(&parent)?.tree);
        match content {
            Some(content) => {
                let sha = self.git.add_blob(content);
                let mode = files
                    .get(path)
                    .map_or("100644", |(mode, _)| mode)
                    .to_owned();
                files.insert(path.to_owned(), (mode, sha));
            }
            None => {
                files.remove(path);
            }
        }
        let tree = self.git.add_tree(&files);
        let sha = self
            .git
            .add_commit(tree, vec![parent], author, message, now);
        self.refs.insert(reference, sha.clone());
        self.pushed = now;
        self.updated = now;
        Some(sha)
    }
}
