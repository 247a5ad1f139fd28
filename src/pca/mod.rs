//! The API of private certificate authorities: which call to make for what, and what its answer means.

mod decode;
mod endpoint;
mod wire;

use std::collections::BTreeMap;

use crate::aliyun::budget::Slot;
use crate::aliyun::client::Client;
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::error::CallError;
use crate::aliyun::request::Request;
use crate::model::{InstanceId, InstanceStatus};

pub use endpoint::of_region;

/// The action that tells the state of an instance; it allows 10 calls a second for each user.
pub const GET_CA_INSTANCE_STATUS: &str = "GetCAInstanceStatus";

/// The permission for [`GET_CA_INSTANCE_STATUS`].
pub const GET_CA_INSTANCE_STATUS_RAM_ACTION: &str = "yundun-cert:GetCAInstanceStatus";

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

impl Pca {
    /// Asks for the state of one instance, once.
    pub async fn instance_status(
        &self,
        slot: Slot,
        endpoint: &Endpoint,
        id: &InstanceId,
    ) -> Result<Answer, CallError> {
        let request = Request {
            endpoint: endpoint.clone(),
            version: VERSION,
            action: GET_CA_INSTANCE_STATUS,
            ram_action: GET_CA_INSTANCE_STATUS_RAM_ACTION,
            parameters: BTreeMap::from([("InstanceId".to_owned(), id.to_string())]),
        };
        self.0
            .call(slot, &request, |json| decode::instance_status(json, id))
            .await
    }
}
