//! When to ask about which instance, and taking in what came back.
//!
//! `schedule` is the plan (pure), `retry` the distances between attempts, `poller` the loop of one account, with its
//! `targets` and each `flight`, and `report` what is told of it.
//! `discovery` says how instances are found that are not listed, `pattern` which of them count, and `discoverer` is the
//! loop that finds them.

mod discoverer;
mod discovery;
mod flight;
mod pattern;
mod poller;
mod report;
mod retry;
mod schedule;
mod targets;

pub use discoverer::{Discoverer, DiscoveryTold};
pub use discovery::{Discovery, Rule};
pub use pattern::{Pattern, Selection};
pub use poller::{Poller, Until};
pub use report::Told;
pub use schedule::Schedule;
