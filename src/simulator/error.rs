//! The API's refusals: how one looks on the wire, and the catalogue of those that the API page knows.

use hyper::StatusCode;
use hyper::header::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::format::Format;
use super::reply::{self, Response};
use crate::model::Reason;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiError {
    /// `Code`, such as `Throttling.User`.
    pub code: String,
    /// The HTTP status.
    #[serde(with = "reply::status")]
    pub status: StatusCode,
    /// `Message`.
    #[serde(default)]
    pub message: String,
    /// The header `x-acs-retry-after`, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_millis: Option<u64>,
}

impl ApiError {
    /// A refusal with this code, HTTP status (200 to 599) and message.
    pub fn new(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            status: StatusCode::from_u16(status).expect("a status of three digits"),
            message: message.into(),
            retry_after_millis: None,
        }
    }

    /// The refusal of a call that the user may not make.
    pub(super) fn no_permission() -> Self {
        Self::new(
            "NoPermission",
            403,
            "You are not authorized to do this action. You should be authorized by RAM.",
        )
    }

    /// The body in the order of the API's own.
    pub(super) fn body(&self, host: &str, request_id: &str) -> serde_json::Value {
        json!({
            "RequestId": request_id,
            "Message": self.message,
            "Recommend": format!("https://api.alibabacloud.com/troubleshoot?q={}&product=cas&requestId={request_id}", self.code),
            "HostId": host,
            "Code": self.code,
        })
    }

    pub(super) fn response(&self, format: Format, host: &str, request_id: &str) -> Response {
        let body = format.render("Error", &self.body(host, request_id));
        let mut response = reply::response(self.status, format.content_type(), body);
        if let Some(millis) = self.retry_after_millis {
            let name = HeaderName::from_static("x-acs-retry-after");
            reply::set(&mut response, name, &millis.to_string());
        }
        response
    }
}

/// The errors of the API page, at each status they were seen with, and the reason that each must become.
pub fn errors() -> Vec<(ApiError, Reason)> {
    let mut errors: Vec<(ApiError, Reason)> = CATALOGUE
        .iter()
        .map(|(code, status, reason)| {
            (
                ApiError::new(code, *status, format!("Told to say {code}.")),
                *reason,
            )
        })
        .collect();
    errors.push((
        ApiError {
            retry_after_millis: Some(1500),
            ..ApiError::new("Throttling.User", 429, "Told to ask for patience.")
        },
        Reason::Throttled,
    ));
    errors.push((
        ApiError::new("Forbidden.RAM", 403, "用户无权限操作指定资源"),
        Reason::Forbidden,
    ));
    // The token's end under another name: only the message tells.
    errors.push((
        ApiError::new(
            "InvalidParameter",
            400,
            "The specified parameter \"SecurityToken.Expired\" is not valid.",
        ),
        Reason::Authentication,
    ));
    errors
}

/// Code, status, reason.
const CATALOGUE: &[(&str, u16, Reason)] = &[
    ("Throttling", 400, Reason::Throttled),
    ("Throttling.User", 400, Reason::Throttled),
    ("Throttling.User", 429, Reason::Throttled),
    ("Throttling.User", 503, Reason::Throttled),
    ("Throttling.Api", 400, Reason::Throttled),
    ("Rejected.Throttling", 400, Reason::Throttled),
    ("FlowControlError", 400, Reason::Throttled),
    ("RequestsTooMany", 400, Reason::Throttled),
    ("ServiceUnavailable", 503, Reason::Server),
    ("ServiceUnavailableTemporary", 503, Reason::Server),
    ("InternalError", 400, Reason::Server),
    ("InternalError", 500, Reason::Server),
    ("InternalFailure", 500, Reason::Server),
    ("UnknownError", 500, Reason::Server),
    ("OperationDenied.SystemUpgrading", 400, Reason::Server),
    ("InvalidTimeStamp.Expired", 400, Reason::Clock),
    ("InvalidTimeStamp.Format", 400, Reason::Clock),
    ("IllegalTimestamp", 400, Reason::Clock),
    ("SignatureNonceUsed", 400, Reason::Other),
    ("InvalidSecurityToken.Expired", 400, Reason::Authentication),
    ("InvalidSecurityToken.Malformed", 400, Reason::Authentication),
    (
        "InvalidSecurityToken.MismatchWithAccessKey",
        400,
        Reason::Authentication,
    ),
    ("InvalidAccessKeyId.NotFound", 404, Reason::Authentication),
    ("InvalidAccessKeyId.Inactive", 403, Reason::Authentication),
    ("SignatureDoesNotMatch", 400, Reason::Authentication),
    ("IncompleteSignature", 400, Reason::Authentication),
    ("MissingSecurityToken", 400, Reason::Authentication),
    ("Forbidden", 403, Reason::Forbidden),
    ("Forbidden.RAM", 403, Reason::Forbidden),
    ("NoPermission", 403, Reason::Forbidden),
    ("NoPermission", 400, Reason::Forbidden),
    ("AccessDenied.NotAuthorized", 403, Reason::Forbidden),
    ("PermissionDenied", 400, Reason::Forbidden),
    ("NotFound", 400, Reason::NotFound),
    ("NotFound", 404, Reason::NotFound),
    ("NotFound.Instance", 404, Reason::NotFound),
    ("InvalidApi.NotFound", 404, Reason::Request),
    ("InvalidAction.NotFound", 404, Reason::Request),
    ("InvalidVersion", 400, Reason::Request),
    ("MissingParameter", 400, Reason::Request),
    ("MissingParameter.InstanceId", 400, Reason::Request),
    ("InvalidParameter", 400, Reason::Request),
    ("InvalidParameter.InstanceId", 400, Reason::Request),
    ("SomethingOfTomorrow", 400, Reason::Other),
];
