//! The cloud's side as a value: a `World` with users, instances, rules, moods and a memory of every call.
//!
//! For tests and demonstrations; nothing of the exporter depends on it. A call takes this way:
//!
//! ```text
//! Wire (in process, behind host::Transport) ─┐
//! Server (HTTP on loopback, for programs) ───┴─► network (delays) ─► World::receive
//!       call (what the request says) ─► arrivals (recorded) ─► rules (refused?) ─► cas, sts (the honest answer)
//!       ─► fault (in its stead: an error, an odd answer, silence) ─► Reply
//! ```
//!
//! The services that hand out keys unsigned (`metadata`, `credentials_uri`, and `oidc` in front of `sts`) have rules
//! of their own and the rest of the way in common. Every service answers whatever the host's name; the path tells.
//!
//! The rules come before the faults, so that no fault hides a badly signed call. Of the exporter itself only the
//! signing functions are used; the official SDK is tested against the `Server`, so that they do not merely agree
//! with themselves.

mod arrivals;
mod ca_certificate;
mod ca_certificate_list;
mod call;
mod cas;
mod command;
mod control;
mod credentials_uri;
mod envelope;
mod error;
mod fault;
mod format;
mod instance;
mod metadata;
mod network;
mod odd_list;
mod oddity;
mod oidc;
mod reply;
mod role;
mod rules;
mod scenario;
mod server;
mod sessions;
mod state;
mod sts;
mod under_way;
mod wire;
mod world;

pub use arrivals::Arrival;
pub use ca_certificate::CaCertificate;
pub use cas::UnknownInstance;
pub use command::Command;
pub use credentials_uri::CredentialsUri;
pub use error::{ApiError, errors};
pub use fault::{Fault, FaultId, Misbehaviour, Scope, Times};
pub use instance::Instance;
pub use metadata::{Metadata, MetadataForms};
pub use network::{Delay, DelayError, Network};
pub use oddity::{Oddity, SLOW};
pub use reply::{Reply, Response};
pub use role::Role;
pub use rules::{DEFAULT_LIMIT, Key};
pub use scenario::{EXAMPLE, EXAMPLE_ID, example, telling, telling_ca_certificates};
pub use server::Server;
pub use sts::DEFAULT_STS_LIMIT;
pub use wire::Wire;
pub use world::World;
