//! Real clients: a program that uses GitHub's API through some library or tool, unmodified, has
//! the same results straight at GitHub's stand-in and through the proxy, cold and warm, and never
//! finds a way around the proxy.
//!
//! A **flow** is any executable (a script, a tool, a test program) that is told in its environment
//! where the API is and prints one JSON document of what it saw. It gets
//!
//! | Variable | What |
//! |---|---|
//! | `BASE_URL` | the REST API, without a final slash: `http://127.0.0.1:1234`, or that and `/api/v3` |
//! | `GRAPHQL_URL` | GraphQL: `…/graphql`, or `…/api/graphql` beside `/api/v3` |
//! | `TOKEN` | what to authenticate with |
//! | `OWNER`, `REPO` | `octocat`, `hello-world`: the repository to work with |
//! | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` (and in lower case) | a [`trap::Trap`], for every host but this one |
//! | `HOME` | an empty folder of its own, which is its working folder too |
//!
//! and nothing else but `PATH` and what [`Flow::env`] sets.
//!
//! [`Flow::compare`] runs it, at each mount, with fresh worlds of the same seed:
//! 1. straight at a simulator: the expected results. The simulator has its API at the root for the
//!    mount `/`, and as a GitHub Enterprise Server for `/api/v3`;
//! 2. through a proxy before a simulator that says, as GitHub does, that its API is at
//!    `https://api.github.com` (uploads at `https://uploads.github.com`), with two tokens of the
//!    same user in the pool;
//! 3. the same again, with what the proxy has cached by then. A flow that writes skips this.
//!
//! The results must be equal once the address of the API is replaced by `{api}` in both
//! ([`mapping`]); what may differ (rate limits, request ids) a flow does not print, or it is
//! named with [`Flow::ignoring`]. Then [`proof`] reads the simulator's log: each request carries a
//! credential of the pool, none has the proxy token anywhere, and the trap has seen nobody; in the
//! warm run no read was counted.
//!
//! Whoever needs more than `compare` (TLS, another upstream) puts the parts together: [`World`],
//! [`Flow::run_at`], [`mapping::assert_same`], [`proof`].

mod languages;
pub mod mapping;
pub mod place;
mod program;
pub mod proof;
mod scarce;
pub mod trap;
pub mod world;

pub use languages::{go, node, python};
pub use place::{Mount, Place};
pub use program::Flow;
pub use scarce::scarce;
pub use world::World;
