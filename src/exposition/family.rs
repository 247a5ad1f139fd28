//! The lines of one metric for every instance, in a buffer that is sent as it is and written over for the next page.
//!
//! What has kept its length is written in place. Lines that are longer or shorter than before make a new buffer, of the
//! old one's pieces. Other instances make another family.

use std::ops::Range;

use bytes::BytesMut;
use hyper::body::Bytes;

use super::Format;
use super::catalogue::{Metric, Values};
use super::changes::{Changes, Placed};
use super::encode::{self, Samples};
use super::instances::views;
use super::number::Number;
use crate::model::UnixMillis;
use crate::store::Snapshot;

/// Room for a family to grow until its next buffer is made, in parts of it.
const GROWTH: usize = 64;

/// One metric's head and lines, in the order of the snapshot.
#[derive(Debug, Default)]
pub(super) struct Family {
    text: Bytes,
    /// Where the head ends.
    head: usize,
    /// Where each instance's lines end.
    ends: Vec<u32>,
    /// What each instance's line counts the days until; empty for a metric that counts none.
    until: Vec<Option<UnixMillis>>,
}

impl Family {
    /// Written from nothing.
    pub(super) fn new(metric: &Metric, format: Format, snapshot: &Snapshot, now: UnixMillis) -> Self {
        let mut text = String::new();
        encode::head(&mut text, format, metric.name, metric.kind, metric.help);
        let head = text.len();
        let (mut ends, mut until) = (Vec::new(), Vec::new());
        for (_, view) in views(snapshot, now) {
            view.write(metric, &mut Samples::apart(&mut text, metric.name));
            ends.push(end(text.len()));
            if let Values::DaysUntil(counted) = metric.values {
                until.push(view.time(counted));
            }
        }
        // Doubled again and again, it would keep up to half of its room for nothing.
        text.shrink_to(text.len() + text.len() / GROWTH);
        Self {
            text: text.into(),
            head,
            ends,
            until,
        }
    }

    /// Makes what stands there say what is so now. Returns whether it could: days that have become longer or shorter need
    /// another family.
    pub(super) fn update(&mut self, metric: &Metric, changes: &Changes<'_>) -> bool {
        let moved = changes.of(metric.moves);
        if moved.is_empty() && self.until.is_empty() {
            return true;
        }
        for (place, view) in moved {
            if let Values::DaysUntil(until) = metric.values {
                self.until[*place] = view.time(until);
            }
        }
        // Whoever is still sending the page before goes on with what it has.
        let text = std::mem::take(&mut self.text).try_into_mut();
        let mut text = text.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let misfits = self.write_over(&mut text, metric, moved);
        let fits = self.count_days(&mut text, changes);
        self.text = text.freeze();
        if !misfits.is_empty() && self.until.is_empty() {
            self.replace(metric, &misfits);
            return true;
        }
        fits && misfits.is_empty()
    }

    /// Nothing without a sample: a family without one is left out whole.
    pub(super) fn text(&self) -> Option<Bytes> {
        (self.text.len() > self.head).then(|| self.text.clone())
    }

    /// Returns those that do not fit into their places.
    fn write_over<'a>(&self, text: &mut [u8], metric: &Metric, moved: &[Placed<'a>]) -> Vec<Placed<'a>> {
        let mut line = String::new();
        let mut fits = |(place, view): &Placed<'a>| {
            let lines = &mut text[self.lines(*place)];
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
    fn count_days(&self, text: &mut [u8], changes: &Changes<'_>) -> bool {
        let mut line = String::new();
        let mut places = self.until.iter().enumerate();
        changes.times.iter().all(|(instances, now)| {
            places.by_ref().take(*instances).all(|(place, until)| {
                let Some(until) = *until else { return true };
                line.clear();
                Number::Days { until, now: *now }.write(&mut line);
                set_value(&mut text[self.lines(place)], line.as_bytes())
            })
        })
    }

    /// Makes a new buffer of the lines that have changed and the pieces in between.
    fn replace(&mut self, metric: &Metric, moved: &[Placed<'_>]) {
        let mut text = Vec::with_capacity(self.text.len() + self.text.len() / GROWTH);
        let mut ends = Vec::with_capacity(self.ends.len());
        let mut line = String::new();
        let mut copied = 0;
        let keep = |text: &mut Vec<u8>, ends: &mut Vec<u32>, piece: Range<usize>, places: Range<usize>| {
            let shift = text.len().wrapping_sub(piece.start);
            text.extend_from_slice(&self.text[piece]);
            ends.extend(
                self.ends[places]
                    .iter()
                    .map(|old| end((*old as usize).wrapping_add(shift))),
            );
        };
        for (place, view) in moved {
            let lines = self.lines(*place);
            let done = ends.len();
            keep(&mut text, &mut ends, copied..lines.start, done..*place);
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
        self.text = text.into();
        self.ends = ends;
    }

    /// Where an instance's lines are.
    fn lines(&self, place: usize) -> Range<usize> {
        let start = place
            .checked_sub(1)
            .map_or(self.head, |before| self.ends[before] as usize);
        start..self.ends[place] as usize
    }
}

fn end(length: usize) -> u32 {
    u32::try_from(length).expect("a family is a few megabytes")
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
    // No value has a space in it.
    let before = line.len().checked_sub(value.len() + 2);
    let Some(space) = before.filter(|before| line[*before] == b' ') else {
        return false;
    };
    line[space + 1..][..value.len()].copy_from_slice(value);
    true
}
