//! Many requests at once.

use crate::http::{Outcome, Request, Response};
use tokio::task::JoinSet;

/// Sends `times` requests at once and returns their answers.
///
/// # Panics
/// When one of them has no whole answer.
pub async fn burst(times: usize, request: impl Fn(usize) -> Request) -> Vec<Response> {
    let mut running = JoinSet::new();
    for number in 0..times {
        running.spawn(request(number).outcome());
    }
    let outcomes: Vec<Outcome> = running.join_all().await;
    outcomes
        .into_iter()
        .map(|outcome| outcome.expect("a whole answer"))
        .collect()
}
