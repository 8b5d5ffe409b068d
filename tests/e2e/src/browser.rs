//! A real Chromium without a window, steered over WebDriver (W3C) by the chromedriver beside it.
//!
//! Each one has a profile of its own in a temporary folder and asks nobody for updates.

use crate::http::Request;
use crate::process::{self, Process};
use crate::wait;
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use rustix::process::Signal;
use serde_json::{json, Value};
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

/// A browser with one page.
pub struct Browser {
    /// Ends with this.
    _driver: Process,
    address: SocketAddr,
    session: String,
    /// Chromium's process.
    process: Option<u32>,
    _profile: TempDir,
}

/// The driver would leave it behind, if the test failed.
impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(process) = self.process {
            process::signal_to(process, Signal::KILL);
        }
    }
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", profile.path());
        let driver = Process::start(command);
        let port = wait::until("chromedriver", || async {
            let output = driver.stdout();
            let (_, rest) = output.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse::<u16>().ok()
        })
        .await;
        let folder = profile.path().join("profile");
        let options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--window-size=1200,900",
            format!("--user-data-dir={}", folder.display()),
        ]});
        let mut browser = Self {
            _driver: driver,
            address: ([127, 0, 0, 1], port).into(),
            session: String::new(),
            process: None,
            _profile: profile,
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
        }}});
        let session = browser.call("POST", "", wanted).await;
        let process = session["capabilities"]["goog:processID"].as_u64();
        browser.process = process.and_then(|id| u32::try_from(id).ok());
        let id = session["sessionId"].as_str().expect("a session");
        browser.session = format!("/{id}");
        browser
    }

    /// Ends it, its windows included.
    pub async fn close(mut self) {
        self.call("DELETE", "", Value::Null).await;
        self.process = None;
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.call("POST", "/url", json!({ "url": url })).await;
    }

    /// What an expression of JavaScript is worth in the page.
    pub async fn value(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression};"), "args": [] });
        self.call("POST", "/execute/sync", script).await
    }

    /// The text of the element that a selector finds, as it is shown.
    pub async fn text(&self, selector: &str) -> String {
        let quoted = Value::from(selector);
        let expression = format!("document.querySelector({quoted})?.innerText ?? ''");
        let text = self.value(&expression).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Lets the page believe in another screen or medium (DevTools protocol).
    pub async fn emulate(&self, command: &str, parameters: Value) {
        let command = json!({ "cmd": format!("Emulation.{command}"), "params": parameters });
        self.call("POST", "/goog/cdp/execute", command).await;
    }

    /// The page as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let image = self.call("GET", "/screenshot", Value::Null).await;
        let image = image.as_str().expect("an image");
        STANDARD.decode(image).expect("base64")
    }

    /// Every URL that the page asked for since the last call.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let events = entries.iter().map(|entry| {
            let message = entry["message"].as_str().expect("a message");
            serde_json::from_str::<Value>(message).expect("JSON")
        });
        let sent = events.filter(|it| it["message"]["method"] == "Network.requestWillBeSent");
        let urls = sent.filter_map(|it| {
            let parameters = &it["message"]["params"];
            // The browser's own first page is none of ours.
            let page = parameters["documentURL"].as_str().expect("a URL");
            let url = parameters["request"]["url"].as_str().expect("a URL");
            (!page.starts_with("chrome:")).then(|| url.to_owned())
        });
        urls.collect()
    }

    /// What the page complained about since the last call.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        let text = |entry: &Value| entry["message"].as_str().map(str::to_owned);
        entries.iter().filter_map(text).collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.call("POST", "/se/log", json!({ "type": kind })).await;
        log.as_array().cloned().expect("a list of entries")
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let target = format!("/session{}{path}", self.session);
        let mut request = Request::new(self.address, method, &target);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await;
        assert_eq!(answer.status, 200, "{method} {target}: {:?}", answer.body);
        answer.json()["value"].clone()
    }
}
