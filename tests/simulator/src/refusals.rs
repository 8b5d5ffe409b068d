//! The answers of GitHub to requests that it does not let through.

use crate::auth::{Identity, Owner};
use crate::limits::Standing;
use crate::reply::{Body, Reply};
use crate::secondary::Refusal;
use serde_json::json;

/// The page on rate limits that refusals point at.
const RATE_LIMITS: &str = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api";
/// The page on secondary limits.
const SECONDARY: &str = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api\
#about-secondary-rate-limits";

/// A request without User-Agent.
pub fn no_user_agent() -> Reply {
    let text = "Request forbidden by administrative rules. Please make sure your request has a \
User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api\
#user-agent-required). Check https://developer.github.com for other possible causes.\n";
    Reply::new(403, Body::Bytes("text/plain".to_owned(), text.into()))
}

/// An Accept header that names nothing the API has.
pub fn unsupported_media_type(accept: &str) -> Reply {
    let message =
        format!("Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'.");
    Reply::error(415, &message)
}

/// An API version that does not exist.
pub fn unknown_version(version: &str) -> Reply {
    Reply::error(
        400,
        &format!("\"{version}\" is not a supported X-GitHub-Api-Version."),
    )
}

/// A suspended installation.
pub fn suspended() -> Reply {
    Reply::error(403, "This installation has been suspended")
}

/// An owner whose primary limit is used up; `user` is the id of the user, if it is one.
///
/// GraphQL says it inside a 200.
pub fn rate_limited(who: &Identity, user: u64, standing: &Standing, status: u16) -> Reply {
    let whom = match who {
        Identity::Known { owner, .. } => match owner {
            Owner::User(_) => format!("user ID {user}."),
            Owner::Installation(id) => format!("installation ID {id}."),
            Owner::App(id) => format!("app ID {id}."),
        },
        _ => "127.0.0.1. (But here's the good news: Authenticated requests get a higher rate \
limit. Check out the documentation for more details.)"
            .to_owned(),
    };
    if standing.resource == "graphql" && who.is_known() {
        let message = format!("API rate limit already exceeded for {whom}");
        let error = json!({"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": message});
        return Reply::json(json!({"errors": [error]}));
    }
    let message = format!("API rate limit exceeded for {whom}");
    refusal(status, &message, RATE_LIMITS)
}

/// An owner who is banned for a while.
pub fn secondary(refusal: &Refusal) -> Reply {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you \
try again.";
    let reply = self::refusal(refusal.status, message, SECONDARY);
    match refusal.retry_after {
        Some(seconds) => reply.header("retry-after", seconds.to_string()),
        None => reply,
    }
}

fn refusal(status: u16, message: &str, page: &str) -> Reply {
    let body = json!({
        "message": message,
        "documentation_url": page,
        "status": status.to_string(),
    });
    Reply::new(status, Body::Json(body))
}
