//! Credentials, and the ways to come by them: a provider a file.

mod access_key;
mod env;

use std::path::PathBuf;

use crate::host::Host;
use crate::secret::Secret;

pub use access_key::AccessKey;

/// What a call is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The public half of the key (`LTAI…`, or `STS.…` for a temporary one).
    pub access_key_id: String,
    /// The secret half.
    pub access_key_secret: Secret,
    /// The token that goes with a temporary key.
    pub security_token: Option<Secret>,
}

/// The ways to come by credentials, a closed set that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A key whose parts the configuration gives or points to.
    AccessKey(AccessKey),
    /// The environment variables that the vendor's libraries read.
    Env,
}

/// Where a part of a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the configuration itself.
    Inline(Secret),
    /// In a file, read at every use, so that a rotated key is noticed; white space around it is dropped.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// No credentials; the text says which provider failed on what, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A variable that is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// A file with nothing but white space in it.
    #[error("{path} is empty", path = _0.display())]
    Empty(PathBuf),
    /// A key that cannot be part of an HTTP header.
    #[error("{0} has a character that no access key has, such as a line break")]
    Unusable(&'static str),
}

impl Provider {
    /// The credentials as they are now.
    pub fn credentials(&self, host: &Host) -> Result<Credentials, CredentialsError> {
        let credentials = match self {
            Self::AccessKey(access_key) => access_key.credentials(host),
            Self::Env => env::credentials(host),
        }?;
        for (what, text) in [
            ("the access key id", Some(credentials.access_key_id.as_str())),
            (
                "the access key secret",
                Some(credentials.access_key_secret.expose()),
            ),
            (
                "the security token",
                credentials.security_token.as_ref().map(Secret::expose),
            ),
        ] {
            if text.is_some_and(|text| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(CredentialsError::Unusable(what));
            }
        }
        Ok(credentials)
    }

    /// Where the key id stands: accounts that agree in it would share one key.
    pub fn access_key_id(&self) -> Source {
        match self {
            Self::AccessKey(access_key) => access_key.access_key_id.clone(),
            Self::Env => Source::Variable(env::ID.to_owned()),
        }
    }

    /// The provider's name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AccessKey(_) => "access_key",
            Self::Env => "env",
        }
    }
}

impl Source {
    fn read(&self, host: &Host) -> Result<Secret, CredentialsError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::Variable(name) => host
                .env
                .get(name)
                .map(Secret::from)
                .ok_or_else(|| CredentialsError::Unset(name.clone())),
            Self::File(path) => {
                let text = host.files.read(path).map(Secret::from).map_err(|error| {
                    CredentialsError::Unreadable {
                        path: path.clone(),
                        error: error.to_string(),
                    }
                })?;
                match text.expose().trim() {
                    "" => Err(CredentialsError::Empty(path.clone())),
                    trimmed => Ok(Secret::from(trimmed)),
                }
            }
        }
    }
}
