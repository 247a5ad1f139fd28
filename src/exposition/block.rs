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
    /// Where each instance's lines end.
    ends: Vec<u32>,
    /// What each instance's line counts the days until; empty for a metric that counts none.
    until: Vec<Option<UnixMillis>>,
}

impl Block {
    /// Written from nothing, behind the family's head if it is the first.
    pub(super) fn new<'a>(metric: &Metric, mut text: String, views: impl Iterator<Item = View<'a>>) -> Self {
        let head = text.len();
        let (mut ends, mut until) = (Vec::with_capacity(INSTANCES), Vec::new());
        for view in views {
            view.write(metric, &mut Samples::apart(&mut text, metric.name));
            ends.push(end(text.len()));
            if let Values::DaysUntil(counted) = metric.values {
                until.push(view.time(counted));
            }
        }
        Self {
            // Without the room that a growing text has left over.
            text: Bytes::copy_from_slice(text.as_bytes()),
            head,
            ends,
            until,
        }
    }

    /// How many instances it is about.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// No instance has a line.
    pub(super) fn is_bare(&self) -> bool {
        self.text.len() == self.head
    }

    /// All of it.
    pub(super) fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// Makes what stands there say what is so now, of the instances that have `moved`, and what days are left for
    /// each at its `now`. Returns whether it could: days that have become longer or shorter need another block.
    pub(super) fn update(&mut self, metric: &Metric, moved: &[Placed<'_>], now: &[UnixMillis]) -> bool {
        if moved.is_empty() && self.until.is_empty() {
            return true;
        }
        for (place, view) in moved {
            if let Values::DaysUntil(until) = metric.values {
                self.until[place % INSTANCES] = view.time(until);
            }
        }
        // Whoever is still sending the page before goes on with what it has.
        let text = std::mem::take(&mut self.text).try_into_mut();
        let mut text = text.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let misfits = self.write_over(&mut text, metric, moved);
        let fits = self.count_days(&mut text, now);
        self.text = text.freeze();
        if !misfits.is_empty() && self.until.is_empty() {
            self.replace(metric, &misfits);
            return true;
        }
        fits && misfits.is_empty()
    }

    /// Returns those that do not fit into their places.
    fn write_over<'a>(&self, text: &mut [u8], metric: &Metric, moved: &[Placed<'a>]) -> Vec<Placed<'a>> {
        let mut line = String::new();
        let mut fits = |(place, view): &Placed<'a>| {
            let lines = &mut text[self.lines(place % INSTANCES)];
            line.clear();
            match (metric.values, view.value(metric)) {
                (Values::Labelled(_), _) => {
                    view.write(metric, &mut Samples::apart(&mut line, metric.name));
                    set_all(lines, line.as_bytes())
                }
                (_, None) => lines.is_empty(),
                (_, Some(value)) => {
                    value.write(&mut line);
                    set_value(lines, line.as_bytes())
                }
            }
        };
        moved.iter().filter(|placed| !fits(placed)).copied().collect()
    }

    /// Returns whether everything fits into its place.
    fn count_days(&self, text: &mut [u8], now: &[UnixMillis]) -> bool {
        let mut line = String::new();
        self.until
            .iter()
            .zip(now)
            .enumerate()
            .all(|(index, (until, now))| {
                let Some(until) = *until else { return true };
                line.clear();
                Number::Days { until, now: *now }.write(&mut line);
                set_value(&mut text[self.lines(index)], line.as_bytes())
            })
    }

    /// Makes a new buffer of the lines that have changed and the pieces in between.
    fn replace(&mut self, metric: &Metric, moved: &[Placed<'_>]) {
        let mut text = Vec::with_capacity(self.text.len() + moved.len() * ROOM_FOR_LINES);
        let mut ends = Vec::with_capacity(self.ends.len());
        let mut line = String::new();
        let mut copied = 0;
        let keep = |text: &mut Vec<u8>, ends: &mut Vec<u32>, piece: Range<usize>, indexes: Range<usize>| {
            let shift = text.len().wrapping_sub(piece.start);
            text.extend_from_slice(&self.text[piece]);
            ends.extend(
                self.ends[indexes]
                    .iter()
                    .map(|old| end((*old as usize).wrapping_add(shift))),
            );
        };
        for (place, view) in moved {
            let index = place % INSTANCES;
            let lines = self.lines(index);
            let done = ends.len();
            keep(&mut text, &mut ends, copied..lines.start, done..index);
            copied = lines.end;
            line.clear();
            view.write(metric, &mut Samples::apart(&mut line, metric.name));
            text.extend_from_slice(line.as_bytes());
            ends.push(end(text.len()));
        }
        let done = ends.len();
        keep(
            &mut text,
            &mut ends,
            copied..self.text.len(),
            done..self.ends.len(),
        );
        self.text = Bytes::copy_from_slice(&text);
        self.ends = ends;
    }

    /// Where an instance's lines are.
    fn lines(&self, index: usize) -> Range<usize> {
        let start = index
            .checked_sub(1)
            .map_or(self.head, |before| self.ends[before] as usize);
        start..self.ends[index] as usize
    }
}

fn end(length: usize) -> u32 {
    u32::try_from(length).expect("a block is some hundred kilobytes")
}

/// Writes over lines. Returns whether the new ones are as long.
fn set_all(lines: &mut [u8], new: &[u8]) -> bool {
    let fits = lines.len() == new.len();
    if fits {
        lines.copy_from_slice(new);
    }
    fits
}

/// Writes over the value of a line, between its last space and its end. Returns whether the new one is as long.
fn set_value(line: &mut [u8], value: &[u8]) -> bool {
    // The last one: labels may have spaces, too, and a value has none.
    let before = line.len().checked_sub(value.len() + 2);
    let is_last_space = |at: &usize| line[*at] == b' ' && !line[at + 1..].contains(&b' ');
    let Some(space) = before.filter(is_last_space) else {
        return false;
    };
    line[space + 1..][..value.len()].copy_from_slice(value);
    true
}
