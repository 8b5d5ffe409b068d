//! Every stat that there is: name, kind and labels. Nothing else defines one, so the
//! documentation, the tag rules and the dashboards can be checked against this list.

use super::Kind;

/// A stat, as Prometheus shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its name, `github_proxy_…`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Its labels, in the order in which they are given.
    pub labels: &'static [&'static str],
}

macro_rules! stats {
    ($($(#[doc = $doc:literal])+ $constant:ident: $kind:ident $name:literal [$($label:literal),*];)+) => {
        $($(#[doc = $doc])+ pub const $constant: Stat = Stat {
            name: concat!("github_proxy_", $name),
            kind: Kind::$kind,
            labels: &[$($label),*],
        };)+

        /// Every stat.
        pub const ALL: &[Stat] = &[$($constant),+];
    };
}

stats! {
    /// Answers to clients. `client` is `-` when unknown.
    REQUESTS: Counter "requests" ["client", "method", "status", "cache"];
    /// Requests that the proxy refused.
    DENIED: Counter "denied" ["client", "reason"];
    /// GitHub's answers; `cost` is `free` when it did not count them, else `counted`.
    UPSTREAM_REQUESTS: Counter "upstream_requests" ["client", "credential", "resource", "status", "cost"];
    /// Requests that went on to another credential.
    FAILOVERS: Counter "failovers" ["reason"];
    /// Requests per window, as GitHub said.
    RATE_LIMIT_LIMIT: Gauge "rate_limit_limit" ["credential", "resource"];
    /// Requests left in the window.
    RATE_LIMIT_REMAINING: Gauge "rate_limit_remaining" ["credential", "resource"];
    /// Requests used in the window.
    RATE_LIMIT_USED: Gauge "rate_limit_used" ["credential", "resource"];
    /// The end of the window, Unix seconds.
    RATE_LIMIT_RESET: Gauge "rate_limit_reset" ["credential", "resource"];
    /// Requests per window of all credentials of a pool, a user's limit counted once.
    POOL_LIMIT: Gauge "pool_limit" ["pool", "resource"];
    /// Requests that they have left.
    POOL_REMAINING: Gauge "pool_remaining" ["pool", "resource"];
    /// 0 ready, 1 exhausted (core), 2 paused, 3 broken.
    CREDENTIAL_STATE: Gauge "credential_state" ["credential"];
    /// Exchanges of an App's key for an installation token.
    TOKEN_EXCHANGES: Counter "token_exchanges" ["credential", "result"];
    /// From a request's header section to its end.
    REQUEST_DURATION: Histogram "request_duration_milliseconds" ["cache"];
    /// From a request to GitHub to the header section of the answer.
    UPSTREAM_DURATION: Histogram "upstream_duration_milliseconds" [];
    /// One call to the cache cluster.
    CACHE_DURATION: Histogram "cache_duration_milliseconds" ["operation"];
    /// Calls to the cache cluster that failed.
    CACHE_ERRORS: Counter "cache_errors" ["operation"];
    /// What the memory level holds, bytes.
    CACHE_BYTES: Gauge "cache_bytes" [];
    /// What the memory level holds, entries.
    CACHE_ENTRIES: Gauge "cache_entries" [];
    /// Entries of the memory level that made room.
    CACHE_EVICTIONS: Counter "cache_evictions" [];
    /// How computed ETags fare.
    ETAG_PREDICTION: Counter "etag_prediction" ["result"];
    /// Configurations of the filter after the first.
    CONFIG_RELOADS: Counter "config_reloads" ["result"];
    /// Memory of all of the filter's VMs together.
    VM_MEMORY: Gauge "vm_memory_bytes" [];
    /// Memory of the largest VM; one ends at 1 GiB.
    VM_MEMORY_LARGEST: Gauge "vm_memory_largest_bytes" [];
}
