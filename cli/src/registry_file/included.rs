//! The templates that a registry file includes: a change of one is a change of the registry.
//!
//! They are known by reading them only. What was read is kept, so that whoever follows them
//! sees also what changed since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{Error, ErrorKind};

use super::MAX_FILE_BYTES;
use crate::bounded;

/// What is in a file, `None` where it is too long for any; or why there is none.
pub type Content = Result<Option<Vec<u8>>, String>;

/// The templates that were included, as they were read.
#[derive(Clone, Default)]
pub struct Included(Arc<Mutex<BTreeMap<PathBuf, Content>>>);

impl Included {
    /// Every template that was asked for, also those that are not there.
    pub fn files(&self) -> BTreeMap<PathBuf, Content> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.clone()
    }

    /// The template `name` of `folder`: none above it, and none that is hidden.
    ///
    /// # Errors
    /// It is no text, or cannot be read.
    pub(super) fn load(&self, folder: &Path, name: &str) -> Result<Option<String>, Error> {
        let mut path = folder.to_path_buf();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            if part.starts_with('.') || part.contains('\\') {
                return Ok(None);
            }
            path.push(part);
        }
        let is_there = path.exists();
        let content = bounded::read(&path, MAX_FILE_BYTES).map_err(|error| error.to_string());
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path, content.clone());
        if !is_there {
            return Ok(None);
        }
        let text = content.ok().flatten().map(String::from_utf8);
        match text {
            Some(Ok(text)) => Ok(Some(text)),
            _ => Err(Error::new(ErrorKind::InvalidOperation, "not readable")),
        }
    }
}
