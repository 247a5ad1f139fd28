//! How far this machine's clock is from the API's, measured by the `Date` of every answer, and set right where the API
//! insists.
//!
//! A measurement alone changes nothing, since a caching proxy may send an old `Date`. Only once the API has refused a
//! call for its time, and accepted one with the time set right, are times corrected; from then on the correction
//! follows what is measured.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::UnixMillis;

/// What a header rounded down to the second can be off by on average, in milliseconds.
const ROUNDED_DOWN: i64 = 500;

/// What is left uncorrected, in milliseconds: the measurement itself is good to a second.
const CLOSE: u64 = 2000;

/// What is known of an account's clocks, shared by all its calls.
#[derive(Clone, Debug, Default)]
pub struct Skew(Arc<Mutex<State>>);

/// Local clock minus the API's, in milliseconds each.
#[derive(Debug, Default)]
struct State {
    /// By the last answer that told the time.
    measured: Option<i64>,
    /// What times are corrected by; 0 as long as the API has not insisted.
    applied: i64,
    /// What the next call is signed with, since the API refused the one before.
    tried: Option<i64>,
}

/// The time that a call is signed with, and how it came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) time: UnixMillis,
    skew: i64,
}

impl Skew {
    /// Local clock minus the API's, in milliseconds, to about a second; none before the first answer.
    pub fn measured(&self) -> Option<i64> {
        self.lock().measured
    }

    /// What local times are ahead of the true ones, as far as the API has insisted on it, in milliseconds.
    pub fn applied(&self) -> i64 {
        self.lock().applied
    }

    /// The true time for a local one.
    pub fn correct(&self, local: UnixMillis) -> UnixMillis {
        UnixMillis(local.0.saturating_sub(self.applied()))
    }

    /// What to sign a call with.
    pub(super) fn stamp(&self, local: UnixMillis) -> Stamp {
        let state = self.lock();
        let skew = state.tried.unwrap_or(state.applied);
        Stamp {
            time: UnixMillis(local.0.saturating_sub(skew)),
            skew,
        }
    }

    /// Takes in that an answer of `date` arrived at `local`.
    pub(super) fn measure(&self, local: UnixMillis, date: UnixMillis) {
        let millis = local.0.saturating_sub(date.0.saturating_add(ROUNDED_DOWN));
        self.lock().measured = Some(millis);
    }

    /// The API accepted the time of a call.
    pub(super) fn accepted(&self, stamp: Stamp) {
        let mut state = self.lock();
        if state.tried == Some(stamp.skew) {
            (state.applied, state.tried) = (stamp.skew, None);
        }
        if state.applied != 0
            && let Some(measured) = state.measured
        {
            state.applied = if measured.unsigned_abs() <= CLOSE {
                0
            } else {
                measured
            };
        }
    }

    /// The API refused a call for its time. Returns whether another time is worth a try: one that the refused call
    /// was not signed with.
    pub(super) fn refused(&self, stamp: Stamp) -> bool {
        let mut state = self.lock();
        let other = state
            .measured
            .filter(|measured| measured.abs_diff(stamp.skew) > CLOSE);
        state.tried = other;
        other.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> UnixMillis {
        UnixMillis(millis)
    }

    /// A clock that is three hours ahead: an answer at 0 by the API's clock, rounded down.
    fn three_hours_ahead() -> Skew {
        let skew = Skew::default();
        skew.measure(at(3 * HOUR), at(-500));
        skew
    }

    #[test]
    fn a_measurement_alone_corrects_nothing() {
        let skew = three_hours_ahead();
        skew.accepted(skew.stamp(at(3 * HOUR)));
        assert_eq!(skew.measured(), Some(3 * HOUR));
        assert_eq!(skew.stamp(at(3 * HOUR)).time, at(3 * HOUR));
        assert_eq!(skew.correct(at(3 * HOUR)), at(3 * HOUR));
    }

    #[test]
    fn a_refused_time_is_set_right_for_the_next_call_and_for_all_else_once_that_is_accepted() {
        let skew = three_hours_ahead();
        assert!(skew.refused(skew.stamp(at(3 * HOUR))));
        let stamp = skew.stamp(at(3 * HOUR));
        assert_eq!(stamp.time, at(0));
        assert_eq!(skew.applied(), 0, "nobody has accepted it yet");
        skew.accepted(stamp);
        assert_eq!(skew.correct(at(4 * HOUR)), at(HOUR));
    }

    #[test]
    fn a_set_right_time_that_is_refused_too_is_given_up() {
        let skew = three_hours_ahead();
        skew.refused(skew.stamp(at(3 * HOUR)));
        assert!(
            !skew.refused(skew.stamp(at(3 * HOUR))),
            "a third call would be the same"
        );
        assert_eq!(skew.stamp(at(3 * HOUR)).time, at(3 * HOUR));
    }

    #[test]
    fn without_a_date_there_is_nothing_to_set_right() {
        let skew = Skew::default();
        assert!(!skew.refused(skew.stamp(at(0))));
    }

    #[test]
    fn a_correction_follows_the_clock_until_that_is_right() {
        let skew = three_hours_ahead();
        skew.refused(skew.stamp(at(3 * HOUR)));
        skew.accepted(skew.stamp(at(3 * HOUR)));
        skew.measure(at(2 * HOUR), at(-500));
        skew.accepted(skew.stamp(at(2 * HOUR)));
        assert_eq!(skew.applied(), 2 * HOUR);
        skew.measure(at(1000), at(-500));
        skew.accepted(skew.stamp(at(0)));
        assert_eq!(skew.applied(), 0, "a second is what the measurement is good to");
    }

    #[test]
    fn a_call_that_was_signed_before_decides_nothing_about_the_time_that_is_tried() {
        let skew = three_hours_ahead();
        let before = skew.stamp(at(3 * HOUR));
        skew.refused(skew.stamp(at(3 * HOUR)));
        skew.accepted(before);
        assert_eq!(skew.stamp(at(3 * HOUR)).time, at(0));
        assert_eq!(skew.applied(), 0);
    }
}
