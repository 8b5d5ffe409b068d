//! What a client may do: rules of a method pattern and a path pattern, each of
//! which must match the whole method or the whole normalised path.
//!
//! Whole matches are the point: a pattern for `/repos/acme/widgets` must not
//! admit `/repos/acme/widgets-secret`. Whatever cannot be decided is denied, so
//! also a pattern that backtracks without end. A rule can only allow; nothing
//! here knows which client it is about.

mod pattern;

pub use self::pattern::Pattern;

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
    /// `graphql: query`: this rule never allows a GraphQL mutation.
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

    /// Whether a request with `method` for the normalised `path` is allowed.
    pub fn allow(&self, method: &str, path: &str) -> bool {
        match &self.0 {
            None => true,
            Some(rules) => rules.iter().any(|rule| rule.allows(method, path)),
        }
    }
}

impl Rule {
    fn allows(&self, method: &str, path: &str) -> bool {
        // The document of a POST is not looked at, so it may be a mutation.
        let may_mutate = self.queries_only && is_graphql(path) && !is_safe(method);
        !may_mutate && self.method.matches(method) && self.path.matches(path)
    }
}

/// Wider than the one endpoint, for whatever else GitHub may take for it.
fn is_graphql(path: &str) -> bool {
    path.get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("/graphql"))
}

fn is_safe(method: &str) -> bool {
    method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("HEAD")
}

#[cfg(test)]
mod tests;
