//! A CA certificate, in the API's own words. Every field but the two ids may be missing, as in the API.

use serde::{Deserialize, Serialize};

use super::instance::Instance;

/// Where an instance is unless something else is said: the API's default region.
const REGION: &str = "cn-hangzhou";

/// The account that everything belongs to.
const ACCOUNT_ID: &str = "1234567890123456";

/// One entry of the `List` of `ListPcaCaCertificate`.
/// <https://www.alibabacloud.com/help/en/ssl-certificate/developer-reference/api-cas-2020-06-30-listpcacacertificate>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct CaCertificate {
    /// `CertIdentifier`: the certificate's id.
    pub cert_identifier: String,
    /// `Status`: ISSUE, REVOKE, or any other word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `CommonName`: that of the certificate's subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// `IssuerIdentifier`: the id of the certificate that it was issued by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_identifier: Option<String>,
    /// `PrivateCaInstanceId`: whose certificate it is. The world need not have such an instance.
    pub private_ca_instance_id: String,
    /// `PrivateCaRegionId`: where that instance is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ca_region_id: Option<String>,
    /// `UserId`: the account's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl CaCertificate {
    /// A certificate in force, in cn-hangzhou, whose common name is the instance's id; nothing is said of its issuer.
    pub fn new(identifier: &str, instance_id: &str) -> Self {
        Self {
            cert_identifier: identifier.to_owned(),
            status: Some("ISSUE".to_owned()),
            common_name: Some(instance_id.to_owned()),
            issuer_identifier: None,
            private_ca_instance_id: instance_id.to_owned(),
            private_ca_region_id: Some(REGION.to_owned()),
            user_id: Some(ACCOUNT_ID.to_owned()),
        }
    }

    /// The one that an instance tells of; none for an instance that has none, being bought and not enabled.
    pub(super) fn of(instance: &Instance) -> Option<Self> {
        let mut own = Self::new(instance.identifier.as_ref()?, &instance.instance_id);
        if instance.status.as_deref() == Some("REVOKE") {
            own.status.clone_from(&instance.status);
        }
        Some(own)
    }
}
