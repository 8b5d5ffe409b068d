//! The world that a simulator begins with: enough of everything to page, filter and change.
//!
//! `octocat/hello-world`: 45 issues and pull requests, files, branches, labels, a release.
//! `octo-org/widgets`: 250 issues. `octocat/old-name` was renamed to `octocat/new-name`.
//! `octo-org/blocked` is blocked (451), `octo-org/no-issues` has no issues (410), and
//! `octo-org/secret` is private and seen by the user `octocat` alone.

use crate::world::{Issue, Label, Pull, Release, World};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The demonstration world.
pub fn demo() -> World {
    let mut world = World::default();
    world.ensure_user("octocat");
    world.ensure_user("hubot");
    world.ensure_account("octo-org", true);

    let hello = world.add_repo("octocat", "hello-world");
    describe(&mut world, hello, "My first repository");
    for (name, color) in [
        ("bug", "d73a4a"),
        ("enhancement", "a2eeef"),
        ("good first issue", "7057ff"),
    ] {
        add_label(&mut world, hello, name, color);
    }
    for (path, text) in [
        ("README.md", "# hello-world\n\nA place to try things.\n"),
        (
            "src/main.rs",
            "fn main() {\n    println!(\"Hello, world!\");\n}\n",
        ),
        ("docs/guide/first steps.md", "First steps\n"),
    ] {
        commit(&mut world, hello, "main", path, text);
    }
    branch(&mut world, hello, "feature/x");
    commit(
        &mut world,
        hello,
        "feature/x",
        "src/x.rs",
        "pub const X: u8 = 1;\n",
    );
    tag(&mut world, hello, "v1.0.0");
    release(&mut world, hello, "v1.0.0");
    add_issues(&mut world, hello, 42);
    for number in 1..=3 {
        let head = format!("topic-{number}");
        branch(&mut world, hello, &head);
        commit(
            &mut world,
            hello,
            &head,
            &format!("topics/{number}.txt"),
            "topic\n",
        );
        add_pull(&mut world, hello, &format!("Topic {number}"), &head, "main");
    }

    let widgets = world.add_repo("octo-org", "widgets");
    describe(&mut world, widgets, "Widgets of all kinds");
    add_label(&mut world, widgets, "bug", "d73a4a");
    add_issues(&mut world, widgets, 250);

    let renamed = world.add_repo("octocat", "old-name");
    world.rename(renamed, "octocat", "new-name");
    let blocked = world.add_repo("octo-org", "blocked");
    let silent = world.add_repo("octo-org", "no-issues");
    let secret = world.add_repo("octo-org", "secret");
    if let Some(repo) = world.repo_mut(blocked) {
        repo.blocked = true;
    }
    if let Some(repo) = world.repo_mut(silent) {
        repo.has_issues = false;
    }
    if let Some(repo) = world.repo_mut(secret) {
        repo.private = true;
        repo.visible_to.push("octocat".to_owned());
    }
    world
}

fn describe(world: &mut World, repo: u64, text: &str) {
    if let Some(repo) = world.repo_mut(repo) {
        repo.description = Some(text.to_owned());
        repo.topics = vec!["octocat".to_owned(), "api".to_owned()];
    }
}

/// Adds a label.
pub fn add_label(world: &mut World, repo: u64, name: &str, color: &str) {
    let id = world.next_id();
    if let Some(repo) = world.repo_mut(repo) {
        let label = Label {
            id,
            name: name.to_owned(),
            color: color.to_owned(),
            description: None,
        };
        repo.labels.insert(name.to_lowercase(), label);
    }
}

/// Adds `count` issues; each third is labelled, each fifth closed.
pub fn add_issues(world: &mut World, repo: u64, count: u64) {
    for _ in 0..count {
        let (id, now) = (world.next_id(), world.tick());
        let Some(repo) = world.repo_mut(repo) else {
            return;
        };
        let number = repo.next_number();
        let first = repo.labels.values().next().map(|label| label.name.clone());
        let closed = number % 5 == 0;
        let issue = Issue {
            id,
            number,
            title: format!("Issue {number}"),
            body: Some(format!("This is what issue {number} is about.")),
            user: if number % 2 == 0 { "hubot" } else { "octocat" }.to_owned(),
            open: !closed,
            labels: first.filter(|_| number % 3 == 0).into_iter().collect(),
            assignees: Vec::new(),
            locked: false,
            created: now,
            updated: now,
            closed: closed.then_some(now),
            pull: None,
        };
        repo.issues.insert(number, issue);
    }
}

/// Opens a pull request and returns its number.
pub fn add_pull(world: &mut World, repo: u64, title: &str, head: &str, base: &str) -> Option<u64> {
    let (id, now) = (world.next_id(), world.tick());
    let repo = world.repo_mut(repo)?;
    let number = repo.next_number();
    let pull = Pull {
        head: head.to_owned(),
        base: base.to_owned(),
        head_sha: repo.resolve(head)?,
        base_sha: repo.resolve(base)?,
        merged: None,
    };
    let issue = Issue {
        id,
        number,
        title: title.to_owned(),
        body: None,
        user: repo.owner.clone(),
        open: true,
        labels: Vec::new(),
        assignees: Vec::new(),
        locked: false,
        created: now,
        updated: now,
        closed: None,
        pull: Some(pull),
    };
    repo.issues.insert(number, issue);
    Some(number)
}

fn commit(world: &mut World, repo: u64, branch: &str, path: &str, text: &str) {
    let now = world.tick();
    if let Some(repo) = world.repo_mut(repo) {
        let author = repo.owner.clone();
        let content = Some(Bytes::from(text.to_owned()));
        let message = format!("Update {path}");
        repo.commit_file(branch, path, content, &author, &message, now);
    }
}

fn branch(world: &mut World, repo: u64, name: &str) {
    point(world, repo, &format!("refs/heads/{name}"));
}

fn tag(world: &mut World, repo: u64, name: &str) {
    point(world, repo, &format!("refs/tags/{name}"));
}

fn point(world: &mut World, repo: u64, reference: &str) {
    if let Some(repo) = world.repo_mut(repo) {
        if let Some(sha) = repo.resolve("") {
            repo.refs.insert(reference.to_owned(), sha);
        }
    }
}

fn release(world: &mut World, repo: u64, tag: &str) {
    let (id, now) = (world.next_id(), world.tick());
    if let Some(repo) = world.repo_mut(repo) {
        let release = Release {
            id,
            tag: tag.to_owned(),
            target: repo.default_branch.clone(),
            name: Some(tag.to_owned()),
            body: Some("The first release.".to_owned()),
            draft: false,
            prerelease: false,
            user: repo.owner.clone(),
            created: now,
            assets: BTreeMap::new(),
        };
        repo.releases.insert(id, release);
    }
}

/// Makes the repository or issue at an API path a new version; false when there is none.
pub fn touch(world: &mut World, path: &str) -> bool {
    let now = world.tick();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let ["repos", owner, name, rest @ ..] = parts.as_slice() else {
        return false;
    };
    let Some(repo) = world.repo_id(owner, name).and_then(|id| world.repo_mut(id)) else {
        return false;
    };
    match rest {
        [] => {
            repo.updated = now;
            true
        }
        ["issues" | "pulls", number] => {
            let issue = number
                .parse()
                .ok()
                .and_then(|number: u64| repo.issues.get_mut(&number));
            issue.map(|issue| issue.updated = now).is_some()
        }
        _ => false,
    }
}
