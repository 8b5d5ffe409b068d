//! GraphQL over HTTP, as far as a proxy has to understand it: which kind of operation a body
//! would run, how long a client lets answers be kept, and what made them out of date.
//!
//! Nothing here knows GitHub's schema, and nothing changes a body.

pub mod history;
mod verdict;
pub mod wish;

pub use self::verdict::{is_answer, judge, Verdict};

/// GraphQL's one path, without a mount's prefix.
pub const PATH: &str = "/graphql";
