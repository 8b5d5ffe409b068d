//! Bad times: a GitHub at which clients must wait and try again.

use crate::GitHub;
use github_simulator::Action;
use serde_json::json;
use std::collections::BTreeMap;

/// What GitHub named in refusals of secondary limits until 2023. Go programs know them by the end of
/// it; in later versions of go-github that of today's page, `#about-secondary-rate-limits`, will do.
const PAGE: &str = "https://docs.github.com/en/rest/overview/resources-in-the-rest-api\
#secondary-rate-limits";

/// Three requests in three seconds, a server that fails twice, and two refusals of a secondary
/// limit: one for each token of the pool.
pub fn scarce(github: &GitHub) {
    github.put_json("/flaky", json!({"works": true}));
    github.put_json("/banned", json!({"after": "the ban"}));
    github.set_quota("*", "core", 3, 3);
    let failure = Action::Status {
        status: 502,
        body: Some("<html>Unicorn!</html>".to_owned()),
        headers: BTreeMap::new(),
    };
    github.fail_next(2, "/flaky", failure);
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you \
try again.";
    let refusal = Action::Status {
        status: 403,
        body: Some(json!({"message": message, "documentation_url": PAGE}).to_string()),
        headers: BTreeMap::from([("retry-after".to_owned(), "1".to_owned())]),
    };
    github.fail_next(2, "/banned", refusal);
}
