//! One instance as it stands at a scrape: its values, and the lines that they make.
//!
//! A field that the API did not send has no series: nothing is invented, and nothing is NaN.

use std::time::Duration;

use super::catalogue::{IDENTITY, Metric};
use super::encode::Samples;
use crate::model::{InstanceStatus, UnixMillis};
use crate::store::{InstanceState, Snapshot};

/// The longest state that is shown, in bytes.
const LONGEST_STATE: usize = 64;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// One instance as it stands at the scrape.
pub(super) struct View<'a> {
    pub(super) instance: &'a InstanceState,
    /// The poll interval of its account.
    pub(super) interval: Option<Duration>,
    /// The true time, whatever this machine's clock says.
    now: UnixMillis,
}

impl<'a> View<'a> {
    pub(super) fn new(snapshot: &Snapshot, instance: &'a InstanceState, now: UnixMillis) -> Self {
        let account = &instance.target.account;
        Self {
            instance,
            interval: snapshot.account(account).map(|account| account.interval),
            now: snapshot.now(account, now),
        }
    }

    /// Writes the samples of a metric. Those that pass with time end before their value.
    pub(super) fn write(&self, metric: &Metric, samples: &mut Samples<'_>) {
        (metric.samples)(self, &mut |own_labels, value| {
            let target = &self.instance.target;
            let identity = [target.account.as_str(), target.instance_id.as_str()];
            let mut sample = samples.sample("");
            for (name, value) in IDENTITY.into_iter().zip(identity) {
                sample.label(name, value);
            }
            for (name, value) in &target.labels {
                sample.label(name, value);
            }
            for (name, value) in metric.labels.iter().zip(own_labels) {
                sample.label(name, value);
            }
            if metric.passes {
                sample.before_value();
            } else {
                sample.value(value);
            }
        });
    }

    /// The value of a metric that passes with time and has one sample at the most.
    pub(super) fn value(&self, metric: &Metric) -> Option<f64> {
        let mut found = None;
        (metric.samples)(self, &mut |_, value| found = Some(value));
        found
    }
}

impl View<'_> {
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

    /// A time as seconds since 1970.
    pub(super) fn seconds(&self, field: fn(&InstanceStatus) -> Option<UnixMillis>) -> Option<f64> {
        self.status().and_then(field).map(seconds)
    }

    pub(super) fn days_until(&self, field: fn(&InstanceStatus) -> Option<UnixMillis>) -> Option<f64> {
        let time = self.status().and_then(field)?;
        Some(time.seconds_since(self.now) / SECONDS_PER_DAY)
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
