//! The comparison of clients would notice one that goes elsewhere: the trap catches what Python,
//! Node.js and Go send to another machine.

use e2e::clients::{self, Flow, Mount, World};
use e2e::{binaries, GitHub};

/// Runs it as clients run, without a proxy.
async fn run(flow: Flow) {
    let world = World::straight(Mount::Root).await;
    world.run(&flow, Mount::Root).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "wanted out")]
async fn python_is_caught() {
    let program = "import requests; requests.get('https://api.github.com/user', timeout=5)";
    let flow = Flow::new(binaries::python()).argument("-c");
    run(flow.argument(program)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "wanted out")]
async fn node_is_caught() {
    run(clients::node("stray.mjs")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "wanted out")]
async fn go_is_caught() {
    run(clients::go("stray")).await;
}

/// What came to the simulator without a credential of the pool did not come through a proxy.
#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "came around the proxy")]
async fn a_request_around_the_proxy_is_noticed() {
    let github = GitHub::start().await;
    let stray = e2e::Request::new(github.api_address(), "GET", "/users/octocat");
    stray.send().await;
    clients::proof::only_through_the_proxy("a stray", &github);
}
