//! Finds what the stack is made of: Envoy, the filter's module, Webdis.
//!
//! The build puts Envoy and the module into cargo's target folder, where this
//! executable is as well (`<target>/<profile>/github-proxy`).

use std::path::{Path, PathBuf};

use anyhow::{bail, Context as _};

/// Where the module is expected on a machine that has no build tree.
const INSTALLED_MODULE: &str = "/etc/envoy/github_proxy.wasm";

/// The filter's module: `chosen`, or the built one.
///
/// # Errors
/// It is not there.
pub fn module(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = chosen.map_or_else(module_or_default, Path::to_path_buf);
    if path.is_file() {
        // Envoy may have another working folder than this process one day.
        return std::path::absolute(&path).with_context(|| format!("{}", path.display()));
    }
    match chosen {
        Some(path) => bail!("--filter: there is no file {}", path.display()),
        None => bail!("the filter is not built: run scripts/build, or name it with --filter"),
    }
}

/// The built module, or where an installed one would be.
pub fn module_or_default() -> PathBuf {
    beside_the_build("filter/github_proxy.wasm").unwrap_or_else(|| PathBuf::from(INSTALLED_MODULE))
}

/// Envoy: `chosen`, or what setup installed, or what is on the PATH.
///
/// # Errors
/// There is none.
pub fn envoy(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    match chosen {
        Some(path) if path.is_file() => Ok(path.to_path_buf()),
        Some(path) => bail!("--envoy: there is no file {}", path.display()),
        None => beside_the_build("tools/bin/envoy")
            .or_else(|| on_path("envoy"))
            .context("Envoy is not installed: run scripts/setup, or name it with --envoy"),
    }
}

/// Webdis on the PATH.
///
/// # Errors
/// There is none.
pub fn webdis() -> anyhow::Result<PathBuf> {
    on_path("webdis")
        .context("Webdis, which a cache in Redis needs, is not installed: run scripts/setup")
}

/// `name` on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// `name` in one of the two folders above this executable's: `<target>/<triple>/<profile>` exists too.
fn beside_the_build(name: &str) -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    executable
        .ancestors()
        .skip(2)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
}
