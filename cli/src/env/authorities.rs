//! The certificate authorities that GitHub's certificate is checked against, and that of a Redis
//! with TLS: those that `SSL_CERT_FILE` names, else the system's.
//!
//! Envoy reads the file itself. It is looked into before, since Envoy does not say which variable
//! named a file that it refuses.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{Backend, Settings, Variables};
use crate::bounded;
use crate::faults::Faults;

/// The variable that names the file.
pub const VARIABLE: &str = "SSL_CERT_FILE";

/// What Debian, Red Hat, Alpine, SUSE and the BSDs call their bundle of authorities.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Many times what a system's bundle has.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The file that the environment names. The variable is not the proxy's own: with nothing in it,
/// it is as good as not there.
pub(super) fn named(variables: &Variables) -> Option<PathBuf> {
    let path = variables.get(VARIABLE).filter(|path| !path.is_empty());
    path.map(PathBuf::from)
}

/// The file that is used: `named`, or else the system's.
pub fn bundle(named: Option<&Path>) -> PathBuf {
    let system = || BUNDLES.iter().map(Path::new).find(|path| path.exists());
    named
        .or_else(system)
        .unwrap_or(Path::new(BUNDLES[0]))
        .to_path_buf()
}

/// The same in a gateway of Istio's: its images are made of Debian's and Ubuntu's packages, whatever
/// this machine is.
pub fn bundle_in_istio(named: Option<&Path>) -> PathBuf {
    named.unwrap_or(Path::new(BUNDLES[0])).to_path_buf()
}

/// Whether the named file can be used. One that nothing needs is not looked at.
///
/// # Errors
/// It cannot be read, or there is no certificate in it.
pub fn check(settings: &Settings) -> Result<(), Faults> {
    let Some(path) = settings.authorities.as_deref().filter(|_| needed(settings)) else {
        return Ok(());
    };
    let fault = |what: &str| Faults::one(format!("{VARIABLE}: {}: {what}", path.display()));
    let pem = bounded::read(path, MAX_FILE_BYTES)
        .map_err(|error| fault(&format!("cannot be read: {error}")))?
        .unwrap_or_default();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        _ => Err(fault(&format!(
            "expected certificates in PEM, at most {MAX_FILE_BYTES} bytes"
        ))),
    }
}

/// Without a credential, the simulator stands in for GitHub, without TLS.
fn needed(settings: &Settings) -> bool {
    let github = settings.upstream.tls || settings.uploads.tls;
    let redis = matches!(&settings.backend, Backend::Redis(redis) if redis.tls);
    redis || (github && !settings.credentials.is_empty())
}
