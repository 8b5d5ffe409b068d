//! A Secret and a ConfigMap as the kubelet mounts them, and as it changes them: the files are
//! symbolic links through `..data`, which is itself one to a folder with a new name each time and
//! is exchanged by a rename. The paths that the proxy knows never change, nor does their own time.

use e2e::proxy::Setup;
use e2e::tls::{connect, Authority};
use e2e::{github, wait, GitHub, Proxy, REGISTRY};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const A: (&str, &str, &str) = github::CREDENTIALS[0];
const B: (&str, &str, &str) = github::CREDENTIALS[1];

/// A volume of the kubelet's (kubernetes/pkg/volume/util, `AtomicWriter`).
struct Volume {
    path: PathBuf,
    versions: u32,
}

impl Volume {
    fn mount(path: PathBuf, files: &[(&str, &str)]) -> Self {
        fs::create_dir(&path).expect("a folder");
        let mut volume = Self { path, versions: 0 };
        volume.change(files);
        volume
    }

    fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// In the kubelet's order: the new folder is complete before `..data` leads to it, names come
    /// and go after that, and the old folder goes last.
    fn change(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..2026_11_25_09_30_{:02}.141592653", self.versions);
        let folder = self.path.join(&version);
        fs::create_dir(&folder).expect("a folder");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("a file");
        }
        let data = self.path.join("..data");
        let old = fs::read_link(&data).ok();
        let new = self.path.join("..data_tmp");
        symlink(&version, &new).expect("a link");
        fs::rename(&new, &data).expect("the same folder");
        for (name, _) in files {
            if fs::symlink_metadata(self.path.join(name)).is_err() {
                symlink(Path::new("..data").join(name), self.path.join(name)).expect("a link");
            }
        }
        for entry in fs::read_dir(&self.path).expect("the folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("a name of this test's");
            let is_known = files.iter().any(|(file, _)| *file == name);
            if !name.starts_with("..") && !is_known {
                fs::remove_file(self.path.join(name)).expect("a link");
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.path.join(old)).expect("the old folder");
        }
    }
}

/// The answer to what nobody asked for before: nothing stored stands in for it.
async fn ask(proxy: &Proxy, github: &GitHub) -> u16 {
    let path = format!("/users/octocat?{}", github.requests().len());
    proxy.get(&path).await.status
}

/// The name of the credential that served the last request.
fn server(github: &GitHub) -> Option<String> {
    github.requests().pop().and_then(|entry| entry.token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_secret_and_a_mounted_registry_are_followed() {
    let github = GitHub::start().await;
    let setup = Setup::bare().env("GITHUB_API_URL", &github.api_url());
    let mut secret = Volume::mount(setup.folder().join("secrets"), &[("GITHUB_PAT_A", A.1)]);
    let registry = setup.folder().join("etc");
    let mut registry = Volume::mount(registry, &[("clients.yaml", REGISTRY)]);
    let setup = setup
        .env("GITHUB_PROXY_ENV_FILE", &secret.path.display().to_string())
        .env("CLIENT_REGISTRY_FILE_PATH", &registry.file("clients.yaml"));
    let proxy = setup.start().await;
    assert_eq!(ask(&proxy, &github).await, 200);
    assert_eq!(server(&github).as_deref(), Some(A.0));

    // A key is added, then the other one goes away.
    secret.change(&[("GITHUB_PAT_A", A.1), ("GITHUB_PAT_B", B.1)]);
    proxy
        .until_said("reloaded: 2 clients, 2 credentials\n", 1)
        .await;
    secret.change(&[("GITHUB_PAT_B", B.1)]);
    proxy
        .until_said("reloaded: 2 clients, 1 credential\n", 1)
        .await;
    assert_eq!(ask(&proxy, &github).await, 200);
    assert_eq!(server(&github).as_deref(), Some(B.0));

    // The same key with another value: of a user whom GitHub does not know.
    secret.change(&[("GITHUB_PAT_B", "ghp_revoked0123456789abcdefghijklmnopqrs")]);
    let refused = || async { (ask(&proxy, &github).await == 503).then_some(()) };
    wait::until("the new value", refused).await;
    secret.change(&[("GITHUB_PAT_A", A.1)]);
    let served = || async { (ask(&proxy, &github).await == 200).then_some(()) };
    wait::until("a value that GitHub knows", served).await;

    // A registry with a fault is refused, and the one that runs stays; a good one counts.
    registry.change(&[("clients.yaml", "version: 1\nclients: [{ name: x }]\n")]);
    proxy.until_said("the running one stays", 1).await;
    assert_eq!(ask(&proxy, &github).await, 200);
    registry.change(&[("clients.yaml", "version: 1\nclients: []\n")]);
    proxy
        .until_said("reloaded: 0 clients, 1 credential\n", 1)
        .await;
    assert_eq!(ask(&proxy, &github).await, 401);
}

/// What a registry includes is followed as the registry itself, also while it is faulty.
#[tokio::test(flavor = "multi_thread")]
async fn the_templates_that_a_registry_includes_are_followed() {
    let github = GitHub::start().await;
    let text = "version: 1\nclients:\n{% include 'parts/bots.yaml' %}";
    let setup = Proxy::before(&github).registry_file("clients.yaml.j2", text);
    let parts = setup.folder().join("parts");
    fs::create_dir(&parts).expect("a folder");
    let replace = |text: &str| {
        let new = parts.join("new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, parts.join("bots.yaml")).expect("the same folder");
    };
    let bot = |name: &str| format!("  - name: {name}\n    token: {}\n", e2e::TOKEN);
    replace(&bot("a"));
    let proxy = setup.start().await;
    assert_eq!(ask(&proxy, &github).await, 200);
    replace("  - name: b\n    token: the-token-of-another-client\n");
    proxy
        .until_said("reloaded: 1 client, 3 credentials\n", 1)
        .await;
    assert_eq!(ask(&proxy, &github).await, 401);
    fs::remove_file(parts.join("bots.yaml")).expect("a file");
    proxy.until_said("the running one stays", 1).await;
    replace(&format!("{}  - name: d\n    token: d-d-d-d\n", bot("c")));
    proxy
        .until_said("reloaded: 2 clients, 3 credentials\n", 1)
        .await;
    assert_eq!(ask(&proxy, &github).await, 200);
    let said = proxy.process().stderr();
    assert!(!said.contains("nothing changed"), "{said}");
}

/// Certificate and key of a Secret of the type kubernetes.io/tls change together.
#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_certificate_is_followed() {
    let (github, first, second) = (GitHub::start().await, Authority::new(), Authority::new());
    let texts = |authority: &Authority| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (certificate, key) = authority.issue(&["127.0.0.1"]).write(folder.path());
        [certificate, key].map(|path| fs::read_to_string(path).expect("text"))
    };
    let setup = Proxy::before(&github);
    let [certificate, key] = texts(&first);
    let files = [("tls.crt", certificate.as_str()), ("tls.key", &key)];
    let mut secret = Volume::mount(setup.folder().join("tls"), &files);
    let flags = [("--tls-certificate", "tls.crt"), ("--tls-key", "tls.key")];
    let setup = flags.iter().fold(setup, |setup, (flag, name)| {
        setup.argument(flag).argument(&secret.file(name))
    });
    let proxy = setup.start().await;
    let handshake = |authority| connect(proxy.address(), authority, &["h2"]);
    handshake(&first).await.expect("the first certificate");
    let [certificate, key] = texts(&second);
    secret.change(&[("tls.crt", &certificate), ("tls.key", &key)]);
    wait::until("the second certificate", || async {
        handshake(&second).await.ok()
    })
    .await;
    assert!(handshake(&first).await.is_err());
}
