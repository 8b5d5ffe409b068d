//! The process environment as text.
//!
//! Held as a value so that everything that reads it can be tested without one.
//! Its `Debug` shows names only: any variable may hold a secret.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use crate::faults::Faults;

/// Environment variables by name.
#[derive(Clone, Default)]
pub struct Variables {
    text: BTreeMap<String, String>,
    not_text: Vec<String>,
}

impl Variables {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os())
    }

    /// The variables of `pairs`; later ones win.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut variables = Self::default();
        for (name, value) in pairs {
            // A name that is not text is none of ours.
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            match value.into().into_string() {
                Ok(value) => {
                    variables.text.insert(name, value);
                }
                Err(_) => variables.not_text.push(name),
            }
        }
        variables
    }

    /// The value of `name`; an empty one is there too.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.text.get(name).map(String::as_str)
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.text.keys().map(String::as_str)
    }

    /// Sets `name`.
    pub fn set(&mut self, name: &str, value: &str) {
        self.not_text.retain(|other| other != name);
        self.text.insert(name.to_owned(), value.to_owned());
    }

    /// The names that start with `prefix` and have something after it, with that rest, in order.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.text.keys().filter_map(move |name| {
            let rest = name.strip_prefix(prefix)?;
            (!rest.is_empty()).then_some((name.as_str(), rest))
        })
    }

    /// A fault for every variable of the proxy whose value is not UTF-8.
    pub fn unreadable(&self) -> Faults {
        let ours = |name: &&String| {
            let exact = [
                super::REGISTRY_FILE,
                "LOW_PRIORITY_RESERVE_PERCENT",
                "PUBLIC_URL",
                "REWRITE_URLS",
                "TRUSTED_PROXIES",
            ];
            let prefixes = ["GITHUB_", "CACHE_"];
            prefixes.iter().any(|prefix| name.starts_with(prefix)) || exact.contains(&name.as_str())
        };
        let mut faults = Faults::default();
        for name in self.not_text.iter().filter(ours) {
            faults.add(format!("{name}: expected UTF-8 text"));
        }
        faults
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.text.keys()).finish()
    }
}
