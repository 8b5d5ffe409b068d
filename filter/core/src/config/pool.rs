//! How the pool of credentials treats its rate limits, with the bounds of each setting.
//!
//! Which credentials there are is elsewhere ([`super::Credential`]); what all of
//! them have in common is here, and every setting has a default.

use super::reader::Node;

/// What all credentials have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How often `GET /rate_limit` is asked for each credential (GitHub does not count it);
    /// seconds, up to an hour; 0: never, rate state is learnt from responses alone.
    pub rate_poll_seconds: u64,
    /// How long before its end an installation token is replaced; minutes, up to an hour. Half
    /// of the token's lifetime bounds it as well.
    pub token_padding_minutes: u64,
    /// The share of each credential's limit that clients of low priority leave to the others;
    /// percent, 0 to 90.
    pub low_priority_reserve_percent: u64,
    /// Points that counted requests other than GraphQL may spend on a credential in a minute (a
    /// read costs 1, a write 5), 0 to 100,000; 0: no limit. GitHub's secondary limit is 900.
    pub points_per_minute: u64,
    /// Points that GraphQL requests may spend on a credential in a minute (a query costs 1, a
    /// mutation 5), 0 to 100,000; 0: no limit. GitHub's secondary limit is 2,000.
    pub graphql_points_per_minute: u64,
    /// Counted requests under way at once on a credential, 0 to 10,000; 0: no limit. GitHub's
    /// secondary limit is 100.
    pub concurrency: u64,
    /// Whether Envoy hands the filter the body of a message that it holds back
    /// (`allow_on_headers_stop_iteration` in its plugin configuration). With it, a 401 or 403 is
    /// told apart by its message, GraphQL's rate limits are seen, and GraphQL documents are read;
    /// without it, a response that only its body explains goes to the client, and a client that
    /// may only query gets nothing from GraphQL.
    pub inspect_bodies: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            rate_poll_seconds: 60,
            token_padding_minutes: 10,
            low_priority_reserve_percent: 20,
            points_per_minute: 900,
            graphql_points_per_minute: 2_000,
            concurrency: 100,
            inspect_bodies: false,
        }
    }
}

impl PoolSettings {
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.fields(&[
            "rate_poll_seconds",
            "token_padding_minutes",
            "low_priority_reserve_percent",
            "points_per_minute",
            "graphql_points_per_minute",
            "concurrency",
            "inspect_bodies",
        ])?;
        let default = Self::default();
        Some(Self {
            rate_poll_seconds: fields.integer_or(
                "rate_poll_seconds",
                0..=3600,
                default.rate_poll_seconds,
            ),
            token_padding_minutes: fields.integer_or(
                "token_padding_minutes",
                0..=60,
                default.token_padding_minutes,
            ),
            low_priority_reserve_percent: fields.integer_or(
                "low_priority_reserve_percent",
                0..=90,
                default.low_priority_reserve_percent,
            ),
            points_per_minute: fields.integer_or(
                "points_per_minute",
                0..=100_000,
                default.points_per_minute,
            ),
            graphql_points_per_minute: fields.integer_or(
                "graphql_points_per_minute",
                0..=100_000,
                default.graphql_points_per_minute,
            ),
            concurrency: fields.integer_or("concurrency", 0..=10_000, default.concurrency),
            inspect_bodies: fields.flag_or("inspect_bodies", default.inspect_bodies),
        })
    }
}
