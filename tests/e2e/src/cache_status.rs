//! The forms of `Cache-Status` (RFC 9211) that answers carry, as documented.

/// Fetched and kept.
pub const MISS: &str = "github-proxy; fwd=miss; stored";
/// Fetched and not kept.
pub const UNSTORED: &str = "github-proxy; fwd=miss";
/// Fetched in place of an older version, and kept.
pub const REPLACED: &str = "github-proxy; fwd=stale; fwd-status=200; stored";
/// From the cache, after GitHub confirmed it.
pub const REVALIDATED: &str = "github-proxy; hit; detail=revalidated";
/// From the cache, unasked, where that is allowed.
pub const HIT: &str = "github-proxy; hit";
/// From the cache, since GitHub failed.
pub const STALE: &str = "github-proxy; hit; detail=stale-if-error";
/// An equal request's answer.
pub const COALESCED: &str = "github-proxy; fwd=miss; collapsed; detail=coalesced";
/// Around the cache.
pub const BYPASS: &str = "github-proxy; fwd=bypass";
/// Around the cache, since it is a write.
pub const METHOD: &str = "github-proxy; fwd=method";
