//! What Prometheus reads: the catalogue of instance metrics, and the text that a snapshot and the own counters make.
//!
//! Instance series go straight from the snapshot into one buffer, no registry in between. The own counters come
//! from theirs and are written by the same page of encoding code. Nothing here is fetched or remembered: the same
//! arguments give the same text.

pub mod catalogue;
mod counters;
mod encode;
mod instances;

use prometheus::proto::MetricFamily;

use crate::model::UnixMillis;
use crate::store::Snapshot;
use encode::Encoder;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Room for an instance's series with labels of a usual length, in bytes.
const ROOM_PER_INSTANCE: usize = 3 << 10;

/// Room for the own counters of a few accounts, in bytes.
const ROOM_FOR_COUNTERS: usize = 16 << 10;

/// Who is going to read the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A scrape: everything.
    Scrape,
    /// A file that lies about until somebody reads it: without what it would freeze (the days left), and without
    /// what the reader has of itself (the process).
    Textfile,
}

/// The snapshot and the own counters as they stand at `now`, in the text format 0.0.4.
///
/// Families stand in the order of the catalogue, then of `own`; series in the order of the snapshot. A family
/// without a series is left out whole, as Prometheus' own clients do.
pub fn text(snapshot: &Snapshot, own: &[MetricFamily], now: UnixMillis, scope: Scope) -> String {
    let room = ROOM_FOR_COUNTERS + snapshot.instances.len() * ROOM_PER_INSTANCE;
    let mut encoder = Encoder::with_capacity(room);
    instances::write(&mut encoder, snapshot, now, scope);
    counters::write(&mut encoder, own, scope);
    encoder.finish()
}

impl Scope {
    fn includes(self, family: &str) -> bool {
        match self {
            Self::Scrape => true,
            Self::Textfile => !family.starts_with("process_") && !family.ends_with("_days"),
        }
    }
}
