//! What to call: an action of a product's API with its parameters. Not yet signed, bound to no time.

use std::collections::BTreeMap;

use super::endpoint::Endpoint;

/// One call of an RPC-style API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to send it.
    pub endpoint: Endpoint,
    /// The API's version, such as `2020-06-30`.
    pub version: &'static str,
    /// The action, such as `GetCAInstanceStatus`.
    pub action: &'static str,
    /// The permission that it needs, such as `yundun-cert:GetCAInstanceStatus`.
    pub ram_action: &'static str,
    /// The action's own parameters, not encoded.
    pub parameters: BTreeMap<String, String>,
}
