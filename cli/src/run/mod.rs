//! `github-proxy run`: the whole local stack in the foreground.
//!
//! Starts Envoy with the filter, Webdis when the cache is in Redis, and the
//! bundled simulator when there is no GitHub credential; follows the files that
//! the configuration is made of; stops everything on SIGINT or SIGTERM, once the requests under way
//! have ended or some seconds are over. Envoy is the product: when it ends, so does this. Webdis is not: it is started again. All children are
//! started from the main task, so that they die with this process in any case.

mod admin;
mod certificate;
mod child;
mod demo;
mod drain;
mod folder;
mod hang_up;
mod port;
mod redis_relay;
mod reload;
mod say;
mod steady;
mod version;
mod webdis;

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{bail, Context as _};
use github_proxy_core::seal::{SealKey, KEY_VARIABLE};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::time::{sleep, Instant};

use self::admin::Admin;
use self::certificate::Certificate;
use self::child::Child;
use self::demo::Demo;
use self::folder::RunFolder;
use self::hang_up::HangUp;
use self::port::Ports;
use self::reload::Reload;
use self::version::Version;
use self::webdis::Webdis;
use crate::args::{EnvoyArguments, RunArguments};
use crate::env::{authorities, Backend, HostPort, Sources};
use crate::envoy_config::{EnvoyConfig, Placement};
use crate::locate;

/// Envoy starts in well under a second; a loaded machine may take longer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long Envoy may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Runs the stack until a signal comes.
///
/// # Errors
/// It cannot be started (each fault is named), or Envoy ended by itself.
pub fn run(arguments: &RunArguments, sources: Sources) -> anyhow::Result<()> {
    sources.can_be_followed()?;
    // Before anything is read of them: what changes while Envoy starts is taken up after that.
    let seen = reload::look(&sources);
    let version = Version::read(&sources)?;
    authorities::check(&version.settings)?;
    for warning in &version.warnings {
        say::warning(warning);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(start(arguments, sources, seen, version));
    // Requests to the simulator that are still open do not matter any more.
    runtime.shutdown_background();
    outcome
}

async fn start(
    arguments: &RunArguments,
    sources: Sources,
    seen: reload::Contents,
    mut version: Version,
) -> anyhow::Result<()> {
    // From here on a signal is remembered, and not the end without tidying up.
    let mut stop = StopSignals::new()?;
    let mut hang_up = HangUp::new()?;
    let envoy = locate::envoy(arguments.envoy.as_deref())?;
    let module = locate::module(arguments.envoy_arguments.filter.as_deref())?;
    let webdis = match version.settings.backend {
        Backend::Redis(_) => Some(locate::webdis()?),
        _ => None,
    };
    let certificate = arguments.envoy_arguments.tls()?.map(Certificate::load);
    let mut certificate = certificate.transpose()?;
    writable(arguments.envoy_arguments.access_log.as_deref())?;
    let EnvoyArguments { listen, admin, .. } = arguments.envoy_arguments;
    let admin_hosts = arguments.envoy_arguments.admin_host.clone();
    let mut ports = Ports::default();
    let listen = ports.free("--listen", listen)?;
    let admin = ports.free("--admin", admin)?;
    let demo = if version.settings.credentials.is_empty() {
        Some(Demo::start(&mut version).await?)
    } else {
        None
    };
    let key = new_key()?;
    let running = version.prepare(demo.as_ref(), &key)?.plugin;
    let included = version.included.files();
    let settings = version.settings;
    let folder = RunFolder::create()?;
    let webdis = match (&settings.backend, webdis) {
        (Backend::Redis(redis), Some(program)) => {
            let authorities = authorities::bundle(settings.authorities.as_deref());
            let port = ports.any(Ipv4Addr::LOCALHOST.into()).context("Webdis")?;
            Some(Webdis::new(
                program,
                port,
                redis.clone(),
                &authorities,
                &folder,
            )?)
        }
        _ => None,
    };
    let placement = Placement {
        listen,
        admin,
        admin_hosts,
        concurrency: Some(concurrency(&arguments.envoy_arguments)),
        module,
        webdis: webdis.as_ref().map_or_else(unused, Webdis::address),
        reload_from: Some(folder.reload_file()),
        access_log: arguments.envoy_arguments.access_log.clone(),
        tls: certificate.as_ref().map(Certificate::files),
        tls_secret: certificate.as_ref().map(|_| folder.tls_secret_file()),
    };
    let config = EnvoyConfig::new(&settings, &placement, running.clone());
    folder.replace_reload_file(&config.ecds("1")?)?;
    let tls_secret = config.tls_secret(&folder.tls());
    let hand_over_certificate = || match &tls_secret {
        Some(secret) => folder.replace_tls_secret_file(secret),
        None => Ok(()),
    };
    hand_over_certificate()?;
    let bootstrap = folder.write("envoy.yaml", &config.bootstrap()?)?;
    let admin = Admin::new(placement.admin);
    drop(ports);
    let mut envoy = start_envoy(&envoy, &bootstrap, &placement, &key)?;
    let mut reload = Reload {
        sources,
        placement: &placement,
        folder: &folder,
        admin,
        demo: demo.as_ref(),
        key: &key,
        settings: &settings,
        included,
        running,
        owed: None,
        version: 1,
        refused: 0,
        told: 0,
    };

    // Webdis is looked after from the start, but nothing waits for it: a cache
    // that is down must not keep the proxy from serving.
    let served = async {
        tokio::select! {
            outcome = ready(admin, &mut envoy) => outcome?,
            () = stop.next() => return Ok(()),
        }
        say::ready(&placement);
        if let Some(demo) = &demo {
            demo.introduce(&placement);
        }
        tokio::select! {
            status = envoy.wait() => Err(ended(&status?)),
            outcome = reload.watch(seen, &mut hang_up) => outcome,
            never = folder.keep() => match never {},
            never = certificate::watch(certificate.as_mut(), hand_over_certificate) => never,
            () = stop.next() => {
                // Another signal, and it is not waited for.
                tokio::select! {
                    () = drain::drain(&placement) => {}
                    () = stop.next() => {}
                }
                Ok(())
            }
        }
    };
    let outcome = match webdis {
        Some(mut webdis) => {
            let outcome = tokio::select! {
                outcome = served => outcome,
                error = webdis.supervise() => Err(error),
            };
            webdis.stop().await;
            outcome
        }
        None => tokio::select! {
            outcome = served => outcome,
            never = without_answer(&settings.backend) => match never {},
        },
    };
    envoy.stop(STOP_LIMIT).await;
    outcome
}

/// Whether the access log can be written: of that, Envoy does not say which flag named it. Only a
/// file is tried; `-`, devices and pipes are left to Envoy.
fn writable(access_log: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = access_log.filter(|path| *path != Path::new("-")) else {
        return Ok(());
    };
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let opened = options.append(true).create(true).open(path);
    opened.with_context(|| format!("--access-log: {}: cannot be written", path.display()))?;
    Ok(())
}

/// The key that this run seals the credentials with. It is in Envoy's environment alone.
fn new_key() -> anyhow::Result<SealKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system has no random numbers")?;
    Ok(SealKey::new(bytes))
}

fn start_envoy(
    program: &Path,
    bootstrap: &Path,
    placement: &Placement,
    key: &SealKey,
) -> anyhow::Result<Child> {
    let mut command = child::command(program);
    command.arg("--config-path").arg(bootstrap);
    command.args(["--disable-hot-restart", "--log-level", "warning"]);
    // Whoever follows the access log does not wait ten seconds for it.
    command.args(["--file-flush-interval-msec", "1000"]);
    // Once it is to end, every response says that its connection does.
    command.args(["--drain-strategy", "immediate"]);
    if let Some(concurrency) = placement.concurrency {
        command.args(["--concurrency", &concurrency.to_string()]);
    }
    // The one secret that Envoy needs; the others are sealed with it.
    command.env(KEY_VARIABLE, key.to_hex().expose());
    Child::start(command).context("Envoy cannot be started")
}

/// Waits until Envoy serves.
async fn ready(admin: Admin, envoy: &mut Child) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while !admin.is_ready().await {
        if Instant::now() > deadline {
            bail!(
                "Envoy is not ready after {} s; its log is above",
                START_LIMIT.as_secs()
            );
        }
        tokio::select! {
            status = envoy.wait() => return Err(ended(&status?)),
            () = sleep(Duration::from_millis(20)) => {}
        }
    }
    Ok(())
}

fn ended(status: &ExitStatus) -> anyhow::Error {
    anyhow::anyhow!("Envoy ended by itself ({status}); the last lines of its log are above")
}

fn concurrency(arguments: &EnvoyArguments) -> u32 {
    let cores = || {
        std::thread::available_parallelism()
            .ok()?
            .get()
            .try_into()
            .ok()
    };
    arguments.concurrency.or_else(cores).unwrap_or(1)
}

/// Says once if a Webdis that runs elsewhere does not answer.
async fn without_answer(backend: &Backend) -> Infallible {
    match backend {
        Backend::Webdis(address) => webdis::warn_without_answer(address).await,
        _ => std::future::pending().await,
    }
}

/// No Webdis is started by us, so nothing is placed there.
fn unused() -> HostPort {
    HostPort {
        host: "127.0.0.1".to_owned(),
        port: 7379,
    }
}

/// SIGINT and SIGTERM.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
