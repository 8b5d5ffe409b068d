//! The simulated world: accounts and repositories with all that belongs to them.
//!
//! It has a clock of its own that moves by one second with every change, and numbers things in the
//! order in which they are made. So equal histories give equal bytes, and every change is seen in
//! `updated_at` and `Last-Modified`.

pub mod git;
pub mod json;
mod repo;
pub mod seed;
pub mod time;

pub use repo::{Asset, Comment, Issue, Label, Pull, Release, Repo};

use std::collections::BTreeMap;

/// 2024-01-01T00:00:00Z, when every world begins.
const BEGINNING: u64 = 1_704_067_200;

/// A user or an organization.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub id: u64,
    /// Its login.
    pub login: String,
    /// Whether it is an organization.
    pub organization: bool,
    /// When it came to be, in Unix seconds.
    pub created: u64,
    /// When it last changed.
    pub updated: u64,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    accounts: BTreeMap<String, Account>,
    repos: BTreeMap<u64, Repo>,
    /// Present and former full names in lower case.
    names: BTreeMap<String, u64>,
    last_id: u64,
    clock: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            repos: BTreeMap::new(),
            names: BTreeMap::new(),
            last_id: 1000,
            clock: BEGINNING,
        }
    }
}

impl World {
    /// The time of a change that is made now.
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A number that was not used before.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The account of this login, made as a user when there is none.
    pub fn ensure_user(&mut self, login: &str) -> u64 {
        self.ensure_account(login, false)
    }

    /// The account of this login, made when there is none.
    pub fn ensure_account(&mut self, login: &str, organization: bool) -> u64 {
        let key = login.to_lowercase();
        if let Some(account) = self.accounts.get(&key) {
            return account.id;
        }
        let (id, now) = (self.next_id(), self.tick());
        let account = Account {
            id,
            login: login.to_owned(),
            organization,
            created: now,
            updated: now,
        };
        self.accounts.insert(key, account);
        id
    }

    /// An account by login, in any case.
    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.get(&login.to_lowercase())
    }

    /// An account by login, to be changed.
    pub fn account_mut(&mut self, login: &str) -> Option<&mut Account> {
        self.accounts.get_mut(&login.to_lowercase())
    }

    /// An account by its number.
    pub fn account_by_id(&self, id: u64) -> Option<&Account> {
        self.accounts.values().find(|account| account.id == id)
    }

    /// All accounts in the order of their numbers.
    pub fn accounts(&self) -> Vec<&Account> {
        let mut all: Vec<&Account> = self.accounts.values().collect();
        all.sort_by_key(|account| account.id);
        all
    }

    /// The number of a user, 0 when there is no such user.
    pub fn user_id(&self, login: &str) -> u64 {
        self.account(login).map_or(0, |account| account.id)
    }

    /// Makes a repository with one commit; its owner is made too when there is none.
    pub fn add_repo(&mut self, owner: &str, name: &str) -> u64 {
        self.ensure_user(owner);
        let (id, now) = (self.next_id(), self.tick());
        self.repos.insert(id, Repo::new(id, owner, name, now));
        self.names
            .insert(format!("{owner}/{name}").to_lowercase(), id);
        id
    }

    /// Removes a repository and its names.
    pub fn remove_repo(&mut self, id: u64) {
        self.repos.remove(&id);
        self.names.retain(|_, of| *of != id);
    }

    /// The number of a repository by a present or former name.
    pub fn repo_id(&self, owner: &str, name: &str) -> Option<u64> {
        self.names
            .get(&format!("{owner}/{name}").to_lowercase())
            .copied()
    }

    /// A repository by its number.
    pub fn repo(&self, id: u64) -> Option<&Repo> {
        self.repos.get(&id)
    }

    /// A repository by its number, to be changed.
    pub fn repo_mut(&mut self, id: u64) -> Option<&mut Repo> {
        self.repos.get_mut(&id)
    }

    /// All repositories in the order of their numbers.
    pub fn repos(&self) -> impl Iterator<Item = &Repo> {
        self.repos.values()
    }

    /// Gives a repository another owner and name; the old name leads to it from then on.
    pub fn rename(&mut self, id: u64, owner: &str, name: &str) {
        self.ensure_user(owner);
        let now = self.tick();
        if let Some(repo) = self.repos.get_mut(&id) {
            owner.clone_into(&mut repo.owner);
            name.clone_into(&mut repo.name);
            repo.updated = now;
            self.names
                .insert(format!("{owner}/{name}").to_lowercase(), id);
        }
    }
}
