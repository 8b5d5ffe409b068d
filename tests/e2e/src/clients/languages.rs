//! Flows in Python and JavaScript: the scripts of `tests/clients`, run with the libraries that
//! `scripts/setup --test` installed.

use crate::binaries;
use crate::clients::Flow;
use std::path::{Path, PathBuf};

fn folder(language: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tests.expect("a parent").join("clients").join(language)
}

/// A script of `tests/clients/python`. Compiled Python stays beside the libraries.
pub fn python(script: &str) -> Flow {
    let script = folder("python").join(script);
    let python = binaries::python();
    let compiled = python.with_file_name("compiled");
    Flow::new(python)
        .env("PYTHONPYCACHEPREFIX", compiled.display().to_string())
        .argument(script.display().to_string())
}

/// A script of `tests/clients/node`. Node looks for packages beside the script, so it gets a copy
/// beside them. `trap.mjs` leads it into the trap: its `fetch` knows no `HTTPS_PROXY`.
pub fn node(script: &str) -> Flow {
    let folder = folder("node");
    let flow = ["flow.mjs", "trap.mjs", script]
        .iter()
        .fold(Flow::new(binaries::node()), |flow, name| {
            flow.copy(folder.join(name))
        });
    flow.link(binaries::node_modules())
        .argument("--import")
        .argument("./trap.mjs")
        .argument(script)
}
