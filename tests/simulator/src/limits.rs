//! Keeps the primary rate limits: so many counted requests per owner, resource and window.
//!
//! All credentials of one owner share a window. A window begins with its first counted request
//! and ends on a whole second. What a request costs is decided by the caller.

use serde::Serialize;
use std::collections::HashMap;

/// Every resource that `GET /rate_limit` lists, with the limit and window (in seconds) of an
/// authenticated owner and the limit of a request without credentials.
pub const RESOURCES: [(&str, u64, u64, u64); 12] = [
    ("core", 5000, 3600, 60),
    ("search", 30, 60, 10),
    ("graphql", 5000, 3600, 0),
    ("integration_manifest", 5000, 3600, 5),
    ("source_import", 100, 60, 5),
    ("code_scanning_upload", 1000, 3600, 60),
    ("actions_runner_registration", 10000, 3600, 0),
    ("scim", 15000, 3600, 0),
    ("dependency_snapshots", 100, 60, 0),
    ("audit_log", 1750, 3600, 0),
    ("audit_log_streaming", 15, 3600, 0),
    ("code_search", 10, 60, 60),
];

/// The key of the owner that stands for every request without valid credentials.
pub const ANONYMOUS: &str = "anonymous";

/// How many counted requests are allowed in a window of so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Counted requests per window.
    pub limit: u64,
    /// Length of the window in seconds, at least 1.
    pub window_seconds: u64,
}

/// What the rate-limit headers of a response say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The resource, as in `x-ratelimit-resource`.
    pub resource: String,
    /// Counted requests per window.
    pub limit: u64,
    /// Counted so far in this window.
    pub used: u64,
    /// What is left of it.
    pub remaining: u64,
    /// The end of the window in Unix seconds.
    pub reset: u64,
}

#[derive(Clone, Copy)]
struct Window {
    used: u64,
    reset: u64,
}

/// The windows of all owners.
#[derive(Default)]
pub struct Limits {
    /// By owner (`*` for all authenticated ones) and resource (`*` for all).
    quotas: HashMap<(String, String), Quota>,
    windows: HashMap<(String, String), Window>,
}

impl Limits {
    /// Sets the quota of an owner (`*`: every authenticated owner) and resource (`*`: every one)
    /// and begins its windows anew.
    pub fn set_quota(&mut self, owner: &str, resource: &str, quota: Quota) {
        let key = (owner.to_owned(), resource.to_owned());
        self.quotas.insert(key, quota);
        self.reset(owner, resource);
    }

    /// Begins the windows of an owner and resource (`*`: all) anew.
    pub fn reset(&mut self, owner: &str, resource: &str) {
        self.windows.retain(|(of, on), _| {
            (owner != "*" && of != owner) || (resource != "*" && on != resource)
        });
    }

    /// Uses up all that is left of an owner's resource.
    pub fn exhaust(&mut self, owner: &str, resource: &str, now: u64) {
        let quota = self.quota(owner, resource);
        self.window(owner, resource, quota, now).used = quota.limit;
    }

    /// Where an owner stands, without a charge.
    pub fn standing(&mut self, owner: &str, resource: &str, now: u64) -> Standing {
        let quota = self.quota(owner, resource);
        let window = *self.window(owner, resource, quota, now);
        standing(resource, quota, window)
    }

    /// Admits one request and charges it when `counted`; an exhausted owner is refused, a free
    /// request too, as GitHub looks at the limit before it looks at the resource.
    pub fn settle(
        &mut self,
        owner: &str,
        resource: &str,
        counted: bool,
        now: u64,
    ) -> Result<Standing, Standing> {
        let quota = self.quota(owner, resource);
        let window = self.window(owner, resource, quota, now);
        if window.used >= quota.limit {
            return Err(standing(resource, quota, *window));
        }
        window.used += u64::from(counted);
        Ok(standing(resource, quota, *window))
    }

    fn quota(&self, owner: &str, resource: &str) -> Quota {
        let exact = [(owner, resource), (owner, "*")];
        let general = [("*", resource), ("*", "*")];
        let general = general.iter().filter(|_| owner != ANONYMOUS);
        exact
            .iter()
            .chain(general)
            .find_map(|(of, on)| self.quotas.get(&((*of).to_owned(), (*on).to_owned())))
            .copied()
            .unwrap_or_else(|| default_quota(owner, resource))
    }

    fn window(&mut self, owner: &str, resource: &str, quota: Quota, now: u64) -> &mut Window {
        let fresh = Window {
            used: 0,
            reset: now + quota.window_seconds.max(1),
        };
        let key = (owner.to_owned(), resource.to_owned());
        let window = self.windows.entry(key).or_insert(fresh);
        if now >= window.reset {
            *window = fresh;
        }
        window
    }
}

fn standing(resource: &str, quota: Quota, window: Window) -> Standing {
    Standing {
        resource: resource.to_owned(),
        limit: quota.limit,
        used: window.used.min(quota.limit),
        remaining: quota.limit.saturating_sub(window.used),
        reset: window.reset,
    }
}

fn default_quota(owner: &str, resource: &str) -> Quota {
    RESOURCES
        .iter()
        .find(|(name, ..)| *name == resource)
        .map(|(_, limit, window_seconds, anonymous)| Quota {
            limit: if owner == ANONYMOUS {
                *anonymous
            } else {
                *limit
            },
            window_seconds: *window_seconds,
        })
        .unwrap_or(Quota {
            limit: 5000,
            window_seconds: 3600,
        })
}

/// The resource that a request counts against; `None` for `GET /rate_limit`, which is free.
pub fn resource(method: &str, segments: &[String]) -> Option<&'static str> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Some(match (method, segments.as_slice()) {
        (_, ["rate_limit"]) => return None,
        (_, ["graphql"]) => "graphql",
        (_, ["search", "code"]) => "code_search",
        (_, ["search", ..]) => "search",
        (_, ["app-manifests", ..]) => "integration_manifest",
        (_, ["scim", ..]) => "scim",
        (_, [.., "audit-log"]) => "audit_log",
        ("POST", [.., "code-scanning", "sarifs"]) => "code_scanning_upload",
        ("POST", [.., "dependency-graph", "snapshots"]) => "dependency_snapshots",
        ("POST", [.., "runners", "registration-token"]) => "actions_runner_registration",
        _ => "core",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_its_limit_and_begins_anew_after_its_reset() {
        let mut limits = Limits::default();
        let quota = Quota {
            limit: 2,
            window_seconds: 10,
        };
        limits.set_quota("*", "core", quota);
        assert_eq!(limits.settle("a", "core", true, 100).unwrap().remaining, 1);
        assert_eq!(limits.settle("a", "core", false, 101).unwrap().remaining, 1);
        assert_eq!(limits.settle("a", "core", true, 102).unwrap().remaining, 0);
        let refused = limits.settle("a", "core", false, 109).unwrap_err();
        assert_eq!((refused.used, refused.reset), (2, 110));
        assert!(limits.settle("b", "core", true, 109).is_ok());
        assert_eq!(limits.settle("a", "core", true, 110).unwrap().reset, 120);
    }

    #[test]
    fn resources_are_told_apart_by_path() {
        let of = |path: &str| {
            let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
            resource("GET", &segments)
        };
        assert_eq!(of("/rate_limit"), None);
        assert_eq!(of("/search/code"), Some("code_search"));
        assert_eq!(of("/search/issues"), Some("search"));
        assert_eq!(of("/repos/search/code"), Some("core"));
    }
}
