//! Makes the page again and again, and writes only what has changed: a scrape of thousands costs little more than sending
//! it.

use std::sync::Arc;

use prometheus::proto::MetricFamily;

use super::catalogue::INSTANCE;
use super::encode::Encoder;
use super::family::{Changes, Family};
use super::instances::View;
use super::page::Page;
use super::{Format, Scope, counters};
use crate::model::{AccountName, InstanceId, UnixMillis};
use crate::store::{AccountState, InstanceState, Snapshot};

/// Room for the own counters of a few accounts, in bytes.
const ROOM_FOR_COUNTERS: usize = 16 << 10;

/// The page in one format, for one kind of reader.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    scope: Scope,
    /// What the families say.
    shown: Snapshot,
    families: [Family; INSTANCE.len()],
}

impl Renderer {
    /// Nothing is remembered yet.
    pub fn new(format: Format, scope: Scope) -> Self {
        Self {
            format,
            scope,
            shown: Snapshot::default(),
            families: Default::default(),
        }
    }

    /// The snapshot and the own counters as they stand at `now`. A page before that nobody holds any more gives its
    /// memory to this one.
    pub fn render(&mut self, snapshot: Snapshot, own: &[MetricFamily], now: UnixMillis) -> Page {
        let changes = self.changes(&snapshot, now);
        let mut page = Page::default();
        for (metric, family) in INSTANCE.iter().zip(&mut self.families) {
            if self.scope.includes(metric.name) {
                family.update(metric, self.format, &changes);
                family.text().into_iter().for_each(|text| page.push(text));
            }
        }
        self.shown = snapshot;
        let mut encoder = Encoder::with_capacity(self.format, ROOM_FOR_COUNTERS);
        counters::write(&mut encoder, own, self.scope);
        page.push(encoder.finish().into());
        page
    }

    fn changes<'a>(&self, snapshot: &'a Snapshot, now: UnixMillis) -> Changes<'a> {
        let count = snapshot.instances.len();
        let mut changes = Changes {
            in_place: self.shown.instances.len() == count,
            before: Vec::with_capacity(count),
            fresh: Vec::new(),
            now: Vec::with_capacity(count),
        };
        let mut shown = self.shown.by_account().enumerate().peekable();
        for (index, (account, state)) in snapshot.by_account().enumerate() {
            let now = account.true_time(now);
            let same = |old: &Arc<InstanceState>| Arc::ptr_eq(old, state);
            // Both are sorted alike: what comes before this instance has gone.
            while shown
                .next_if(|(_, (_, old))| !same(old) && key(old) < key(state))
                .is_some()
            {}
            let old = shown.next_if(|(_, (_, old))| same(old) || key(old) == key(state));
            changes.in_place &= old.is_some_and(|(place, _)| place == index);
            changes.before.push(old.map_or(0, |(place, _)| place));
            changes.now.push(now);
            let as_before = |(_, (before, old)): (_, (&AccountState, _))| {
                same(old) && before.interval == account.interval
            };
            if !old.is_some_and(as_before) {
                changes
                    .fresh
                    .push((index, View::new(state, account.interval, now)));
            }
        }
        changes
    }
}

/// What the snapshot is sorted by.
fn key(state: &InstanceState) -> (&AccountName, &InstanceId) {
    (&state.target.account, &state.target.instance_id)
}
