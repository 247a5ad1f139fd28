//! Makes the page again and again, and writes only the lines of instances that have changed: a scrape of thousands costs
//! little more than sending it.

use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;

use super::catalogue::INSTANCE;
use super::encode::{Encoder, Samples};
use super::instances::View;
use super::{Format, Scope, counters};
use crate::model::{AccountName, InstanceId, UnixMillis};
use crate::store::{InstanceState, Snapshot};

/// Room for the own counters of a few accounts, in bytes.
const ROOM_FOR_COUNTERS: usize = 16 << 10;

/// Room for a page to grow until the next one is made, in parts of it.
const GROWTH: usize = 16;

/// The page in one format, for one kind of reader.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    scope: Scope,
    /// In the order of the last snapshot.
    written: Vec<Written>,
    /// The length of the last page.
    length: usize,
}

/// An instance's lines, as long as its state is this one.
#[derive(Debug)]
struct Written {
    state: Arc<InstanceState>,
    interval: Option<Duration>,
    /// Every family's lines, one after the other.
    lines: Box<str>,
    /// Where each family's lines end.
    ends: [u32; INSTANCE.len()],
}

impl Renderer {
    /// Nothing is remembered yet.
    pub fn new(format: Format, scope: Scope) -> Self {
        Self {
            format,
            scope,
            written: Vec::new(),
            length: ROOM_FOR_COUNTERS,
        }
    }

    /// The snapshot and the own counters as they stand at `now`.
    pub fn render(&mut self, snapshot: &Snapshot, own: &[MetricFamily], now: UnixMillis) -> String {
        self.update(snapshot, now);
        let mut encoder = Encoder::with_capacity(self.format, self.length + self.length / GROWTH);
        for (index, metric) in INSTANCE.iter().enumerate() {
            if !self.scope.includes(metric.name) {
                continue;
            }
            encoder.family(metric.name, metric.kind, metric.help, |samples| {
                for written in &self.written {
                    let lines = written.family(index);
                    samples.lines(lines);
                    if metric.passes && !lines.is_empty() {
                        let value = View::new(snapshot, &written.state, now).value(metric);
                        samples.end(value.unwrap_or(f64::NAN));
                    }
                }
            });
        }
        counters::write(&mut encoder, own, self.scope);
        let page = encoder.finish();
        self.length = page.len();
        page
    }

    /// Writes the lines of what has changed, and takes over those of what has not.
    fn update(&mut self, snapshot: &Snapshot, now: UnixMillis) {
        let mut before = std::mem::take(&mut self.written).into_iter().peekable();
        self.written.reserve_exact(snapshot.instances.len());
        for state in &snapshot.instances {
            // Both are sorted alike: what comes before this instance has gone.
            while before.next_if(|old| key(&old.state) < key(state)).is_some() {}
            let view = View::new(snapshot, state, now);
            let same = |old: &Written| Arc::ptr_eq(&old.state, state) && old.interval == view.interval;
            let written = match before.next_if(same) {
                Some(old) => old,
                None => Written::new(state, &view),
            };
            self.written.push(written);
        }
    }
}

impl Written {
    fn new(state: &Arc<InstanceState>, view: &View<'_>) -> Self {
        let mut lines = String::new();
        let mut ends = [0; INSTANCE.len()];
        for (metric, end) in INSTANCE.iter().zip(&mut ends) {
            view.write(metric, &mut Samples::apart(&mut lines, metric.name));
            *end = u32::try_from(lines.len()).expect("an instance's labels are of a bounded length");
        }
        Self {
            state: Arc::clone(state),
            interval: view.interval,
            lines: lines.into(),
            ends,
        }
    }

    fn family(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.lines[start as usize..self.ends[index] as usize]
    }
}

/// What the snapshot is sorted by.
fn key(state: &InstanceState) -> (&AccountName, &InstanceId) {
    (&state.target.account, &state.target.instance_id)
}
