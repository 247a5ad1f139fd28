//! The command line's own file, `~/.aliyun/config.json`: which provider a profile in it stands for.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{
    AccessKey, AssumeRole, CredentialsError, EcsMetadata, Oidc, Provider, Session, Source, Uri, profile, sts,
};
use crate::host::{Env, Host};
use crate::secret::Secret;

const WHAT: &str = "the command line's file";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// Every mode's fields; the command line writes those of other modes as empty texts.
#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the file's own names")]
struct Profile {
    name: String,
    mode: String,
    access_key_id: Option<Secret>,
    access_key_secret: Option<Secret>,
    sts_token: Option<Secret>,
    ram_role_arn: String,
    ram_session_name: String,
    expired_seconds: u64,
    external_id: String,
    policy: String,
    sts_region: String,
    enable_vpc: Option<bool>,
    ram_role_name: String,
    oidc_provider_arn: String,
    oidc_token_file: String,
    source_profile: String,
    credentials_uri: String,
}

/// The provider that the profile `name` (the file's current one otherwise) stands for. Without the file, or without
/// the profile in it, not configured; unless `wanted`, the file was asked for.
pub(super) async fn find(
    host: &Host,
    path: &Path,
    name: Option<&str>,
    wanted: bool,
) -> Result<Provider, CredentialsError> {
    let Some(text) = profile::text(host, path, WHAT).await? else {
        return Err(if wanted {
            failed("the file that cli_file names is not there".to_owned())
        } else {
            CredentialsError::not_configured(profile::NAME, format!("there is no file {}", path.display()))
        });
    };
    // serde_json's errors show no text of the file, but scalars of a wrong type; so only the place is told.
    let file: File = serde_json::from_str(text.expose()).map_err(|error| {
        failed(format!(
            "{WHAT} is not as expected in line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    let current = if file.current.is_empty() {
        "default"
    } else {
        &file.current
    };
    file.provider(name.unwrap_or(current), &host.env, &mut Vec::new())
}

impl File {
    /// `passed` are the profiles that lead to this one.
    fn provider<'f>(
        &'f self,
        name: &'f str,
        env: &Env,
        passed: &mut Vec<&'f str>,
    ) -> Result<Provider, CredentialsError> {
        if passed.contains(&name) {
            return Err(failed(format!(
                "the profiles {} lead back to {name}",
                passed.join(", ")
            )));
        }
        let Some(profile) = self.profiles.iter().find(|profile| profile.name == name) else {
            let why = format!("{WHAT} has no profile {name}");
            // A profile that another one or the file itself names is meant to be there.
            return Err(if passed.is_empty() && name != self.current {
                CredentialsError::not_configured(profile::NAME, why)
            } else {
                failed(why)
            });
        };
        passed.push(name);
        match profile.mode.as_str() {
            "AK" | "" => profile.access_key(false),
            "StsToken" => profile.access_key(true),
            "RamRoleArn" => {
                let with_token = profile
                    .sts_token
                    .as_ref()
                    .is_some_and(|token| !token.expose().is_empty());
                profile.role(env, profile.access_key(with_token)?)
            }
            "ChainableRamRoleArn" => {
                let source = profile.given(&profile.source_profile, "source_profile")?;
                profile.role(env, self.provider(source, env, passed)?)
            }
            "EcsRamRole" => Ok(Provider::EcsMetadata(EcsMetadata {
                role_name: optional(&profile.ram_role_name),
                ..EcsMetadata::default()
            })),
            "OIDC" => Ok(Provider::Oidc(Oidc {
                role_arn: Some(profile.given(&profile.ram_role_arn, "ram_role_arn")?.to_owned()),
                oidc_provider_arn: Some(
                    profile
                        .given(&profile.oidc_provider_arn, "oidc_provider_arn")?
                        .to_owned(),
                ),
                oidc_token_file: Some(profile.given(&profile.oidc_token_file, "oidc_token_file")?.into()),
                session: profile.session(env)?,
            })),
            "CredentialsURI" => Ok(Provider::Uri(Uri {
                uri: Some(profile.given(&profile.credentials_uri, "credentials_uri")?.into()),
            })),
            mode => {
                // A secret in the wrong place is longer, or not of letters alone.
                let is_name = mode.len() <= 24 && mode.bytes().all(|byte| byte.is_ascii_alphabetic());
                let mode = if is_name { mode } else { "(not shown)" };
                Err(failed(format!(
                    "profile {name} has the mode {mode}, which is not supported; use AK, StsToken, RamRoleArn, \
                     ChainableRamRoleArn, EcsRamRole, OIDC or CredentialsURI"
                )))
            }
        }
    }
}

impl Profile {
    fn access_key(&self, with_token: bool) -> Result<Provider, CredentialsError> {
        let part = |part: &Option<Secret>, key: &str| {
            let given = part.clone().filter(|part| !part.expose().is_empty());
            given.map(Source::Inline).ok_or_else(|| self.missing(key))
        };
        Ok(Provider::AccessKey(AccessKey {
            access_key_id: part(&self.access_key_id, "access_key_id")?,
            access_key_secret: part(&self.access_key_secret, "access_key_secret")?,
            security_token: with_token
                .then(|| part(&self.sts_token, "sts_token"))
                .transpose()?,
        }))
    }

    fn role(&self, env: &Env, source: Provider) -> Result<Provider, CredentialsError> {
        Ok(Provider::AssumeRole(Box::new(AssumeRole {
            role_arn: self.given(&self.ram_role_arn, "ram_role_arn")?.to_owned(),
            external_id: optional(&self.external_id),
            session: self.session(env)?,
            source,
        })))
    }

    fn session(&self, env: &Env) -> Result<Session, CredentialsError> {
        let region = optional(&self.sts_region);
        let endpoint = (region.is_some() || self.enable_vpc.is_some())
            .then(|| sts::regional(env, region.as_deref(), self.enable_vpc));
        Ok(Session {
            name: optional(&self.ram_session_name),
            policy: optional(&self.policy),
            duration: (self.expired_seconds > 0).then(|| Duration::from_secs(self.expired_seconds)),
            sts_endpoint: endpoint.transpose().map_err(|_| {
                failed(format!(
                    "profile {} has an sts_region (or ALIBABA_CLOUD_STS_REGION names one) that is none",
                    self.name
                ))
            })?,
        })
    }

    fn given<'f>(&self, value: &'f str, key: &str) -> Result<&'f str, CredentialsError> {
        if value.is_empty() {
            Err(self.missing(key))
        } else {
            Ok(value)
        }
    }

    fn missing(&self, key: &str) -> CredentialsError {
        let mode = if self.mode.is_empty() { "AK" } else { &self.mode };
        failed(format!("profile {} has the mode {mode} and no {key}", self.name))
    }
}

fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn failed(why: String) -> CredentialsError {
    CredentialsError::failed(profile::NAME, why)
}
