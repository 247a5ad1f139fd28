//! The HTTP side: listeners, routes, and the status page. It reads the store and never calls the cloud.

mod basic_auth;
mod body;
mod config;
mod crowd;
mod gate;
mod listen;
mod live;
mod negotiation;
mod pages;
mod rate_limit;
mod routes;
mod server;
mod shared;
mod status_page;
mod tls;

pub use config::{ClientAuth, Pem, PemSource, RateLimit, Tls, WebConfig};
pub use gate::Gate;
pub use listen::{AddressError, BindError, ListenAddress, Listeners, bind};
pub use routes::{PathError, Reload, Site, TelemetryPath};
pub use server::serve;
