//! Credentials, and the ways to come by them: a provider a file.
//!
//! `cache` stands in front of all and is what the client asks. A provider has no memory and no schedule: it
//! fetches once, and says either what it got, that it is not configured, or what is wrong.

mod access_key;
mod assume_role;
mod cache;
mod chain;
mod claims;
mod cli_profile;
mod ecs_metadata;
mod env;
mod error;
mod fetch;
mod ini_profile;
mod kept;
mod oidc;
mod profile;
mod source;
mod sts;
mod uri;

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::model::UnixMillis;
use crate::secret::Secret;

pub use access_key::AccessKey;
pub use assume_role::AssumeRole;
pub use cache::Cache;
pub use chain::Chain;
pub use claims::Claims;
pub use ecs_metadata::EcsMetadata;
pub use error::CredentialsError;
pub use fetch::Fetch;
pub use oidc::Oidc;
pub use profile::Profile;
pub use source::Source;
pub use sts::{ASSUME_ROLE, ASSUME_ROLE_WITH_OIDC, Session};
pub use uri::Uri;

/// What a call is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The public half of the key (`LTAI…`, or `STS.…` for a temporary one).
    pub access_key_id: String,
    /// The secret half.
    pub access_key_secret: Secret,
    /// The token that goes with a temporary key.
    pub security_token: Option<Secret>,
    /// How long the key is good; none for a lasting one.
    pub life: Option<Life>,
    /// Who gave it, such as `assume_role over env`.
    pub provider: String,
    /// The role that it acts as, where that is known: a temporary key has another id each time.
    pub role: Option<String>,
}

/// The life of a temporary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long it had left when it was handed out.
    pub left: Duration,
    /// Its end, by the cloud's clock.
    pub expires: UnixMillis,
}

/// The ways to come by credentials, a closed set that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A key whose parts the configuration gives or points to.
    AccessKey(AccessKey),
    /// The environment variables that the vendor's libraries read.
    Env,
    /// A profile of the vendor's command line, or of its libraries' INI file.
    Profile(Profile),
    /// A role, taken on with the key of another provider.
    AssumeRole(Box<AssumeRole>),
    /// A role, taken on with a token of an identity provider.
    Oidc(Oidc),
    /// The role of the ECS instance that this runs on.
    EcsMetadata(EcsMetadata),
    /// A service that hands out keys.
    Uri(Uri),
    /// The first of several that is configured.
    Chain(Chain),
}

/// Credentials that are still to come.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send + 'a>>;

impl Provider {
    /// The order of the vendor's own libraries: environment, OIDC, the command line's profile, the INI file, ECS
    /// metadata, credentials URI.
    pub fn default_chain() -> Self {
        Self::Chain(Chain::new(vec![
            Self::Env,
            Self::Oidc(Oidc::default()),
            Self::Profile(Profile::default()),
            Self::EcsMetadata(EcsMetadata::default()),
            Self::Uri(Uri::default()),
        ]))
    }

    /// Fetches credentials once. (Boxed, since providers stand in providers.)
    pub fn fetch<'a>(&'a self, with: &'a Fetch) -> Fetching<'a> {
        Box::pin(async move {
            let credentials = match self {
                Self::AccessKey(access_key) => access_key.fetch(&with.exchange.host).await,
                Self::Env => env::fetch(&with.exchange.host),
                Self::Profile(profile) => profile.fetch(with).await,
                Self::AssumeRole(role) => role.fetch(with).await,
                Self::Oidc(oidc) => oidc.fetch(with).await,
                Self::EcsMetadata(metadata) => metadata.fetch(with).await,
                Self::Uri(uri) => uri.fetch(with).await,
                Self::Chain(chain) => chain.fetch(with).await,
            }?;
            credentials.check(self.name())
        })
    }

    /// The provider's name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccessKey(_) => access_key::NAME,
            Self::Env => env::NAME,
            Self::Profile(_) => profile::NAME,
            Self::AssumeRole(_) => assume_role::NAME,
            Self::Oidc(_) => oidc::NAME,
            Self::EcsMetadata(_) => ecs_metadata::NAME,
            Self::Uri(_) => uri::NAME,
            Self::Chain(_) => chain::NAME,
        }
    }

    /// The actions of STS that it may call.
    pub fn actions(&self) -> BTreeSet<&'static str> {
        match self {
            Self::AccessKey(_) | Self::Env | Self::EcsMetadata(_) | Self::Uri(_) => BTreeSet::new(),
            Self::Profile(_) => BTreeSet::from([ASSUME_ROLE, ASSUME_ROLE_WITH_OIDC]),
            Self::AssumeRole(role) => role.source.actions().into_iter().chain([ASSUME_ROLE]).collect(),
            Self::Oidc(_) => BTreeSet::from([ASSUME_ROLE_WITH_OIDC]),
            Self::Chain(chain) => chain.actions(),
        }
    }

    /// Whether the settings show that both lead to one key or role, whose calls the API counts together. Where only
    /// the credentials themselves would show it, [`Claims`] does.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_key = self.access_key_id().is_some() && self.access_key_id() == other.access_key_id();
        let same_role = self.role_arn().is_some() && self.role_arn() == other.role_arn();
        // Without a role of its own, each takes that of the variable.
        let same_variable = matches!(
            (self, other),
            (
                Self::Oidc(Oidc { role_arn: None, .. }),
                Self::Oidc(Oidc { role_arn: None, .. })
            )
        );
        same_key || same_role || same_variable || self == other
    }

    /// Where the key id stands.
    fn access_key_id(&self) -> Option<Source> {
        match self {
            Self::AccessKey(access_key) => Some(access_key.access_key_id.clone()),
            Self::Env => Some(Source::Variable(env::ID.to_owned())),
            _ => None,
        }
    }

    /// The role whose key it gives, where the settings name one.
    pub fn role_arn(&self) -> Option<&str> {
        match self {
            Self::AssumeRole(role) => Some(&role.role_arn),
            Self::Oidc(oidc) => oidc.role_arn.as_deref(),
            _ => None,
        }
    }
}

/// In a few words, without any value: `assume_role over env`, `default`, `chain (env, uri)`.
impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AssumeRole(role) => write!(f, "{} over {}", self.name(), role.source),
            Self::Chain(_) if *self == Self::default_chain() => f.write_str("default"),
            Self::Chain(chain) => {
                let providers: Vec<_> = chain.providers().iter().map(Self::to_string).collect();
                write!(f, "{} ({})", self.name(), providers.join(", "))
            }
            _ => f.write_str(self.name()),
        }
    }
}

impl Credentials {
    /// Credentials that are good until somebody changes them.
    pub fn lasting(id: String, secret: Secret, token: Option<Secret>, provider: &str) -> Self {
        Self {
            access_key_id: id,
            access_key_secret: secret,
            security_token: token,
            life: None,
            provider: provider.to_owned(),
            role: None,
        }
    }

    /// Whose calls the API counts together, as far as can be told.
    pub(super) fn identity(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.access_key_id)
    }

    /// The end of the key id, to tell keys apart in a log without printing them.
    pub fn last_four(&self) -> String {
        let id: Vec<char> = self.access_key_id.chars().collect();
        // Of a short id, four characters would be most of it.
        if id.len() < 8 {
            "…".to_owned()
        } else {
            format!("…{}", id[id.len() - 4..].iter().collect::<String>())
        }
    }

    /// Refuses what cannot be part of an HTTP header.
    fn check(self, provider: &'static str) -> Result<Self, CredentialsError> {
        for (what, text) in [
            ("access_key_id", Some(self.access_key_id.as_str())),
            ("access_key_secret", Some(self.access_key_secret.expose())),
            ("security_token", self.security_token.as_ref().map(Secret::expose)),
        ] {
            if text.is_some_and(str::is_empty) {
                return Err(CredentialsError::failed(provider, format!("{what} is empty")));
            }
            if text.is_some_and(|text| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
                let what =
                    format!("{what} has a character that none has, such as a blank or a line break within");
                return Err(CredentialsError::failed(provider, what));
            }
        }
        Ok(self)
    }
}
