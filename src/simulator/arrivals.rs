//! The memory of every call that arrived, and the count of any sliding second. Not who may call: that is `rules`.
//!
//! Every arrival counts, refused and throttled ones included: the budget is a promise about calls, not about
//! successes, and a caller that hammers stays throttled until it slows down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::UnixMillis;

/// The window of the API's limit. Half-open: two calls exactly this far apart are never in one window.
const WINDOW: Duration = Duration::from_secs(1);

/// One call that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The `InstanceId` that it asked for.
    pub instance: Option<Arc<str>>,
    /// The key that it was signed with, if it was.
    pub access_key_id: Option<Arc<str>>,
    /// When, by the clock that the window is measured with.
    pub at: Instant,
    /// When, by the cloud's wall clock.
    pub wall: UnixMillis,
}

/// Every call so far, by user and action.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    series: BTreeMap<String, BTreeMap<String, Series>>,
    texts: BTreeSet<Arc<str>>,
    refusals: BTreeMap<String, u64>,
}

/// The calls of one user and action, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Series {
    all: Vec<Arrival>,
    /// The first call that shares a window with the last one.
    window_start: usize,
    most: usize,
}

impl Arrivals {
    /// Records a call, no earlier than the last one; returns how many calls the window that ends with it holds.
    pub(super) fn record(
        &mut self,
        user: &str,
        action: &str,
        access_key_id: Option<&str>,
        instance: Option<&str>,
        (at, wall): (Instant, UnixMillis),
    ) -> usize {
        let access_key_id = access_key_id.map(|id| self.interned(id));
        let instance = instance.map(|instance| self.interned(instance));
        let actions = match self.series.get_mut(user) {
            Some(actions) => actions,
            None => self.series.entry(user.to_owned()).or_default(),
        };
        let series = match actions.get_mut(action) {
            Some(series) => series,
            None => actions.entry(action.to_owned()).or_default(),
        };
        series.push(Arrival {
            instance,
            access_key_id,
            at,
            wall,
        })
    }

    /// Counts a call that the rules refused.
    pub(super) fn refuse(&mut self, code: &str) {
        match self.refusals.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.refusals.insert(code.to_owned(), 1);
            }
        }
    }

    /// The calls that the rules refused, by code.
    pub(super) fn refusals(&self) -> &BTreeMap<String, u64> {
        &self.refusals
    }

    /// The calls of a user and action.
    pub(super) fn of(&self, user: &str, action: &str) -> Option<&Series> {
        self.series.get(user)?.get(action)
    }

    /// Every user, action and their calls.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Series)> {
        self.series.iter().flat_map(|(user, actions)| {
            let actions = actions.iter();
            actions.map(move |(action, series)| (user.as_str(), action.as_str(), series))
        })
    }

    /// One text for each id, however often it comes.
    fn interned(&mut self, id: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(id) {
            return Arc::clone(known);
        }
        let new: Arc<str> = id.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

impl Series {
    /// In order of arrival.
    pub(super) fn all(&self) -> &[Arrival] {
        &self.all
    }

    /// The most calls that any window has held.
    pub(super) fn most_in_one_window(&self) -> usize {
        self.most
    }

    fn push(&mut self, arrival: Arrival) -> usize {
        let at = arrival.at;
        self.all.push(arrival);
        while at.duration_since(self.all[self.window_start].at) >= WINDOW {
            self.window_start += 1;
        }
        let in_window = self.all.len() - self.window_start;
        self.most = self.most.max(in_window);
        in_window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(millis: &[u64]) -> Arrivals {
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        for millis in millis {
            let at = start + Duration::from_millis(*millis);
            arrivals.record("alice", "Get", None, None, (at, UnixMillis(0)));
        }
        arrivals
    }

    fn most(millis: &[u64]) -> usize {
        recorded(millis)
            .of("alice", "Get")
            .map_or(0, Series::most_in_one_window)
    }

    /// The definition itself: the fullest of the windows [start, start + 1 s) that begin with a call.
    fn fullest(millis: &[u64]) -> usize {
        let count = |start: u64| {
            millis
                .iter()
                .filter(|at| (start..start + 1000).contains(at))
                .count()
        };
        millis.iter().map(|start| count(*start)).max().unwrap_or(0)
    }

    #[test]
    fn calls_exactly_one_second_apart_share_no_window() {
        assert_eq!(most(&[0, 1000, 2000]), 1);
        assert_eq!(most(&[0, 999, 1998]), 2);
    }

    #[test]
    fn a_window_need_not_begin_with_a_whole_second() {
        assert_eq!(most(&[900, 950, 1100, 1899, 1900]), 4);
    }

    #[test]
    fn users_and_actions_are_counted_apart() {
        let mut arrivals = Arrivals::default();
        let at = Instant::now();
        for (user, action) in [("alice", "Get"), ("alice", "List"), ("bob", "Get")] {
            assert_eq!(arrivals.record(user, action, None, None, (at, UnixMillis(0))), 1);
        }
        assert_eq!(arrivals.iter().count(), 3);
    }

    proptest::proptest! {
        #[test]
        fn the_fullest_window_is_found_whatever_the_calls(mut millis in proptest::collection::vec(0_u64..10_000, 0..200)) {
            millis.sort_unstable();
            proptest::prop_assert_eq!(most(&millis), fullest(&millis));
        }
    }
}
