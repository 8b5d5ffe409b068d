//! What a client may do: rules of a method pattern and a path pattern, each of
//! which must match the whole method or the whole normalised path.
//!
//! Whole matches are the point: a pattern for `/repos/acme/widgets` must not
//! admit `/repos/acme/widgets-secret`. Whatever cannot be decided is denied, so
//! also a pattern that backtracks without end. A rule can only allow; nothing
//! here knows which client it is about, or reads a GraphQL document: it only says
//! whether that document decides.

mod pattern;

pub use self::pattern::Pattern;

use crate::graphql;

/// The rules of one client, compiled once.
#[derive(Debug)]
pub struct Scopes(Option<Vec<Rule>>);

/// One rule of [`Scopes`].
#[derive(Debug)]
pub struct Rule {
    /// Matches the method, in any case.
    pub method: Pattern,
    /// Matches the normalised path, without mount prefix and query.
    pub path: Pattern,
    /// `graphql: query`: of GraphQL, this rule allows queries by POST and nothing else.
    pub queries_only: bool,
}

impl Scopes {
    /// What a client without scopes may do.
    pub fn everything() -> Self {
        Self(None)
    }

    /// Only what one of `rules` allows; of no rules: nothing.
    pub fn only(rules: Vec<Rule>) -> Self {
        Self(Some(rules))
    }

    /// What a request with `method` for the normalised `path` may do.
    pub fn permit(&self, method: &str, path: &str) -> Permission {
        let Some(rules) = &self.0 else {
            return Permission::Everything;
        };
        let permissions = rules.iter().map(|rule| rule.permits(method, path));
        permissions.max().unwrap_or(Permission::Nothing)
    }
}

/// What the scopes say to a request, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// It is not allowed.
    Nothing,
    /// It is a `POST /graphql`, and allowed if its document only queries.
    Queries,
    /// It is allowed, whatever its body.
    Everything,
}

impl Rule {
    fn permits(&self, method: &str, path: &str) -> Permission {
        if !self.method.matches(method) || !self.path.matches(path) {
            return Permission::Nothing;
        }
        if !self.queries_only || !is_graphql(path) {
            return Permission::Everything;
        }
        if method == "POST" && path == graphql::PATH {
            return Permission::Queries;
        }
        Permission::Nothing
    }
}

/// Wider than the one endpoint, for whatever else GitHub may take for it.
fn is_graphql(path: &str) -> bool {
    path.get(..graphql::PATH.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(graphql::PATH))
}

#[cfg(test)]
mod tests;
