//! The lines for curl in the documentation, as they stand there: the same answers straight and
//! through the proxy, at both mounts.

use e2e::clients::Flow;

const PAGE: &str = include_str!("../../../docs/clients.md");
const GRAPHQL: &str = "https://github-proxy.example.com:8443/graphql";
const REST: &str = "https://github-proxy.example.com:8443";

/// The variables are set as documented, but for the address, and each request is sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_lines() {
    let (_, section) = PAGE.split_once("\n## curl\n").expect("the section");
    let (_, block) = section.split_once("```sh\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    let block = block.replace(GRAPHQL, "$GRAPHQL_URL");
    let block = block.replace(REST, "$BASE_URL");
    let (variables, requests): (Vec<&str>, Vec<&str>) =
        block.lines().partition(|line| line.starts_with("export "));
    assert_eq!((variables.len(), requests.len()), (2, 3), "{block}");
    for request in requests {
        assert!(request.starts_with("curl "), "{request}");
        let script = format!("set -eu\n{}\n{request}", variables.join("\n"));
        let flow = Flow::new("sh").argument("-c").argument(script);
        let seen = flow.compare().await;
        assert!(!seen.is_null(), "{request}");
    }
}
