//! One metric's head and lines for every instance, in blocks.

use hyper::body::Bytes;

use super::Format;
use super::block::{self, Block};
use super::catalogue::Metric;
use super::changes::Changes;
use super::encode;
use super::instances::views;
use crate::model::UnixMillis;
use crate::store::Snapshot;

/// One metric's head and lines, in the order of the snapshot.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<Block>);

impl Family {
    /// Written from nothing.
    pub(super) fn new(metric: &Metric, format: Format, snapshot: &Snapshot, now: UnixMillis) -> Self {
        let mut scratch = String::new();
        encode::head(&mut scratch, format, metric.name, metric.kind, metric.help);
        let mut views = views(snapshot, now).map(|(_, view)| view).peekable();
        let mut blocks = Vec::new();
        while views.peek().is_some() {
            let own = views.by_ref().take(block::INSTANCES);
            blocks.push(Block::new(metric, &mut scratch, own));
            scratch.clear();
        }
        Self(blocks)
    }

    /// Makes what stands there say what is so now. Returns whether it could: days that have become longer or shorter need
    /// another family.
    pub(super) fn update(&mut self, metric: &Metric, changes: &Changes<'_>) -> bool {
        let (mut moved, mut now) = (changes.of(metric.moves), changes.now.as_slice());
        let mut end = 0;
        self.0.iter_mut().all(|block| {
            end += block.len();
            let (own, others) = moved.split_at(moved.partition_point(|(place, _)| *place < end));
            let (own_now, others_now) = now.split_at(block.len());
            (moved, now) = (others, others_now);
            block.update(metric, own, own_now)
        })
    }

    /// Nothing without a sample: a family without one is left out whole.
    pub(super) fn parts(&self) -> impl Iterator<Item = Bytes> {
        let is_bare = self.0.iter().all(Block::is_bare);
        let blocks = self.0.iter().filter(move |_| !is_bare);
        blocks.map(Block::text)
    }
}
