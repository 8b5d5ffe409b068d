//! What became of a request in the cache: one value for the `Cache-Status` field (RFC 9211),
//! the `cache` label of the stats and the logs.

/// How a response came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// Answered from the cache, within `serve_fresh` of its last confirmation.
    Hit,
    /// Answered from the cache after GitHub confirmed it.
    Revalidated,
    /// Answered by what an equal request was already waiting for.
    Coalesced(Forwarded),
    /// Answered from the cache because GitHub could not be asked.
    StaleIfError,
    /// Forwarded: the cache had nothing, or nothing current.
    Miss {
        /// Why it went forward.
        forwarded: Forwarded,
        /// Whether the answer is being stored.
        stored: bool,
    },
    /// Forwarded because of its method.
    Method,
    /// Forwarded around the cache.
    Bypass,
    /// Answered by the proxy itself: refused before the cache was asked.
    None,
}

/// Why a request, or the one it waited for, went forward (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// The cache held nothing.
    Miss,
    /// It held something that GitHub replaced or confirmed: the status GitHub gave.
    Stale(u16),
}

impl CacheStatus {
    /// The value of the `cache` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Revalidated => "revalidated",
            Self::Coalesced(_) => "coalesced",
            Self::StaleIfError => "stale",
            Self::Miss { .. } => "miss",
            Self::Method | Self::Bypass => "bypass",
            Self::None => "none",
        }
    }

    /// The field value, or `None` when the cache had no part in it.
    pub fn field(self) -> Option<String> {
        let text = match self {
            Self::Hit => "hit".to_owned(),
            Self::Revalidated => "hit; detail=revalidated".to_owned(),
            Self::StaleIfError => "hit; detail=stale-if-error".to_owned(),
            Self::Coalesced(forwarded) => {
                format!("{}; collapsed; detail=coalesced", forwarded.field())
            }
            Self::Miss { forwarded, stored } => {
                let stored = if stored { "; stored" } else { "" };
                format!("{}{stored}", forwarded.field())
            }
            Self::Method => "fwd=method".to_owned(),
            Self::Bypass => "fwd=bypass".to_owned(),
            Self::None => return None,
        };
        Some(format!("github-proxy; {text}"))
    }
}

impl Forwarded {
    fn field(self) -> String {
        match self {
            Self::Miss => "fwd=miss".to_owned(),
            Self::Stale(status) => format!("fwd=stale; fwd-status={status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn fields_and_labels() {
        let miss = |forwarded, stored| CacheStatus::Miss { forwarded, stored };
        let cases = [
            (CacheStatus::Hit, "hit", "github-proxy; hit"),
            (
                CacheStatus::Revalidated,
                "revalidated",
                "github-proxy; hit; detail=revalidated",
            ),
            (
                CacheStatus::StaleIfError,
                "stale",
                "github-proxy; hit; detail=stale-if-error",
            ),
            (
                miss(Forwarded::Miss, true),
                "miss",
                "github-proxy; fwd=miss; stored",
            ),
            (
                miss(Forwarded::Miss, false),
                "miss",
                "github-proxy; fwd=miss",
            ),
            (
                miss(Forwarded::Stale(200), true),
                "miss",
                "github-proxy; fwd=stale; fwd-status=200; stored",
            ),
            (
                CacheStatus::Coalesced(Forwarded::Miss),
                "coalesced",
                "github-proxy; fwd=miss; collapsed; detail=coalesced",
            ),
            (CacheStatus::Method, "bypass", "github-proxy; fwd=method"),
            (CacheStatus::Bypass, "bypass", "github-proxy; fwd=bypass"),
        ];
        for (status, label, field) in cases {
            assert_eq!(status.label(), label);
            assert_eq!(status.field().as_deref(), Some(field));
        }
        assert_eq!(CacheStatus::None.field(), None);
    }
}
