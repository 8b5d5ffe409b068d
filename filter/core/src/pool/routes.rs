//! Which resource GitHub counts a request against, known before it goes out.
//!
//! GitHub documents that for a few paths and names the resource in every answer. Where that is
//! another one than expected, the path is remembered, so that a limit which is used up is not run
//! into again. One table for each worker: what it lacks costs one request.

use super::rate::{resource_name, ResourceName};
use crate::graphql;
use std::collections::HashMap;

/// Paths remembered; past that, it starts afresh.
const MOST_PATHS: usize = 512;

/// The paths whose resource is another one than documented.
#[derive(Debug, Default)]
pub struct Routes {
    learnt: HashMap<String, ResourceName>,
}

impl Routes {
    /// The resource of a path, without a query.
    pub fn resource_of(&self, path: &str) -> ResourceName {
        let learnt = Some(&self.learnt).filter(|learnt| !learnt.is_empty());
        let learnt = learnt.and_then(|learnt| learnt.get(path).copied());
        learnt.unwrap_or_else(|| resource_name(documented(path)))
    }

    /// Takes note of the resource that GitHub named for a path.
    pub fn learn(&mut self, path: &str, resource: ResourceName) {
        if self.resource_of(path) == resource {
            return;
        }
        if self.learnt.len() >= MOST_PATHS {
            self.learnt.clear();
        }
        if documented(path) == resource.as_str() {
            self.learnt.remove(path);
        } else {
            self.learnt.insert(path.to_owned(), resource);
        }
    }
}

/// As GitHub documents it ("Rate limits for the REST API").
fn documented(path: &str) -> &'static str {
    match path {
        graphql::PATH => "graphql",
        "/search/code" => "code_search",
        _ if path.starts_with("/search/") => "search",
        _ => "core",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_resource_is_the_documented_one_until_github_names_another() {
        let mut routes = Routes::default();
        for (path, resource) in [
            ("/graphql", "graphql"),
            ("/search/code", "code_search"),
            ("/search/issues", "search"),
            ("/searching", "core"),
        ] {
            assert_eq!(routes.resource_of(path).as_str(), resource);
        }
        let path = "/orgs/acme/audit-log";
        routes.learn(path, resource_name("audit_log"));
        assert_eq!(routes.resource_of(path).as_str(), "audit_log");
        assert_eq!(routes.resource_of("/orgs/acme").as_str(), "core");
        routes.learn(path, resource_name("core"));
        assert_eq!(routes.resource_of(path).as_str(), "core");
        assert!(routes.learnt.is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut routes = Routes::default();
        for number in 0..3 * MOST_PATHS {
            routes.learn(&format!("/{number}"), resource_name("audit_log"));
        }
        assert!(routes.learnt.len() <= MOST_PATHS);
    }
}
