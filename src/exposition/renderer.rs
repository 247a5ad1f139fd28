//! Makes the page again and again, and writes only what has changed: a scrape of thousands costs little more than sending
//! it.

use std::time::Duration;

use prometheus::proto::MetricFamily;

use super::catalogue::INSTANCE;
use super::changes::Changes;
use super::encode::Encoder;
use super::family::Family;
use super::page::Page;
use super::{Format, Scope, counters};
use crate::model::{AccountName, UnixMillis};
use crate::store::{AccountState, Snapshot};

/// Room for the own counters of a few accounts, in bytes.
const ROOM_FOR_COUNTERS: usize = 16 << 10;

/// The page in one format, for one kind of reader.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    scope: Scope,
    /// The store's revision that the families show.
    shown: u64,
    /// The accounts that they show, unless making the last page was broken off.
    shape: Option<Vec<Shape>>,
    families: [Family; INSTANCE.len()],
}

/// What says of an account that it has the same lines as before, with other values at the most.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    account: AccountName,
    interval: Duration,
    /// The store's revision at which its set of instances last changed.
    instances: u64,
}

impl Renderer {
    /// Nothing is remembered yet.
    pub fn new(format: Format, scope: Scope) -> Self {
        Self {
            format,
            scope,
            shown: 0,
            shape: None,
            families: Default::default(),
        }
    }

    /// The snapshot and the own counters as they stand at `now`. A page before that nobody holds any more gives its
    /// memory to this one. The snapshots of all pages are of one store.
    pub fn render(&mut self, snapshot: &Snapshot, own: &[MetricFamily], now: UnixMillis) -> Page {
        let shape: Vec<_> = snapshot.accounts.iter().map(Shape::from).collect();
        let is_as_before = self.shape.take().is_some_and(|before| before == shape);
        let changes = is_as_before.then(|| Changes::since(self.shown, snapshot, now));
        let mut page = Page::default();
        for (metric, family) in INSTANCE.iter().zip(&mut self.families) {
            if self.scope.includes(metric.name) {
                match &changes {
                    Some(changes) => family.update(metric, self.format, snapshot, now, changes),
                    None => *family = Family::new(metric, self.format, snapshot, now),
                }
                family.parts().for_each(|part| page.push(part));
            }
        }
        (self.shown, self.shape) = (snapshot.revision, Some(shape));
        let mut encoder = Encoder::with_capacity(self.format, ROOM_FOR_COUNTERS);
        counters::write(&mut encoder, own, self.scope);
        page.push(encoder.finish().into());
        page
    }
}

impl From<&AccountState> for Shape {
    fn from(account: &AccountState) -> Self {
        Self {
            account: account.name.clone(),
            interval: account.interval,
            instances: account.instances.shape(),
        }
    }
}
