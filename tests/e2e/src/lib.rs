//! The harness of the end-to-end tests: it runs the real `github-proxy run` (the real Envoy, the
//! compiled filter, Webdis and Redis where a test wants them) before a simulator of GitHub that
//! lives in the test's own process, so that a test can read what reached "GitHub" and steer it.
//!
//! Every test starts a stack of its own, on free ports, and leaves nothing behind. Whatever goes
//! wrong in here fails the test by a panic with one line that says what is missing. No test
//! asserts how long something took; where something happens a moment later (statistics, a
//! reload), [`wait::until`] looks again and again up to a generous limit.

pub mod apps;
pub mod binaries;
pub mod browser;
pub mod burst;
pub mod cache_status;
pub mod clients;
pub mod dashboards;
pub mod github;
pub mod http;
pub mod lockstep;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod stats;
pub mod steady;
pub mod stock;
pub mod tls;
pub mod traces;
pub mod wait;

pub use burst::burst;
pub use github::GitHub;
pub use http::{Request, Response};
pub use proxy::Proxy;
pub use redis::Redis;

/// A simulator, and a proxy before it with nothing special.
pub async fn start() -> (GitHub, Proxy) {
    let github = GitHub::start().await;
    let proxy = Proxy::before(&github).start().await;
    (github, proxy)
}

/// The token of the client `test`, who may do everything.
pub const TOKEN: &str = "H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=";
/// The token of the client `read_only`, who may GET.
pub const READ_ONLY_TOKEN: &str = "oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU=";
/// The registry that a proxy has unless a test gives it another: the documented example.
pub const REGISTRY: &str = "---
version: 1
clients:
  - name: test
    token: H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=
  - name: read_only
    token: oed4+Uo4s4mgwstjSAY/N+HSOsGwfbX91QxqSOjsVlU=
    scopes:
      - method: GET
        path: .*
";
