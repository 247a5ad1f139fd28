//! The neutral words that every part speaks: accounts, instances, what an answer said, why a poll failed.
//!
//! Nothing here knows the API's wire format, the configuration's shape or the text of a metric.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Name of a configured account, the `account` label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Arc<str>);

/// Id of a private CA instance (`cas-member-…`), the `instance_id` label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

/// Id of a certificate (`160ae6bb538d538c70c01f81dcf2…`), the API's other key to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateIdentifier(Arc<str>);

/// Milliseconds since 1970-01-01T00:00:00Z, the unit of every time in the API.
///
/// Not a calendar type on purpose: a certificate without a well-defined end carries 9999-12-31T23:59:59Z
/// (RFC 5280, 4.1.2.5), which lies beyond what calendar libraries hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

/// An instance to poll, and how the user wants it shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The account whose key and budget the calls use.
    pub account: AccountName,
    /// The `InstanceId` to ask for.
    pub instance_id: InstanceId,
    /// The region whose endpoint is asked, such as `cn-hangzhou`.
    pub region: String,
    /// The user's name for the instance.
    pub name: Option<String>,
    /// The user's labels, on every series of the instance.
    pub labels: BTreeMap<String, String>,
}

/// What one answer of `GetCAInstanceStatus` says about one instance; an absent field was not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceStatus {
    /// `Status`: BUY, USED, REFUND, REVOKE, or a word unknown today.
    pub status: Option<String>,
    /// `Type`: ROOT, `SUB_ROOT`, or a word unknown today.
    pub ca_type: Option<String>,
    /// `CertIssuedCount`: how many certificates the instance has issued.
    pub certificates_issued: Option<i64>,
    /// `CertTotalCount`: how many certificates the instance can issue.
    pub certificates_quota: Option<i64>,
    /// `BeforeTime`: not-before of the CA's own certificate.
    pub not_before: Option<UnixMillis>,
    /// `AfterTime`: not-after of the CA's own certificate.
    pub not_after: Option<UnixMillis>,
    /// `UseExpireTime`: end of the paid subscription.
    pub subscription_expiry: Option<UnixMillis>,
    /// `Identifier`: the id of the CA's own certificate.
    pub certificate_identifier: Option<String>,
}

/// How one poll ended.
pub type Outcome = Result<InstanceStatus, Failure>;

/// Why a poll failed: the closed reason for metrics, and words for the log and the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The `reason` label.
    pub reason: Reason,
    /// What happened and what to do; holds no secret, no URL and no body.
    pub detail: String,
}

/// The closed set behind the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The API refused the call because too many were made.
    Throttled,
    /// The API failed: one of its codes for that, or 5xx without a code.
    Server,
    /// The API found the call's time stamp too far from its own clock.
    Clock,
    /// The API did not accept the key, the signature or the token.
    Authentication,
    /// The key is good and may not make this call.
    Forbidden,
    /// The API does not know the instance.
    NotFound,
    /// The API did not understand the call: a wrong endpoint, or a defect here.
    Request,
    /// Another HTTP status without a code of the API: something in between answered.
    Http,
    /// No whole answer within the timeout.
    Timeout,
    /// No connection, or the connection broke before the answer.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// An answer that is not what the API documents.
    Decode,
    /// No credentials to sign with.
    Credentials,
    /// A code of the API that is unknown today.
    Other,
}

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for AccountName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl InstanceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for InstanceId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CertificateIdentifier {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CertificateIdentifier {
    fn from(identifier: &str) -> Self {
        Self(identifier.into())
    }
}

impl fmt::Display for CertificateIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UnixMillis {
    /// The same instant in whole seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Seconds from `earlier` to this instant, negative if this one is the earlier.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the millisecond for 285,000 years"
    )]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (i128::from(self.0) - i128::from(earlier.0)) as f64 / 1000.0
    }
}

/// RFC 3339 in UTC and whole seconds, as the API wants its time stamps; plain seconds beyond the calendar.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        match jiff::Timestamp::from_second(seconds) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{seconds}s after 1970"),
        }
    }
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Throttled,
        Self::Server,
        Self::Clock,
        Self::Authentication,
        Self::Forbidden,
        Self::NotFound,
        Self::Request,
        Self::Http,
        Self::Timeout,
        Self::Connect,
        Self::Tls,
        Self::Decode,
        Self::Credentials,
        Self::Other,
    ];

    /// The value of the `reason` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Clock => "clock",
            Self::Authentication => "authentication",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Request => "request",
            Self::Http => "http",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Decode => "decode",
            Self::Credentials => "credentials",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_as_the_api_writes_it() {
        assert_eq!(UnixMillis(1_765_843_200_000).to_string(), "2025-12-16T00:00:00Z");
    }

    #[test]
    fn a_fraction_of_a_second_is_cut_not_rounded_into_the_future() {
        assert_eq!(UnixMillis(1_765_843_200_999).to_string(), "2025-12-16T00:00:00Z");
    }

    #[test]
    fn the_certificate_that_never_expires_is_held_exactly() {
        let never = UnixMillis::from_seconds(253_402_300_799);
        assert!((never.seconds_since(UnixMillis(0)) - 253_402_300_799.0).abs() < f64::EPSILON);
        assert_eq!(never.to_string(), "253402300799s after 1970");
    }
}
