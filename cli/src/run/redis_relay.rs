//! Connects Webdis to a Redis that wants TLS or a password.
//!
//! Webdis connects to a Unix socket in the private folder of this run. Each
//! connection gets one to Redis, over TLS with certificate and host name
//! verified where the URL says `rediss`, authenticated and with its database
//! selected; then bytes are copied both ways. A connection that cannot be made
//! is closed, and Webdis tries again by itself. Never logs what Redis says: an
//! error may quote a password.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Context as _};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::say;
use crate::env::Redis;

/// Of the connection, the handshake and the commands that open a session.
const LIMIT: Duration = Duration::from_secs(5);

/// The relay before it serves.
pub(super) struct RedisRelay {
    listener: std::os::unix::net::UnixListener,
    opener: Opener,
}

/// Opens sessions at Redis.
#[derive(Clone)]
struct Opener {
    redis: Redis,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl RedisRelay {
    /// Listens on `socket`.
    pub(super) fn new(socket: PathBuf, redis: Redis, authorities: &Path) -> anyhow::Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind(&socket);
        let listener = listener.context("the relay to Redis cannot listen")?;
        listener.set_nonblocking(true)?;
        let tls = if redis.tls {
            Some(tls(&redis.address.host, authorities)?)
        } else {
            None
        };
        Ok(Self {
            listener,
            opener: Opener { redis, tls },
        })
    }

    /// Relays. Returns only when that is impossible.
    pub(super) async fn serve(&self) -> anyhow::Error {
        match self.accept_for_ever().await {
            Ok(never) => match never {},
            Err(error) => error.context("the relay to Redis failed"),
        }
    }

    async fn accept_for_ever(&self) -> anyhow::Result<std::convert::Infallible> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let (failed, mut failures) = tokio::sync::mpsc::channel::<String>(16);
        let mut last = String::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (webdis, _) = accepted?;
                    let (opener, failed) = (self.opener.clone(), failed.clone());
                    tokio::spawn(async move {
                        if let Err(error) = opener.relay(webdis).await {
                            // Full: there are enough of them to see what is wrong.
                            let _ = failed.try_send(format!("{error:#}"));
                        }
                    });
                }
                Some(failure) = failures.recv() => {
                    // Webdis tries again and again: the same reason is said once.
                    if failure != last {
                        let address = &self.opener.redis.address;
                        say::warning(format_args!("no session at Redis at {address}: {failure}"));
                        last = failure;
                    }
                }
            }
        }
    }
}

impl Opener {
    async fn relay(&self, mut webdis: UnixStream) -> anyhow::Result<()> {
        let open = timeout(LIMIT, self.open()).await;
        let mut redis = open.context("no answer in time")??;
        // How it ends is between Webdis and Redis.
        let _ = tokio::io::copy_bidirectional(&mut webdis, &mut redis).await;
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<Box<dyn Session>> {
        let address = &self.redis.address;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let mut session: Box<dyn Session> = match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                Box::new(stream.context("the TLS handshake failed")?)
            }
            None => Box::new(stream),
        };
        let mut session_reader = BufReader::with_capacity(1, &mut session);
        if let Some(password) = &self.redis.password {
            let user = self.redis.user.as_deref();
            let arguments = user
                .into_iter()
                .chain([password.expose()])
                .collect::<Vec<_>>();
            command(&mut session_reader, "AUTH", &arguments).await?;
        }
        if self.redis.database != 0 {
            let database = self.redis.database.to_string();
            command(&mut session_reader, "SELECT", &[&database]).await?;
        }
        Ok(session)
    }
}

trait Session: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Session for S {}

/// Sends one command of the Redis protocol and expects `+OK`.
async fn command(
    session: &mut BufReader<&mut Box<dyn Session>>,
    name: &str,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let mut request = format!("*{}\r\n${}\r\n{name}\r\n", arguments.len() + 1, name.len());
    for argument in arguments {
        request.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
    }
    session.get_mut().write_all(request.as_bytes()).await?;
    session.get_mut().flush().await?;
    let mut answer = String::new();
    session.read_line(&mut answer).await?;
    if answer.trim_end() != "+OK" {
        // The first word is the kind of the error, such as -WRONGPASS.
        let kind = answer.split_whitespace().next().unwrap_or("nothing");
        bail!("{name} was answered with {kind}");
    }
    Ok(())
}

fn tls(host: &str, bundle: &Path) -> anyhow::Result<(TlsConnector, ServerName<'static>)> {
    let shown = bundle.display();
    let unreadable = || format!("the certificate authorities cannot be read from {shown}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(bundle).with_context(unreadable)? {
        // A bundle may hold certificates that are no trust anchors.
        let _ = roots.add(certificate.with_context(unreadable)?);
    }
    if roots.is_empty() {
        bail!("{shown} holds no certificate authority");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).context("not a host name for TLS")?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}
