//! A simulator of GitHub's API, faithful where a caching proxy can notice.
//!
//! # What it does as GitHub does
//! - Entity tags after the observed formula ([`EtagMode`]), weak when the response is compressed;
//!   If-None-Match lists and `*`, If-Modified-Since; 304 free of charge for authenticated requests.
//! - Layout for people after the entity tag was computed; gzip; `Last-Modified` on some resources.
//! - 401 for unknown, revoked and expired tokens in any of the Authorization forms; 403 without
//!   a User-Agent; 60 requests an hour without credentials.
//! - Primary limits per owner and resource in `x-ratelimit-*` of every response, 403 or 429 (or
//!   `RATE_LIMIT` inside a 200 for GraphQL) when exhausted; `GET /rate_limit` is free.
//! - Secondary limits on demand or by rule, with bans that early retries prolong.
//! - Repositories with issues, pull requests, labels, comments, contents, the Git database,
//!   releases with uploads, search, GraphQL with cursors, GitHub Apps; writes change what reads
//!   see. Absolute pagination links by `/repositories/{id}`, renamed (301), blocked (451) and
//!   deleted (410) things, statistics that are 202 at first.
//! - HTTP/1.1 and HTTP/2 without TLS on one port.
//!
//! Equal histories give equal bytes: the world has a clock of its own.
//!
//! # Use
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use github_simulator::{Action, Options, Simulator};
//!
//! let options = Options::default().token("BOT_1", "ghp_secret", "octocat");
//! let simulator = Simulator::start(options).await?;
//! simulator.put_json("/things/1", serde_json::json!({"n": 1}));
//! simulator.fail_next(1, "/things", Action::Reset);
//! // … send requests to simulator.api_url() …
//! assert_eq!(simulator.counted(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # The control port
//! JSON in, JSON out; 200 `{"ok":true}` unless said otherwise, 400 with `error` for a malformed
//! body, 404 for what does not exist. Where an owner is wanted, a token's name or an owner's key
//! (`user/octocat`, `installation/7`, `app/1`, `anonymous`) will do; `*` is every authenticated one.
//!
//! | Request | Body or query | Effect |
//! |---|---|---|
//! | `GET /health` | | ready |
//! | `GET /log` | `?after=N` | [`log::Entry`] of each request received, oldest first |
//! | `DELETE /log` | | empties the log and the counters |
//! | `GET /counters` | | [`log::Counters`] |
//! | `POST /documents` | `{path, document}` | puts a [`Document`]; `path` may include a query |
//! | `DELETE /documents` | `?path=` | removes it |
//! | `POST /touch` | `{path}` | a new version of a document, repository or issue |
//! | `POST /repos` | `{owner, name, issues}` | makes a repository; `{id}` |
//! | `POST /repos/rename` | `{owner, name, new_name}` | renames it |
//! | `GET /tokens` | | names and owners of the tokens in force |
//! | `POST /tokens` | `{name, value, owner: {user: login}, expires}` | accepts a token |
//! | `DELETE /tokens/{name}` | | revokes it |
//! | `POST /apps` | [`App`] | knows a GitHub App |
//! | `PATCH /installations/{id}` | `{suspended, token_seconds}` | changes an installation |
//! | `POST /quotas` | `{owner, resource, limit, window_seconds}` | sets a primary limit |
//! | `POST /exhaust` | `{owner, resource}` | uses it up |
//! | `POST /windows/reset` | `{owner, resource}` | begins windows anew |
//! | `POST /bans` | `{owner, ban:` [`Ban`] `}` | begins a secondary limit |
//! | `DELETE /bans` | `?owner=` | ends it |
//! | `POST /secondary` | [`SecondaryRules`] | when owners are banned by themselves |
//! | `POST /etags` | `{prefix, mode}` | how entity tags come about ([`EtagMode`]) |
//! | `GET`, `POST`, `DELETE /faults` | [`Fault`] | faults on demand ([`Action`]) |
//! | `POST /openapi` | `{file}` | serves the examples of a description; lists operation and path |
//!
//! # What it never does
//! It guards nothing: tokens are shown raw in its log, so that tests can search it for leaks.

#![recursion_limit = "256"]

pub mod apps;
pub mod auth;
pub mod catalogue;
mod conditional;
mod control;
pub mod documents;
pub mod etag;
pub mod faults;
mod handle;
pub mod limits;
pub mod log;
mod media;
pub mod options;
mod pipeline;
mod pretty;
mod range;
mod refusals;
mod render;
mod reply;
mod request;
#[allow(
    clippy::result_large_err,
    reason = "an error is an answer like any other, made once per request"
)]
mod routes;
pub mod secondary;
mod server;
mod shared;
pub mod stream;
pub mod world;

pub use apps::{App, Installation};
pub use auth::{Owner, Token};
pub use catalogue::Example;
pub use documents::{Content, Document};
pub use etag::EtagMode;
pub use faults::{Action, Fault};
pub use handle::{Handle, Simulator, Steering};
pub use limits::Quota;
pub use options::{BaseUrl, Mount, Options, Seed};
pub use secondary::{Ban, SecondaryRules};
