//! The instances of an account as a poller has them, and since when each waits for its turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{AccountName, InstanceId, Target, UnixMillis};
use crate::store::Store;

/// Every instance, and when its last poll began before this was made.
pub(super) struct Targets(BTreeMap<InstanceId, (Arc<Target>, Option<UnixMillis>)>);

impl Targets {
    pub(super) fn of(store: &Store, account: &AccountName) -> Self {
        let known = store.targets(account).into_iter();
        Self(
            known
                .map(|(target, attempted)| (target.instance_id.clone(), (target, attempted)))
                .collect(),
        )
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<&Arc<Target>> {
        self.0.get(id).map(|(target, _)| target)
    }

    /// When each was last polled, where `wall` is the time at `now`.
    pub(super) fn turns(&self, wall: UnixMillis, now: Instant) -> Vec<(InstanceId, Option<Instant>)> {
        let attempts = self.0.values().filter_map(|(_, attempted)| *attempted);
        // Times of a clock that was set right since lie ahead of one that is not yet: the newest is now at the latest.
        let wall = attempts.fold(wall, UnixMillis::max);
        let turns = self.0.iter().map(|(id, (_, attempted))| {
            let ago = attempted.map(|at| Duration::from_secs_f64(wall.seconds_since(at).max(0.0)));
            // What lies before the machine's own start is as old as that.
            let last = ago.map(|ago| now.checked_sub(ago).unwrap_or(now));
            (id.clone(), last)
        });
        turns.collect()
    }
}
