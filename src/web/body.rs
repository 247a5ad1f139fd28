//! What an answer carries: buffers that are sent one after the other, without a copy into one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use hyper::body::{Bytes, Frame, SizeHint};

/// All that is still to be sent.
#[derive(Debug, Default)]
pub(super) struct Body(Parts);

/// Buffers that read like a single one, so that the system takes as much of them in a call as it can.
#[derive(Default)]
pub(super) struct Parts {
    /// None of them is empty.
    rest: VecDeque<Bytes>,
    /// What lives until everything is sent, or cannot be.
    kept: Vec<Box<dyn Send + Sync>>,
}

impl Body {
    /// Drops `kept` once everything is sent, or cannot be.
    pub(super) fn keeping(mut self, kept: impl Send + Sync + 'static) -> Self {
        self.0.kept.push(Box::new(kept));
        self
    }

    /// Bytes still to be sent.
    pub(super) fn length(&self) -> u64 {
        self.0.remaining() as u64
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<T: IntoIterator<Item = Bytes>>(parts: T) -> Self {
        let rest = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let kept = Vec::new();
        Self(Parts { rest, kept })
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self::from_iter([whole.into()])
    }
}

impl hyper::body::Body for Body {
    type Data = Parts;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Parts>, Infallible>>> {
        let parts = std::mem::take(&mut self.0);
        Poll::Ready(parts.has_remaining().then(|| Ok(Frame::data(parts))))
    }

    fn is_end_stream(&self) -> bool {
        !self.0.has_remaining()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

impl Buf for Parts {
    fn remaining(&self) -> usize {
        self.rest.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.rest.front().map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.rest);
        filled.map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let part = self.rest.front_mut().expect("as much as remains may be advanced");
            let sent = count.min(part.len());
            part.advance(sent);
            if part.is_empty() {
                self.rest.pop_front();
            }
            count -= sent;
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.remaining())
    }
}

#[cfg(test)]
impl Body {
    pub(super) fn parts(&self) -> impl Iterator<Item = &Bytes> {
        self.0.rest.iter()
    }

    pub(super) fn text(&self) -> String {
        let parts = self.parts().map(|part| std::str::from_utf8(part).unwrap());
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left after so many bytes, read a part at a time and in one go.
    fn rest_after(count: usize) -> (Vec<u8>, Vec<u8>) {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let Body(mut parts) = ["ab", "", "cde", "f"].map(bytes).into_iter().collect();
        parts.advance(count);
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = parts.chunks_vectored(&mut slices);
        let at_once: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(parts.remaining(), at_once.len());
        (parts.copy_to_bytes(parts.remaining()).to_vec(), at_once)
    }

    #[test]
    fn parts_read_like_one_buffer_from_wherever_sending_has_got_to() {
        for count in 0..=6 {
            let expected = b"abcdef"[count..].to_vec();
            assert_eq!(rest_after(count), (expected.clone(), expected));
        }
    }
}
