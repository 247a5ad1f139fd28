//! The Security Token Service (`sts`): who gets a session of which role, and with which words others are refused.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>
//! <https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-errorcodes>

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::ApiError;
use super::role::Role;
use super::sessions::{DURATIONS, Sessions, Wish, default_duration};
use crate::model::UnixMillis;
use crate::secret::Secret;

/// The version of the service's API.
const VERSION: &str = "2015-04-01";

/// The action that is signed with another key.
pub(super) const ASSUME_ROLE: &str = "AssumeRole";

/// The action that brings an identity provider's token instead.
pub(super) const ASSUME_ROLE_WITH_OIDC: &str = "AssumeRoleWithOIDC";

/// The calls of one user and action that any sliding second may hold (6,000 a minute), where nothing else is set.
pub const DEFAULT_STS_LIMIT: usize = 100;

/// The state of the service.
#[derive(Debug, Default)]
pub(super) struct Sts {
    /// By ARN.
    pub(super) roles: BTreeMap<String, Role>,
    /// The tokens that each identity provider has issued, by its ARN.
    pub(super) providers: BTreeMap<String, Vec<OidcToken>>,
    /// By user.
    pub(super) limits: BTreeMap<String, usize>,
}

/// A token that an identity provider has issued.
#[derive(Clone, Debug)]
pub(super) struct OidcToken {
    pub(super) text: Secret,
    /// From when it is of no use; never for none.
    pub(super) expires: Option<UnixMillis>,
}

/// Who wants to take on a role.
pub(super) enum Asker<'a> {
    /// A user, with one of its keys.
    User { name: &'a str, access_key_id: &'a str },
    /// Whoever has this token of this identity provider.
    Provider { arn: &'a str, token: &'a str },
}

impl Sts {
    /// Whether an action is of this service.
    pub(super) fn has(action: &str) -> bool {
        matches!(action, ASSUME_ROLE | ASSUME_ROLE_WITH_OIDC)
    }

    /// Whether the service has this version.
    pub(super) fn check(version: &str) -> Result<(), ApiError> {
        if version == VERSION {
            Ok(())
        } else {
            Err(ApiError::new(
                "InvalidVersion",
                400,
                "Specified parameter Version is not valid.",
            ))
        }
    }

    /// How many calls of each action any sliding second may hold for a user.
    pub(super) fn limit(&self, user: &str) -> usize {
        self.limits.get(user).copied().unwrap_or(DEFAULT_STS_LIMIT)
    }

    /// The answer of both actions, without its `RequestId`.
    pub(super) fn assume_role(
        &self,
        asker: &Asker<'_>,
        parameters: &BTreeMap<String, String>,
        now: UnixMillis,
        sessions: &mut Sessions,
    ) -> Result<Value, ApiError> {
        let arn = mandatory(parameters, "RoleArn")?;
        if !(arn.starts_with("acs:ram::") && arn.contains(":role/")) {
            return Err(malformed("RoleArn"));
        }
        let name = mandatory(parameters, "RoleSessionName")?;
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
        if !(2..=64).contains(&name.len()) || !name.bytes().all(of_a_name) {
            return Err(malformed("RoleSessionName"));
        }
        let policy = parameters.get("Policy").map_or("", String::as_str);
        if parameters.contains_key("Policy") && !is_policy(policy) {
            return Err(ApiError::new(
                "InvalidParameter.PolicyGrammar",
                400,
                "The parameter Policy has not passed grammar check.",
            ));
        }
        let wanted = parameters.get("DurationSeconds").map_or("", String::as_str);
        let seconds = duration(wanted)?;
        asker.check(&self.providers, now)?;
        let role = self
            .roles
            .get(arn)
            .ok_or_else(|| ApiError::new("EntityNotExist.Role", 404, "The specified Role not exists ."))?;
        let external_id = parameters.get("ExternalId");
        asker.check_trust(role, external_id)?;
        if seconds > role.longest_seconds {
            return Err(ApiError::new(
                "InvalidParameter.DurationSeconds",
                400,
                "The specified DurationSeconds exceeds the MaxSessionDuration set for this Role.",
            ));
        }
        let (source, proof) = asker.words();
        let external_id = external_id.map_or("", String::as_str);
        let wish = Wish {
            asked: vec![source, proof, arn, name, wanted, policy, external_id],
            user: &role.user,
            lasts: Duration::from_secs(seconds),
        };
        let session = sessions.issue(&wish, now);
        Ok(json!({
            "AssumedRoleUser": {
                "Arn": format!("{arn}/{name}"),
                "AssumedRoleId": format!("344584339364951186:{name}"),
            },
            "Credentials": session.json(),
        }))
    }
}

impl Asker<'_> {
    /// Whether it is who it says; a user has been asked for its signature before.
    fn check(&self, providers: &BTreeMap<String, Vec<OidcToken>>, now: UnixMillis) -> Result<(), ApiError> {
        let Self::Provider { arn, token } = self else {
            return Ok(());
        };
        let refusal = |code, message| Err(ApiError::new(code, 401, message));
        let Some(tokens) = providers.get(*arn) else {
            return refusal(
                "AuthenticationFail.NoPermission",
                "No such OIDC Provider registered.",
            );
        };
        match tokens.iter().find(|known| known.text.expose() == *token) {
            None => refusal(
                "AuthenticationFail.OIDCToken.Invalid",
                "The Jwt content is invalid that cannot be recognized.",
            ),
            Some(known) if known.expires.is_some_and(|end| now >= end) => refusal(
                "AuthenticationFail.OIDCToken.Expired",
                "This JsonWebToken is expired.",
            ),
            Some(_) => Ok(()),
        }
    }

    fn check_trust(&self, role: &Role, external_id: Option<&String>) -> Result<(), ApiError> {
        match self {
            Self::User { name, .. } => {
                let named = role.external_id.is_none() || role.external_id.as_ref() == external_id;
                if role.trusted.contains(*name) && named {
                    return Ok(());
                }
                Err(ApiError::no_permission())
            }
            Self::Provider { arn, .. } if role.trusted.contains(*arn) => Ok(()),
            Self::Provider { .. } => Err(ApiError::new(
                "AuthenticationFail.NoPermission",
                401,
                "There is no permission",
            )),
        }
    }

    /// Who it is, and by what it shows that.
    fn words(&self) -> (&str, &str) {
        match self {
            Self::User { name, access_key_id } => (name, access_key_id),
            Self::Provider { arn, token } => (arn, token),
        }
    }
}

fn mandatory<'p>(parameters: &'p BTreeMap<String, String>, name: &str) -> Result<&'p str, ApiError> {
    let given = parameters.get(name).filter(|value| !value.is_empty());
    given.map(String::as_str).ok_or_else(|| {
        ApiError::new(
            &format!("Missing{name}"),
            400,
            format!("{name} is mandatory for this action."),
        )
    })
}

fn malformed(name: &str) -> ApiError {
    ApiError::new(
        &format!("InvalidParameter.{name}"),
        400,
        format!("The parameter {name} is wrongly formed."),
    )
}

fn is_policy(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|policy| policy["Statement"].is_array())
}

/// In seconds; an hour where nothing is said.
fn duration(wanted: &str) -> Result<u64, ApiError> {
    if wanted.is_empty() {
        return Ok(default_duration());
    }
    let seconds = wanted.parse().ok();
    seconds
        .filter(|seconds| DURATIONS.contains(seconds))
        .ok_or_else(|| {
            ApiError::new(
                "InvalidParameter.DurationSeconds",
                400,
                "The Min/Max value of DurationSeconds is 15min/12hr.",
            )
        })
}
