//! The names of all stats. One function builds them: labels stand in the name as
//! `.label=value;`, which the shipped `stats_tags` turn into labels. Legal client names hold
//! dots, never a semicolon, so the closing delimiter is unambiguous.
//!
//! Cardinality is bounded: clients and credentials are those configured, methods, statuses
//! and the rest are closed sets. No label ever holds a path, a user agent or an unknown name.

use std::fmt::Write;

/// Every label, for the shipped tag rules.
pub const LABELS: [&str; 10] = [
    "cache",
    "client",
    "cost",
    "credential",
    "method",
    "operation",
    "reason",
    "resource",
    "result",
    "status",
];

/// What kind of stat a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One change of one stat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Full name, with labels.
    pub name: String,
    /// What is added (counters, relative gauges), set (gauges) or recorded (histograms).
    pub value: i64,
    /// Gauges: add `value` instead of setting it.
    pub relative: bool,
}

impl Metric {
    fn new(kind: Kind, name: &str, labels: &[(&str, &str)], value: i64) -> Self {
        let mut full = String::with_capacity(96);
        full.push_str("github_proxy_");
        full.push_str(name);
        for (label, value) in labels {
            // Writing to a string cannot fail.
            let _ = write!(full, ".{label}={};", Escaped(value));
        }
        Self {
            kind,
            name: full,
            value,
            relative: false,
        }
    }

    fn count(name: &str, labels: &[(&str, &str)]) -> Self {
        Self::new(Kind::Counter, name, labels, 1)
    }

    fn observe(name: &str, labels: &[(&str, &str)], millis: u64) -> Self {
        let value = i64::try_from(millis).unwrap_or(i64::MAX);
        Self::new(Kind::Histogram, name, labels, value)
    }

    fn gauge(name: &str, labels: &[(&str, &str)], value: u64) -> Self {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Self::new(Kind::Gauge, name, labels, value)
    }

    fn shift(name: &str, by: i64) -> Self {
        let mut gauge = Self::new(Kind::Gauge, name, &[], by);
        gauge.relative = true;
        gauge
    }

    /// `github_proxy_requests`: a request was answered. `client` is `-` when unknown.
    pub fn request(client: &str, method: &str, status: u16, cache: &str) -> Self {
        let status = status.to_string();
        let labels = [
            ("client", client),
            ("method", known_method(method)),
            ("status", &status),
            ("cache", cache),
        ];
        Self::count("requests", &labels)
    }

    /// `github_proxy_denied`: a request was refused by the proxy.
    pub fn denied(client: &str, reason: &str) -> Self {
        Self::count("denied", &[("client", client), ("reason", reason)])
    }

    /// `github_proxy_upstream_requests`: GitHub answered; `free` when it did not count it.
    pub fn upstream(
        client: &str,
        credential: &str,
        resource: &str,
        status: u16,
        free: bool,
    ) -> Self {
        let status = status.to_string();
        let labels = [
            ("client", client),
            ("credential", credential),
            ("resource", resource),
            ("status", &status),
            ("cost", if free { "free" } else { "counted" }),
        ];
        Self::count("upstream_requests", &labels)
    }

    /// `github_proxy_rate_limit_*`: what GitHub said about a credential's resource.
    pub fn rate(credential: &str, rate: &crate::pool::rate::Rate) -> [Self; 4] {
        let labels = [
            ("credential", credential),
            ("resource", rate.resource.as_str()),
        ];
        [
            Self::gauge("rate_limit_limit", &labels, rate.limit),
            Self::gauge("rate_limit_remaining", &labels, rate.remaining),
            Self::gauge("rate_limit_used", &labels, rate.used),
            Self::gauge("rate_limit_reset", &labels, rate.reset),
        ]
    }

    /// `github_proxy_credential_state`: 0 ready, 1 exhausted, 2 paused, 3 broken.
    pub fn credential_state(credential: &str, state: u64) -> Self {
        Self::gauge("credential_state", &[("credential", credential)], state)
    }

    /// `github_proxy_request_duration_milliseconds`.
    pub fn request_duration(cache: &str, millis: u64) -> Self {
        Self::observe("request_duration_milliseconds", &[("cache", cache)], millis)
    }

    /// `github_proxy_upstream_duration_milliseconds`: to the response's header section.
    pub fn upstream_duration(millis: u64) -> Self {
        Self::observe("upstream_duration_milliseconds", &[], millis)
    }

    /// `github_proxy_cache_duration_milliseconds`: one call to the cache cluster.
    pub fn cache_duration(operation: &str, millis: u64) -> Self {
        Self::observe(
            "cache_duration_milliseconds",
            &[("operation", operation)],
            millis,
        )
    }

    /// `github_proxy_cache_errors`: a call to the cache cluster that failed.
    pub fn cache_error(operation: &str) -> Self {
        Self::count("cache_errors", &[("operation", operation)])
    }

    /// `github_proxy_cache_bytes`, `_entries` and `_evictions` of the memory level.
    pub fn memory(change: crate::cache::memory::Change) -> Vec<Self> {
        let mut metrics = vec![
            Self::shift("cache_bytes", change.bytes),
            Self::shift("cache_entries", change.entries),
        ];
        if change.evictions > 0 {
            let mut evictions = Self::count("cache_evictions", &[]);
            evictions.value = i64::try_from(change.evictions).unwrap_or(i64::MAX);
            metrics.push(evictions);
        }
        metrics
    }

    /// `github_proxy_etag_prediction`: `match` or `mismatch` on a fetched body, `confirmed`
    /// when a computed validator got its 304, `refuted` when GitHub sent the same body again.
    pub fn prediction(result: &str) -> Self {
        Self::count("etag_prediction", &[("result", result)])
    }

    /// `github_proxy_failovers`: a request went on to another credential.
    pub fn failover(reason: &str) -> Self {
        Self::count("failovers", &[("reason", reason)])
    }

    /// `github_proxy_token_exchanges`: `ok` or `failed`.
    pub fn token_exchange(credential: &str, result: &str) -> Self {
        let labels = [("credential", credential), ("result", result)];
        Self::count("token_exchanges", &labels)
    }

    /// `github_proxy_config_reloads`: `applied` or `refused`.
    pub fn config_reload(result: &str) -> Self {
        Self::count("config_reloads", &[("result", result)])
    }
}

/// Methods are free text in HTTP: the label holds the known ones.
fn known_method(method: &str) -> &str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT",
    ];
    if KNOWN.contains(&method) {
        method
    } else {
        "OTHER"
    }
}

/// A label value without the characters that would end it or Envoy would rewrite.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            let safe = character.is_ascii_graphic() && !matches!(character, ';' | '=' | ':');
            f.write_char(if safe { character } else { '_' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a `stats_tags` rule `(\.label=([^;]*);)` extracts.
    fn label<'a>(name: &'a str, label: &str) -> &'a str {
        let (_, rest) = name.split_once(&format!(".{label}=")).unwrap();
        rest.split_once(';').unwrap().0
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn labels_close_whatever_a_legal_name_holds() {
        for client in ["test", "a.b.c", "a.method", "9-_.x", "-"] {
            let metric = Metric::request(client, "GET", 200, "hit");
            assert!(metric.name.starts_with("github_proxy_requests.client="));
            for (name, value) in [
                ("client", client),
                ("method", "GET"),
                ("status", "200"),
                ("cache", "hit"),
            ] {
                assert_eq!(label(&metric.name, name), value);
            }
        }
    }

    #[test]
    fn free_text_becomes_no_label() {
        assert_eq!(
            label(&Metric::request("a", "BREW", 200, "hit").name, "method"),
            "OTHER"
        );
        assert_eq!(
            label(&Metric::denied("a;b=c\n", "scope").name, "client"),
            "a_b_c_"
        );
    }
}
