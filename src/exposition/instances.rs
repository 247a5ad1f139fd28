//! One instance as it stands at a scrape: its values, and the lines that they make.
//!
//! A field that the API did not send has no series: nothing is invented, and nothing is NaN.

use std::time::Duration;

use super::catalogue::{IDENTITY, Metric};
use super::encode::{Samples, WrittenLabels};
use crate::model::{InstanceStatus, UnixMillis};
use crate::store::InstanceState;

/// The longest state that is shown, in bytes.
const LONGEST_STATE: usize = 64;

/// One instance as it stands at the scrape.
pub(super) struct View<'a> {
    pub(super) instance: &'a InstanceState,
    /// The poll interval of its account.
    pub(super) interval: Duration,
    /// The true time, whatever this machine's clock says.
    now: UnixMillis,
    /// The labels that all its series have.
    labels: WrittenLabels,
}

impl<'a> View<'a> {
    pub(super) fn new(instance: &'a InstanceState, interval: Duration, now: UnixMillis) -> Self {
        let target = &instance.target;
        let identity = [target.account.as_str(), target.instance_id.as_str()];
        let users = target
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Self {
            instance,
            interval,
            now,
            labels: IDENTITY.into_iter().zip(identity).chain(users).collect(),
        }
    }
}

impl View<'_> {
    /// Writes the samples of a metric.
    pub(super) fn write(&self, metric: &Metric, samples: &mut Samples<'_>) {
        if let Some(until) = metric.until.and_then(|until| self.time(until)) {
            samples.sample_of(&self.labels).days(until, self.now);
        }
        (metric.samples)(self, &mut |own_labels, value| {
            let mut sample = samples.sample_of(&self.labels);
            for (name, value) in metric.labels.iter().zip(own_labels) {
                sample.label(name, value);
            }
            sample.value(value);
        });
    }

    /// What the API said at the last success.
    pub(super) fn status(&self) -> Option<&InstanceStatus> {
        self.instance.facts.as_ref().map(|facts| &facts.status)
    }

    /// The instance's state as the API names it, cut where it is absurdly long; an empty one says nothing.
    pub(super) fn state(&self) -> Option<&str> {
        let state = self.status()?.status.as_deref()?;
        let end = (0..=state.len().min(LONGEST_STATE))
            .rev()
            .find(|end| state.is_char_boundary(*end))?;
        Some(&state[..end]).filter(|state| !state.is_empty())
    }

    #[expect(clippy::cast_precision_loss, reason = "the API counts in 32 bits")]
    pub(super) fn count(&self, field: fn(&InstanceStatus) -> Option<i64>) -> Option<f64> {
        self.status().and_then(field).map(|count| count as f64)
    }

    pub(super) fn time(&self, field: fn(&InstanceStatus) -> Option<UnixMillis>) -> Option<UnixMillis> {
        self.status().and_then(field)
    }

    /// A time as seconds since 1970.
    pub(super) fn seconds(&self, field: fn(&InstanceStatus) -> Option<UnixMillis>) -> Option<f64> {
        self.time(field).map(seconds)
    }

    pub(super) fn last_success(&self) -> f64 {
        self.instance
            .facts
            .as_ref()
            .map_or(0.0, |facts| seconds(facts.seen))
    }
}

fn seconds(time: UnixMillis) -> f64 {
    time.seconds_since(UnixMillis(0))
}
