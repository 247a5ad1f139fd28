//! What Prometheus reads: the catalogue of instance metrics, and the text that a snapshot and the own counters make.
//!
//! Instance series go straight from the snapshot into buffers of some hundred instances, no registry in between. The own counters come
//! from theirs and are written by the same page of encoding code. Nothing here is fetched: the same arguments give the
//! same text. A [`Renderer`] writes the next page over the last one.

mod block;
pub mod catalogue;
mod changes;
mod counters;
mod encode;
mod family;
mod format;
mod instances;
mod number;
mod page;
mod renderer;

use prometheus::proto::MetricFamily;

use crate::model::UnixMillis;
use crate::store::Snapshot;

pub use format::Format;
pub use page::Page;
pub use renderer::Renderer;

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
    Renderer::new(Format::Text, scope)
        .render(snapshot, own, now)
        .to_string()
}

impl Scope {
    fn includes(self, family: &str) -> bool {
        match self {
            Self::Scrape => true,
            Self::Textfile => !family.starts_with("process_") && !family.ends_with("_days"),
        }
    }
}
