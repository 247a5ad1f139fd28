//! What an answer carries whatever it says: the time, the host that was asked, the request's id, the format.

use hyper::StatusCode;
use hyper::header::HeaderName;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::ApiError;
use super::format::Format;
use super::reply::{self, Honest, Reply};
use crate::model::UnixMillis;

/// When a request arrives, where its answer goes, and how that is named.
pub(super) struct Envelope<'a> {
    /// By the clock that windows are measured with. Read under the lock, so that arrivals stand in order.
    pub(super) at: Instant,
    /// By the cloud's wall clock.
    pub(super) now: UnixMillis,
    pub(super) host: &'a str,
    pub(super) request_id: String,
}

impl Envelope<'_> {
    pub(super) fn named(&self, mut answer: Value) -> Value {
        answer["RequestId"] = json!(self.request_id);
        answer
    }

    pub(super) fn honest(&self, honest: Honest, action: &str, format: Format) -> Reply {
        let response = match honest {
            Honest::Api(answer) => {
                let root = format!("{action}Response");
                let body = format.render(&root, &self.named(answer));
                let mut response = reply::response(StatusCode::OK, format.content_type(), body);
                let name = HeaderName::from_static("x-acs-request-id");
                reply::set(&mut response, name, &self.request_id);
                response
            }
            Honest::Plain(answer) => {
                let kind = Format::Json.content_type();
                reply::response(StatusCode::OK, kind, answer.to_string())
            }
            Honest::Text(text) => reply::response(StatusCode::OK, "text/plain", text),
            Honest::Status(status) => reply::response(status, "text/html", format!("<html>{status}</html>")),
        };
        Reply::Whole(response)
    }

    pub(super) fn refusal(&self, error: &ApiError, format: Format) -> Reply {
        Reply::Whole(error.response(format, self.host, &self.request_id))
    }
}
