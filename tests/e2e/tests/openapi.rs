//! Real bodies: every example of a GET in GitHub's published description of its API comes through
//! the proxy as GitHub sends it but for URLs of the API, and costs nothing the second time.

use e2e::{GitHub, Proxy, Request};
use github_simulator::catalogue;
use github_simulator::log::Cost;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields of a response that describe the representation, and so have to be the same with and
/// without the proxy.
const DESCRIBING: [&str; 4] = [
    "content-type",
    "x-github-media-type",
    "link",
    "last-modified",
];

/// What a client should see: URLs of the API lead to `api`, and those of uploads to the mount at
/// `root`.
fn rewritten(value: &Value, api: &str, root: &str) -> Value {
    match value {
        Value::String(text) => {
            let led_to = |from: &str, to: String| {
                let rest = text.strip_prefix(from)?;
                let ends = rest.is_empty() || rest.starts_with(['/', '?', '#', '{']);
                ends.then(|| Value::from(format!("{to}{rest}")))
            };
            led_to("https://api.github.com", api.to_owned())
                .or_else(|| led_to("https://uploads.github.com", format!("{root}/api/uploads")))
                .unwrap_or_else(|| value.clone())
        }
        Value::Array(items) => items
            .iter()
            .map(|item| rewritten(item, api, root))
            .collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, member)| (key.clone(), rewritten(member, api, root)));
            Value::Object(members.collect())
        }
        _ => value.clone(),
    }
}

/// Each example: the first answer through the proxy, the second one, and one on the other mount are
/// what they should be, byte for byte, and only the first costs something. With rewriting off they
/// are GitHub's own.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_passes_unchanged_and_is_paid_for_once() {
    let file = catalogue::installed();
    let file = file.expect("GitHub's API description, which scripts/setup --test fetches");
    let github = GitHub::start().await;
    let examples = github.load_openapi(&file).expect("a description");
    assert!(examples.len() > 300, "only {} examples", examples.len());
    let proxy = Proxy::before(&github).start().await;
    let plain = Proxy::before(&github).env("REWRITE_URLS", "false");
    let plain = plain.start().await;
    github.set_quota("*", "*", 1_000_000, 3_600);

    let root = format!("http://{}", proxy.address());
    let mut faults: BTreeMap<&str, String> = BTreeMap::new();
    for example in &examples {
        let direct = Request::new(github.api_address(), "GET", &example.path);
        let token = format!("Bearer {}", e2e::github::CREDENTIALS[0].1);
        let direct = direct.header("authorization", &token).send().await;
        let before = github.requests().last().map_or(0, |entry| entry.id);
        let first = proxy.get(&example.path).await;
        let second = proxy.get(&example.path).await;
        let mut wrong = Vec::new();
        if direct.status != 200 || direct.body != example.body.to_string() {
            wrong.push("the simulator does not serve it".to_owned());
        }
        let expected = rewritten(&example.body, &root, &root).to_string();
        for (which, response) in [("first", &first), ("second", &second)] {
            if (response.status, &response.body[..]) != (200, expected.as_bytes()) {
                wrong.push(format!("the {which} body differs ({})", response.status));
            }
            for name in DESCRIBING {
                if response.header(name) != direct.header(name) {
                    wrong.push(format!("{name} of the {which} answer differs"));
                }
            }
        }
        // The same entry on the other mount; all of it as it is, where nothing is rewritten.
        let mounted = proxy.get(&format!("/api/v3{}", example.path)).await;
        let expected = rewritten(&example.body, &format!("{root}/api/v3"), &root).to_string();
        if mounted.body != expected {
            wrong.push("the body at /api/v3 differs".to_owned());
        }
        let costs: Vec<Cost> = github
            .requests_after(before)
            .iter()
            .map(|it| it.cost)
            .collect();
        for which in ["first", "second"] {
            if plain.get(&example.path).await.body != direct.body {
                wrong.push(format!("the {which} body that is not rewritten differs"));
            }
        }
        if costs != [Cost::Counted, Cost::Free, Cost::Free] {
            wrong.push(format!(
                "the costs were {costs:?} ({}; {})",
                first.cache(),
                second.cache()
            ));
        }
        if !wrong.is_empty() {
            faults.insert(
                &example.operation,
                format!("{}: {}", example.path, wrong.join(", ")),
            );
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}: {faults:#?}",
        faults.len(),
        examples.len()
    );
}
