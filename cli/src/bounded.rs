//! Reads files that an operator names: a mistaken path (a device, a log) must not fill the memory.

use std::fs::File;
use std::io::{Read as _, Result};
use std::path::Path;

/// The content of a file of at most `most` bytes; `None`: it is longer.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(Some(content).filter(|content| content.len() as u64 <= most))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
