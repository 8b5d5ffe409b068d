//! Lets requests end that are under way when `run` is told to stop.
//!
//! Envoy is asked to take no new connections and to say on the others that they end; then its
//! count of requests is looked at until there is none. An Envoy that does not answer is not
//! waited for, and no request is for longer than `LIMIT`.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::admin;
use crate::envoy_config::Placement;

/// How long requests may take to end. Docker, left to itself, kills after ten seconds.
const LIMIT: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// The requests of clients that are under way.
const ACTIVE: &str = "http.github_proxy.downstream_rq_active";

/// Waits until no request is under way.
pub(super) async fn drain(placement: &Placement) {
    let socket = placement.admin_socket();
    // Over the limit, the rest is cut off.
    let _ = timeout(LIMIT, ended(&socket)).await;
}

async fn ended(socket: &str) {
    // The first makes connections end with their next response, the second closes the listeners
    // without the time that Envoy otherwise gives clients to go elsewhere.
    for path in ["/drain_listeners?graceful", "/drain_listeners"] {
        if admin::ask(socket, "POST", path).await.is_none() {
            return;
        }
    }
    let look = format!("/stats?filter=^{ACTIVE}$");
    while let Some(stats) = admin::ask(socket, "GET", &look).await {
        if active(&stats) == 0 {
            return;
        }
        sleep(PAUSE).await;
    }
}

fn active(stats: &str) -> u64 {
    let value = |line: &str| {
        let value = line.strip_prefix(ACTIVE)?.strip_prefix(": ")?;
        value.trim().parse().ok()
    };
    stats.lines().find_map(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::active;

    #[test]
    fn what_envoy_does_not_count_is_not_waited_for() {
        assert_eq!(active("http.github_proxy.downstream_rq_active: 3\n"), 3);
        assert_eq!(active("http.github_proxy.downstream_rq_active: 0\n"), 0);
        assert_eq!(active(""), 0);
    }
}
