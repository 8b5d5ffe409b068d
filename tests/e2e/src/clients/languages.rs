//! Flows in Python, JavaScript and Go: the programs of `tests/clients`, run with the libraries that
//! `scripts/setup --test` installed.

use crate::binaries;
use crate::clients::Flow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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

/// A part of the program in `tests/clients/go`.
pub fn go(part: &str) -> Flow {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    Flow::new(PROGRAM.get_or_init(compile_go)).argument(part)
}

/// Compiles it with the libraries of Debian's packages, which are where Go found everything before
/// it had modules. Nothing is fetched.
fn compile_go() -> PathBuf {
    let (kept, sources) = (binaries::go_clients(), folder("go"));
    let program = kept.join("flow");
    let output = Command::new("go")
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", kept.join("cache"))
        .envs([("GOENV", "off"), ("GOFLAGS", ""), ("CGO_ENABLED", "0")])
        .current_dir(&sources)
        .output()
        .expect("go is missing: run scripts/setup --test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", sources.display());
    program
}
