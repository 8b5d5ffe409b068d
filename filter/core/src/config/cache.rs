//! The limits of the cache, each with its bounds.
//!
//! Bounds keep a typing error (`ttl_seconds` in milliseconds, a gigabyte for
//! one entry) from becoming an outage hours later.

use std::ops::RangeInclusive;

use super::reader::{Fields, Node};

const THIRTY_DAYS: u64 = 2_592_000;
const MIB: u64 = 1024 * 1024;

/// What is kept, how long, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// How long an entry is kept after GitHub last confirmed it; seconds, 1 to 30 days.
    pub ttl_seconds: u64,
    /// Bound of the memory level of all workers together; bytes, up to 1 GiB; 0 turns it off.
    pub memory_bytes: usize,
    /// The largest body that is stored; bytes, 1 to 32 MiB.
    pub max_entry_bytes: usize,
    /// How long an entry is served without asking GitHub; seconds, up to 30 days; 0: never.
    pub serve_fresh_seconds: u64,
    /// How long past its last confirmation an entry may answer for a failing GitHub; seconds,
    /// up to 30 days; 0: never.
    pub stale_if_error_seconds: u64,
    /// Envoy's cluster in front of the shared cache; `None`: memory only.
    pub cluster: Option<String>,
    /// Timeout of one call to that cluster; milliseconds, 1 to 10,000.
    pub timeout_milliseconds: u64,
    /// The largest stored body that takes the place of a 304's empty one, where Envoy announces
    /// one; bytes, up to 32 MiB. More than Envoy buffers would be the end of the response.
    pub in_place_bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            ttl_seconds: 3600,
            memory_bytes: 128 * 1024 * 1024,
            max_entry_bytes: 4 * 1024 * 1024,
            serve_fresh_seconds: 0,
            stale_if_error_seconds: 3600,
            cluster: None,
            timeout_milliseconds: 500,
            in_place_bytes: 0,
        }
    }
}

impl Cache {
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.fields(&[
            "ttl_seconds",
            "memory_bytes",
            "max_entry_bytes",
            "serve_fresh_seconds",
            "stale_if_error_seconds",
            "cluster",
            "timeout_milliseconds",
            "in_place_bytes",
        ])?;
        let default = Self::default();
        Some(Self {
            ttl_seconds: fields.integer_or("ttl_seconds", 1..=THIRTY_DAYS, default.ttl_seconds),
            memory_bytes: bytes(
                &fields,
                "memory_bytes",
                0..=1024 * MIB,
                default.memory_bytes,
            ),
            max_entry_bytes: bytes(
                &fields,
                "max_entry_bytes",
                1..=32 * MIB,
                default.max_entry_bytes,
            ),
            serve_fresh_seconds: fields.integer_or(
                "serve_fresh_seconds",
                0..=THIRTY_DAYS,
                default.serve_fresh_seconds,
            ),
            stale_if_error_seconds: fields.integer_or(
                "stale_if_error_seconds",
                0..=THIRTY_DAYS,
                default.stale_if_error_seconds,
            ),
            cluster: fields
                .optional("cluster")
                .and_then(|node| super::upstream::cluster(&node)),
            timeout_milliseconds: fields.integer_or(
                "timeout_milliseconds",
                1..=10_000,
                default.timeout_milliseconds,
            ),
            in_place_bytes: bytes(
                &fields,
                "in_place_bytes",
                0..=32 * MIB,
                default.in_place_bytes,
            ),
        })
    }
}

/// Like [`Fields::integer_or`]; the bounds fit `usize` on a 32-bit machine.
fn bytes(fields: &Fields<'_, '_>, key: &str, range: RangeInclusive<u64>, default: usize) -> usize {
    fields
        .optional(key)
        .and_then(|node| node.integer(range))
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(default)
}
