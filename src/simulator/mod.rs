//! The cloud's side as a value: a `World` with users, instances, rules, moods and a memory of every call.
//!
//! For tests and demonstrations; nothing of the exporter depends on it. A call takes this way:
//!
//! ```text
//! Wire (in process, behind host::Transport) ─┐
//! Server (HTTP on loopback, for programs) ───┴─► network (delays) ─► World::receive
//!       call (what the request says) ─► arrivals (recorded) ─► rules (refused?) ─► cas (the honest answer)
//!       ─► fault (in its stead: an error, an odd answer, silence) ─► Reply
//! ```
//!
//! The rules come before the faults, so that no fault hides a badly signed call. Of the exporter itself only the
//! signing functions are used; the official SDK is tested against the `Server`, so that they do not merely agree
//! with themselves.

mod arrivals;
mod call;
mod cas;
mod control;
mod error;
mod fault;
mod format;
mod instance;
mod network;
mod oddity;
mod reply;
mod rules;
mod scenario;
mod server;
mod wire;
mod world;

pub use arrivals::Arrival;
pub use cas::UnknownInstance;
pub use control::Command;
pub use error::{ApiError, errors};
pub use fault::{Fault, FaultId, Misbehaviour, Scope, Times};
pub use instance::Instance;
pub use network::{Delay, DelayError, Network};
pub use oddity::{Oddity, SLOW};
pub use reply::{Reply, Response};
pub use rules::{DEFAULT_LIMIT, Key};
pub use scenario::{EXAMPLE, EXAMPLE_ID, example, telling};
pub use server::Server;
pub use wire::Wire;
pub use world::World;
