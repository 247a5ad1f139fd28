//! The two calls of the Security Token Service that hand out a role's temporary key.
//!
//! `AssumeRole` is signed with another key, by HMAC-SHA1, which is what STS takes; `AssumeRoleWithOIDC` is not
//! signed at all, its token is. <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};

use super::fetch::{Fetch, HandedOut};
use super::{Credentials, CredentialsError};
use crate::aliyun::endpoint::{Endpoint, EndpointError};
use crate::aliyun::error::CallError;
use crate::aliyun::exchange::Answer;
use crate::aliyun::request::Request;
use crate::aliyun::sign::{Scheme, encode};
use crate::host::{Env, HttpRequest};
use crate::model::{Reason, UnixMillis};
use crate::secret::Secret;

/// The action that takes on a role with another key.
pub const ASSUME_ROLE: &str = "AssumeRole";

/// The action that takes on a role with an identity provider's token.
pub const ASSUME_ROLE_WITH_OIDC: &str = "AssumeRoleWithOIDC";

const VERSION: &str = "2015-04-01";

const DEFAULT_NAME: &str = "aliyun-pca-exporter";

const DEFAULT_DURATION: Duration = Duration::from_secs(3600);

/// What a role's session is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// How the session is named in the vendor's audit log; `ALIBABA_CLOUD_ROLE_SESSION_NAME` otherwise.
    pub name: Option<String>,
    /// A policy that narrows the role's own, as JSON.
    pub policy: Option<String>,
    /// How long it lasts, 900 s up to what the role allows; an hour otherwise.
    pub duration: Option<Duration>,
    /// Where STS answers; `ALIBABA_CLOUD_STS_ENDPOINT` or `ALIBABA_CLOUD_STS_REGION` decides otherwise.
    pub sts_endpoint: Option<Endpoint>,
}

impl Session {
    fn parameters(&self, role_arn: &str, env: &Env) -> BTreeMap<String, String> {
        let name = self
            .name
            .clone()
            .or_else(|| env.get("ALIBABA_CLOUD_ROLE_SESSION_NAME"));
        let duration = self.duration.unwrap_or(DEFAULT_DURATION);
        let mut parameters = BTreeMap::from([
            ("RoleArn".to_owned(), role_arn.to_owned()),
            (
                "RoleSessionName".to_owned(),
                name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            ),
            ("DurationSeconds".to_owned(), duration.as_secs().to_string()),
        ]);
        if let Some(policy) = &self.policy {
            parameters.insert("Policy".to_owned(), policy.clone());
        }
        parameters
    }

    fn endpoint(&self, env: &Env) -> Result<Endpoint, String> {
        if let Some(endpoint) = &self.sts_endpoint {
            return Ok(endpoint.clone());
        }
        if let Some(endpoint) = env.get("ALIBABA_CLOUD_STS_ENDPOINT") {
            return endpoint.parse().map_err(|_: EndpointError| {
                "ALIBABA_CLOUD_STS_ENDPOINT is no host, such as sts.cn-hangzhou.aliyuncs.com".to_owned()
            });
        }
        regional(env, None, None)
            .map_err(|_| "ALIBABA_CLOUD_STS_REGION is no region, such as cn-hangzhou".to_owned())
    }
}

/// Where STS answers for a region, inside the vendor's own network or from everywhere. What is not given is taken from
/// `ALIBABA_CLOUD_STS_REGION` and `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED`.
pub(super) fn regional(
    env: &Env,
    region: Option<&str>,
    vpc: Option<bool>,
) -> Result<Endpoint, EndpointError> {
    let region = region.map(str::to_owned);
    let region = region.or_else(|| env.get("ALIBABA_CLOUD_STS_REGION"));
    let vpc = vpc.unwrap_or_else(|| env.is_true("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"));
    match region {
        None => "sts.aliyuncs.com".parse(),
        Some(region) if vpc => format!("sts-vpc.{region}.aliyuncs.com").parse(),
        Some(region) => format!("sts.{region}.aliyuncs.com").parse(),
    }
}

impl Fetch {
    /// A role's key, by the key of `source`. `provider` is whom an error is about.
    pub(super) async fn assume_role(
        &self,
        provider: &'static str,
        session: &Session,
        role_arn: &str,
        external_id: Option<&str>,
        source: &Credentials,
    ) -> Result<Credentials, CredentialsError> {
        let env = &self.exchange.host.env;
        let mut parameters = session.parameters(role_arn, env);
        if let Some(id) = external_id {
            parameters.insert("ExternalId".to_owned(), id.to_owned());
        }
        let request = Request {
            endpoint: session
                .endpoint(env)
                .map_err(|why| CredentialsError::failed(provider, why))?,
            version: VERSION,
            action: ASSUME_ROLE,
            ram_action: "sts:AssumeRole",
            parameters,
        };
        let slot = self.sts.slot().await;
        let answer = self
            .exchange
            .signed(slot, Scheme::HmacSha1, &request, source)
            .await;
        let given_by = format!("{provider} over {}", source.provider);
        self.handed_out(provider, ASSUME_ROLE, answer, given_by, role_arn)
    }

    /// A role's key, by a token that an identity provider gave. The token stays out of the URL.
    pub(super) async fn assume_role_with_oidc(
        &self,
        provider: &'static str,
        session: &Session,
        role_arn: &str,
        oidc_provider_arn: &str,
        token: &Secret,
    ) -> Result<Credentials, CredentialsError> {
        let host = &self.exchange.host;
        let endpoint = session
            .endpoint(&host.env)
            .map_err(|why| CredentialsError::failed(provider, why))?;
        let mut form = session.parameters(role_arn, &host.env);
        form.insert("OIDCProviderArn".to_owned(), oidc_provider_arn.to_owned());
        form.insert("OIDCToken".to_owned(), token.expose().to_owned());
        let slot = self.sts.slot().await;
        let nonce = host.random.nonce();
        let request = |time: UnixMillis| {
            let query = [
                ("Action", ASSUME_ROLE_WITH_OIDC),
                ("Format", "JSON"),
                ("Version", VERSION),
                ("Timestamp", &time.to_string()),
                ("SignatureNonce", &nonce),
            ];
            let query = query
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            let authority =
                HeaderValue::from_str(endpoint.authority()).expect("an endpoint's host is plain text");
            HttpRequest {
                method: Method::POST,
                url: format!("{endpoint}/?{}", encode::query(&query)),
                headers: HeaderMap::from_iter([
                    (HOST, authority),
                    (ACCEPT, HeaderValue::from_static("application/json")),
                    (
                        CONTENT_TYPE,
                        HeaderValue::from_static("application/x-www-form-urlencoded"),
                    ),
                ]),
                body: encode::query(&form).into(),
            }
        };
        let answer = self.exchange.send(slot, ASSUME_ROLE_WITH_OIDC, request).await;
        self.handed_out(
            provider,
            ASSUME_ROLE_WITH_OIDC,
            answer,
            provider.to_owned(),
            role_arn,
        )
    }

    fn handed_out(
        &self,
        provider: &'static str,
        action: &str,
        answer: Result<Answer, CallError>,
        given_by: String,
        role_arn: &str,
    ) -> Result<Credentials, CredentialsError> {
        let read = answer.and_then(|answer| {
            let handed_out = HandedOut::in_json(&answer.json["Credentials"])
                .map_err(|why| CallError::Decode(format!("Credentials: {why}")))?;
            let local = self.exchange.now();
            handed_out
                .credentials(answer.date, local, given_by, Some(role_arn.to_owned()))
                .map_err(CallError::Decode)
        });
        read.map_err(|error| {
            let exchange = &self.exchange;
            exchange
                .telemetry
                .failed(&exchange.account, action, error.reason());
            let advised = match advice(action, &error) {
                Some(advice) => format!("{error}; {advice}"),
                None => error.failure(action).detail,
            };
            CredentialsError::failed(provider, format!("{action}: {advised}"))
        })
    }
}

/// What to do about a refusal, where it is not what one would do about a refusal of the product's API.
fn advice(action: &str, error: &CallError) -> Option<&'static str> {
    if matches!(error, CallError::Http(status) if status.is_redirection()) {
        // Seen without a code and without an address.
        return Some("STS is throttled, or something in between redirects; that is not followed");
    }
    match (error.reason(), action) {
        (Reason::Throttled, _) => Some("find who else calls STS in this account"),
        (Reason::Request, _) => {
            Some("compare role_arn, duration, policy and session name with what STS takes")
        }
        (Reason::Forbidden | Reason::Authentication | Reason::Other, ASSUME_ROLE_WITH_OIDC) => Some(
            "compare the role, its identity provider and its trust policy: issuer, audience, namespace and service \
             account",
        ),
        (Reason::Forbidden, _) => Some(
            "grant the RAM action sts:AssumeRole to whoever takes the role on, and let the role's trust policy name it",
        ),
        (Reason::NotFound | Reason::Other, _) => Some("is role_arn right?"),
        _ => None,
    }
}
