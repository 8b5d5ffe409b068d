//! The private folder of one run, removed at its end.
//!
//! Only this user can look into it (0700): the socket in it leads to Redis
//! without a password. A folder that Envoy watches holds nothing but its file.
//! It is locked, which keeps systemd's cleaning of temporary folders away from it, and its
//! files are made to look new, which keeps others away.

use std::convert::Infallible;
use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{bail, Context as _};
use rustix::fs::{flock, FlockOperation};
use tempfile::TempDir;
use tokio::time::sleep;

/// Cleaners count in days, some in hours.
const KEEP_PERIOD: Duration = Duration::from_secs(1800);

/// The files of a run.
pub(super) struct RunFolder {
    folder: TempDir,
    /// What `tmpfiles.d(5)` leaves alone; none where the file system knows no locks.
    _lock: Option<File>,
}

impl RunFolder {
    /// Makes the folder.
    pub(super) fn create() -> anyhow::Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let mut builder = tempfile::Builder::new();
        let folder = builder
            .prefix("github-proxy-")
            .permissions(private)
            .tempdir();
        let folder = folder.context("cannot make a temporary folder")?;
        let lock = File::open(folder.path()).ok();
        let folder = Self {
            _lock: lock.filter(|file| flock(file, FlockOperation::LockShared).is_ok()),
            folder,
        };
        for watched in [folder.path("ecds"), folder.tls()] {
            fs::create_dir(&watched)
                .with_context(|| format!("cannot make {}", watched.display()))?;
        }
        Ok(folder)
    }

    /// The path of `name` in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where Envoy reads the filter's configuration from.
    pub(super) fn reload_file(&self) -> PathBuf {
        self.path("ecds").join("filter.json")
    }

    /// The folder into which something is moved for Envoy to read the certificate again.
    pub(super) fn tls(&self) -> PathBuf {
        self.path("tls")
    }

    /// Where Envoy reads from where the certificate is.
    pub(super) fn tls_secret_file(&self) -> PathBuf {
        self.tls().join("secret.json")
    }

    /// Writes a file that nobody else can read.
    pub(super) fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        write_private(&path, content)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Moves a new configuration of the filter into the watched folder: Envoy
    /// sees the old one or the new one, never a part.
    pub(super) fn replace_reload_file(&self, content: &str) -> anyhow::Result<()> {
        self.replace(&self.reload_file(), content)
    }

    /// Moves what tells where the certificate is into its folder.
    pub(super) fn replace_tls_secret_file(&self, content: &str) -> anyhow::Result<()> {
        self.replace(&self.tls_secret_file(), content)
    }

    /// Has it look as if it was just used, again and again.
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            sleep(KEEP_PERIOD).await;
            self.touch();
        }
    }

    /// What cannot be opened is not needed any more, or is a socket.
    fn touch(&self) {
        let now = SystemTime::now();
        let times = FileTimes::new().set_accessed(now).set_modified(now);
        for folder in [self.path(""), self.path("ecds"), self.tls()] {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_file()));
            for path in files.map(|entry| entry.path()).chain([folder]) {
                let _ = File::open(path).and_then(|file| file.set_times(times));
            }
        }
    }

    fn replace(&self, file: &Path, content: &str) -> anyhow::Result<()> {
        if let Some(folder) = file.parent().filter(|folder| !folder.is_dir()) {
            // What it watches is the folder, not the path.
            bail!(
                "{} was removed, and Envoy would not see another one: it takes a restart",
                folder.display()
            );
        }
        let new = self.write("new", content)?;
        fs::rename(&new, file).with_context(|| format!("cannot replace {}", file.display()))
    }
}

fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_looks_new_again() {
        let folder = RunFolder::create().unwrap();
        folder.replace_reload_file("{}").unwrap();
        let paths = [folder.reload_file(), folder.path("ecds"), folder.path("")];
        let old = FileTimes::new()
            .set_accessed(SystemTime::UNIX_EPOCH)
            .set_modified(SystemTime::UNIX_EPOCH);
        for path in &paths {
            File::open(path).unwrap().set_times(old).unwrap();
        }
        folder.touch();
        for path in paths {
            let times = fs::metadata(path).unwrap();
            assert_ne!(times.modified().unwrap(), SystemTime::UNIX_EPOCH);
            assert_ne!(times.accessed().unwrap(), SystemTime::UNIX_EPOCH);
        }
    }

    #[test]
    fn a_folder_that_was_removed_is_a_fault_that_says_what_it_takes() {
        let folder = RunFolder::create().unwrap();
        fs::remove_dir_all(folder.path("")).unwrap();
        for outcome in [
            folder.replace_reload_file("{}"),
            folder.replace_tls_secret_file("{}"),
        ] {
            let fault = outcome.unwrap_err().to_string();
            assert!(fault.ends_with("it takes a restart"), "{fault}");
        }
    }
}
