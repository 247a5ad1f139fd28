//! Where a part of a key stands: in the configuration, in a file, or in a variable.

use std::path::PathBuf;

use crate::host::Host;
use crate::secret::Secret;

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

impl Source {
    /// The text, for the part of the key that the configuration calls `key`; or what is wrong.
    pub(super) async fn read(&self, host: &Host, key: &str) -> Result<Secret, String> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::Variable(name) => {
                let unset = || format!("the environment variable that {key}_env names is not set");
                host.env.get(name).map(Secret::from).ok_or_else(unset)
            }
            Self::File(path) => {
                let text = host.files.read_regular(path).await.map(Secret::from);
                let text =
                    text.map_err(|error| format!("the file that {key}_file names cannot be read: {error}"))?;
                match text.expose().trim() {
                    "" => Err(format!("the file that {key}_file names is empty")),
                    trimmed => Ok(Secret::from(trimmed)),
                }
            }
        }
    }
}
