//! The role of the ECS instance that this runs on, from the metadata service, in its newer form (with a token) and
//! its older one. <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>

use std::time::Duration;

use hyper::{Method, StatusCode};

use super::fetch::{Fetch, HandedOut, Plain};
use super::{Credentials, CredentialsError};
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::error::{CallError, is_plain};
use crate::aliyun::sign::encode::encode;
use crate::host::TransportError;
use crate::secret::Secret;

pub(super) const NAME: &str = "ecs_metadata";

/// Where every ECS instance finds it.
const SERVICE: &str = "http://100.100.100.200";

/// The service is on the machine itself: what does not come at once does not come.
const PATIENCE: Duration = Duration::from_secs(1);

const TTL: (&str, &str) = ("x-aliyun-ecs-metadata-token-ttl-seconds", "21600");
const TOKEN: &str = "x-aliyun-ecs-metadata-token";

/// How to ask the metadata service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EcsMetadata {
    /// The role; `ALIBABA_CLOUD_ECS_METADATA` otherwise, or the one that the service names.
    pub role_name: Option<String>,
    /// Where the service answers, if it is not where ECS has it.
    pub endpoint: Option<Endpoint>,
    /// Use the newer form only; so does `ALIBABA_CLOUD_IMDSV1_DISABLED=true`.
    pub disable_imdsv1: bool,
}

impl EcsMetadata {
    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        let env = &with.exchange.host.env;
        // A role named here is asked for whatever the variable says, which is about the default chain.
        if self.role_name.is_none() && env.is_true("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
            let why = "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true";
            return Err(CredentialsError::not_configured(NAME, why));
        }
        let base = self
            .endpoint
            .as_ref()
            .map_or_else(|| SERVICE.to_owned(), Endpoint::to_string);
        let role = self
            .role_name
            .clone()
            .or_else(|| env.get("ALIBABA_CLOUD_ECS_METADATA"));
        let newer_only = self.disable_imdsv1 || env.is_true("ALIBABA_CLOUD_IMDSV1_DISABLED");
        let named = role.is_some() || self.endpoint.is_some();
        let token = self.token(with, &base, newer_only, named).await?;

        let folder = format!("{base}/latest/meta-data/ram/security-credentials/");
        let role = match role {
            Some(role) => role,
            None => role_name(&get(with, &folder, token.as_ref(), newer_only).await?)?,
        };
        let answer = get(
            with,
            &format!("{folder}{}", encode(&role)),
            token.as_ref(),
            newer_only,
        )
        .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(CredentialsError::failed(
                NAME,
                // The name may be anything that somebody pasted.
                "the machine has no role of the name that role_name or ALIBABA_CLOUD_ECS_METADATA gives",
            ));
        }
        let local = with.exchange.now();
        HandedOut::read(&answer, local, NAME, Some(format!("ECS role {role}")))
            .map_err(|why| CredentialsError::failed(NAME, why))
    }

    /// The token of the newer form; none where only the older one is to be had.
    async fn token(
        &self,
        with: &Fetch,
        base: &str,
        newer_only: bool,
        named: bool,
    ) -> Result<Option<Secret>, CredentialsError> {
        let url = format!("{base}/latest/api/token");
        let host = &with.exchange.host;
        match with
            .plain(&host.direct, Method::PUT, &url, Some(TTL), PATIENCE)
            .await
        {
            Ok(Plain {
                status: StatusCode::OK,
                body,
                ..
            }) => Ok(Some(Secret::from(String::from_utf8_lossy(&body).trim()))),
            Ok(Plain { status, .. }) if newer_only => {
                let why = format!(
                    "the token was refused with HTTP {}, and the older form is disabled",
                    status.as_u16()
                );
                Err(CredentialsError::failed(NAME, why))
            }
            Ok(_) => Ok(None),
            // Not on ECS at all, as far as anybody has said.
            Err(error @ (CallError::Timeout(_) | CallError::Transport(TransportError::Connect(_))))
                if !named =>
            {
                let why = format!("no metadata service: {error}");
                Err(CredentialsError::not_configured(NAME, why))
            }
            Err(error) => Err(unreachable(&error)),
        }
    }
}

/// One answer, by the newer form where there is a token, and by the older one where that is refused.
async fn get(
    with: &Fetch,
    url: &str,
    token: Option<&Secret>,
    newer_only: bool,
) -> Result<Plain, CredentialsError> {
    let direct = &with.exchange.host.direct;
    let header = token.map(|token| (TOKEN, token.expose()));
    let answer = with.plain(direct, Method::GET, url, header, PATIENCE).await;
    let answer = answer.map_err(|error| unreachable(&error))?;
    let refused = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if !refused || header.is_none() || newer_only {
        return Ok(answer);
    }
    with.plain(direct, Method::GET, url, None, PATIENCE)
        .await
        .map_err(|error| unreachable(&error))
}

fn role_name(answer: &Plain) -> Result<String, CredentialsError> {
    match answer.status {
        StatusCode::OK => {
            let text = String::from_utf8_lossy(&answer.body);
            match text.trim() {
                "" => Err(CredentialsError::not_configured(NAME, "the machine has no role")),
                role if is_plain(role) => Ok(role.to_owned()),
                _ => Err(CredentialsError::failed(
                    NAME,
                    "what it gave as the role's name is none; does something in between answer for the metadata service?",
                )),
            }
        }
        StatusCode::NOT_FOUND => Err(CredentialsError::not_configured(NAME, "the machine has no role")),
        status => {
            let why = format!("the role's name was refused with HTTP {}", status.as_u16());
            Err(CredentialsError::failed(NAME, why))
        }
    }
}

fn unreachable(error: &CallError) -> CredentialsError {
    CredentialsError::failed(NAME, format!("the metadata service does not answer: {error}"))
}
