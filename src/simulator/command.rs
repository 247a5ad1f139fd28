//! What a world can be told, in JSON, and doing it. How a command gets here is for `control`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::ca_certificate::CaCertificate;
use super::cas::UnknownInstance;
use super::credentials_uri::CredentialsUri;
use super::fault::{Fault, FaultId};
use super::instance::Instance;
use super::metadata::Metadata;
use super::network::Network;
use super::role::Role;
use super::rules::Key;
use super::world::World;
use crate::model::UnixMillis;
use crate::secret::Secret;

/// What a world can be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Sets a fault; the answer has its `id`.
    SetFault(Fault),
    /// Removes a fault by its id.
    RemoveFault(FaultId),
    /// Removes every fault.
    ClearFaults {},
    /// Adds an instance or replaces the one with its id; the fields are named as in the API.
    PutInstance(Instance),
    /// Removes the instance with this id.
    RemoveInstance(String),
    /// Says which instance issued a client or server certificate.
    PutCertificate {
        /// The certificate's id.
        identifier: String,
        /// The instance's id.
        instance_id: String,
    },
    /// Adds a CA certificate or replaces the one with its identifier, an instance's too; the fields are named as in
    /// the API.
    PutCaCertificate(CaCertificate),
    /// Removes the CA certificate with this identifier that was put.
    RemoveCaCertificate(String),
    /// Sets how a question about an unknown instance is answered.
    SetUnknownInstance(UnknownInstance),
    /// Adds a key or replaces what belongs to its id.
    PutKey {
        /// The key's id.
        access_key_id: String,
        /// Its secret.
        access_key_secret: Secret,
        /// The token that must come with it.
        #[serde(default)]
        security_token: Option<Secret>,
        /// Whose it is.
        user: String,
    },
    /// Refuses a user's calls of an action.
    Deny {
        /// The user.
        user: String,
        /// The action.
        action: String,
    },
    /// Takes that back.
    Allow {
        /// The user.
        user: String,
        /// The action.
        action: String,
    },
    /// Sets whether the actions that the API answers over https only are answered over http too.
    AllowHttp(bool),
    /// Sets how many calls any sliding second may hold for a user and action.
    SetLimit {
        /// The user.
        user: String,
        /// The calls.
        calls: usize,
    },
    /// The same for calls of STS.
    SetStsLimit {
        /// The user.
        user: String,
        /// The calls.
        calls: usize,
    },
    /// Adds a role or replaces the one with its ARN.
    PutRole(Role),
    /// Says that an identity provider has issued a token.
    PutOidcToken {
        /// The provider's ARN.
        provider_arn: String,
        /// The token.
        token: Secret,
        /// After how many seconds it is of no use (0: at once); never, if left out.
        #[serde(default)]
        expires_in: Option<i64>,
    },
    /// Sets what the metadata service shows; null for no such service.
    SetMetadata(Option<Metadata>),
    /// Sets where keys are handed out to whoever asks; null for nowhere.
    SetCredentialsUri(Option<CredentialsUri>),
    /// Sets the cloud's clock this many seconds ahead (or, negative, behind).
    SetClockOffset(i64),
    /// Sets the delays and losses.
    SetNetwork(Network),
}

impl World {
    /// Does what a command says; what there is to tell about it, or why there was nothing to do it to.
    pub fn obey(&self, command: Command) -> Result<Value, &'static str> {
        let found = |found: bool, what| found.then_some(()).ok_or(what);
        match command {
            Command::SetFault(fault) => return Ok(json!({ "id": self.set_fault(fault) })),
            Command::RemoveFault(id) => found(self.remove_fault(id), "there is no fault with this id")?,
            Command::ClearFaults {} => self.clear_faults(),
            Command::PutInstance(instance) => self.put_instance(instance),
            Command::RemoveInstance(id) => {
                found(self.remove_instance(&id), "there is no instance with this id")?;
            }
            Command::PutCertificate {
                identifier,
                instance_id,
            } => self.put_certificate(&identifier, &instance_id),
            Command::PutCaCertificate(certificate) => self.put_ca_certificate(certificate),
            Command::RemoveCaCertificate(identifier) => found(
                self.remove_ca_certificate(&identifier),
                "no CA certificate with this identifier was put",
            )?,
            Command::Deny { user, action } => self.deny(&user, &action),
            Command::Allow { user, action } => self.allow(&user, &action),
            Command::AllowHttp(allowed) => self.allow_http(allowed),
            Command::SetUnknownInstance(answer) => self.set_unknown_instance(answer),
            Command::PutKey {
                access_key_id,
                access_key_secret: secret,
                security_token: token,
                user,
            } => self.put_key(
                &access_key_id,
                Key {
                    user,
                    secret,
                    token,
                    expires: None,
                },
            ),
            Command::SetLimit { user, calls } => self.set_limit(&user, calls),
            Command::SetStsLimit { user, calls } => self.set_sts_limit(&user, calls),
            Command::PutRole(role) => self.put_role(role),
            Command::PutOidcToken {
                provider_arn,
                token,
                expires_in,
            } => {
                let end =
                    |seconds: i64| UnixMillis(self.now().0.saturating_add(seconds.saturating_mul(1000)));
                self.put_oidc_token(&provider_arn, token.expose(), expires_in.map(end));
            }
            Command::SetMetadata(metadata) => self.set_metadata(metadata),
            Command::SetCredentialsUri(uri) => self.set_credentials_uri(uri),
            Command::SetClockOffset(seconds) => self.set_clock_offset(seconds.saturating_mul(1000)),
            Command::SetNetwork(network) => self.set_network(network),
        }
        Ok(json!({}))
    }
}
