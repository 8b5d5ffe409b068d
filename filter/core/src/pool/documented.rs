//! GitHub's primary rate limits as documented, which hold until GitHub has said those of a
//! credential itself ("Rate limits for the REST API", "Rate limit" reference).

/// A primary rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The resource's name, as in `x-ratelimit-resource`.
    pub resource: &'static str,
    /// Requests per window.
    pub requests: u64,
    /// Length of the window, seconds.
    pub window: u64,
}

const HOUR: u64 = 3_600;
const MINUTE: u64 = 60;

/// What `GET /rate_limit` lists for a user or an installation.
pub const LIMITS: [Limit; 12] = [
    limit("core", 5_000, HOUR),
    limit("actions_runner_registration", 10_000, HOUR),
    limit("audit_log", 1_750, HOUR),
    limit("audit_log_streaming", 15, HOUR),
    limit("code_scanning_upload", 1_000, HOUR),
    limit("code_search", 10, MINUTE),
    limit("dependency_snapshots", 100, MINUTE),
    limit("graphql", 5_000, HOUR),
    limit("integration_manifest", 5_000, HOUR),
    limit("scim", 15_000, HOUR),
    limit("search", 30, MINUTE),
    limit("source_import", 100, MINUTE),
];

const fn limit(resource: &'static str, requests: u64, window: u64) -> Limit {
    Limit {
        resource,
        requests,
        window,
    }
}

/// The limit of `resource`; that of `core` for one that is not documented.
pub fn of(resource: &str) -> Limit {
    let [core, ..] = LIMITS;
    let mut all = LIMITS.into_iter();
    all.find(|it| it.resource == resource).unwrap_or(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn searches_have_a_limit_a_minute_and_unknown_resources_that_of_core() {
        assert_eq!(of("search"), limit("search", 30, 60));
        assert_eq!(of("new_one").requests, 5_000);
        assert_eq!(of("core").window, 3_600);
    }
}
