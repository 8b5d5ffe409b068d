//! Where the variables come from: the environment of this process, and over it the environment
//! file, which can change while the process runs.

use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use super::{file, Variables, REGISTRY_FILE};
use crate::faults::Faults;

/// The variable that names the environment file, beside `--env-file`.
const ENV_FILE: &str = "GITHUB_PROXY_ENV_FILE";

/// The environment of this process and the environment file, if there is one.
#[derive(Clone, Debug)]
pub struct Sources {
    process: Variables,
    file: Option<PathBuf>,
}

impl Sources {
    /// `file` is what `--env-file` names.
    pub fn new(process: Variables, file: Option<PathBuf>) -> Self {
        let named = process.get(ENV_FILE);
        Self {
            file: file.or_else(|| named.map(PathBuf::from)),
            process,
        }
    }

    /// The variables as of now; those of the file win.
    ///
    /// # Errors
    /// The faults of the file.
    pub fn variables(&self) -> Result<Variables, Faults> {
        let mut variables = self.process.clone();
        if let Some(path) = &self.file {
            if path.as_os_str().is_empty() {
                return Err(Faults::one(format!(
                    "{ENV_FILE}: expected the path of a file or of a folder, it is empty"
                )));
            }
            for (name, value) in file::read(path)? {
                variables.set(&name, &value);
            }
        }
        Ok(variables)
    }

    /// Whether the files can be read again and again.
    ///
    /// # Errors
    /// Those that are pipes: what was read of one is gone.
    pub fn can_be_followed(&self) -> Result<(), Faults> {
        let once = |path: &PathBuf| {
            std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
        };
        let fault = |path: &PathBuf| {
            format!(
                "{}: expected a file that can be read again and again, since it is followed; \
                 found a pipe",
                path.display()
            )
        };
        let mut faults = Faults::default();
        // Looking for the others reads this one.
        match self.file.as_ref().filter(|path| once(path)) {
            Some(path) => faults.add(fault(path)),
            None => {
                let files = self.files();
                files
                    .iter()
                    .filter(|path| once(path))
                    .for_each(|path| faults.add(fault(path)));
            }
        }
        faults.or(Some(()))
    }

    /// Every file that the configuration is made of, as far as they are known: the environment
    /// file or those in its folder, the registry file, the private keys.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.file.as_deref().map_or_else(Vec::new, file::files);
        let variables = self.variables().unwrap_or_else(|_| self.process.clone());
        files.extend(variables.get(REGISTRY_FILE).map(PathBuf::from));
        let keys = variables
            .with_prefix("GITHUB_APP_")
            .filter(|(name, _)| name.ends_with("_PEM_FILE"));
        files.extend(keys.filter_map(|(name, _)| variables.get(name).map(PathBuf::from)));
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{mkfifoat, Mode, CWD};

    #[test]
    fn the_file_wins_and_what_it_leaves_out_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let process = Variables::new([("A", "1"), ("B", "1"), (ENV_FILE, "/nowhere")]);
        let sources = Sources::new(process, Some(path.clone()));
        let fault = sources.variables().unwrap_err().to_string();
        assert!(fault.contains("env: cannot be read"), "{fault}");
        std::fs::write(
            &path,
            "B=2\nCLIENT_REGISTRY_FILE_PATH=r.yaml\nGITHUB_APP_X_PEM_FILE=k\n",
        )
        .unwrap();
        let variables = sources.variables().unwrap();
        assert_eq!(
            (variables.get("A"), variables.get("B")),
            (Some("1"), Some("2"))
        );
        assert_eq!(sources.files(), [path, "r.yaml".into(), "k".into()]);
    }

    #[test]
    fn what_is_followed_is_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("env"), folder.path().join("pipe"));
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        let expected = [format!(
            "{}: expected a file that can be read again and again, since it is followed; found a pipe",
            pipe.display()
        )];
        let direct = Sources::new(Variables::default(), Some(pipe.clone()));
        assert_eq!(direct.can_be_followed().unwrap_err().lines(), expected);
        let sources = Sources::new(Variables::default(), Some(file.clone()));
        assert_eq!(sources.can_be_followed(), Ok(()));
        for name in [REGISTRY_FILE, "GITHUB_APP_X_PEM_FILE"] {
            std::fs::write(&file, format!("{name}={}\n", pipe.display())).unwrap();
            assert_eq!(sources.can_be_followed().unwrap_err().lines(), expected);
        }
    }

    #[test]
    fn the_file_is_named_by_a_flag_or_by_a_variable() {
        let sources = Sources::new(Variables::new([(ENV_FILE, "/nowhere")]), None);
        assert_eq!(sources.files(), [PathBuf::from("/nowhere")]);
        assert!(Sources::new(Variables::default(), None).files().is_empty());
        let empty = Sources::new(Variables::new([(ENV_FILE, "")]), None);
        let expected =
            "GITHUB_PROXY_ENV_FILE: expected the path of a file or of a folder, it is empty";
        assert_eq!(empty.variables().unwrap_err().lines(), [expected]);
    }
}
