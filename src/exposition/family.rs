//! The lines of one metric for every instance, in a buffer that is sent as it is and written over for the next page.
//!
//! What has kept its length is written in place. A line that is longer or shorter than before, or another set of
//! instances, makes a new buffer.

use std::ops::Range;

use bytes::BytesMut;
use hyper::body::Bytes;

use super::Format;
use super::catalogue::Metric;
use super::encode::{self, Samples};
use super::instances::View;
use crate::model::UnixMillis;

/// Room for a family to grow until the next page is made, in parts of it.
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

/// What is different from the page before.
pub(super) struct Changes<'a> {
    /// Every instance stands where it stood.
    pub(super) in_place: bool,
    /// Where each instance stood; means nothing for one that is in `fresh`.
    pub(super) before: Vec<usize>,
    /// The instances to write, with their place.
    pub(super) fresh: Vec<(usize, View<'a>)>,
    /// The true time for each instance.
    pub(super) now: Vec<UnixMillis>,
}

impl Family {
    /// Makes what stands there say what is so now.
    pub(super) fn update(&mut self, metric: &Metric, format: Format, changes: &Changes<'_>) {
        let is_current = changes.in_place && changes.fresh.is_empty() && metric.until.is_none();
        if is_current && self.head > 0 {
            return;
        }
        if changes.in_place && self.head > 0 {
            // Whoever is still sending the page before goes on with what it has.
            let text = std::mem::take(&mut self.text).try_into_mut();
            let mut text = text.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            let fits = self.write_over(&mut text, metric, changes);
            self.text = text.freeze();
            if fits {
                return;
            }
        }
        self.rebuild(metric, format, changes);
    }

    /// Nothing without a sample: a family without one is left out whole.
    pub(super) fn text(&self) -> Option<Bytes> {
        (self.text.len() > self.head).then(|| self.text.clone())
    }

    /// Returns whether everything fits into its place.
    fn write_over(&mut self, text: &mut [u8], metric: &Metric, changes: &Changes<'_>) -> bool {
        let mut line = String::new();
        for (index, view) in &changes.fresh {
            line.clear();
            view.write(metric, &mut Samples::apart(&mut line, metric.name));
            let place = &mut text[self.place(*index)];
            if place.len() != line.len() {
                return false;
            }
            place.copy_from_slice(line.as_bytes());
            if let Some(until) = metric.until {
                self.until[*index] = view.time(until);
            }
        }
        for (index, (until, now)) in self.until.iter().zip(&changes.now).enumerate() {
            let Some(until) = until else { continue };
            line.clear();
            encode::days(&mut line, *until, *now);
            let place = &mut text[self.place(index)];
            let value = value_of(place);
            if place[value.clone()].len() != line.len() {
                return false;
            }
            place[value].copy_from_slice(line.as_bytes());
        }
        true
    }

    fn rebuild(&mut self, metric: &Metric, format: Format, changes: &Changes<'_>) {
        let old = std::str::from_utf8(&self.text).expect("it was made of texts");
        let mut text = String::with_capacity(old.len() + old.len() / GROWTH);
        encode::head(&mut text, format, metric.name, metric.kind, metric.help);
        let head = text.len();
        let count = changes.before.len();
        let (mut ends, mut until) = (Vec::with_capacity(count), Vec::new());
        let mut fresh = changes.fresh.iter().peekable();
        for (index, before) in changes.before.iter().enumerate() {
            if let Some((_, view)) = fresh.next_if(|(place, _)| *place == index) {
                view.write(metric, &mut Samples::apart(&mut text, metric.name));
                until.extend(metric.until.map(|until| view.time(until)));
            } else {
                let lines = &old[self.place(*before)];
                match self.until.get(*before) {
                    Some(Some(until)) => {
                        text.push_str(&lines[..value_of(lines.as_bytes()).start]);
                        encode::days(&mut text, *until, changes.now[index]);
                        text.push('\n');
                    }
                    _ => text.push_str(lines),
                }
                until.extend(self.until.get(*before));
            }
            ends.push(u32::try_from(text.len()).expect("a family is a few megabytes"));
        }
        *self = Self {
            text: text.into(),
            head,
            ends,
            until,
        };
    }

    /// Where an instance's lines are.
    fn place(&self, index: usize) -> Range<usize> {
        let start = index
            .checked_sub(1)
            .map_or(self.head, |before| self.ends[before] as usize);
        start..self.ends[index] as usize
    }
}

/// Where the value of a line is: between its last space and its end.
fn value_of(line: &[u8]) -> Range<usize> {
    let end = line.len() - 1;
    let space = line.iter().rposition(|byte| *byte == b' ');
    space.map_or(end, |space| space + 1)..end
}
