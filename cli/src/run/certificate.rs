//! Follows the files of the listener's certificate, and has Envoy read them when they are renewed.
//!
//! Looks at their content again and again, as is done with the registry file, and for the same
//! reasons: tools write one file after the other. A pair that does not fit together is reported,
//! and the running one stays. A good one that cannot be handed over is handed over later.

use std::time::Duration;

use tokio::time::sleep;

use super::say;
use super::steady::Steady;
use crate::faults::Faults;
use crate::tls::{Pem, TlsFiles};

const PERIOD: Duration = Duration::from_secs(1);

/// The listener's certificate and key, as Envoy has them.
pub(super) struct Certificate {
    files: TlsFiles,
    content: Steady<Result<Pem, Faults>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// Envoy could not serve with them.
    pub(super) fn load(files: TlsFiles) -> Result<Self, Faults> {
        let pem = files.read()?;
        files.verify(&pem)?;
        Ok(Self {
            files,
            content: Steady::new(Ok(pem)),
        })
    }

    /// Where they are.
    pub(super) fn files(&self) -> TlsFiles {
        self.files.clone()
    }
}

/// Reads the files without holding up anything else, should their file system hang.
async fn read(files: TlsFiles) -> anyhow::Result<Result<Pem, Faults>> {
    Ok(tokio::task::spawn_blocking(move || files.read()).await?)
}

/// Follows the files for ever; `hand_over` has Envoy read them.
pub(super) async fn watch(
    certificate: Option<&mut Certificate>,
    hand_over: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(Certificate { files, content }) = certificate else {
        return std::future::pending().await;
    };
    // Why the files that are known could not be handed over.
    let mut owed: Option<String> = None;
    loop {
        sleep(PERIOD).await;
        let seen = content.see(read(files.clone()).await?);
        let again = seen.is_none();
        let verified = match seen {
            None if owed.is_some() => Ok(()),
            None => continue,
            Some(Ok(pem)) => files.verify(pem),
            Some(Err(faults)) => Err(faults.clone()),
        };
        match verified {
            Ok(()) => match hand_over() {
                Ok(()) => {
                    owed = None;
                    say::info("certificate reloaded");
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    if !again || owed.as_ref() != Some(&why) {
                        say::warning(format_args!(
                            "the new certificate cannot be handed to Envoy, the running one \
                             stays: {why}; it is handed over again until it is"
                        ));
                    }
                    owed = Some(why);
                }
            },
            Err(faults) => {
                owed = None;
                say::refused(
                    "the new certificate is not valid, the running one stays:",
                    &faults,
                );
            }
        }
    }
}
