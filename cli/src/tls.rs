//! The certificate that Envoy's listener shows to clients, and its key: `--tls-certificate` and
//! `--tls-key`.
//!
//! Envoy reads the files itself. They are read here too, before it starts and before it is told
//! of newer ones, since a pair that it refuses would leave a listener that answers nobody. Neither
//! content ever enters a configuration, and no message quotes it.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use crate::bounded;
use crate::faults::Faults;

const CERTIFICATE: &str = "--tls-certificate";
const KEY: &str = "--tls-key";
/// More than any chain of certificates has.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those of the authorities between it and the root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM, without a passphrase.
    pub key: PathBuf,
}

/// The content of both files.
#[derive(PartialEq, Eq)]
pub struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl TlsFiles {
    /// What the flags say; `None` without any of them.
    ///
    /// # Errors
    /// One of the two is missing.
    pub fn of(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Self>, Faults> {
        match (certificate, key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Self {
                certificate: certificate.to_path_buf(),
                key: key.to_path_buf(),
            })),
            (Some(_), None) => Err(Faults::one(format!(
                "{KEY}: expected the file of the key, since {CERTIFICATE} is given"
            ))),
            (None, Some(_)) => Err(Faults::one(format!(
                "{CERTIFICATE}: expected the file of the certificate, since {KEY} is given"
            ))),
        }
    }

    /// Reads both files.
    ///
    /// # Errors
    /// Those that cannot be read.
    pub fn read(&self) -> Result<Pem, Faults> {
        let mut faults = Faults::default();
        let certificate = faults.take(read(CERTIFICATE, &self.certificate));
        let key = faults.take(read(KEY, &self.key));
        let both = certificate.zip(key);
        faults.or(both.map(|(certificate, key)| Pem { certificate, key }))
    }

    /// Whether Envoy can serve with `pem`, which these files hold.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, pem: &Pem) -> Result<(), Faults> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let no_certificate = format!("{CERTIFICATE}: {certificate}: expected certificates in PEM");
        let no_key = format!(
            "{KEY}: {key}: expected a private key in PEM without a passphrase: RSA of 2048 bits \
             or more, ECDSA of P-256 or P-384, or Ed25519"
        );
        let mut faults = Faults::default();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        if chain.is_none() {
            faults.add(no_certificate.as_str());
        }
        let private = PrivateKeyDer::from_pem_slice(&pem.key).ok();
        if private.is_none() {
            faults.add(no_key.as_str());
        }
        let (chain, private) = faults.or(chain.zip(private))?;
        match CertifiedKey::from_der(chain, private, &ring::default_provider()) {
            Ok(_) => Ok(()),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Faults::one(
                format!("{KEY}: {key}: not the key of the certificate in {certificate}"),
            )),
            Err(Error::InvalidCertificate(_)) => Err(Faults::one(no_certificate)),
            Err(_) => Err(Faults::one(no_key)),
        }
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Faults> {
    let fault = |what: &str| Faults::one(format!("{flag}: {}: {what}", path.display()));
    bounded::read(path, MAX_FILE_BYTES)
        .map_err(|error| fault(&format!("cannot be read: {error}")))?
        .ok_or_else(|| fault(&format!("expected at most {MAX_FILE_BYTES} bytes")))
}
