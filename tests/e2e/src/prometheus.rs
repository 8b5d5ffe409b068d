//! A real Prometheus with the configuration and the rules of this repository, which scrapes a
//! proxy every second.

use crate::http::Request;
use crate::process::Process;
use crate::{binaries, wait};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Where rules and dashboards are.
pub fn observability() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../observability")
}

/// `promtool` with these arguments, in the folder of the rules; what it says, and whether it is
/// content.
pub fn promtool(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(binaries::tool("prometheus/promtool"));
    command.args(arguments);
    command.current_dir(observability().join("prometheus"));
    let output = command.output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

/// A value of an answer: its labels, and the number.
pub type Sample = (BTreeMap<String, String>, f64);

/// A running server. Dropping it stops it.
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes the admin interface at `target`.
    pub async fn scraping(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = observability().join("prometheus");
        let text = std::fs::read_to_string(source.join("prometheus.yml")).expect("a file");
        assert!(
            text.contains("'proxy:9901'") && text.contains(": 15s"),
            "{text}"
        );
        let text = text
            .replace("proxy:9901", &target.to_string())
            .replace(": 15s", ": 1s")
            .replace("rules/*.yml", &format!("{}/rules/*.yml", source.display()));
        let configuration = folder.path().join("prometheus.yml");
        std::fs::write(&configuration, text).expect("a temporary file");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let address = free.expect("a free port");
        let mut command = Command::new(binaries::tool("prometheus/prometheus"));
        command.arg(format!("--config.file={}", configuration.display()));
        command.arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ));
        command.arg(format!("--web.listen-address={address}"));
        command.arg("--log.level=warn");
        let server = Self {
            address,
            _process: Process::start(command),
            _folder: folder,
        };
        wait::until("a Prometheus that is ready", || async {
            let request = Request::new(address, "GET", "/-/ready");
            let answer = request.outcome().await.ok();
            answer.filter(|answer| answer.status == 200)
        })
        .await;
        server
    }

    /// What the API answers to a GET with these parameters.
    ///
    /// # Errors
    /// What Prometheus does not like about it.
    pub async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)));
        let query = parameters.collect::<Vec<_>>().join("&");
        let request = Request::new(self.address, "GET", &format!("/api/v1/{path}?{query}"));
        let answer = request.outcome().await?.json();
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer["error"].to_string())
        }
    }

    /// The present value of an expression.
    ///
    /// # Errors
    /// Why it cannot be evaluated.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        self.query_at(expression, unix_seconds()).await
    }

    /// The value of an expression at a time, Unix seconds.
    ///
    /// # Errors
    /// Why it cannot be evaluated.
    pub async fn query_at(&self, expression: &str, time: u64) -> Result<Vec<Sample>, String> {
        let time = time.to_string();
        let parameters = [("query", expression), ("time", &time)];
        let data = self.api("query", &parameters).await?;
        if data["resultType"] != "vector" {
            return Err(format!("not a vector: {data}"));
        }
        let samples = data["result"].as_array().expect("a vector").iter();
        Ok(samples
            .map(|sample| {
                let labels = serde_json::from_value(sample["metric"].clone());
                let value = sample["value"][1].as_str().expect("a number");
                let value = value.parse().expect("a number");
                (labels.expect("labels"), value)
            })
            .collect())
    }
}

/// Now.
pub fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock").as_secs()
}

/// For a URL's query (RFC 3986 §2.1).
fn escaped(text: &str) -> String {
    let bytes = text.bytes();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}
