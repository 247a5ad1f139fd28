//! A profile of the vendor's command line, or else of its libraries' INI file. Each says which other provider it
//! stands for. Files are read at every fetch, so that a profile that changed is noticed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::fetch::Fetch;
use super::kept::Kept;
use super::{Credentials, CredentialsError, Provider, cli_profile, ini_profile};
use crate::host::Host;
use crate::secret::Secret;

pub(super) const NAME: &str = "profile";

/// Which profile, and where. Where one of the files is named, the other one is looked at only if it is named too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name; `ALIBABA_CLOUD_PROFILE`, the file's current one, or `default` otherwise.
    pub name: Option<String>,
    /// The command line's file; `~/.aliyun/config.json` otherwise.
    pub cli_file: Option<PathBuf>,
    /// The INI file; `ALIBABA_CLOUD_CREDENTIALS_FILE`, `~/.alibabacloud/credentials` or
    /// `~/.alibabacloud/credentials.ini` otherwise.
    pub ini_file: Option<PathBuf>,
    /// Which kind of file has answered.
    kept: Kept,
}

/// The kinds of file, in the order in which they are asked.
const KINDS: [&str; 2] = ["command line", "INI file"];

impl Profile {
    /// A profile that has not been asked yet.
    pub fn new(name: Option<String>, cli_file: Option<PathBuf>, ini_file: Option<PathBuf>) -> Self {
        Self {
            name,
            cli_file,
            ini_file,
            kept: Kept::default(),
        }
    }

    pub(super) async fn fetch(&self, with: &Fetch) -> Result<Credentials, CredentialsError> {
        let host = &with.exchange.host;
        let name = self
            .name
            .clone()
            .or_else(|| host.env.get("ALIBABA_CLOUD_PROFILE"));
        let (kind, provider) = match self.find(host, name.as_deref()).await {
            // Somebody has asked for this very profile, so its absence is not a matter of chance.
            Err(CredentialsError::NotConfigured { why, .. }) if name.is_some() => {
                return Err(CredentialsError::failed(NAME, why));
            }
            found => found?,
        };
        let file = KINDS[kind];
        let credentials = provider.fetch(with).await.map_err(|error| match error {
            CredentialsError::Failed { why, provider }
            | CredentialsError::NotConfigured { why, provider } => {
                CredentialsError::failed(NAME, format!("{file}: {provider}: {why}"))
            }
        })?;
        self.kept.keep(kind);
        Ok(Credentials {
            provider: format!("{NAME} ({file}: {})", credentials.provider),
            ..credentials
        })
    }

    /// The provider that the profile stands for, and the kind of file that it was found in.
    async fn find(&self, host: &Host, name: Option<&str>) -> Result<(usize, Provider), CredentialsError> {
        let in_cli = match self.cli_file(host) {
            _ if self.kept.get() == Some(1) => Err(CredentialsError::not_configured(
                NAME,
                "the INI file has answered before",
            )),
            Ok(path) => cli_profile::find(host, &path, name, self.cli_file.is_some()).await,
            Err(why) => Err(CredentialsError::not_configured(NAME, why)),
        };
        let Err(CredentialsError::NotConfigured { why: not_in_cli, .. }) = in_cli else {
            return in_cli.map(|provider| (0, provider));
        };
        // Another identity must not take over when the profile goes away.
        if self.kept.get() == Some(0) {
            return Err(CredentialsError::failed(NAME, not_in_cli));
        }
        // A profile of the same name in a file that nobody named may be another identity.
        if self.cli_file.is_some() && self.ini_file.is_none() {
            return Err(CredentialsError::failed(NAME, not_in_cli));
        }
        let in_ini = ini_profile::find(host, &self.ini_files(host), name.unwrap_or("default")).await;
        in_ini.map(|provider| (1, provider)).map_err(|error| match error {
            CredentialsError::NotConfigured { why, .. } => {
                CredentialsError::not_configured(NAME, format!("{not_in_cli}; {why}"))
            }
            failed @ CredentialsError::Failed { .. } => failed,
        })
    }

    /// The command line's file, or why it is left out.
    fn cli_file(&self, host: &Host) -> Result<PathBuf, &'static str> {
        if let Some(path) = &self.cli_file {
            return Ok(path.clone());
        }
        if self.ini_file.is_some() {
            return Err("only ini_file is named");
        }
        if host.env.is_true("ALIBABA_CLOUD_CLI_PROFILE_DISABLED") {
            return Err("ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true");
        }
        let home = home(host).ok_or("HOME is not set")?;
        Ok(home.join(".aliyun/config.json"))
    }

    /// The files to look for, in this order, and whether the first was asked for by name.
    fn ini_files(&self, host: &Host) -> (Vec<PathBuf>, bool) {
        let named = self.ini_file.clone();
        let named = named.or_else(|| host.env.get("ALIBABA_CLOUD_CREDENTIALS_FILE").map(PathBuf::from));
        if let Some(path) = named {
            return (vec![path], true);
        }
        let folder = home(host).map(|home| home.join(".alibabacloud"));
        let files = ["credentials", "credentials.ini"];
        (
            folder
                .into_iter()
                .flat_map(|folder| files.map(|file| folder.join(file)))
                .collect(),
            false,
        )
    }
}

/// The text of a file; `None` where there is no such file, and an error where it cannot be read.
pub(super) async fn text(host: &Host, path: &Path, what: &str) -> Result<Option<Secret>, CredentialsError> {
    match host.files.read_regular(path).await {
        Ok(text) => Ok(Some(Secret::from(text))),
        // A home that is no folder, such as /dev/null, holds no file either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(CredentialsError::failed(
            NAME,
            format!("{what} cannot be read: {error}"),
        )),
    }
}

fn home(host: &Host) -> Option<PathBuf> {
    host.env.get("HOME").map(PathBuf::from)
}
