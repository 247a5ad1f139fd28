//! What is shown and logged of an account as a whole: its budget, its clock, its credentials, its first round. Not of its instances.
//!
//! Each is logged when it changes, not every time that it is looked at.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;
use tracing::{info, warn};

use super::{Poller, Schedule};
use crate::aliyun::budget::Capacity;
use crate::model::InstanceId;
use crate::store::{BudgetState, CredentialsState};

/// The demand below which an overfull budget counts as sufficient again, so that the log does not flap.
const SUFFICIENT: f64 = 0.9;

/// What the log was last told of an account. It goes on from one configuration to the next.
#[derive(Debug, Default)]
pub struct Told {
    overdrawn: AtomicBool,
    /// The budget is below its full rate since the API throttled.
    slowed: AtomicBool,
    /// Times are corrected for a clock that is wrong.
    corrected: AtomicBool,
}

/// What is shown and told of an account, for one poller.
#[derive(Debug)]
pub(super) struct Report {
    told: Arc<Told>,
    /// When the first round began, until it is complete.
    first_round: Option<Instant>,
}

impl Report {
    /// `first_round` is when the first round began, if there is one.
    pub(super) fn new(told: Arc<Told>, first_round: Option<Instant>) -> Self {
        Self { told, first_round }
    }

    /// The API throttles, as far as was reported.
    pub(super) fn slowed(&self) -> bool {
        self.told.slowed.load(Relaxed)
    }

    pub(super) fn budget(&self, poller: &Poller, schedule: &Schedule<InstanceId>, capacity: Capacity) {
        let account = &poller.account;
        let (demand, interval) = (schedule.demand(), schedule.interval_in_force());
        poller.telemetry.set_budget(account, capacity.rate, demand);
        poller.store.set_interval(account, interval);
        let limit = poller.requests_per_second;
        poller.store.set_budget(
            account,
            BudgetState {
                limit,
                rate: capacity.rate,
                demand,
            },
        );
        let slowed = capacity.rate < f64::from(limit);
        if slowed != self.told.slowed.swap(slowed, Relaxed) {
            if slowed {
                warn!(
                    %account,
                    requests_per_second = capacity.rate,
                    "the API throttles, slowing down; somebody else uses the allowance of this account's user",
                );
            } else {
                info!(%account, "back at the full rate");
            }
        }
        let overdrawn = self.told.overdrawn.load(Relaxed);
        if !overdrawn && demand > 1.0 {
            self.told.overdrawn.store(true, Relaxed);
            warn!(
                %account,
                configured_interval = ?poller.interval,
                interval_in_force = ?interval,
                "the budget is too small for this many instances, so each is polled less often; \
                 raise requests_per_second or the interval",
            );
        } else if overdrawn && demand < SUFFICIENT {
            self.told.overdrawn.store(false, Relaxed);
            info!(%account, "the budget suffices again");
        }
    }

    pub(super) fn clocks(&self, poller: &Poller) {
        let (account, skew) = (&poller.account, &poller.pca.0.exchange.skew);
        if let Some(millis) = skew.measured() {
            poller.telemetry.set_clock_skew(account, seconds(millis));
            poller.store.set_measured_skew(account, millis);
        }
        let applied = skew.applied();
        poller.store.set_skew(account, applied);
        let corrected = applied != 0;
        if corrected != self.told.corrected.swap(corrected, Relaxed) {
            if corrected {
                warn!(
                    %account,
                    ahead_seconds = seconds(applied),
                    "this machine's clock is wrong, the API's is taken instead; set it by NTP",
                );
            } else {
                info!(%account, "this machine's clock is right again");
            }
        }
    }

    pub(super) fn credentials(poller: &Poller) {
        let origin = poller.pca.0.credentials.origin();
        let credentials = origin.map(|(provider, expires)| CredentialsState { provider, expires });
        poller.store.set_credentials(&poller.account, credentials);
    }

    pub(super) fn first_round(&mut self, poller: &Poller, all_heard: bool) {
        let Some(start) = self.first_round.take_if(|_| all_heard) else {
            return;
        };
        let snapshot = poller.store.snapshot();
        // An account that has left meanwhile has no round to tell of.
        let Some(account) = snapshot.account(&poller.account) else {
            return;
        };
        let instances = account.instances.len();
        let up = account.instances.states().filter(|state| state.up()).count();
        let took = start.elapsed();
        info!(account = %poller.account, instances, up, ?took, "first round complete");
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact to the millisecond for 285,000 years"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
