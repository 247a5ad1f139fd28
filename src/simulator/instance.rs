//! A private CA instance, in the API's own words. Every field but the id may be missing, as in the API.

use serde::{Deserialize, Serialize};

/// One entry of `InstanceStatusList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Instance {
    /// `InstanceId`.
    pub instance_id: String,
    /// `Status`: BUY, USED, REFUND, REVOKE, or any other word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `Type`: ROOT, `SUB_ROOT`, or any other word.
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub ca_type: Option<String>,
    /// `CertTotalCount`: the quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_total_count: Option<i64>,
    /// `CertIssuedCount`: how much of it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_issued_count: Option<i64>,
    /// `BeforeTime`: not-before of the CA's own certificate, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_time: Option<i64>,
    /// `AfterTime`: not-after of the CA's own certificate, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_time: Option<i64>,
    /// `UseExpireTime`: end of the subscription, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_expire_time: Option<i64>,
    /// `Identifier`: the id of the CA's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
}
