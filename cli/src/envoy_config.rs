//! Envoy's configuration, rendered from the commented templates in `envoy/`.
//!
//! The templates are the one place that says how Envoy is set up: the bootstrap
//! that `run` starts is what `config` prints, and the file of the hot reload
//! (ECDS) is made from the same text. Everything that enters a template is
//! quoted as JSON, which is YAML.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{json, Value};

use crate::env::{authorities, Backend, HostPort, Settings, Upstream};
use crate::istio::Role;
use crate::plugin::{self, Clusters};
use crate::tls::TlsFiles;
use crate::yaml;

const TEMPLATES: [(&str, &str); 8] = [
    (
        "bootstrap.yaml.j2",
        include_str!("../../envoy/bootstrap.yaml.j2"),
    ),
    (
        "cluster-cache.yaml.j2",
        include_str!("../../envoy/cluster-cache.yaml.j2"),
    ),
    (
        "cluster-github.yaml.j2",
        include_str!("../../envoy/cluster-github.yaml.j2"),
    ),
    (
        "envoyfilter.yaml.j2",
        include_str!("../../envoy/envoyfilter.yaml.j2"),
    ),
    ("filter.yaml.j2", include_str!("../../envoy/filter.yaml.j2")),
    ("stats.yaml", include_str!("../../envoy/stats.yaml")),
    ("wasm.yaml.j2", include_str!("../../envoy/wasm.yaml.j2")),
    (
        "wasmplugin.yaml.j2",
        include_str!("../../envoy/wasmplugin.yaml.j2"),
    ),
];

/// What Envoy is to be told besides the settings.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where the admin interface is.
    pub admin: SocketAddr,
    /// Names in lower case by which operators reach it, beside those that no other site can have.
    pub admin_hosts: Vec<String>,
    /// The number of worker threads that is suggested; `None`: Envoy decides.
    pub concurrency: Option<u32>,
    /// The filter's module.
    pub module: PathBuf,
    /// Where Webdis is, when the backend is Redis.
    pub webdis: HostPort,
    /// The file that later configurations of the filter are read from.
    pub reload_from: Option<PathBuf>,
    /// The file that requests are logged to; `-`: standard output.
    pub access_log: Option<PathBuf>,
    /// The listener's certificate and key; `None`: it speaks no TLS.
    pub tls: Option<TlsFiles>,
    /// The file that [`EnvoyConfig::tls_secret`] is in, for Envoy to take up renewed
    /// certificates; `None`: it reads them once.
    pub tls_secret: Option<PathBuf>,
}

impl Placement {
    /// Where clients connect, as a URL without a path.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listen)
    }

    /// The socket of Envoy's own admin interface: a name in Linux's abstract namespace, made
    /// unique by what is unique already.
    pub fn admin_socket(&self) -> String {
        format!("github-proxy-admin-{}", self.admin)
    }
}

/// Renders Envoy's configuration.
pub struct EnvoyConfig<'a> {
    settings: &'a Settings,
    placement: &'a Placement,
    plugin: Value,
}

impl<'a> EnvoyConfig<'a> {
    /// `plugin` is the configuration of the filter.
    pub fn new(settings: &'a Settings, placement: &'a Placement, plugin: Value) -> Self {
        Self {
            settings,
            placement,
            plugin,
        }
    }

    /// The clusters that the shipped bootstrap has.
    pub fn clusters(settings: &Settings) -> Clusters {
        let shared = !matches!(settings.backend, Backend::Memory);
        let own_uploads = !settings.uploads.shares_host(&settings.upstream);
        let uploads = if own_uploads {
            "github-uploads"
        } else {
            "github"
        };
        Clusters {
            github: "github".to_owned(),
            uploads: uploads.to_owned(),
            cache: shared.then(|| "cache".to_owned()),
        }
    }

    /// The whole of it, for `envoy --config-path`.
    ///
    /// # Errors
    /// A template is broken, or the folder of the reload file has no name.
    pub fn bootstrap(&self) -> anyhow::Result<String> {
        self.render("bootstrap.yaml.j2")
    }

    /// The entry of `http_filters` alone.
    ///
    /// # Errors
    /// A template is broken.
    pub fn filter(&self) -> anyhow::Result<String> {
        self.render("filter.yaml.j2")
    }

    /// The file that Envoy reads a new configuration of the filter from, as JSON.
    ///
    /// # Errors
    /// A template is broken.
    pub fn ecds(&self, version: &str) -> anyhow::Result<String> {
        let wasm = yaml::load(&self.render("wasm.yaml.j2")?)
            .ok()
            .context("the template of the filter is not YAML")?;
        let response = json!({
            "version_info": version,
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": "github_proxy",
                "typed_config": wasm.value,
            }],
        });
        Ok(format!("{response:#}\n"))
    }

    /// The file that tells Envoy where the listener's certificate and key are, as JSON (SDS). Both
    /// are read again whenever something is moved into `folder`. `None` without TLS.
    pub fn tls_secret(&self, folder: &Path) -> Option<String> {
        let TlsFiles { certificate, key } = self.placement.tls.as_ref()?;
        let response = json!({
            "resources": [{
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
                "name": "server",
                "tls_certificate": {
                    "certificate_chain": { "filename": certificate },
                    "private_key": { "filename": key },
                    "watched_directory": { "path": folder },
                },
            }],
        });
        Some(format!("{response:#}\n"))
    }

    /// Istio's WasmPlugin and what it needs.
    ///
    /// # Errors
    /// A template is broken.
    pub fn wasm_plugin(mut self) -> anyhow::Result<String> {
        // A WasmPlugin cannot set `allow_on_headers_stop_iteration`.
        if let Some(pool) = self.plugin.get_mut("pool") {
            pool["inspect_bodies"] = Value::Bool(false);
        }
        self.render("wasmplugin.yaml.j2")
    }

    /// Istio's EnvoyFilter.
    ///
    /// # Errors
    /// A template is broken.
    pub fn envoy_filter(&self) -> anyhow::Result<String> {
        self.render("envoyfilter.yaml.j2")
    }

    fn render(&self, template: &str) -> anyhow::Result<String> {
        let mut jinja = Environment::new();
        jinja.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        jinja.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?;
        jinja.set_syntax(syntax);
        jinja.add_filter("quoted", |text: &str| Value::from(text).to_string());
        jinja.add_filter("nested", nested);
        for (name, source) in TEMPLATES {
            jinja.add_template(name, source)?;
        }
        let mut plugin = self.plugin.clone();
        if !["bootstrap.yaml.j2", "wasm.yaml.j2"].contains(&template) {
            // In an Envoy that this does not set up, buffers may have any size.
            let cache = plugin.get_mut("cache").and_then(Value::as_object_mut);
            cache.map(|cache| cache.remove("in_place_bytes"));
        }
        let clusters = Self::clusters(self.settings);
        let upstream = place(&self.settings.upstream, Role::Upstream);
        let own_uploads = clusters.uploads != clusters.github;
        let uploads = own_uploads.then(|| {
            json!({
                "cluster": clusters.uploads,
                "authority": self.settings.uploads.authority(),
                "upstream": place(&self.settings.uploads, Role::Uploads),
            })
        });
        let cache = clusters.cache.as_ref().and_then(|it| self.cache(it));
        let authorities = self.settings.authorities.as_deref();
        let bundle = if ["wasmplugin.yaml.j2", "envoyfilter.yaml.j2"].contains(&template) {
            authorities::bundle_in_istio(authorities)
        } else {
            authorities::bundle(authorities)
        };
        let rendered = jinja.get_template(template)?.render(Serde(json!({
            "listen": address(self.placement.listen),
            "admin": address(self.placement.admin),
            "admin_hosts": self.placement.admin_hosts,
            "admin_socket": format!("@{}", self.placement.admin_socket()),
            "concurrency": self.placement.concurrency,
            "access_log": self.placement.access_log.as_deref().map(access_log),
            "tls": self.placement.tls.as_ref().map(|tls| json!({
                "certificate": tls.certificate,
                "key": tls.key,
                "secret": self.placement.tls_secret,
            })),
            "module": self.placement.module,
            "url": module_url(&self.placement.module),
            "reload_from": self.placement.reload_from.as_deref().map(reload_from),
            "cluster": clusters.github,
            "upstream": upstream,
            "uploads": uploads,
            "ca_bundle": bundle,
            "cache": cache,
            "variables": plugin::variables(&self.plugin),
            "buffer_bytes": plugin::BUFFER_BYTES,
            "plugin": format!("{:#}", plugin),
        })))?;
        Ok(format!("{}\n", rendered.trim_end()))
    }

    fn cache(&self, cluster: &str) -> Option<Value> {
        let webdis = match &self.settings.backend {
            Backend::Memory => return None,
            Backend::Redis(_) => &self.placement.webdis,
            Backend::Webdis(webdis) => webdis,
        };
        Some(json!({
            "cluster": cluster,
            "host": webdis.host,
            "port": webdis.port,
            "is_ip": is_ip(&webdis.host),
            "service": Role::Cache.host(webdis),
        }))
    }
}

/// `text` as it stands inside of something indented by `width`; the first line only if `first`.
/// Unlike Jinja's `indent`, it keeps the line break at the end.
fn nested(text: &str, width: usize, first: Option<bool>) -> String {
    let indented = |(index, line): (usize, &str)| {
        let starts_the_line = index > 0 || first == Some(true);
        let width = if starts_the_line && !line.trim().is_empty() {
            width
        } else {
            0
        };
        format!("{:width$}{line}", "")
    };
    text.split_inclusive('\n')
        .enumerate()
        .map(indented)
        .collect()
}

fn place(upstream: &Upstream, role: Role) -> Value {
    json!({
        "service": role.host(&upstream.address),
        "tls": upstream.tls,
        "host": upstream.address.host,
        "port": upstream.address.port,
        "is_ip": is_ip(&upstream.address.host),
    })
}

fn address(address: SocketAddr) -> Value {
    json!({ "host": address.ip(), "port": address.port() })
}

/// A stream of Envoy's own is not opened anew: it may be a socket, which has no file.
fn access_log(path: &Path) -> Value {
    match path.to_str() {
        Some("-" | "/dev/stdout") => json!({ "stream": "stdout" }),
        Some("/dev/stderr") => json!({ "stream": "stderr" }),
        _ => json!({ "file": path }),
    }
}

fn is_ip(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

fn module_url(module: &Path) -> String {
    format!("file://{}", module.display())
}

fn reload_from(file: &Path) -> Value {
    // A bare file name is in the folder that Envoy starts in.
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    json!({ "file": file, "folder": folder.unwrap_or(Path::new(".")) })
}

#[cfg(test)]
mod tests;
