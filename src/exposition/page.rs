//! A page as it is sent: buffers, so that those of the next page that stay the same need not be made again.

use std::fmt;

use hyper::body::Bytes;

/// A page of metrics, cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page(Vec<Bytes>);

impl Page {
    pub(super) fn push(&mut self, part: Bytes) {
        self.0.push(part);
    }

    /// The parts, one after the other the text.
    pub fn parts(&self) -> &[Bytes] {
        &self.0
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = self.0.iter().map(|part| std::str::from_utf8(part));
        texts.try_for_each(|text| f.write_str(text.expect("a part is made of texts")))
    }
}
