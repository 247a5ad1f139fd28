//! The API of private certificate authorities: which call to make for what, and what its answer means.

mod decode;
mod endpoint;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use crate::aliyun::budget::Slot;
use crate::aliyun::client::Client;
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::error::CallError;
use crate::aliyun::request::Request;
use crate::model::{CertificateIdentifier, InstanceId, InstanceStatus};

pub use endpoint::{Endpoints, of_region};

/// The action that tells the state of an instance; it allows 10 calls a second for each user.
pub const GET_CA_INSTANCE_STATUS: &str = "GetCAInstanceStatus";

/// The permission for [`GET_CA_INSTANCE_STATUS`].
pub const GET_CA_INSTANCE_STATUS_RAM_ACTION: &str = "yundun-cert:GetCAInstanceStatus";

/// The action that lists an account's CA certificates; it allows 10 calls a second of its own for each user.
pub const LIST_PCA_CA_CERTIFICATE: &str = "ListPcaCaCertificate";

/// The permission for [`LIST_PCA_CA_CERTIFICATE`].
pub const LIST_PCA_CA_CERTIFICATE_RAM_ACTION: &str = "yundun-cert:ListPcaCaCertificate";

/// Entries of a page: 2,000 are allowed, and 1,000 are some 400 kB.
const PAGE: &str = "1000";

/// The version of the Certificate Management Service's API.
const VERSION: &str = "2020-06-30";

/// The operations, for one account.
#[derive(Clone, Debug)]
pub struct Pca(pub Client);

/// What an answer said about one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The instance's state.
    pub status: InstanceStatus,
    /// The answer named the instance more than once; the entry in use, and the latest among those, was taken.
    pub duplicated: bool,
}

/// A page of an account's CA certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries that name an instance.
    pub certificates: Vec<CaCertificate>,
    /// What to ask for the next page with; nothing on the last one.
    pub next: Option<String>,
}

/// A CA certificate, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    /// `PrivateCaInstanceId`.
    pub instance_id: InstanceId,
    /// `CertIdentifier`.
    pub identifier: Option<String>,
    /// `CommonName`.
    pub common_name: Option<String>,
    /// `PrivateCaRegionId`.
    pub region: Option<String>,
}

impl Pca {
    /// Asks for the state of one instance, once.
    pub async fn instance_status(
        &self,
        slot: Slot,
        endpoint: &Endpoint,
        id: &InstanceId,
    ) -> Result<Answer, CallError> {
        let request = status(endpoint, "InstanceId", id.as_str());
        self.0
            .call(slot, &request, |json| decode::instance_status(json, id))
            .await
    }

    /// Asks which instances stand behind a certificate, once.
    pub async fn instances_of(
        &self,
        slot: Slot,
        endpoint: &Endpoint,
        certificate: &CertificateIdentifier,
    ) -> Result<BTreeSet<InstanceId>, CallError> {
        let request = status(endpoint, "Identifier", certificate.as_str());
        self.0.call(slot, &request, decode::instance_ids).await
    }

    /// Asks for a page of the account's CA certificates, once; the first one without a `token`.
    pub async fn ca_certificates(
        &self,
        slot: Slot,
        endpoint: &Endpoint,
        token: Option<&str>,
    ) -> Result<Page, CallError> {
        let mut parameters = BTreeMap::from([("MaxResults".to_owned(), PAGE.to_owned())]);
        if let Some(token) = token {
            parameters.insert("NextToken".to_owned(), token.to_owned());
        }
        let request = Request {
            endpoint: endpoint.clone(),
            version: VERSION,
            action: LIST_PCA_CA_CERTIFICATE,
            ram_action: LIST_PCA_CA_CERTIFICATE_RAM_ACTION,
            parameters,
        };
        self.0.call(slot, &request, decode::ca_certificates).await
    }
}

/// The question for the state of what a parameter names.
fn status(endpoint: &Endpoint, parameter: &str, value: &str) -> Request {
    Request {
        endpoint: endpoint.clone(),
        version: VERSION,
        action: GET_CA_INSTANCE_STATUS,
        ram_action: GET_CA_INSTANCE_STATUS_RAM_ACTION,
        parameters: BTreeMap::from([(parameter.to_owned(), value.to_owned())]),
    }
}
