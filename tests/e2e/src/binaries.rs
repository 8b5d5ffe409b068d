//! Finds what the tests run: the command, and beside it the filter and Envoy.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Cargo's target folder: this executable is `<target>/<profile>/deps/NAME`.
fn target() -> PathBuf {
    let executable = std::env::current_exe().expect("the path of this executable");
    let target = executable.ancestors().nth(3);
    target.expect("a target folder").to_path_buf()
}

/// The `github-proxy` command: the release or the debug one, whichever was built last. It finds
/// the filter and Envoy by itself; that they are there is looked at here, once, for a clear line.
pub fn command() -> PathBuf {
    let target = target();
    let built: Option<PathBuf> = ["release/github-proxy", "debug/github-proxy"]
        .iter()
        .map(|name| target.join(name))
        .filter(|path| path.is_file())
        .max_by_key(|path| modified(path));
    let command = built.unwrap_or_else(|| missing(&target.join("release/github-proxy")));
    for name in ["filter/github_proxy.wasm", "tools/bin/envoy"] {
        let path = target.join(name);
        if !path.is_file() {
            missing(&path);
        }
    }
    command
}

/// The Envoy that `run` starts, for tests that start one by themselves.
pub fn envoy() -> PathBuf {
    target().join("tools/bin/envoy")
}

/// The Python that has the clients of `tests/clients/python`.
pub fn python() -> PathBuf {
    tool("clients/python/bin/python")
}

/// The Node.js that runs the clients of `tests/clients/node`.
pub fn node() -> PathBuf {
    tool("clients/node/node")
}

/// Where those clients are.
pub fn node_modules() -> PathBuf {
    tool("clients/node/node_modules")
}

/// Where the program of `tests/clients/go` is kept once it is compiled.
pub fn go_clients() -> PathBuf {
    target().join("tools/clients/go")
}

/// The folder with a folder for each version of Envoy that is installed.
pub fn envoy_versions() -> PathBuf {
    target().join("tools/envoy")
}

/// Something below `target/tools`, which `scripts/setup --test` puts there.
pub fn tool(name: &str) -> PathBuf {
    let path = target().join("tools").join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup --test",
        path.display()
    );
    path
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

fn missing(path: &Path) -> ! {
    panic!("{} is not built: run scripts/test", path.display())
}
