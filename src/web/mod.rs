//! The HTTP side: listeners, routes, and the status page. It reads the store and never calls the cloud.

mod config;
mod listen;
mod routes;
mod server;
mod status_page;

pub use config::{ClientAuth, Pem, PemSource, RateLimit, Tls, WebConfig};
pub use listen::{AddressError, BindError, ListenAddress, Listeners, bind};
pub use routes::{PathError, Site, TelemetryPath};
pub use server::serve;
