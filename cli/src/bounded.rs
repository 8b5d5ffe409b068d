//! Reads files that an operator names: a mistaken path (a device, a log) must not fill the memory,
//! and one without an end to it (a named pipe that nobody writes to) must not hold anything up.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};

/// The content of a file of at most `most` bytes; `None`: it is longer.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(Some(content).filter(|content| content.len() as u64 <= most))
}

/// Opening a named pipe waits for somebody who writes to it, unless told not to. What comes from
/// one that somebody writes to (`<(...)` of a shell) is waited for.
fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{mkfifoat, Mode, CWD};
    use std::io::Write as _;

    #[test]
    fn no_more_is_read_than_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"abc");
        assert_eq!(read(&path, 2).unwrap(), None);
        assert_eq!(read(Path::new("/dev/zero"), 9).unwrap(), None);
        assert!(read(&folder.path().join("b"), 3).is_err());
    }

    #[test]
    fn a_pipe_is_read_if_somebody_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(read(&path, 9).unwrap().unwrap(), b"");
        // Open for both, so that neither waits for the other.
        let both = OpenOptions::new().read(true).write(true).open(&path);
        let mut both = both.unwrap();
        both.write_all(b"abc").unwrap();
        assert_eq!(read(&path, 2).unwrap(), None);
    }
}
