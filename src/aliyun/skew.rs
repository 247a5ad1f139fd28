//! How far this machine's clock is from the API's, measured by the `Date` of every answer.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::UnixMillis;

/// What a header rounded down to the second can be off by on average, in milliseconds.
const ROUNDED_DOWN: i64 = 500;

/// The last measurement, shared by all calls of an account.
#[derive(Clone, Debug, Default)]
pub struct Skew(Arc<Mutex<Option<i64>>>);

impl Skew {
    /// Takes in that an answer of `date` arrived at `local`.
    pub(super) fn measure(&self, local: UnixMillis, date: UnixMillis) {
        let millis = local.0.saturating_sub(date.0.saturating_add(ROUNDED_DOWN));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(millis);
    }

    /// Local clock minus the API's, in milliseconds, to about a second; none before the first answer.
    pub fn millis(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
