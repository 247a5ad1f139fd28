//! When to ask about which instance, and taking in what came back.
//!
//! `schedule` is the plan (pure), `retry` the distances between attempts (pure), `poller` the loop of one account.
//! `discovery` says how instances are found that are not listed, `pattern` which of them count.

mod discovery;
mod pattern;
mod poller;
mod report;
mod retry;
mod schedule;

pub use discovery::{Discovery, Rule};
pub use pattern::{Pattern, Selection};
pub use poller::{Poller, Until};
pub use schedule::Schedule;
