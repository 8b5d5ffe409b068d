//! `github-proxy run`: the whole local stack in the foreground.
//!
//! Starts Envoy with the filter, Webdis when the cache is in Redis, and the
//! bundled simulator when there is no GitHub credential; follows the registry
//! file; stops everything on SIGINT or SIGTERM. Envoy is the product: when it
//! ends, so does this. Webdis is not: it is started again. All children are
//! started from the main task, so that they die with this process in any case.

mod admin;
mod certificate;
mod child;
mod demo;
mod folder;
mod port;
mod redis_relay;
mod reload;
mod say;
mod webdis;

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{bail, Context as _};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::time::{sleep, Instant};

use self::admin::Admin;
use self::certificate::Certificate;
use self::child::Child;
use self::demo::Demo;
use self::folder::RunFolder;
use self::reload::Reload;
use self::webdis::Webdis;
use crate::args::{EnvoyArguments, RunArguments};
use crate::env::{self, keys, Backend, HostPort, Settings, Variables};
use crate::envoy_config::{EnvoyConfig, Placement};
use crate::faults::Faults;
use crate::registry_file::{self, RegistryFile};
use crate::{locate, plugin};

/// Envoy starts in well under a second; a loaded machine may take longer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long Envoy may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Runs the stack until a signal comes.
///
/// # Errors
/// It cannot be started (each fault is named), or Envoy ended by itself.
pub fn run(arguments: &RunArguments, mut variables: Variables) -> anyhow::Result<()> {
    let settings = Settings::read(&variables)?;
    keys::load(&settings, &mut variables)?;
    let malformed = keys::malformed(&settings, &variables);
    for notice in settings.notices.iter().chain(&malformed) {
        say::warning(notice);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(start(arguments, settings, variables));
    // Requests to the simulator that are still open do not matter any more.
    runtime.shutdown_background();
    outcome
}

async fn start(
    arguments: &RunArguments,
    mut settings: Settings,
    mut variables: Variables,
) -> anyhow::Result<()> {
    // From here on a signal is remembered, and not the end without tidying up.
    let mut stop = StopSignals::new()?;
    let envoy = locate::envoy(arguments.envoy.as_deref())?;
    let module = locate::module(arguments.envoy_arguments.filter.as_deref())?;
    let webdis = match settings.backend {
        Backend::Redis(_) => Some(locate::webdis()?),
        _ => None,
    };
    let certificate = arguments.envoy_arguments.tls()?.map(Certificate::load);
    let mut certificate = certificate.transpose()?;
    let EnvoyArguments { listen, admin, .. } = arguments.envoy_arguments;
    let listen = port::free("--listen", listen)?;
    let admin = port::free("--admin", admin)?;
    let demo = if settings.credentials.is_empty() {
        Some(Demo::start(&mut settings, &mut variables).await?)
    } else {
        None
    };
    let registry = registry(&settings, &variables, demo.as_ref())?;
    let folder = RunFolder::create()?;
    let webdis = match (&settings.backend, webdis) {
        (Backend::Redis(redis), Some(program)) => {
            Some(Webdis::new(program, redis.clone(), &folder)?)
        }
        _ => None,
    };
    let placement = Placement {
        listen,
        admin,
        concurrency: Some(concurrency(&arguments.envoy_arguments)),
        module,
        webdis: webdis.as_ref().map_or_else(unused, Webdis::address),
        reload_from: Some(folder.reload_file()),
        access_log: arguments.envoy_arguments.access_log.clone(),
        tls: certificate.as_ref().map(Certificate::files),
        tls_secret: certificate.as_ref().map(|_| folder.tls_secret_file()),
    };
    let clusters = EnvoyConfig::clusters(&settings);
    let plugin = plugin::configuration(&settings, &registry, &clusters, &variables)?;
    let config = EnvoyConfig::new(&settings, &placement, plugin.clone());
    folder.replace_reload_file(&config.ecds("1")?)?;
    let tls_secret = config.tls_secret(&folder.tls());
    let hand_over_certificate = || match &tls_secret {
        Some(secret) => folder.replace_tls_secret_file(secret),
        None => Ok(()),
    };
    hand_over_certificate()?;
    let bootstrap = folder.write("envoy.yaml", &config.bootstrap()?)?;
    let admin = Admin::new(placement.admin);
    let mut envoy = start_envoy(&envoy, &bootstrap, &placement, &settings, &variables)?;
    let mut reload = Reload::new(&settings, &variables, &placement, &folder, admin, plugin);

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
            never = reload.watch() => never,
            never = certificate::watch(certificate.as_mut(), hand_over_certificate) => never,
            () = stop.next() => Ok(()),
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
        None => served.await,
    };
    envoy.stop(STOP_LIMIT).await;
    outcome
}

fn registry(
    settings: &Settings,
    variables: &Variables,
    demo: Option<&Demo>,
) -> Result<RegistryFile, Faults> {
    match (&settings.registry_file, demo) {
        (Some(path), _) => registry_file::load(path, variables, &settings.credentials),
        (None, Some(demo)) => Ok(demo.registry()),
        (None, None) => Err(Faults::one(format!(
            "{}: expected the path of the client registry file",
            env::REGISTRY_FILE
        ))),
    }
}

fn start_envoy(
    program: &Path,
    bootstrap: &Path,
    placement: &Placement,
    settings: &Settings,
    variables: &Variables,
) -> anyhow::Result<Child> {
    let mut command = child::command(program);
    command.arg("--config-path").arg(bootstrap);
    command.args(["--disable-hot-restart", "--log-level", "warning"]);
    if let Some(concurrency) = placement.concurrency {
        command.args(["--concurrency", &concurrency.to_string()]);
    }
    // Envoy sees the credentials that it needs, and no other secret of this process.
    for credential in &settings.credentials {
        let secret = variables.get(&credential.variable).unwrap_or_default();
        command.env(&credential.variable, secret);
    }
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

/// No Webdis is started by us, so nothing is placed there.
fn unused() -> HostPort {
    HostPort {
        host: "127.0.0.1".to_owned(),
        port: 7379,
    }
}

/// SIGINT, SIGTERM, and SIGHUP: the terminal was closed.
struct StopSignals {
    hang_up: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.hang_up.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
