//! GitHub's secondary limits, kept to by the pool so as not to trip them: points a minute, of
//! REST and of GraphQL apart, and requests under way at once (GitHub's docs, "About secondary
//! rate limits"). It counts; who waits or goes elsewhere is the pool's to say.

use serde::{Deserialize, Serialize};

/// The window of the limits on points, milliseconds.
const MINUTE: u64 = 60_000;

/// What a request costs, by whether it is known to change nothing: REST's reads and GraphQL's
/// queries 1 point, all else 5.
pub fn points(only_reads: bool) -> u64 {
    if only_reads {
        1
    } else {
        5
    }
}

/// The limits of one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Points a minute, of all but GraphQL; 0: no limit.
    pub points_per_minute: u64,
    /// Points a minute of GraphQL; 0: no limit.
    pub graphql_points_per_minute: u64,
    /// Counted requests under way at once; 0: no limit.
    pub concurrency: u64,
}

impl Pace {
    fn points(self, resource: &str) -> u64 {
        if resource == GRAPHQL {
            self.graphql_points_per_minute
        } else {
            self.points_per_minute
        }
    }
}

/// The resource with points of its own.
const GRAPHQL: &str = "graphql";

/// Points spent lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    rest: Minute,
    graphql: Minute,
}

impl Spending {
    /// Notes that a request of `points` goes out.
    pub fn spend(&mut self, resource: &str, points: u64, now: u64) {
        if resource == GRAPHQL {
            self.graphql.spend(points, now);
        } else {
            self.rest.spend(points, now);
        }
    }

    /// Until when a request of `points` has to wait, Unix seconds; `None`: not at all.
    pub fn busy_until(&self, resource: &str, points: u64, pace: Pace, now: u64) -> Option<u64> {
        let minute = if resource == GRAPHQL {
            &self.graphql
        } else {
            &self.rest
        };
        minute.busy_until(points, pace.points(resource), now)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    /// When it began, Unix milliseconds.
    began: u64,
    points: u64,
}

impl Minute {
    fn spend(&mut self, points: u64, now: u64) {
        if now >= self.began.saturating_add(MINUTE) {
            self.began = now;
            self.points = 0;
        }
        self.points = self.points.saturating_add(points);
    }

    fn busy_until(&self, points: u64, limit: u64, now: u64) -> Option<u64> {
        let end = self.began.saturating_add(MINUTE);
        let spent = self.points.saturating_add(points) > limit;
        (limit > 0 && now < end && spent).then(|| end.div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn graphql_has_points_of_its_own() {
        let pace = Pace {
            points_per_minute: 10,
            graphql_points_per_minute: 20,
            concurrency: 0,
        };
        let mut spending = Spending::default();
        spending.spend("core", 10, 105_000);
        spending.spend("graphql", 16, 106_000);
        let busy = |resource, points, now| spending.busy_until(resource, points, pace, now);
        assert_eq!(busy("core", 1, 107_000), Some(165));
        assert_eq!(
            busy("search", 1, 107_000),
            Some(165),
            "all of REST together"
        );
        assert_eq!(busy("graphql", points(true), 107_000), None);
        assert_eq!(busy("graphql", points(false), 107_000), Some(166));
        assert_eq!(busy("core", 1, 165_000), None);
    }
}
