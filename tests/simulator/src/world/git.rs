//! Git objects of a repository: blobs, trees and commits under their real object ids.
//!
//! Ids are computed as git does (SHA-1 over type, length and content), so that clients that check
//! them are content and equal content has equal ids in every run.

use crate::world::time;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;

/// A file or folder in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// `100644`, `100755`, `120000`, `040000` or `160000`.
    pub mode: String,
    /// Its name.
    pub name: String,
    /// Object id.
    pub sha: String,
}

impl TreeEntry {
    /// Whether it is a folder.
    pub fn is_tree(&self) -> bool {
        self.mode == "040000"
    }
}

/// A commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Object id.
    pub sha: String,
    /// Id of its tree.
    pub tree: String,
    /// Ids of its parents.
    pub parents: Vec<String>,
    /// Its message.
    pub message: String,
    /// Login of its author, who is its committer too.
    pub author: String,
    /// Unix seconds.
    pub date: u64,
}

/// The objects.
#[derive(Clone, Debug, Default)]
pub struct Git {
    blobs: BTreeMap<String, Bytes>,
    trees: BTreeMap<String, Vec<TreeEntry>>,
    commits: BTreeMap<String, Commit>,
}

/// A file found by its path.
pub enum Found {
    /// A file: its entry and content.
    File(TreeEntry, Bytes),
    /// A folder: its id and entries.
    Folder(String, Vec<TreeEntry>),
}

impl Git {
    /// Stores a blob and returns its id.
    pub fn add_blob(&mut self, content: Bytes) -> String {
        let sha = id("blob", &content);
        self.blobs.insert(sha.clone(), content);
        sha
    }

    /// A blob's content.
    pub fn blob(&self, sha: &str) -> Option<&Bytes> {
        self.blobs.get(sha)
    }

    /// A tree's entries.
    pub fn tree(&self, sha: &str) -> Option<&Vec<TreeEntry>> {
        self.trees.get(sha)
    }

    /// A commit.
    pub fn commit(&self, sha: &str) -> Option<&Commit> {
        self.commits.get(sha)
    }

    /// Stores a commit and returns its id.
    pub fn add_commit(
        &mut self,
        tree: String,
        parents: Vec<String>,
        author: &str,
        message: &str,
        date: u64,
    ) -> String {
        let mut text = format!("tree {tree}\n");
        for parent in &parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        let who = format!("{author} <{author}@users.noreply.github.com> {date} +0000");
        text.push_str(&format!("author {who}\ncommitter {who}\n\n{message}"));
        let sha = id("commit", text.as_bytes());
        let commit = Commit {
            sha: sha.clone(),
            tree,
            parents,
            message: message.to_owned(),
            author: author.to_owned(),
            date,
        };
        self.commits.insert(sha.clone(), commit);
        sha
    }

    /// All files of a tree by path, with their mode and id.
    pub fn files(&self, tree: &str) -> BTreeMap<String, (String, String)> {
        let mut files = BTreeMap::new();
        self.collect(tree, "", &mut files);
        files
    }

    fn collect(&self, tree: &str, prefix: &str, files: &mut BTreeMap<String, (String, String)>) {
        for entry in self.trees.get(tree).into_iter().flatten() {
            let path = format!("{prefix}{}", entry.name);
            if entry.is_tree() {
                self.collect(&entry.sha, &format!("{path}/"), files);
            } else {
                files.insert(path, (entry.mode.clone(), entry.sha.clone()));
            }
        }
    }

    /// Stores the trees of `files` (path, then mode and id) and returns the root's id.
    pub fn add_tree(&mut self, files: &BTreeMap<String, (String, String)>) -> String {
        let mut entries: Vec<TreeEntry> = Vec::new();
        let mut folders: BTreeMap<&str, BTreeMap<String, (String, String)>> = BTreeMap::new();
        for (path, (mode, sha)) in files {
            match path.split_once('/') {
                None => entries.push(TreeEntry {
                    mode: mode.clone(),
                    name: path.clone(),
                    sha: sha.clone(),
                }),
                Some((folder, rest)) => {
                    let below = folders.entry(folder).or_default();
                    below.insert(rest.to_owned(), (mode.clone(), sha.clone()));
                }
            }
        }
        for (name, below) in folders {
            entries.push(TreeEntry {
                mode: "040000".to_owned(),
                name: name.to_owned(),
                sha: self.add_tree(&below),
            });
        }
        // Git sorts folders as if their names ended in a slash.
        let key = |entry: &TreeEntry| match entry.is_tree() {
            true => format!("{}/", entry.name),
            false => entry.name.clone(),
        };
        entries.sort_by_key(key);
        let mut bytes = Vec::new();
        for entry in &entries {
            let mode = entry.mode.trim_start_matches('0');
            bytes.extend_from_slice(format!("{mode} {}\0", entry.name).as_bytes());
            bytes.extend_from_slice(&hex::decode(&entry.sha).unwrap_or_default());
        }
        let sha = id("tree", &bytes);
        self.trees.insert(sha.clone(), entries);
        sha
    }

    /// What lies at `path` (without slashes around it) in a commit's tree.
    pub fn find(&self, commit: &str, path: &[String]) -> Option<Found> {
        let mut tree = self.commits.get(commit)?.tree.clone();
        let mut names = path.iter().peekable();
        while let Some(name) = names.next() {
            let entry = self
                .trees
                .get(&tree)?
                .iter()
                .find(|entry| entry.name == *name)?;
            if names.peek().is_none() && !entry.is_tree() {
                return Some(Found::File(
                    entry.clone(),
                    self.blobs.get(&entry.sha)?.clone(),
                ));
            }
            tree.clone_from(&entry.sha);
        }
        let entries = self.trees.get(&tree)?.clone();
        Some(Found::Folder(tree, entries))
    }

    /// The commits that lead to `commit` by first parents, the newest first.
    pub fn history(&self, commit: &str) -> Vec<&Commit> {
        let next = |commit: &&Commit| commit.parents.first().and_then(|sha| self.commits.get(sha));
        std::iter::successors(self.commits.get(commit), next).collect()
    }

    /// The paths that differ between two commits, with the ids of the blobs before and after.
    pub fn changes(
        &self,
        base: Option<&str>,
        head: &str,
    ) -> BTreeMap<String, (Option<String>, Option<String>)> {
        let files = |sha: &str| {
            let commit = self.commits.get(sha);
            commit
                .map(|commit| self.files(&commit.tree))
                .unwrap_or_default()
        };
        let before = base.map(files).unwrap_or_default();
        let after = files(head);
        let mut changes = BTreeMap::new();
        for path in before.keys().chain(after.keys()) {
            let sha = |files: &BTreeMap<String, (String, String)>| {
                files.get(path).map(|(_, sha)| sha.clone())
            };
            if sha(&before) != sha(&after) {
                changes.insert(path.clone(), (sha(&before), sha(&after)));
            }
        }
        changes
    }
}

/// The object id of content of a type.
fn id(kind: &str, content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", content.len()));
    hash.update(content);
    hex::encode(hash.finalize())
}

/// A unified diff of one file that replaces all of its lines.
pub fn diff(path: &str, before: Option<&Bytes>, after: Option<&Bytes>) -> String {
    let old = before.map_or_else(String::new, |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    });
    let new = after.map_or_else(String::new, |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    });
    let name = |prefix: &str, present: bool| match present {
        true => format!("{prefix}/{path}"),
        false => "/dev/null".to_owned(),
    };
    format!(
        "diff --git a/{path} b/{path}\n--- {}\n+++ {}\n{}\n",
        name("a", before.is_some()),
        name("b", after.is_some()),
        hunk(&old, &new)
    )
}

/// The one hunk of such a diff.
pub fn hunk(old: &str, new: &str) -> String {
    let (before, after) = (old.lines().count(), new.lines().count());
    let mut text = format!(
        "@@ -{},{before} +{},{after} @@",
        usize::from(before > 0),
        usize::from(after > 0)
    );
    for line in old.lines() {
        text.push_str(&format!("\n-{line}"));
    }
    for line in new.lines() {
        text.push_str(&format!("\n+{line}"));
    }
    text
}

/// The date of a commit as GitHub writes it.
pub fn date(commit: &Commit) -> String {
    time::iso(commit.date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_those_of_git() {
        let mut git = Git::default();
        let blob = git.add_blob(Bytes::from_static(b"hello\n"));
        assert_eq!(blob, "ce013625030ba8dba906f756967f9e9ca394464a");
        let files = BTreeMap::from([("a".to_owned(), ("100644".to_owned(), blob))]);
        assert_eq!(
            git.add_tree(&files),
            "0976950c1fdbcb52435a433913017bf044b3a58f"
        );
    }

    #[test]
    fn files_are_found_by_their_path() {
        let mut git = Git::default();
        let blob = git.add_blob(Bytes::from_static(b"x"));
        let files = BTreeMap::from([("d/e/f".to_owned(), ("100644".to_owned(), blob))]);
        let tree = git.add_tree(&files);
        let commit = git.add_commit(tree, Vec::new(), "a", "m", 0);
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        assert!(matches!(
            git.find(&commit, &path("d/e/f")),
            Some(Found::File(..))
        ));
        assert!(matches!(
            git.find(&commit, &path("d")),
            Some(Found::Folder(..))
        ));
        assert!(git.find(&commit, &path("d/x")).is_none());
        assert!(git.find(&commit, &path("d/e/f/g")).is_none());
    }
}
