//! The product itself (Certificate Management Service, `cas`): its actions, its instances, and their status. The list
//! of CA certificates, page by page, is in `ca_certificate_list`.
//!
//! An action of the product belongs here; another product (STS, say) is a file of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ca_certificate::CaCertificate;
use super::ca_certificate_list::NextTokens;
use super::error::ApiError;
use super::instance::Instance;

/// The version of the product's API.
const VERSION: &str = "2020-06-30";

const STATUS: &str = "GetCAInstanceStatus";

/// Answered over https only.
const LIST: &str = "ListPcaCaCertificate";

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
    /// CA certificates beside those that the instances tell of, or in place of them; by identifier.
    pub(super) ca_certificates: BTreeMap<String, CaCertificate>,
    pub(super) unknown: UnknownInstance,
    pub(super) next_tokens: NextTokens,
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
        } else if !matches!(action, STATUS | LIST) {
            Err(ApiError::new(
                "InvalidAction.NotFound",
                404,
                "Specified api is not found, please check your url and method.",
            ))
        } else {
            Ok(())
        }
    }

    /// Whether an action is refused over plain http.
    pub(super) fn is_https_only(action: &str) -> bool {
        action == LIST
    }

    /// What the answer of an action is where there is nothing to tell of.
    pub(super) fn nothing(action: &str) -> Value {
        let list = if action == LIST {
            "List"
        } else {
            "InstanceStatusList"
        };
        json!({ list: [] })
    }

    /// The answer of an action that passed `check`, without its `RequestId`.
    pub(super) fn answer(
        &mut self,
        action: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Value, ApiError> {
        if action == LIST {
            self.ca_certificate_list(parameters)
        } else {
            self.instance_status(parameters)
        }
    }

    /// The instance that a call is about: by `InstanceId`, else by `Identifier`, of a certificate or of one of
    /// the CA's own.
    pub(super) fn asked_for<'a>(&'a self, parameters: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let given = |name| parameters.get(name).filter(|value| !value.is_empty());
        if let Some(id) = given("InstanceId") {
            return Some(id);
        }
        let identifier = given("Identifier")?;
        let issuer = self.certificates.get(identifier);
        let put = || self.ca_certificates.get(identifier);
        let own = || {
            let mut instances = self.instances.values();
            instances.find(|instance| instance.identifier.as_ref() == Some(identifier))
        };
        // An identifier that leads nowhere stands for itself: it is unknown like an unknown id.
        Some(
            issuer
                .or_else(|| put().map(|put| &put.private_ca_instance_id))
                .or_else(|| own().map(|own| &own.instance_id))
                .unwrap_or(identifier),
        )
    }

    /// The answer of `GetCAInstanceStatus`, without its `RequestId`. Neither parameter: every instance.
    fn instance_status(&self, parameters: &BTreeMap<String, String>) -> Result<Value, ApiError> {
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
