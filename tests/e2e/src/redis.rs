//! A real redis-server on a free port, which a test can stop, start again and look into.

use crate::process::Process;
use crate::tls::Authority;
use crate::wait;
use rustix::process::Signal;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The password of every server that has one; it holds what a URL has to escape.
const PASSWORD: &str = "p@ss:w/rd 7Zq2Lm9XtVb4";
/// The same in a URL.
const PASSWORD_IN_URL: &str = "p%40ss%3Aw%2Frd%207Zq2Lm9XtVb4";
/// The user of an access control list.
const USER: &str = "cache";

/// How a server lets clients in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever comes.
    Open,
    /// With a password.
    Password,
    /// A user with a password who may do only what a cache needs; nobody else.
    User,
    /// Over TLS, with a password.
    Tls,
}

/// A server. Dropping it stops it.
pub struct Redis {
    access: Access,
    port: u16,
    database: u16,
    folder: TempDir,
    authority: Option<Authority>,
    process: Option<Process>,
}

impl Redis {
    /// Starts one that lets everybody in.
    pub async fn start() -> Self {
        Self::start_with(Access::Open, 0, "").await
    }

    /// Starts one; a proxy will use this `database`. `more` is added to its configuration.
    pub async fn start_with(access: Access, database: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let port = free.expect("a free port").port();
        let authority = (access == Access::Tls).then(Authority::new);
        let mut redis = Self {
            access,
            port,
            database,
            folder,
            authority,
            process: None,
        };
        let configuration = redis.configuration(more);
        std::fs::write(redis.path("redis.conf"), configuration).expect("a temporary file");
        redis.start_again().await;
        redis
    }

    fn configuration(&self, more: &str) -> String {
        // Files are written as they are, so that they can be searched.
        let mut lines = vec![
            format!("dir {}", self.folder.path().display()),
            "bind 127.0.0.1".to_owned(),
            "save \"\"".to_owned(),
            "rdbcompression no".to_owned(),
            "enable-debug-command yes".to_owned(),
        ];
        let port = self.port;
        match self.access {
            Access::Tls => {
                let server = self.authority.as_ref().expect("an authority");
                let server = server.issue(&["127.0.0.1"]);
                let (certificate, key) = server.write(self.folder.path());
                lines.push(format!("port 0\ntls-port {port}\ntls-auth-clients no"));
                lines.push(format!("tls-cert-file {}", certificate.display()));
                lines.push(format!("tls-key-file {}", key.display()));
                lines.push(format!("requirepass \"{PASSWORD}\""));
            }
            Access::Password => {
                lines.push(format!("port {port}\nrequirepass \"{PASSWORD}\""));
            }
            Access::User => {
                let commands =
                    "-@all +get +getrange +setex +set +del +expire +select +ping +auth +hello";
                lines.push(format!(
                    "port {port}\nrequirepass \"{PASSWORD} of the default user\""
                ));
                lines.push(format!("user {USER} on \">{PASSWORD}\" ~* {commands}"));
            }
            Access::Open => lines.push(format!("port {port}")),
        }
        lines.push(more.to_owned());
        lines.join("\n") + "\n"
    }

    /// Starts it, on the same port, after [`Redis::kill`].
    pub async fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.arg(self.path("redis.conf"));
        self.process = Some(Process::start(command));
        let this = &*self;
        wait::until("a Redis that is ready", || async move {
            this.cli(&["PING"]).contains("PONG").then_some(())
        })
        .await;
    }

    /// Ends it at once, connections and all.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::KILL);
            process.end().await;
        }
    }

    /// What a proxy is told as `CACHE_BACKEND_URL`.
    pub fn url(&self) -> String {
        let (scheme, user) = match self.access {
            Access::Open => ("redis", String::new()),
            Access::Password => ("redis", format!(":{PASSWORD_IN_URL}@")),
            Access::User => ("redis", format!("{USER}:{PASSWORD_IN_URL}@")),
            Access::Tls => ("rediss", format!(":{PASSWORD_IN_URL}@")),
        };
        format!("{scheme}://{user}127.0.0.1:{}/{}", self.port, self.database)
    }

    /// The password that must not be told to anybody.
    pub fn password() -> &'static str {
        PASSWORD
    }

    /// The file with the certificate of who vouches for a server with TLS.
    pub fn authority_file(&self) -> PathBuf {
        let authority = self.authority.as_ref().expect("a server with TLS");
        authority.write(self.folder.path())
    }

    /// What redis-cli prints for a command.
    pub fn cli(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.cli_bytes(arguments)).into_owned()
    }

    /// The keys of the database that proxies use.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.cli(&["KEYS", "*"]);
        keys.split_whitespace().map(str::to_owned).collect()
    }

    /// All that it holds: every key and value of every database, as written to its dump.
    pub fn everything(&self) -> Vec<u8> {
        assert!(self.cli(&["SAVE"]).contains("OK"), "Redis cannot save");
        std::fs::read(self.path("dump.rdb")).expect("Redis' dump")
    }

    fn cli_bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("redis-cli");
        command.args([
            "-p",
            &self.port.to_string(),
            "-n",
            &self.database.to_string(),
        ]);
        match self.access {
            Access::Open => {}
            Access::Password => {
                command.env("REDISCLI_AUTH", PASSWORD);
            }
            Access::User => {
                command.env("REDISCLI_AUTH", format!("{PASSWORD} of the default user"));
            }
            Access::Tls => {
                command.env("REDISCLI_AUTH", PASSWORD);
                command
                    .args(["--tls", "--cacert"])
                    .arg(self.authority_file());
            }
        }
        let output = command.args(arguments).output();
        output
            .expect("redis-cli, which comes with redis-server")
            .stdout
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}
