//! When to ask about which instance, and taking in what came back.
//!
//! `schedule` is the plan (pure), `retry` the distances between attempts (pure), `poller` the loop of one account.

mod poller;
mod report;
mod retry;
mod schedule;

pub use poller::{Poller, Until};
pub use schedule::Schedule;
