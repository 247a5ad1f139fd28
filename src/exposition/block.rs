//! The lines of one metric for some hundred instances, in a buffer that is sent as it is and written over for the next
//! page.
//!
//! What has kept its length is written in place. Lines that are longer or shorter than before make a new buffer, of the
//! old one's pieces. A few hundred instances each, so that this costs little, and all buffers are of a size that the
//! allocator can use again.

use std::ops::Range;

use bytes::BytesMut;
use hyper::body::Bytes;

use super::catalogue::{Metric, Values};
use super::changes::Placed;
use super::encode::Samples;
use super::instances::View;
use super::number::Number;
use crate::model::UnixMillis;

/// Instances of a block.
pub(super) const INSTANCES: usize = 256;

/// Room for what the lines of an instance may grow by, in bytes.
const ROOM_FOR_LINES: usize = 256;

/// Lines in the order of the snapshot.
#[derive(Debug)]
pub(super) struct Block {
    text: Bytes,
    /// Where the family's head ends; 0 without one.
    head: usize,
    /// Where each instance's lines are.
    lines: Vec<Lines>,
    /// What each instance's line counts the days until; empty for a metric that counts none.
    until: Vec<Option<UnixMillis>>,
}

/// Where an instance's lines are; they begin where those before them end.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// Where the value of the only one begins; the end where there is none, or labels of the metric's own.
    value: u32,
    end: u32,
}

impl Block {
    /// Written from nothing, behind the family's head if it is the first.
    pub(super) fn new<'a>(metric: &Metric, mut text: String, views: impl Iterator<Item = View<'a>>) -> Self {
        let head = text.len();
        let (mut lines, mut until) = (Vec::with_capacity(INSTANCES), Vec::new());
        for view in views {
            lines.push(Lines::written(&mut text, metric, &view));
            if let Values::DaysUntil(counted) = metric.values {
                until.push(view.time(counted));
            }
        }
        Self {
            // Without the room that a growing text has left over.
            text: Bytes::copy_from_slice(text.as_bytes()),
            head,
            lines,
            until,
        }
    }

    /// How many instances it is about.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// No instance has a line.
    pub(super) fn is_bare(&self) -> bool {
        self.text.len() == self.head
    }

    /// All of it.
    pub(super) fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// Makes what stands there say what is so now, of the instances that have `changed`, and what days are left for
    /// each at its `now`. Returns whether it could: days that have become longer or shorter need another block.
    pub(super) fn update(&mut self, metric: &Metric, changed: &[Placed<'_>], now: &[UnixMillis]) -> bool {
        if let Values::DaysUntil(until) = metric.values {
            for (place, view) in changed {
                self.until[place % INSTANCES] = view.time(until);
            }
            let mut text = self.take_text();
            let fits = self.count_days(&mut text, now);
            self.text = text.freeze();
            return fits;
        }
        if !changed.is_empty() {
            let mut text = self.take_text();
            let misfits = self.write_over(&mut text, metric, changed);
            self.text = text.freeze();
            if !misfits.is_empty() {
                self.replace(metric, &misfits);
            }
        }
        true
    }

    /// Its text, to be written over. Whoever is still sending the page before goes on with what it has.
    fn take_text(&mut self) -> BytesMut {
        let text = std::mem::take(&mut self.text).try_into_mut();
        text.unwrap_or_else(|shared| BytesMut::from(&shared[..]))
    }

    /// Returns whether everything fits into its place.
    fn count_days(&self, text: &mut [u8], now: &[UnixMillis]) -> bool {
        let mut days = String::new();
        let mut counted = self.lines.iter().zip(&self.until).zip(now);
        counted.all(|((lines, until), now)| {
            days.clear();
            if let Some(until) = *until {
                Number::Days { until, now: *now }.write(&mut days);
            }
            set(&mut text[lines.value()], &days)
        })
    }

    /// Returns those that do not fit into their places.
    fn write_over<'a>(&self, text: &mut [u8], metric: &Metric, changed: &[Placed<'a>]) -> Vec<Placed<'a>> {
        let mut misfits = Vec::new();
        let mut new = String::new();
        for (place, view) in changed {
            let index = place % INSTANCES;
            new.clear();
            let old = if let Values::Labelled(_) = metric.values {
                view.write(metric, &mut Samples::apart(&mut new, metric.name));
                self.range(index)
            } else {
                if let Some(value) = view.value(metric) {
                    value.write(&mut new);
                }
                self.lines[index].value()
            };
            if !set(&mut text[old], &new) {
                misfits.push((*place, *view));
            }
        }
        misfits
    }

    /// Makes a new buffer of the lines that have changed and the pieces in between.
    fn replace(&mut self, metric: &Metric, changed: &[Placed<'_>]) {
        let mut text = Vec::with_capacity(self.text.len() + changed.len() * ROOM_FOR_LINES);
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut new = String::new();
        let mut copied = 0;
        let keep =
            |text: &mut Vec<u8>, lines: &mut Vec<Lines>, piece: Range<usize>, indexes: Range<usize>| {
                let (from, to) = (piece.start, text.len());
                text.extend_from_slice(&self.text[piece]);
                lines.extend(self.lines[indexes].iter().map(|lines| lines.shifted(from, to)));
            };
        for (place, view) in changed {
            let index = place % INSTANCES;
            let range = self.range(index);
            let done = lines.len();
            keep(&mut text, &mut lines, copied..range.start, done..index);
            copied = range.end;
            new.clear();
            lines.push(Lines::written(&mut new, metric, view).shifted(0, text.len()));
            text.extend_from_slice(new.as_bytes());
        }
        let done = lines.len();
        keep(
            &mut text,
            &mut lines,
            copied..self.text.len(),
            done..self.lines.len(),
        );
        self.text = Bytes::copy_from_slice(&text);
        self.lines = lines;
    }

    /// Where an instance's lines are.
    fn range(&self, index: usize) -> Range<usize> {
        let start = index
            .checked_sub(1)
            .map_or(self.head, |before| self.lines[before].end as usize);
        start..self.lines[index].end as usize
    }
}

impl Lines {
    /// Those of an instance, written behind a text.
    fn written(text: &mut String, metric: &Metric, view: &View<'_>) -> Self {
        let start = text.len();
        view.write(metric, &mut Samples::apart(text, metric.name));
        let value = match metric.values {
            Values::Labelled(_) => None,
            // The last space: labels may have some, too, and a value has none.
            Values::One(_) | Values::DaysUntil(_) => text[start..].rfind(' ').map(|space| start + space + 1),
        };
        Self {
            value: offset(value.unwrap_or(text.len())),
            end: offset(text.len()),
        }
    }

    /// The same lines after what began at `from` has come to stand at `to`.
    fn shifted(self, from: usize, to: usize) -> Self {
        let shifted = |old: u32| offset(old as usize - from + to);
        Self {
            value: shifted(self.value),
            end: shifted(self.end),
        }
    }

    /// Where the value of the only line is, without the line's end; nowhere without one.
    fn value(self) -> Range<usize> {
        let value = self.value as usize;
        value..value.max((self.end as usize).saturating_sub(1))
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a block is some hundred kilobytes")
}

/// Writes over what stands there. Returns whether the new text is as long.
fn set(old: &mut [u8], new: &str) -> bool {
    let fits = old.len() == new.len();
    if fits {
        old.copy_from_slice(new.as_bytes());
    }
    fits
}
