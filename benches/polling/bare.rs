//! The bare client that the exporter's cost is held against: the same HTTP client, the same signatures, the same number
//! of calls at a time at the same pace, and nothing else. No configuration, decoding, store, metrics or log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::aliyun::credentials::Credentials;
use aliyun_pca_exporter::aliyun::endpoint::Endpoint;
use aliyun_pca_exporter::aliyun::request::Request;
use aliyun_pca_exporter::aliyun::sign::{Scheme, sign};
use aliyun_pca_exporter::host::{Clock, HttpClient, Random, Transport as _};
use aliyun_pca_exporter::pca::{GET_CA_INSTANCE_STATUS, GET_CA_INSTANCE_STATUS_RAM_ACTION};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{INSTANCES, LIMIT, cloud};

/// Its key.
pub(crate) const ID: &str = "bare";
pub(crate) const SECRET: &str = "bare-secret";

/// The user whose key that is.
pub(crate) const USER: &str = "bare";

/// The API's version.
const VERSION: &str = "2020-06-30";

/// As the exporter has it by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a slot of the budget rests after each call.
const REST: Duration = Duration::from_secs(1);

/// Calls as the exporter's slots let it call, each a loop of its own, and throws the answers away.
pub(crate) async fn call_until_killed(endpoint: &Endpoint) -> anyhow::Result<()> {
    let client = HttpClient::direct(TIMEOUT)?;
    let random = Random::system();
    let credentials = Arc::new(Credentials {
        access_key_id: ID.to_owned(),
        access_key_secret: SECRET.into(),
        security_token: None,
        life: None,
        provider: "access_key".to_owned(),
        role: None,
    });
    let mut loops = JoinSet::new();
    for first in 0..u32::from(LIMIT) {
        let (client, random) = (client.clone(), random.clone());
        let (endpoint, credentials) = (endpoint.clone(), Arc::clone(&credentials));
        loops.spawn(async move {
            for number in (first..INSTANCES).step_by(LIMIT.into()).cycle() {
                let request = Request {
                    endpoint: endpoint.clone(),
                    version: VERSION,
                    action: GET_CA_INSTANCE_STATUS,
                    ram_action: GET_CA_INSTANCE_STATUS_RAM_ACTION,
                    parameters: BTreeMap::from([("InstanceId".to_owned(), cloud::instance_id(number))]),
                };
                let (time, nonce) = (Clock::system().now(), random.nonce());
                let signed = sign(Scheme::default(), &request, &credentials, time, &nonce);
                // One in fifty is dropped by the network; it was a call all the same.
                if let Ok(response) = client.send(signed).await {
                    let _ = response.body.await;
                }
                sleep(REST).await;
            }
        });
    }
    loops.join_all().await;
    Ok(())
}
