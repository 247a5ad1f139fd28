//! One instance as it stands at a scrape: its values, and the lines that they make.
//!
//! A field that the API did not send has no series: nothing is invented, and nothing is NaN.

use std::time::Duration;

use super::catalogue::{IDENTITY, Metric, Values};
use super::encode::{Sample, Samples};
use super::number::Number;
use crate::model::{InstanceStatus, UnixMillis};
use crate::store::{InstanceState, Revisions, Snapshot};

/// The longest state that is shown, in bytes.
const LONGEST_STATE: usize = 64;

/// One instance as it stands at the scrape.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) instance: &'a InstanceState,
    /// The poll interval of its account.
    pub(super) interval: Duration,
    /// The true time, whatever this machine's clock says.
    pub(super) now: UnixMillis,
}

/// Every instance of a snapshot as it stands at `now`, in order, and since when.
pub(super) fn views(snapshot: &Snapshot, now: UnixMillis) -> impl Iterator<Item = (Revisions, View<'_>)> {
    snapshot.accounts.iter().flat_map(move |account| {
        let (interval, now) = (account.interval, account.true_time(now));
        account.instances.entries().map(move |entry| {
            let instance = entry.state.as_ref();
            (
                entry.revisions,
                View {
                    instance,
                    interval,
                    now,
                },
            )
        })
    })
}

impl View<'_> {
    /// Writes the samples of a metric.
    pub(super) fn write(&self, metric: &Metric, samples: &mut Samples<'_>) {
        if let Values::Labelled(values) = metric.values {
            values(self, &mut |own_labels, value| {
                let mut sample = self.sample(samples);
                for (name, value) in metric.labels.iter().zip(own_labels) {
                    sample.label(name, value);
                }
                sample.value(Number::Exact(value));
            });
        } else if let Some(value) = self.value(metric) {
            self.sample(samples).value(value);
        }
    }

    /// The value of a metric's only sample, where it has one; nothing of a metric with labels of its own.
    pub(super) fn value(&self, metric: &Metric) -> Option<Number> {
        match metric.values {
            Values::One(value) => value(self),
            Values::DaysUntil(until) => Some(Number::Days {
                until: self.time(until)?,
                now: self.now,
            }),
            Values::Labelled(_) => None,
        }
    }

    /// Begins a sample with the labels that all series of the instance have.
    fn sample<'a>(&self, samples: &'a mut Samples<'_>) -> Sample<'a> {
        let target = &self.instance.target;
        let mut sample = samples.sample("");
        let identity = [target.account.as_str(), target.instance_id.as_str()];
        for (name, value) in IDENTITY.iter().zip(identity) {
            sample.label(name, value);
        }
        for (name, value) in &target.labels {
            sample.label(name, value);
        }
        sample
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
        self.time(field).map(|time| time.seconds_since(UnixMillis(0)))
    }

    pub(super) fn last_success(&self) -> Number {
        let facts = self.instance.facts.as_ref();
        facts.map_or(Number::Exact(0.0), |facts| Number::Seconds(facts.seen))
    }
}
