//! What went wrong with a call, in terms of what to do about it.
//!
//! Of an error answer only code, status and request id are kept. The vendor's `Message` is not: it may be in
//! Chinese, and for a wrong signature it repeats the string to sign, with the key id and the token in it.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use super::credentials::CredentialsError;
use crate::host::TransportError;
use crate::model::{Failure, Reason};

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API refused the call with a code of its own.
    #[error("{0}")]
    Refused(Refusal),
    /// The API refused the temporary key that the call was signed with; the next call is signed with another.
    #[error("{0}")]
    TokenRefused(Refusal),
    /// The API refused the time that the call was signed with; the next call is signed with the API's own.
    #[error("{0}")]
    TimeRefused(Refusal),
    /// An answer that is not the API's.
    #[error("HTTP status {} without a code of the API", .0.as_u16())]
    Http(StatusCode),
    /// No (whole) answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No (whole) answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The API answered something else than it documents.
    #[error("unexpected answer: {0}")]
    Decode(String),
    /// The API knows nothing by the id that was asked for, and says so without a code.
    #[error("the answer's list is empty")]
    NotFound,
    /// The call was not made.
    #[error("no credentials: {0}")]
    Credentials(#[from] CredentialsError),
}

/// The API's own error, without its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `Code`, such as `Throttling.User`.
    pub code: String,
    /// The HTTP status, which may be 200.
    pub status: StatusCode,
    /// `RequestId`, by which the vendor's support finds the call.
    pub request_id: Option<String>,
    /// `InvalidParameter` with a message that names `SecurityToken.Expired`.
    pub token_expired: bool,
}

/// What a caller may do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call would fail again.
    Never,
    /// Later, with growing distance.
    Later,
    /// Once, at once: signing it afresh is all that it takes.
    AtOnce,
}

impl CallError {
    /// The closed reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(refusal) | Self::TokenRefused(refusal) | Self::TimeRefused(refusal) => {
                refusal.reason()
            }
            Self::Http(status) => without_code(*status).unwrap_or(Reason::Http),
            Self::Transport(TransportError::Connect(_) | TransportError::Closed(_)) => Reason::Connect,
            Self::Transport(TransportError::Tls(_)) => Reason::Tls,
            Self::Transport(TransportError::TooLarge { .. }) | Self::Decode(_) => Reason::Decode,
            Self::Timeout(_) => Reason::Timeout,
            Self::NotFound => Reason::NotFound,
            Self::Credentials(_) => Reason::Credentials,
        }
    }

    /// Whether to try again before the next regular turn.
    pub fn retry(&self) -> Retry {
        match self.reason() {
            _ if matches!(self, Self::TokenRefused(_) | Self::TimeRefused(_)) => Retry::AtOnce,
            _ if matches!(self, Self::Refused(refusal) if refusal.code == NONCE_USED) => Retry::AtOnce,
            Reason::Throttled
            | Reason::Server
            | Reason::Http
            | Reason::Timeout
            | Reason::Connect
            | Reason::Tls
            | Reason::Decode
            | Reason::Credentials
            | Reason::Other => Retry::Later,
            Reason::Clock
            | Reason::Authentication
            | Reason::Forbidden
            | Reason::NotFound
            | Reason::Request => Retry::Never,
        }
    }

    /// The failure for the store: what happened, and what a person can do. `ram_action` is the permission
    /// that the call needs.
    pub fn failure(&self, ram_action: &str) -> Failure {
        let reason = self.reason();
        let advice = match reason {
            Reason::Throttled => "lower requests_per_second, or find who else uses this account's allowance",
            Reason::Server => "the API is in trouble, this exporter goes on trying",
            Reason::Clock => "this machine's clock is too far from the API's, set it by NTP",
            Reason::Authentication => "is this the right key, enabled, with the right secret and token?",
            Reason::Forbidden => {
                return Failure {
                    reason,
                    detail: format!("{self}; grant the RAM action {ram_action}"),
                };
            }
            Reason::NotFound => "was the instance released, or is its id or region wrong?",
            Reason::Request => "the API did not understand the call, check region and endpoint",
            Reason::Http => "something in between answered, check endpoint and proxy",
            Reason::Timeout | Reason::Connect => "check network, DNS, firewall and proxy",
            Reason::Tls => "check the system's CA certificates and what intercepts TLS",
            Reason::Decode => "check endpoint and proxy; if both are right, please report it",
            Reason::Credentials => "see the credentials in the configuration",
            Reason::Other => "look the code up in the vendor's documentation, and please report it",
        };
        Failure {
            reason,
            detail: format!("{self}; {advice}"),
        }
    }
}

impl Refusal {
    /// The refusal in an answer, if it is one; `json` is the body where that is JSON. The vendor answers in XML
    /// where it did not get as far as reading the wanted format. A `Code` that says success is no refusal.
    pub fn read(status: StatusCode, body: &str, json: Option<&Value>) -> Option<Self> {
        let field = |name: &str| match json {
            Some(json) => json.get(name)?.as_str(),
            None => xml_field(body, name),
        };
        let code = field("Code").filter(|code| is_plain(code))?;
        let succeeded = matches!(code, "OK" | "Ok" | "Success" | "200");
        // The one code whose message decides: a token's end comes as a parameter that is not valid.
        let token_expired = code.starts_with(INVALID_PARAMETER)
            && field("Message").is_some_and(|message| message.contains("SecurityToken.Expired"));
        let request_id = field("RequestId").filter(|id| is_plain(id)).map(str::to_owned);
        (!succeeded).then(|| Self {
            code: code.to_owned(),
            status,
            request_id,
            token_expired,
        })
    }

    /// Whether this may be about the token of a temporary key, and another one may do.
    pub(super) fn refuses_token(&self) -> bool {
        self.token_expired
            || self.code.starts_with("InvalidSecurityToken")
            || self.code == "InvalidAccessKeyId.NotFound"
    }

    /// Whether it is about the time of the call.
    pub(super) fn refuses_time(&self) -> bool {
        self.reason() == Reason::Clock
    }

    fn reason(&self) -> Reason {
        if self.token_expired {
            return Reason::Authentication;
        }
        // "Throttling.User" is known by "Throttling": each part before a dot counts.
        let mut prefix = self.code.as_str();
        loop {
            if let Some(reason) = by_code(prefix) {
                return reason;
            }
            match prefix.rfind('.') {
                Some(dot) => prefix = &prefix[..dot],
                None => return by_status(self.status),
            }
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (HTTP {}", self.code, self.status.as_u16())?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

const NONCE_USED: &str = "SignatureNonceUsed";

const INVALID_PARAMETER: &str = "InvalidParameter";

fn by_code(code: &str) -> Option<Reason> {
    Some(match code {
        "Throttling" | "Rejected.Throttling" | "FlowControlError" | "RequestsTooMany" => Reason::Throttled,
        "InternalError" | "InternalFailure" | "UnknownError" | "OperationDenied.SystemUpgrading" => {
            Reason::Server
        }
        "InvalidTimeStamp" | "IllegalTimestamp" => Reason::Clock,
        NONCE_USED => Reason::Other,
        "InvalidSecurityToken"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingSecurityToken" => Reason::Authentication,
        "Forbidden" | "NoPermission" | "AccessDenied" | "PermissionDenied" => Reason::Forbidden,
        "NotFound" => Reason::NotFound,
        "InvalidApi.NotFound" | "InvalidAction.NotFound" | "InvalidVersion" | "InvalidProtocol.NeedSsl" => {
            Reason::Request
        }
        _ if code.starts_with("ServiceUnavailable") => Reason::Server,
        _ if code.starts_with("MissingParameter") || code.starts_with(INVALID_PARAMETER) => Reason::Request,
        _ => return None,
    })
}

/// The reason for a code that is unknown today.
fn by_status(status: StatusCode) -> Reason {
    match status {
        StatusCode::UNAUTHORIZED => Reason::Authentication,
        StatusCode::FORBIDDEN => Reason::Forbidden,
        _ => without_code(status).unwrap_or(Reason::Other),
    }
}

/// What a status says all by itself. A 404 says nothing: a gateway may have sent it.
fn without_code(status: StatusCode) -> Option<Reason> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Reason::Throttled),
        _ if status.is_server_error() => Some(Reason::Server),
        _ => None,
    }
}

/// The text between `<name>` and `</name>`: enough for the vendor's flat error document.
fn xml_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim())
}

/// Codes and request ids are shown, so they are taken only in the form that the vendor's have.
pub(super) fn is_plain(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Option<CallError> {
        let json = serde_json::from_str(body).ok();
        Refusal::read(StatusCode::from_u16(status).unwrap(), body, json.as_ref()).map(CallError::Refused)
    }

    #[track_caller]
    fn code(status: u16, code: &str, reason: Reason) {
        let error = refused(status, &format!(r#"{{"Code":"{code}","Message":"m"}}"#)).unwrap();
        assert_eq!(error.reason(), reason, "{code} with {status}");
    }

    #[test]
    fn every_code_of_the_api_page_has_its_reason() {
        for (status, codes, reason) in [
            (
                400,
                "Throttling Throttling.User Throttling.Api Rejected.Throttling",
                Reason::Throttled,
            ),
            (400, "FlowControlError RequestsTooMany", Reason::Throttled),
            (
                503,
                "ServiceUnavailable ServiceUnavailableTemporary InternalError",
                Reason::Server,
            ),
            (
                400,
                "InternalError InternalFailure UnknownError OperationDenied.SystemUpgrading",
                Reason::Server,
            ),
            (
                400,
                "InvalidTimeStamp.Expired InvalidTimeStamp.Format IllegalTimestamp",
                Reason::Clock,
            ),
            (
                404,
                "InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive",
                Reason::Authentication,
            ),
            (
                400,
                "SignatureDoesNotMatch IncompleteSignature MissingSecurityToken",
                Reason::Authentication,
            ),
            (
                400,
                "InvalidSecurityToken.Expired InvalidSecurityToken.Malformed",
                Reason::Authentication,
            ),
            (403, "Forbidden Forbidden.RAM NoPermission", Reason::Forbidden),
            (
                400,
                "AccessDenied.User PermissionDenied NoPermission",
                Reason::Forbidden,
            ),
            (400, "NotFound", Reason::NotFound),
            (404, "NotFound.Instance", Reason::NotFound),
            (404, "InvalidApi.NotFound InvalidAction.NotFound", Reason::Request),
            (
                400,
                "InvalidVersion MissingParameter MissingParameter.InstanceId",
                Reason::Request,
            ),
            (
                400,
                "MissingParameterInstanceId InvalidParameter InvalidParameter.Id",
                Reason::Request,
            ),
            (400, "SignatureNonceUsed SomethingNew.Entirely", Reason::Other),
        ] {
            codes.split(' ').for_each(|name| code(status, name, reason));
        }
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        for (status, reason) in [
            (429, Reason::Throttled),
            (500, Reason::Server),
            (401, Reason::Authentication),
            (403, Reason::Forbidden),
            (404, Reason::Other),
            (200, Reason::Other),
        ] {
            code(status, "SomethingNew", reason);
        }
    }

    #[test]
    fn a_status_without_a_code_is_http_unless_it_speaks_for_itself() {
        for (status, reason) in [
            (302, Reason::Http),
            (403, Reason::Http),
            (404, Reason::Http),
            (429, Reason::Throttled),
            (502, Reason::Server),
        ] {
            assert_eq!(
                CallError::Http(StatusCode::from_u16(status).unwrap()).reason(),
                reason,
                "{status}"
            );
        }
    }

    #[test]
    fn the_code_is_found_in_json_and_in_xml() {
        let json = "{\"RequestId\":\"25589516-2A56\",\"Code\":\"NoPermission\",\"Message\":\"无权限\"}";
        let xml = "<?xml version='1.0'?><Error><RequestId>25589516-2A56</RequestId><Code>NoPermission</Code></Error>";
        for body in [json, xml] {
            let shown = refused(403, body).unwrap().to_string();
            assert_eq!(shown, "NoPermission (HTTP 403, request 25589516-2A56)");
        }
    }

    #[test]
    fn what_is_no_refusal_is_not_taken_for_one() {
        for body in [
            "",
            "<html><h1>502 Bad Gateway</h1></html>",
            r#"{"RequestId":"1"}"#,
            r#"{"Code":"OK"}"#,
            r#"{"Code":"Success"}"#,
            r#"{"Code":200}"#,
            r#"{"Code":null}"#,
            r#"["Code"]"#,
        ] {
            assert!(refused(200, body).is_none(), "{body}");
        }
    }

    #[test]
    fn a_code_that_does_not_look_like_one_is_never_shown() {
        for hostile in ["<script>", "a b", "LTAI\\n", "", &"x".repeat(129)] {
            assert!(
                refused(400, &format!(r#"{{"Code":"{hostile}"}}"#)).is_none(),
                "{hostile}"
            );
        }
    }

    #[test]
    fn the_message_is_never_part_of_the_error() {
        let body = r#"{"Code":"SignatureDoesNotMatch","Message":"POST&%2F&AccessKeyId%3DLTAIcanary","RequestId":"r"}"#;
        let error = refused(400, body).unwrap();
        let failure = error.failure("yundun-cert:GetCAInstanceStatus");
        assert!(!format!("{error} {error:?} {failure:?}").contains("canary"));
    }

    #[test]
    fn a_token_that_expired_is_told_from_another_parameter_that_is_not_valid() {
        let reason = |message: &str| {
            refused(
                400,
                &format!(r#"{{"Code":"InvalidParameter","Message":"{message}"}}"#),
            )
            .unwrap()
            .reason()
        };
        let named = "The specified parameter SecurityToken.Expired is not valid.";
        assert_eq!(
            (reason(named), reason("InstanceId")),
            (Reason::Authentication, Reason::Request)
        );
    }

    #[test]
    fn a_missing_permission_is_named() {
        let failure = refused(403, r#"{"Code":"NoPermission"}"#)
            .unwrap()
            .failure("yundun-cert:GetCAInstanceStatus");
        assert_eq!(
            failure.detail,
            "NoPermission (HTTP 403); grant the RAM action yundun-cert:GetCAInstanceStatus"
        );
    }

    #[test]
    fn a_used_nonce_is_retried_at_once_and_a_refused_key_never() {
        let retry = |code: &str| refused(400, &format!(r#"{{"Code":"{code}"}}"#)).unwrap().retry();
        assert_eq!(retry("SignatureNonceUsed"), Retry::AtOnce);
        assert_eq!(retry("InternalError"), Retry::Later);
        for refused in [
            "SignatureDoesNotMatch",
            "NoPermission",
            "NotFound",
            "InvalidVersion",
        ] {
            assert_eq!(retry(refused), Retry::Never, "{refused}");
        }
    }
}
