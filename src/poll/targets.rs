//! The instances of an account as a poller has them, and since when each waits for its turn.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{AccountName, InstanceId, Target, UnixMillis};
use crate::store::Store;

/// Every instance, sorted by id, and when its last poll began before this was made.
pub(super) struct Targets(Vec<(Arc<Target>, Option<UnixMillis>)>);

impl Targets {
    pub(super) fn of(store: &Store, account: &AccountName) -> Self {
        Self(store.targets(account))
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<&Arc<Target>> {
        let found = self.0.binary_search_by(|(target, _)| target.instance_id.cmp(id));
        found.ok().map(|at| &self.0[at].0)
    }

    /// When each was last polled, where `wall` is the time at `now`.
    pub(super) fn turns(&self, wall: UnixMillis, now: Instant) -> Vec<(InstanceId, Option<Instant>)> {
        let attempts = self.0.iter().filter_map(|(_, attempted)| *attempted);
        // Times of a clock that was set right since lie ahead of one that is not yet: the newest is now at the latest.
        let wall = attempts.fold(wall, UnixMillis::max);
        let turns = self.0.iter().map(|(target, attempted)| {
            let ago = attempted.map(|at| Duration::from_secs_f64(wall.seconds_since(at).max(0.0)));
            // What lies before the machine's own start is as old as that.
            let last = ago.map(|ago| now.checked_sub(ago).unwrap_or(now));
            (target.instance_id.clone(), last)
        });
        turns.collect()
    }
}
