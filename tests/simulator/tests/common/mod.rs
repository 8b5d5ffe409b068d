//! A running simulator and a client that sends what a test says and nothing more.

#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, reason = "a test ends by a panic")]

use github_simulator::{Handle, Options, Simulator};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// The token of the user `octocat`.
pub const TOKEN: &str = "ghp_octocat";

/// A simulator and a client of it.
pub struct Fixture {
    /// The simulator.
    pub simulator: Handle,
    client: reqwest::Client,
}

impl Fixture {
    /// A simulator with these options and a token `A` of `octocat`.
    pub async fn new(options: Options) -> Self {
        let simulator = Simulator::start(options.token("A", TOKEN, "octocat"))
            .await
            .unwrap();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .build()
            .unwrap();
        Self { simulator, client }
    }

    /// A simulator with the usual options.
    pub async fn usual() -> Self {
        Self::new(Options::default()).await
    }

    /// A GET with the token `A` and this User-Agent.
    pub fn get_as(&self, agent: &str, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.simulator.api_url());
        let request = self.client.get(url).header("user-agent", agent);
        request.header("authorization", format!("token {TOKEN}"))
    }

    /// A request with a User-Agent and nothing else.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.simulator.api_url());
        self.client
            .request(method, url)
            .header("user-agent", "test")
    }

    /// A GET with the token `A`.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.send(Method::GET, path)
    }

    /// A request with the token `A`.
    pub fn send(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path)
            .header("authorization", format!("token {TOKEN}"))
    }

    /// A request with the token `A` and a JSON body: its status and answer.
    pub async fn json(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, path).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// The answer to a GET with the token `A`.
    pub async fn read(&self, path: &str) -> (u16, Value) {
        let response = self.get(path).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// The status of a GET with the token `A`.
    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).send().await.unwrap().status().as_u16()
    }
}

/// A header field of a response, empty when absent.
pub fn field<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}
