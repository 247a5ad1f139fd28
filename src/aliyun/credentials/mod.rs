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

/// No credentials. The text names keys of the configuration and never their values: somebody may have pasted the
/// secret where a path or a variable's name belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// One of the vendor's variables is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Unset(&'static str),
    /// A variable that the configuration names is not set, or empty.
    #[error("the environment variable that {key}_env names is not set", key = _0)]
    UnsetByKey(&'static str),
    /// A file that cannot be read.
    #[error("the file that {key}_file names cannot be read: {error}")]
    Unreadable {
        /// The part of the key that the file is for.
        key: &'static str,
        /// What the system says.
        error: String,
    },
    /// A file with nothing but white space in it.
    #[error("the file that {key}_file names is empty", key = _0)]
    Empty(&'static str),
    /// A key that cannot be part of an HTTP header.
    #[error("{0} has a character that none has, such as a blank or a line break within")]
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
            ("access_key_id", Some(credentials.access_key_id.as_str())),
            ("access_key_secret", Some(credentials.access_key_secret.expose())),
            (
                "security_token",
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
    /// The text, for the part of the key that the configuration calls `key`.
    fn read(&self, host: &Host, key: &'static str) -> Result<Secret, CredentialsError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::Variable(name) => host
                .env
                .get(name)
                .map(Secret::from)
                .ok_or(CredentialsError::UnsetByKey(key)),
            Self::File(path) => {
                let text = host.files.read(path).map(Secret::from);
                let text = text.map_err(|error| CredentialsError::Unreadable {
                    key,
                    error: error.to_string(),
                })?;
                match text.expose().trim() {
                    "" => Err(CredentialsError::Empty(key)),
                    trimmed => Ok(Secret::from(trimmed)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::{Clock, Env, Files, HttpClient, Random, Tasks};

    fn host(env: Env, files: Files) -> Host {
        let transport = Arc::new(HttpClient::direct(std::time::Duration::from_secs(1)).unwrap());
        Host {
            clock: Clock::system(),
            env,
            files,
            random: Random::seeded(1),
            transport,
            tasks: Tasks::default(),
        }
    }

    fn variable(name: &str) -> Source {
        Source::Variable(name.to_owned())
    }

    fn file(path: &str) -> Source {
        Source::File(path.into())
    }

    fn provider(id: Source, secret: Source, token: Option<Source>) -> Provider {
        Provider::AccessKey(AccessKey {
            access_key_id: id,
            access_key_secret: secret,
            security_token: token,
        })
    }

    #[test]
    fn a_key_may_come_from_the_configuration_a_file_and_a_variable() {
        let host = host(
            Env::fixed([("TOKEN", "canary-token")]),
            Files::memory([("/run/secret", "\n canary-secret\n")]),
        );
        let provider = provider(
            Source::Inline("canary-id".into()),
            file("/run/secret"),
            Some(variable("TOKEN")),
        );
        let credentials = provider.credentials(&host).unwrap();
        assert_eq!(credentials.access_key_id, "canary-id");
        assert_eq!(credentials.access_key_secret.expose(), "canary-secret");
        assert_eq!(credentials.security_token.unwrap().expose(), "canary-token");
    }

    #[test]
    fn the_vendors_variables_are_read_and_an_empty_one_is_unset() {
        let read = |token, secret| {
            let variables = [
                ("ALIBABA_CLOUD_ACCESS_KEY_ID", "id"),
                ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret),
                ("ALIBABA_CLOUD_SECURITY_TOKEN", token),
            ];
            Provider::Env.credentials(&host(Env::fixed(variables), Files::memory([])))
        };
        assert_eq!(read("", "secret").unwrap().security_token, None);
        assert_eq!(
            read("token", "secret").unwrap().security_token,
            Some("token".into())
        );
        let unset = CredentialsError::Unset("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
        assert_eq!(read("token", ""), Err(unset));
    }

    #[test]
    fn a_rotated_file_is_noticed_at_the_next_use() {
        let host = host(Env::fixed([]), Files::memory([("/run/secret", "old")]));
        let provider = provider(Source::Inline("id".into()), file("/run/secret"), None);
        let secret = || provider.credentials(&host).unwrap().access_key_secret;
        assert_eq!(secret(), Secret::from("old"));
        host.files.replace("/run/secret".as_ref(), "new").unwrap();
        assert_eq!(secret(), Secret::from("new"));
    }

    #[test]
    fn what_is_missing_is_named_by_its_key_and_never_by_its_value() {
        let host = host(Env::fixed([]), Files::memory([("/canary/empty", " \n")]));
        let id = || Source::Inline("id".into());
        for (secret, says) in [
            (
                variable("CANARY"),
                "the environment variable that access_key_secret_env names is not set",
            ),
            (
                file("/canary/none"),
                "the file that access_key_secret_file names cannot be read: entity not found",
            ),
            (
                file("/canary/empty"),
                "the file that access_key_secret_file names is empty",
            ),
            (
                Source::Inline("canary\ncanary".into()),
                "access_key_secret has a character that none has, such as a blank or a line break within",
            ),
        ] {
            let error = provider(id(), secret, None).credentials(&host).unwrap_err();
            assert_eq!(error.to_string(), says);
            assert!(
                !format!("{error:?}").to_lowercase().contains("canary"),
                "{error:?}"
            );
        }
    }
}
