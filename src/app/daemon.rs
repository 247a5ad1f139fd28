//! The daemon: listen, poll, serve, until a signal ends it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::generation::Accounts;
use super::load::{self, LOADS};
use super::signals::HANGUP;
use super::state_file::{LONGEST_SAVE, StateFile};
use super::{FAILED, Signals, prepare};
use crate::cli::Web;
use crate::config::Config;
use crate::host::{Host, ServiceManager};
use crate::store::Store;
use crate::telemetry::{BUILD, Telemetry};
use crate::web;

/// How long calls and requests under way may take to end after a signal; the web server takes 5 s at most.
const GRACE: Duration = Duration::from_secs(7);

/// A daemon that is running, as long as the host's tasks are.
#[derive(Debug)]
pub struct Daemon {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What it knows.
    pub store: Arc<Store>,
    /// What it counts.
    pub telemetry: Arc<Telemetry>,
    state: Option<StateFile>,
    accounts: Accounts,
    /// Stops the loops of the configuration in force.
    generation: CancellationToken,
}

/// A daemon, what it was started with, and the requests to reload it.
struct Started {
    config: Config,
    host: Host,
    daemon: Daemon,
    reloads: mpsc::Receiver<web::Reload>,
}

impl Daemon {
    /// Binds every address, then starts everything, with what was kept in the file `state`. Requests to reload come out
    /// of the second part.
    pub async fn start(
        config: &Config,
        host: &Host,
        web: Web,
        state: Option<PathBuf>,
    ) -> anyhow::Result<(Self, mpsc::Receiver<web::Reload>)> {
        let gate = match &web.web_config {
            Some(path) => web::Gate::load(path, host.files.clone(), &host.random).await?,
            None => web::Gate::open(),
        };
        let probes = match &web.probe_address {
            Some(address) => Some(web::bind(std::slice::from_ref(address)).await?),
            None => None,
        };
        let listeners = web::bind(&web.listen_addresses).await?;
        let addresses = listeners.addresses().to_vec();
        let state = match state {
            Some(path) => Some(load::state(&path, &host.files).await?),
            None => None,
        };
        let daemon = Self::poll(config, host, state)?;
        let (reload, reloads) = mpsc::channel(1);
        let site = web::Site::new(
            Arc::clone(&daemon.store),
            Arc::clone(&daemon.telemetry),
            host.clock.clone(),
            web.telemetry_path,
            BUILD,
            web.enable_lifecycle.then_some(reload),
        );
        info!(?addresses, access = %gate, "listening");
        let site = Arc::new(site);
        let health_site = Arc::clone(&site);
        host.tasks.spawn("the web server", |stop| {
            web::serve(listeners, site, Arc::new(gate), stop)
        });
        if let Some(probes) = probes {
            info!(addresses = ?probes.addresses(), "listening for probes");
            host.tasks.spawn("the probes' web server", |stop| {
                web::serve(probes, health_site, Arc::new(web::Gate::probes()), stop)
            });
        }
        Ok((Self { addresses, ..daemon }, reloads))
    }

    /// Starts everything but the web server, with what was kept of the process before.
    pub fn poll(config: &Config, host: &Host, state: Option<StateFile>) -> anyhow::Result<Self> {
        let telemetry = Arc::new(Telemetry::new(BUILD)?);
        let store = match &state {
            None => Arc::default(),
            Some(state) => {
                let keeping = state.clone();
                host.tasks.spawn("the state file", |stop| keeping.keep(stop));
                Arc::clone(&state.store)
            }
        };
        let mut accounts = Accounts::new(&store, &telemetry);
        let generation = accounts.generation(config, host).start(host);
        telemetry.config_loaded(host.clock.now());
        Ok(Self {
            addresses: Vec::new(),
            store,
            telemetry,
            state,
            accounts,
            generation,
        })
    }

    /// Takes over another configuration. What is known, what may have been used of the budgets, and the keys that are
    /// held go on; calls under way end by themselves.
    pub fn reload(&mut self, config: &Config, host: &Host) {
        self.generation.cancel();
        self.generation = self.accounts.generation(config, host).start(host);
        self.telemetry.config_loaded(host.clock.now());
    }
}

/// Runs until SIGTERM or SIGINT and lets what is under way end. SIGHUP and the web server's request reload the
/// configuration at `path`.
pub(super) async fn run(path: &Path, web: Web, state: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::watch_all()?;
    let Started {
        config,
        host,
        mut daemon,
        mut reloads,
    } = tokio::select! {
        started = start(path, web, state) => started?,
        // A file system may hang, and a signal that is watched ends nothing by itself.
        signal = signals.next_to_stop() => {
            info!(signal, "stopped before it had started");
            return Ok(ExitCode::SUCCESS);
        }
    };
    info!(
        version = BUILD.version,
        revision = BUILD.revision,
        accounts = config.accounts.len(),
        instances = listed(&config),
        "started",
    );
    let service_manager = ServiceManager::of_process();
    service_manager.ready(&host.tasks);
    let loads = Arc::new(Semaphore::new(LOADS));
    loop {
        let request = tokio::select! {
            signal = signals.next() => {
                if signal != HANGUP {
                    info!(signal, "stopping");
                    break;
                }
                None
            }
            Some(request) = reloads.recv() => Some(request),
            () = host.tasks.stopping().cancelled() => break,
        };
        // A file system that hangs must hold up the reload alone.
        let loaded = tokio::select! {
            loaded = load::configuration(path, &host, &loads) => loaded,
            signal = signals.next_to_stop() => {
                info!(signal, "stopping");
                break;
            }
            () = host.tasks.stopping().cancelled() => break,
        };
        let outcome = reload(&mut daemon, loaded);
        if let Some(request) = request {
            request.answer(outcome);
        }
    }
    // Whoever asked meanwhile hears that it stops, and holds nothing up.
    drop(reloads);
    service_manager.stopping();
    host.tasks.stop();
    tokio::select! {
        ended = end(&host, daemon.state) => Ok(ended),
        signal = signals.next_to_stop() => {
            info!(signal, "stopping at once");
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// Starts what the configuration at `path` says.
async fn start(path: &Path, web: Web, state: Option<&Path>) -> anyhow::Result<Started> {
    let path = path.to_owned();
    let preparing = tokio::task::spawn_blocking(move || prepare(&path));
    let (config, host) = preparing.await.expect("nothing makes preparing panic")?;
    let (daemon, reloads) = Daemon::start(&config, &host, web, state.map(Path::to_owned)).await?;
    Ok(Started {
        config,
        host,
        daemon,
        reloads,
    })
}

/// Waits for the end of everything that runs, and keeps what is known.
async fn end(host: &Host, state: Option<StateFile>) -> ExitCode {
    if let Err(failed) = host.tasks.join(GRACE).await {
        error!("{failed}");
        return ExitCode::from(FAILED);
    }
    if let Some(state) = state {
        let path = state.path().to_owned();
        let saving = tokio::task::spawn_blocking(move || state.save());
        let why = match tokio::time::timeout(LONGEST_SAVE, saving).await {
            Ok(saved) => saved
                .map_err(io::Error::other)
                .flatten()
                .err()
                .map(|error| error.to_string()),
            Err(_) => Some(format!(
                "not written within {} s; does its file system hang?",
                LONGEST_SAVE.as_secs()
            )),
        };
        if let Some(error) = why {
            error!(file = %path.display(), error, "cannot write the state");
            return ExitCode::from(FAILED);
        }
    }
    info!("stopped");
    ExitCode::SUCCESS
}

/// Takes over what was loaded, or says why not and keeps the configuration that is in force.
fn reload(daemon: &mut Daemon, loaded: anyhow::Result<(Host, Config)>) -> Result<(), String> {
    match loaded {
        Ok((host, config)) => {
            daemon.reload(&config, &host);
            info!(
                accounts = config.accounts.len(),
                instances = listed(&config),
                "configuration reloaded",
            );
            Ok(())
        }
        Err(why) => {
            daemon.telemetry.config_refused();
            let why = format!("{why:#}");
            error!(
                why,
                "cannot reload the configuration, the one before stays in force"
            );
            Err(why)
        }
    }
}

/// The instances that the configuration lists.
fn listed(config: &Config) -> usize {
    config.accounts.iter().map(|account| account.targets.len()).sum()
}
