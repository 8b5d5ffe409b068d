//! The decisions of github-proxy, free of I/O: no host calls, no clock, no randomness, no
//! globals. The filter feeds events in and carries effects out; see `request`.

pub mod auth;
pub mod budget;
pub mod cache;
pub mod coding;
pub mod conditional;
pub mod config;
pub mod cors;
pub mod etag;
pub mod flight;
pub mod forwarded;
pub mod generation;
pub mod graphql;
pub mod header;
pub mod metric;
pub mod path;
pub mod pool;
pub mod reply;
pub mod request;
pub mod rewrite;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod shared;
pub mod status;
pub mod survey;
pub mod tally;
pub mod upstream;
