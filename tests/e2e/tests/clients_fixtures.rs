//! Recorded traffic: what GitHub answered when `@octokit/fixtures` recorded its scenarios, served
//! by the simulator. Through the proxy it is the same to the byte with rewriting off; with
//! rewriting on it is the same once the address is mapped back, and no URL leads to GitHub.

use e2e::binaries::node_modules;
use e2e::{GitHub, Proxy, Response};
use github_simulator::log::Cost;
use github_simulator::{Content, Document};
use serde_json::Value;
use std::path::PathBuf;

const API: &str = "https://api.github.com";
const UPLOADS: &str = "https://uploads.github.com";
/// What is recorded and has to arrive. Others are the simulator's own, or tell about a connection
/// or a credential.
const KEPT: [&str; 4] = ["link", "location", "x-github-media-type", "x-poll-interval"];

/// One recorded answer.
struct Recorded {
    method: String,
    /// Where it is below the host that it was recorded at.
    path: String,
    /// Whether that was the host of uploads.
    upload: bool,
    body: String,
    document: Document,
}

impl Recorded {
    /// `None` for what another host than the API's answered.
    fn read(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let scope = text("scope");
        let upload = scope.starts_with(UPLOADS);
        if !upload && !scope.starts_with(API) {
            return None;
        }
        let content = match &entry["response"] {
            Value::String(text) if text.is_empty() => Content::Empty,
            Value::String(text) => Content::Text(text.clone()),
            json => Content::Json(json.clone()),
        };
        let body = match &content {
            Content::Json(json) => json.to_string(),
            Content::Text(text) => text.clone(),
            _ => String::new(),
        };
        let header = |name: &str| entry["headers"][name].as_str().map(str::to_owned);
        let mut document = Document::new(content);
        let status = entry["status"].as_u64().and_then(|it| it.try_into().ok());
        document.status = status.expect("a status");
        document.content_type = header("content-type").filter(|_| !body.is_empty());
        document.method = Some(text("method").to_uppercase());
        let kept = KEPT.iter();
        document.headers = kept
            .filter_map(|name| Some(((*name).to_owned(), header(name)?)))
            .collect();
        Some(Self {
            method: text("method").to_uppercase(),
            path: text("path"),
            upload,
            body,
            document,
        })
    }

    async fn ask(&self, proxy: &Proxy) -> Response {
        let mount = if self.upload { "/api/uploads" } else { "" };
        let request = proxy.request(&self.method, &format!("{mount}{}", self.path));
        match self.method.as_str() {
            "GET" => request.send().await,
            _ => request.body("{}").send().await,
        }
    }

    /// Fails unless the answer is what was recorded, once `mapped`.
    fn expect(&self, what: &str, response: &Response, mapped: impl Fn(&str) -> String) {
        let what = format!("{what}, {} {}", self.method, self.path);
        assert_eq!(response.status, self.document.status, "{what}");
        let body = String::from_utf8(response.body.to_vec()).expect("text");
        assert_eq!(mapped(&body), self.body, "{what}");
        if let Some(content_type) = &self.document.content_type {
            assert_eq!(response.header("content-type"), content_type, "{what}");
        }
        for (name, recorded) in &self.document.headers {
            assert_eq!(&mapped(response.header(name)), recorded, "{what}: {name}");
        }
    }
}

fn scenarios() -> Vec<(String, Vec<Recorded>)> {
    let folder = node_modules().join("@octokit/fixtures/scenarios/api.github.com");
    let folders = std::fs::read_dir(folder).expect("@octokit/fixtures");
    let mut folders: Vec<PathBuf> = folders.map(|it| it.expect("a folder").path()).collect();
    folders.sort();
    let read = |folder: &PathBuf| {
        let text = std::fs::read_to_string(folder.join("normalized-fixture.json"));
        let entries: Vec<Value> = serde_json::from_str(&text.expect("a recording")).expect("JSON");
        let name = folder.file_name().expect("a name").to_string_lossy();
        let recorded = entries.iter().filter_map(Recorded::read).collect();
        (name.into_owned(), recorded)
    };
    folders.iter().map(read).collect()
}

/// The texts in JSON.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Each scenario, answer after answer: each is served, asked for through a proxy that rewrites
/// nothing and through one that does. What can be read is free the second time.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_scenarios_arrive_as_github_sent_them() {
    let github = GitHub::start().await;
    let plain = Proxy::before(&github).env("REWRITE_URLS", "false");
    let plain = plain.start().await;
    let proxy = Proxy::before(&github).start().await;
    let root = format!("http://{}", proxy.address());
    let scenarios = scenarios();
    assert!(scenarios.len() > 20, "only {} scenarios", scenarios.len());
    for (scenario, answers) in scenarios {
        for answer in answers {
            github.put(&answer.path, answer.document.clone());
            answer.expect(&scenario, &answer.ask(&plain).await, str::to_owned);

            // Pages of a repository's id are shown as pages of what was asked for.
            let asked = answer.path.split('?').next().unwrap_or_default();
            let recorded = answer.document.headers.get("link");
            let recorded = recorded.and_then(|link| link.split(['<', '?']).nth(1));
            let recorded = recorded.unwrap_or_default();
            let mapped = |text: &str| {
                let text = text.replace(&format!("{root}/api/uploads"), UPLOADS);
                // What is asked for at the uploads leads to the API of the same kind.
                let text = text.replace(&format!("{root}/api/v3"), API);
                let text = text.replace(&root, API);
                match text.strip_prefix(&format!("<{API}{asked}?")) {
                    Some(_) => text.replace(&format!("{API}{asked}"), recorded),
                    None => text,
                }
            };
            let before = github.requests().last().map_or(0, |entry| entry.id);
            let response = answer.ask(&proxy).await;
            answer.expect(&scenario, &response, mapped);
            if let Ok(json) = serde_json::from_slice(&response.body) {
                let mut texts = texts(&json).into_iter();
                let leak = texts.find(|text| text.starts_with(API) || text.starts_with(UPLOADS));
                assert_eq!(leak, None, "{scenario}, {} {}", answer.method, answer.path);
            }
            if answer.method == "GET" && answer.document.status == 200 {
                answer.expect(&scenario, &answer.ask(&proxy).await, mapped);
                let requests = github.requests_after(before);
                let costs: Vec<Cost> = requests.iter().map(|entry| entry.cost).collect();
                assert_eq!(costs, [Cost::Counted, Cost::Free], "{scenario}");
            }
        }
    }
}
