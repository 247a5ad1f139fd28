//! The product itself (Certificate Management Service, `cas`): its instances, and what its actions say about them.
//!
//! An action of the product belongs here; another product (STS, say) is a file of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::instance::Instance;

/// The version of the product's API.
const VERSION: &str = "2020-06-30";

/// The one action so far.
const STATUS: &str = "GetCAInstanceStatus";

/// How the API answers a question about an instance that does not exist; which one it is in truth is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownInstance {
    /// `NotFound`, 400.
    #[default]
    NotFound,
    /// `NotFound.Instance`, 404.
    NotFoundInstance,
    /// 200 with an empty list.
    EmptyList,
}

impl UnknownInstance {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::NotFound, Self::NotFoundInstance, Self::EmptyList];
}

/// The state of the product.
#[derive(Debug, Default)]
pub(super) struct Cas {
    pub(super) instances: BTreeMap<String, Instance>,
    /// Certificate identifier to the id of the instance that issued it.
    pub(super) certificates: BTreeMap<String, String>,
    pub(super) unknown: UnknownInstance,
}

impl Cas {
    /// Whether the product has this action in this version.
    pub(super) fn check(version: &str, action: &str) -> Result<(), ApiError> {
        if version != VERSION {
            Err(ApiError::new(
                "InvalidVersion",
                400,
                "Specified parameter Version is not valid.",
            ))
        } else if action != STATUS {
            Err(ApiError::new(
                "InvalidAction.NotFound",
                404,
                "Specified api is not found, please check your url and method.",
            ))
        } else {
            Ok(())
        }
    }

    /// The instance that a call is about: by `InstanceId`, else by `Identifier`, of a certificate or of the CA's own.
    pub(super) fn asked_for<'a>(&'a self, parameters: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let given = |name| parameters.get(name).filter(|value| !value.is_empty());
        if let Some(id) = given("InstanceId") {
            return Some(id);
        }
        let identifier = given("Identifier")?;
        let issuer = self.certificates.get(identifier);
        let own = || {
            let mut instances = self.instances.values();
            instances.find(|instance| instance.identifier.as_ref() == Some(identifier))
        };
        // An identifier that leads nowhere stands for itself: it is unknown like an unknown id.
        Some(
            issuer
                .or_else(|| own().map(|own| &own.instance_id))
                .unwrap_or(identifier),
        )
    }

    /// The answer of `GetCAInstanceStatus`, without its `RequestId`. Neither parameter: every instance.
    pub(super) fn instance_status(&self, parameters: &BTreeMap<String, String>) -> Result<Value, ApiError> {
        let list: Vec<&Instance> = match self.asked_for(parameters) {
            None => self.instances.values().collect(),
            Some(id) => self.instances.get(id).into_iter().collect(),
        };
        let refusal = |code, status| {
            Err(ApiError::new(
                code,
                status,
                "The specified resource is not found.",
            ))
        };
        match self.unknown {
            UnknownInstance::NotFound if list.is_empty() => refusal("NotFound", 400),
            UnknownInstance::NotFoundInstance if list.is_empty() => refusal("NotFound.Instance", 404),
            _ => Ok(json!({ "InstanceStatusList": list })),
        }
    }
}
