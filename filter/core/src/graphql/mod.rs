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
/// The longest body that is held back when the request's fate depends on it, bytes. Envoy holds
/// 1 MiB for one request (`per_connection_buffer_limit_bytes`), and answers 413 by itself when a
/// next part does not fit.
pub const LONGEST_BODY: usize = 768 * 1024;
/// The longest that is held back for the cache's sake alone. A longer one goes on, and what is
/// still arriving has to fit into the same buffer.
pub const LONGEST_FOR_CACHE: usize = 256 * 1024;
