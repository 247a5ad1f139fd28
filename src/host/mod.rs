//! What lies outside the process, in one bag that tests can fake: clock, environment, files, randomness,
//! the network towards the cloud, and tasks.
//!
//! Nothing else in the crate asks the operating system for any of these; `clippy.toml` holds that.

mod clock;
mod env;
mod files;
mod http;
mod random;
mod reading;
mod service_manager;
mod tasks;
mod transport;

use std::sync::Arc;

pub use clock::Clock;
pub use env::Env;
pub use files::Files;
pub use http::{HttpClient, HttpClientError, LARGEST_BODY};
pub use random::Random;
pub use service_manager::ServiceManager;
pub use tasks::{TaskFailed, Tasks};
pub use transport::{Body, HttpRequest, HttpResponse, Sent, Transport, TransportError};

/// The bag, cheap to clone.
#[derive(Clone, Debug)]
pub struct Host {
    /// Wall-clock time.
    pub clock: Clock,
    /// Environment variables.
    pub env: Env,
    /// Files.
    pub files: Files,
    /// Nonces and jitter.
    pub random: Random,
    /// HTTP towards the cloud, through a proxy where the environment names one.
    pub transport: Arc<dyn Transport>,
    /// HTTP towards this machine's own metadata service, never through a proxy.
    pub direct: Arc<dyn Transport>,
    /// Tasks that live as long as the process.
    pub tasks: Tasks,
}
