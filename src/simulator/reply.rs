//! What goes back: an answer, and how much of it arrives. Whoever carries it acts on that, in process or on a socket.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use serde_json::Value;

use crate::model::UnixMillis;

/// A whole HTTP answer.
pub type Response = hyper::Response<Bytes>;

/// What a caller sees.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The answer.
    Whole(Response),
    /// The answer, after so much more time.
    Late(Duration, Response),
    /// The head and half of the body, then the connection is closed.
    CutShort(Response),
    /// The head and half of the body, then nothing more, on an open connection.
    Stalled(Response),
    /// The connection is closed before any answer.
    Closed,
    /// Nothing, on an open connection.
    Never,
    /// No connection at all: the network is down.
    Refused,
}

/// What the cloud has to say, if it is honest.
pub(super) enum Honest {
    /// An object in the API's own envelope.
    Api(Value),
    /// An object as it stands.
    Plain(Value),
    /// A text.
    Text(String),
    /// A web server's refusal, with nothing to read in it.
    Status(StatusCode),
}

/// An answer with this status and body.
pub(super) fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if !content_type.is_empty() {
        set(&mut response, CONTENT_TYPE, content_type);
    }
    response
}

/// Sets a header. A value that cannot be in a header is left out.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl Reply {
    /// With the `Date` header that every answer of the cloud carries. (A time outside the calendar has none.)
    pub(super) fn dated(mut self, now: UnixMillis) -> Self {
        let date = jiff::Timestamp::from_millisecond(now.0)
            .and_then(|now| jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now));
        if let (
            Ok(date),
            Self::Whole(response)
            | Self::Late(_, response)
            | Self::CutShort(response)
            | Self::Stalled(response),
        ) = (date, &mut self)
        {
            set(response, DATE, &date);
        }
        self
    }
}

/// A status in JSON: a number that an answer can have.
pub(super) mod status {
    use hyper::StatusCode;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(in crate::simulator) fn serialize<S: Serializer>(
        status: &StatusCode,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(in crate::simulator) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<StatusCode, D::Error> {
        let status = u16::deserialize(deserializer)?;
        StatusCode::from_u16(status)
            .ok()
            .filter(|status| (200..600).contains(&status.as_u16()))
            .ok_or_else(|| D::Error::custom(format_args!("{status} is no status of an answer (200 to 599)")))
    }
}
