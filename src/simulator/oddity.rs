//! Odd answers: everything that came back from such APIs, or from what stands in between, and was no refusal.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::format::Format;
use super::reply::{self, Reply, Response};
use crate::model::Reason;

/// How much later than others a slow answer comes.
pub const SLOW: Duration = Duration::from_millis(500);

/// More than any client should read.
const HUGE: usize = 10 << 20;

const HTML: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

macro_rules! oddities {
    ($($(#[$doc:meta])+ $name:ident => $expected:expr,)+) => {
        /// One odd answer. Those that change the list need a call about a known instance, or a page of CA
        /// certificates that is not empty; whatever has no list they leave as it is.
        ///
        /// With CA certificates, the id that an entry is without is its instance's, the numbers are `MaxResults` and
        /// `TotalCount`, and two oddities change nothing: `OtherIdOnly`, since no id was asked for, and `TimesZero`,
        /// since there are no times.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Oddity { $($(#[$doc])+ $name,)+ }

        impl Oddity {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The reason that a poll of an instance must fail with, none where it must succeed.
            pub const fn expected(self) -> Option<Reason> {
                match self { $(Self::$name => $expected,)+ }
            }
        }
    };
}

oddities! {
    /// 502 with a gateway's HTML.
    BadGatewayHtml => Some(Reason::Server),
    /// 503 and no body.
    UnavailableEmpty => Some(Reason::Server),
    /// 503 with an error in XML.
    UnavailableXml => Some(Reason::Server),
    /// 400 with XML that names no code.
    BadRequestXml => Some(Reason::Http),
    /// 404 in JSON without a `Code`: a wrong path, not an unknown instance.
    NotFoundWithoutCode => Some(Reason::Http),
    /// 404 with a web server's HTML.
    NotFoundHtml => Some(Reason::Http),
    /// 302 to somewhere else.
    Redirect => Some(Reason::Http),
    /// 200 with a web page, as a captive portal gives it.
    HtmlInside200 => Some(Reason::Decode),
    /// 200 with an error object: `InternalError`.
    ErrorInside200 => Some(Reason::Server),
    /// 200 and no body.
    EmptyBody => Some(Reason::Decode),
    /// 200 with JSON that ends in the middle.
    TruncatedJson => Some(Reason::Decode),
    /// 200 with a byte that is no UTF-8 in a text.
    InvalidUtf8 => Some(Reason::Decode),
    /// 200 with a byte order mark before the JSON.
    ByteOrderMark => None,
    /// 200 with a list in a list, a hundred thousand deep.
    DeepNesting => Some(Reason::Decode),
    /// 200 with 10 MiB of JSON.
    Huge => Some(Reason::Decode),
    /// 200 with a list instead of an object.
    TopLevelList => Some(Reason::Decode),
    /// The list is absent.
    ListAbsent => Some(Reason::Decode),
    /// The list is null.
    ListNull => Some(Reason::Decode),
    /// The list is a text.
    ListText => Some(Reason::Decode),
    /// The list is its first entry.
    ListObject => Some(Reason::Decode),
    /// The list holds null.
    ListOfNull => Some(Reason::Decode),
    /// The entry has no id of an instance.
    EntryWithoutId => Some(Reason::Decode),
    /// The entry is about another instance.
    OtherIdOnly => Some(Reason::Decode),
    /// A number with a fraction where only whole ones make sense.
    NumbersFractional => Some(Reason::Decode),
    /// A number far beyond 64 bits.
    NumbersHuge => Some(Reason::Decode),
    /// Numbers as texts.
    NumbersAsText => None,
    /// Whole numbers with `.0`.
    NumbersAsFloats => None,
    /// Numbers as null, which is as good as absent.
    NumbersNull => None,
    /// Times of 0, which is as good as absent.
    TimesZero => None,
    /// The first entry twice: as `BUY` with nothing but its ids, then as it is.
    IdTwice => None,
    /// A `Status` and, of an instance, a `Type` of tomorrow.
    WordsUnknown => None,
    /// Fields of tomorrow.
    FieldsUnknown => None,
    /// The connection closed before any answer.
    ClosedBeforeAnswer => Some(Reason::Connect),
    /// The connection closed in the middle of the body.
    ClosedInBody => Some(Reason::Connect),
    /// No answer at all.
    NoAnswer => Some(Reason::Timeout),
    /// The head, half of the body, and then nothing.
    StalledBody => Some(Reason::Timeout),
    /// The answer, half a second late.
    SlowAnswer => None,
}

impl Oddity {
    /// What goes back instead of the `honest` answer, an object with its list.
    pub(super) fn reply(self, honest: Value) -> Reply {
        match self {
            Self::ClosedBeforeAnswer => Reply::Closed,
            Self::NoAnswer => Reply::Never,
            Self::ClosedInBody => Reply::CutShort(json(&honest)),
            Self::StalledBody => Reply::Stalled(json(&honest)),
            Self::SlowAnswer => Reply::Late(SLOW, json(&honest)),
            _ => Reply::Whole(
                self.canned()
                    .or_else(|| self.garbled(&honest))
                    .unwrap_or_else(|| json(&self.changed(honest))),
            ),
        }
    }

    /// Answers that have nothing to do with what was asked.
    fn canned(self) -> Option<Response> {
        let answer =
            |status, content_type, body: &'static str| Some(reply::response(status, content_type, body));
        match self {
            Self::BadGatewayHtml => answer(StatusCode::BAD_GATEWAY, "text/html", HTML),
            Self::UnavailableEmpty => answer(StatusCode::SERVICE_UNAVAILABLE, "", ""),
            Self::UnavailableXml => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                Format::Xml.content_type(),
                "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ServiceUnavailable</Code>\
                 <Message>The request has failed due to a temporary failure of the server.</Message></Error>",
            ),
            Self::BadRequestXml => answer(
                StatusCode::BAD_REQUEST,
                Format::Xml.content_type(),
                "<?xml version='1.0'?><Error><Message>Bad Request</Message></Error>",
            ),
            Self::NotFoundWithoutCode => answer(
                StatusCode::NOT_FOUND,
                Format::Json.content_type(),
                r#"{"Message":"no route"}"#,
            ),
            Self::NotFoundHtml => answer(StatusCode::NOT_FOUND, "text/html", "<html>404 Not Found</html>"),
            Self::Redirect => {
                let mut response = reply::response(StatusCode::FOUND, "", "");
                reply::set(&mut response, LOCATION, "https://error.example/busy");
                Some(response)
            }
            Self::HtmlInside200 => answer(StatusCode::OK, "text/html", "<html>Please sign in</html>"),
            Self::ErrorInside200 => {
                let error = ApiError::new("InternalError", 200, "An internal error occurred.");
                Some(json(
                    &error.body("cas.aliyuncs.com", "00000000-0000-0000-0000-000000000200"),
                ))
            }
            Self::EmptyBody => answer(StatusCode::OK, Format::Json.content_type(), ""),
            Self::DeepNesting => Some(reply::response(
                StatusCode::OK,
                Format::Json.content_type(),
                format!("{{\"InstanceStatusList\":{}", "[".repeat(100_000)),
            )),
            _ => None,
        }
    }

    /// The honest bytes, spoilt.
    fn garbled(self, honest: &Value) -> Option<Response> {
        let text = honest.to_string();
        let body: Vec<u8> = match self {
            Self::TruncatedJson => text.as_bytes()[..text.len() / 2].to_vec(),
            Self::ByteOrderMark => format!("\u{feff}{text}").into(),
            Self::InvalidUtf8 => {
                [br#"{"Note":""#, &b"\xff\xfe"[..], br#"","#, &text.as_bytes()[1..]].concat()
            }
            Self::Huge => format!(r#"{{"Note":"{}",{}"#, "x".repeat(HUGE), &text[1..]).into(),
            _ => return None,
        };
        Some(reply::response(StatusCode::OK, Format::Json.content_type(), body))
    }
}

fn json(body: &Value) -> Response {
    reply::response(StatusCode::OK, Format::Json.content_type(), body.to_string())
}
