//! A circuit breaker in front of the cache cluster: one that is down or slow must not cost
//! every request its timeout. Per worker, so that nothing is shared for it.

/// Failures in a row that open it.
const TRIP: u32 = 3;
/// How long it stays open before one call may try again, milliseconds.
const OPEN_MILLIS: u64 = 1_000;

/// Closed, or open until a time.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    open_until: u64,
}

impl Breaker {
    /// Whether a call may go out. While open, one call a second is let through as a probe.
    pub fn admits(&mut self, now: u64) -> bool {
        if self.failures < TRIP {
            return true;
        }
        if now < self.open_until {
            return false;
        }
        self.open_until = now.saturating_add(OPEN_MILLIS);
        true
    }

    /// Notes how a call ended.
    pub fn record(&mut self, worked: bool, now: u64) {
        if worked {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.open_until = now.saturating_add(OPEN_MILLIS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_open_it_one_probe_a_second_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..TRIP {
            assert!(breaker.admits(0));
            breaker.record(false, 0);
        }
        assert!(!breaker.admits(999));
        assert!(breaker.admits(1_000));
        assert!(!breaker.admits(1_001), "only one probe");
        breaker.record(true, 1_002);
        assert!(breaker.admits(1_003));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.record(false, 0);
            breaker.record(false, 0);
            breaker.record(true, 0);
        }
        assert!(breaker.admits(0));
    }
}
