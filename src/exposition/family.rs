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
        let mut views = views(snapshot, now).map(|(_, view)| view).peekable();
        let mut blocks = Vec::new();
        while views.peek().is_some() {
            let head = head(metric, format, blocks.is_empty());
            let own = views.by_ref().take(block::INSTANCES);
            blocks.push(Block::new(metric, head, own));
        }
        Self(blocks)
    }

    /// Makes what stands there say what is so now.
    pub(super) fn update(
        &mut self,
        metric: &Metric,
        format: Format,
        snapshot: &Snapshot,
        now: UnixMillis,
        changes: &Changes<'_>,
    ) {
        let mut rest = changes.of(metric.moves);
        let mut first = 0;
        for block in &mut self.0 {
            let end = first + block.len();
            let (own, others) = rest.split_at(rest.partition_point(|(place, _)| *place < end));
            if !block.update(metric, own, &changes.now[first..end]) {
                let head = head(metric, format, first == 0);
                let views = views(snapshot, now).map(|(_, view)| view);
                *block = Block::new(metric, head, views.skip(first).take(block.len()));
            }
            (rest, first) = (others, end);
        }
    }

    /// Nothing without a sample: a family without one is left out whole.
    pub(super) fn parts(&self) -> impl Iterator<Item = Bytes> {
        let is_bare = self.0.iter().all(Block::is_bare);
        let blocks = self.0.iter().filter(move |_| !is_bare);
        blocks.map(Block::text)
    }
}

/// What a block begins with.
fn head(metric: &Metric, format: Format, is_first: bool) -> String {
    let mut head = String::new();
    if is_first {
        encode::head(&mut head, format, metric.name, metric.kind, metric.help);
    }
    head
}
