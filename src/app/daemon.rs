//! The daemon: listen, poll, serve, until a signal ends it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::generation::Generation;
use super::{FAILED, Signals};
use crate::cli::Web;
use crate::config::Config;
use crate::host::Host;
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
}

impl Daemon {
    /// Binds every address, then starts everything.
    pub async fn start(config: &Config, host: &Host, web: Web) -> anyhow::Result<Self> {
        let gate = match &web.web_config {
            Some(path) => web::Gate::load(path, host.files.clone(), &host.random)?,
            None => web::Gate::open(),
        };
        let listeners = web::bind(&web.listen_addresses).await?;
        let addresses = listeners.addresses().to_vec();
        let daemon = Self::poll(config, host)?;
        let site = web::Site::new(
            Arc::clone(&daemon.store),
            Arc::clone(&daemon.telemetry),
            host.clock.clone(),
            web.telemetry_path,
            BUILD,
        );
        info!(?addresses, tls = gate.speaks_tls(), "listening");
        host.tasks.spawn("the web server", |stop| {
            web::serve(listeners, Arc::new(site), Arc::new(gate), stop)
        });
        Ok(Self { addresses, ..daemon })
    }

    /// Starts everything but the web server.
    pub fn poll(config: &Config, host: &Host) -> anyhow::Result<Self> {
        let (store, telemetry) = (Arc::new(Store::default()), Arc::new(Telemetry::new(BUILD)?));
        Generation::new(config, host, &store, &telemetry).start(host);
        Ok(Self {
            addresses: Vec::new(),
            store,
            telemetry,
        })
    }
}

/// Runs until SIGTERM or SIGINT and lets what is under way end.
pub(super) async fn run(config: &Config, host: &Host, web: Web) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::watch()?;
    Daemon::start(config, host, web).await?;
    let instances: usize = config.accounts.iter().map(|account| account.targets.len()).sum();
    info!(
        version = BUILD.version,
        revision = BUILD.revision,
        accounts = config.accounts.len(),
        instances,
        "started",
    );
    tokio::select! {
        signal = signals.next() => info!(signal, "stopping"),
        () = host.tasks.stopping().cancelled() => {}
    }
    host.tasks.stop();
    tokio::select! {
        joined = host.tasks.join(GRACE) => match joined {
            Ok(()) => {
                info!("stopped");
                Ok(ExitCode::SUCCESS)
            }
            Err(failed) => {
                tracing::error!("{failed}");
                Ok(ExitCode::from(FAILED))
            }
        },
        signal = signals.next() => {
            info!(signal, "stopping at once");
            Ok(ExitCode::from(FAILED))
        }
    }
}
