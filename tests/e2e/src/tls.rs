//! A certificate authority of the test's own, TLS in front of a server that speaks none, and the
//! client's side of a handshake.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Whoever trusts this authority trusts the certificates that it issued.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, in PEM.
pub struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    /// A new one, known to nobody.
    pub fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
        }
    }

    /// A certificate for these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let parameters = CertificateParams::new(names).expect("names of a host");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes its certificate into a file in `folder`.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("authority.pem");
        std::fs::write(&path, &self.certificate).expect("a temporary file");
        path
    }
}

/// Does a handshake with `address` as a client that trusts `authority` and offers these protocols
/// (RFC 7301), the best one first; `Err` says why it failed.
pub async fn connect(
    address: SocketAddr,
    authority: &Authority,
    protocols: &[&str],
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
    let certificate = certificate.expect("a certificate");
    roots.add(certificate).expect("an authority");
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    let stream = TcpStream::connect(address).await.expect("a connection");
    let handshake = TlsConnector::from(Arc::new(config)).connect(address.ip().into(), stream);
    handshake.await.map_err(|error| error.to_string())
}

/// The protocol that client and server agreed on.
pub fn protocol(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, connection) = stream.get_ref();
    let name = connection.alpn_protocol()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Writes certificate and key into files in `folder`.
    pub fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let paths = (folder.join("server.pem"), folder.join("server.key"));
        std::fs::write(&paths.0, &self.certificate).expect("a temporary file");
        std::fs::write(&paths.1, &self.key).expect("a temporary file");
        paths
    }

    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("a certificate")],
                key.expect("a key"),
            );
        let mut config = config.expect("a key that fits");
        let protocols = protocols.iter().map(|it| it.as_bytes().to_vec());
        config.alpn_protocols = protocols.collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Takes TLS connections and passes their content on. Dropping it ends it.
pub struct Terminator {
    port: u16,
    task: JoinHandle<()>,
}

/// One that listens, and does not know yet before whom: a server may have to know its own URL.
pub struct Bound {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Bound {
    async fn with(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        Self { listener, acceptor }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        port(&self.listener)
    }

    /// In front of `behind`.
    pub fn before(self, behind: SocketAddr) -> Terminator {
        let Self { listener, acceptor } = self;
        let port = port(&listener);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(relay(acceptor.clone(), stream, behind));
            }
        });
        Terminator { port, task }
    }
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("its address").port()
}

impl Terminator {
    /// Listens with this identity on a free port.
    pub async fn bind(identity: &Identity) -> Bound {
        Bound::with(identity.acceptor(&[])).await
    }

    /// One that offers HTTP/2 (RFC 7301) in front of a server that speaks it.
    pub async fn start_http2(identity: &Identity, behind: SocketAddr) -> Self {
        let acceptor = identity.acceptor(&["h2", "http/1.1"]);
        Bound::with(acceptor).await.before(behind)
    }

    /// One with this identity, in front of `behind`.
    pub async fn start(identity: &Identity, behind: SocketAddr) -> Self {
        Self::bind(identity).await.before(behind)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that does not trust us goes away in the handshake.
async fn relay(acceptor: TlsAcceptor, stream: TcpStream, behind: SocketAddr) {
    let Ok(mut outer) = acceptor.accept(stream).await else {
        return;
    };
    if let Ok(mut inner) = TcpStream::connect(behind).await {
        let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
    }
}
