//! Waiting for what happens a moment later.

use std::future::Future;
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is something, and returns it.
///
/// # Panics
/// When there is still nothing after half a minute; `what` says what was waited for.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
