//! What is different from the page before, where the same instances stand in the same places.

use super::catalogue::Moves;
use super::instances::{View, views};
use crate::model::UnixMillis;
use crate::store::Snapshot;

/// An instance, and its place among all.
pub(super) type Placed<'a> = (usize, View<'a>);

/// The instances of which something has changed, sorted by place.
pub(super) struct Changes<'a> {
    outcomes: Vec<Placed<'a>>,
    healths: Vec<Placed<'a>>,
    issued: Vec<Placed<'a>>,
    statuses: Vec<Placed<'a>>,
    /// The true time for each instance of all.
    pub(super) now: Vec<UnixMillis>,
}

impl<'a> Changes<'a> {
    /// What has changed after a revision of the store.
    pub(super) fn since(revision: u64, snapshot: &'a Snapshot, now: UnixMillis) -> Self {
        let mut changes = Self {
            outcomes: Vec::new(),
            healths: Vec::new(),
            issued: Vec::new(),
            statuses: Vec::new(),
            now: Vec::new(),
        };
        for account in &snapshot.accounts {
            let times = std::iter::repeat_n(account.true_time(now), account.instances.len());
            changes.now.extend(times);
        }
        for (place, (revisions, view)) in views(snapshot, now).enumerate() {
            // Whatever a poll tells is part of its outcome.
            if revisions.outcome <= revision {
                continue;
            }
            changes.outcomes.push((place, view));
            if revisions.health > revision {
                changes.healths.push((place, view));
            }
            if revisions.issued > revision {
                changes.issued.push((place, view));
            }
            if revisions.status > revision {
                changes.statuses.push((place, view));
            }
        }
        changes
    }

    /// The instances whose samples of a metric may have changed.
    pub(super) fn of(&self, moves: Moves) -> &[Placed<'a>] {
        match moves {
            Moves::Outcome => &self.outcomes,
            Moves::Health => &self.healths,
            Moves::Issued => &self.issued,
            Moves::Status => &self.statuses,
            Moves::Never => &[],
        }
    }
}
