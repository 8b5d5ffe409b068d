//! Webdis, HTTP in front of Redis, on a port of its own.
//!
//! It may do nothing but what the filter asks for. When it dies it is started
//! again at once, and when it keeps dying, ever more slowly. Debian's Webdis
//! speaks no TLS, knows no users of Redis' access control lists, and says
//! nothing useful about a wrong password; where Redis wants one of these,
//! Webdis connects through the relay.

use std::convert::Infallible;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout, Instant};

use super::child::{self, Child};
use super::folder::RunFolder;
use super::redis_relay::RedisRelay;
use super::say;
use crate::env::{HostPort, Redis};

/// The commands that the filter uses.
const COMMANDS: [&str; 7] = ["GET", "GETRANGE", "SETEX", "SET", "DEL", "INCRBY", "EXPIRE"];
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Whoever lived that long did not die of its configuration.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// Webdis and what it needs.
pub(super) struct Webdis {
    program: PathBuf,
    configuration: PathBuf,
    address: HostPort,
    redis: HostPort,
    relay: Option<RedisRelay>,
    child: Option<Child>,
}

impl Webdis {
    /// Prepares a Webdis on `port` in front of `redis`, whose certificate is checked against
    /// `authorities`.
    pub(super) fn new(
        program: PathBuf,
        port: u16,
        redis: Redis,
        authorities: &Path,
        folder: &RunFolder,
    ) -> anyhow::Result<Self> {
        let address = HostPort {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
        };
        let place = redis.address.clone();
        let needs_relay = redis.tls || redis.password.is_some();
        let mut configuration = json!({
            "http_host": address.host,
            "http_port": port,
            "threads": 2,
            "pool_size": 8,
            "daemonize": false,
            "websockets": false,
            "acl": [{ "disabled": ["*"] }, { "enabled": COMMANDS }],
            "verbosity": 2,
            "logfile": folder.path("webdis.log"),
        });
        let (connection, relay) = if needs_relay {
            let socket = folder.path("redis.sock");
            let connection = json!({ "redis_host": socket, "redis_port": 0, "database": 0 });
            (
                connection,
                Some(RedisRelay::new(socket, redis, authorities)?),
            )
        } else {
            let connection = json!({
                "redis_host": place.host,
                "redis_port": place.port,
                "database": redis.database,
            });
            (connection, None)
        };
        if let (Some(all), Some(connection)) =
            (configuration.as_object_mut(), connection.as_object())
        {
            all.extend(connection.clone());
        }
        Ok(Self {
            program,
            configuration: folder.write("webdis.json", &format!("{configuration:#}"))?,
            address,
            redis: place,
            relay,
            child: None,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> HostPort {
        self.address.clone()
    }

    /// Keeps it running. Returns only when that is impossible.
    pub(super) async fn supervise(&mut self) -> anyhow::Error {
        let Self { relay, redis, .. } = self;
        let relay = relay.take();
        let redis = redis.clone();
        let relayed = async {
            match &relay {
                Some(relay) => relay.serve().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = self.restart_for_ever() => error,
            error = relayed => error,
            never = warn_if_unreachable(&redis) => match never {},
        }
    }

    /// Ends it.
    pub(super) async fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            child.stop(Duration::from_secs(2)).await;
        }
    }

    async fn restart_for_ever(&mut self) -> anyhow::Error {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let mut command = child::command(&self.program);
            command.arg(&self.configuration);
            let child = match Child::start(command) {
                Ok(child) => self.child.insert(child),
                Err(error) => return anyhow::Error::new(error).context("Webdis cannot be started"),
            };
            let end = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            if started.elapsed() > LONG_LIFE {
                pause = FIRST_PAUSE;
            }
            say::warning(format_args!(
                "Webdis ended ({end}); it is started again in {} ms",
                pause.as_millis()
            ));
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Says once, at the start, that Redis is not there. It is no reason not to serve.
async fn warn_if_unreachable(redis: &HostPort) -> Infallible {
    let connection = TcpStream::connect((redis.host.as_str(), redis.port));
    warn_without("Redis", redis, connection).await
}

/// The same of a Webdis that is not ours. Whatever it answers, it is there.
pub(super) async fn warn_without_answer(webdis: &HostPort) -> Infallible {
    let answer = async {
        let mut stream = TcpStream::connect((webdis.host.as_str(), webdis.port)).await?;
        let request = format!("GET /GET/github-proxy HTTP/1.1\r\nHost: {webdis}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.read_u8().await
    };
    warn_without("Webdis", webdis, answer).await
}

async fn warn_without<T>(
    what: &str,
    address: &HostPort,
    sign: impl Future<Output = std::io::Result<T>>,
) -> Infallible {
    let reason = match timeout(Duration::from_secs(2), sign).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer".to_owned()),
    };
    if let Some(reason) = reason {
        say::warning(format_args!(
            "{what} at {address} is not reachable ({reason}); the cache is in memory only until \
             it is"
        ));
    }
    std::future::pending().await
}
