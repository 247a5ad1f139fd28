//! What an answer carries: buffers that are sent one after the other, without a copy into one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};

/// The buffers still to be sent.
#[derive(Debug, Default)]
pub(super) struct Body(VecDeque<Bytes>);

impl Body {
    /// Bytes still to be sent.
    pub(super) fn length(&self) -> u64 {
        self.0.iter().map(|part| part.len() as u64).sum()
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<T: IntoIterator<Item = Bytes>>(parts: T) -> Self {
        Self(parts.into_iter().filter(|part| !part.is_empty()).collect())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self::from_iter([whole.into()])
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}
