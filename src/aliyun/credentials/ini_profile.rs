//! The INI file of the vendor's libraries: which provider a section of it stands for.

use std::path::PathBuf;

use configparser::ini::{Ini, IniDefault};

use super::{AccessKey, AssumeRole, CredentialsError, EcsMetadata, Oidc, Provider, Session, Source, profile};
use crate::host::Host;
use crate::secret::Secret;

const WHAT: &str = "the INI file";

/// A section, by its name and its keys.
struct Section<'f> {
    ini: &'f Ini,
    name: &'f str,
}

/// The provider that the section `name` stands for, in the first of the files that there is. Without a file or the
/// section in it, not configured; unless the file was asked for, which the second part tells.
pub(super) async fn find(
    host: &Host,
    (paths, wanted): &(Vec<PathBuf>, bool),
    name: &str,
) -> Result<Provider, CredentialsError> {
    let absent = |why: String| {
        if *wanted {
            failed(why)
        } else {
            CredentialsError::not_configured(profile::NAME, why)
        }
    };
    if paths.is_empty() {
        return Err(absent(format!("without HOME, {WHAT} is nowhere")));
    }
    for path in paths {
        let Some(text) = profile::text(host, path, WHAT).await? else {
            continue;
        };
        let ini = read(&text)?;
        if !ini.sections().iter().any(|section| section == name) {
            return Err(absent(format!("{WHAT} has no section {name}")));
        }
        return Section { ini: &ini, name }.provider();
    }
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(absent(if *wanted {
        "the file that ini_file or ALIBABA_CLOUD_CREDENTIALS_FILE names is not there".to_owned()
    } else {
        format!("there is no file {}", paths.join(" or "))
    }))
}

fn read(text: &Secret) -> Result<Ini, CredentialsError> {
    let mut settings = IniDefault::default();
    settings.case_sensitive = true;
    // Only whole lines are comments: `#` and `;` within a secret are part of it.
    settings.inline_comment_symbols = Some(Vec::new());
    let mut ini = Ini::new_from_defaults(settings);
    // The parser's own error repeats the line.
    ini.read(text.expose().to_owned())
        .map_err(|_| failed(format!("{WHAT} is not well-formed")))?;
    Ok(ini)
}

impl Section<'_> {
    fn provider(&self) -> Result<Provider, CredentialsError> {
        let kind = self.optional("type").unwrap_or_else(|| "access_key".to_owned());
        match kind.as_str() {
            "access_key" => self.access_key(),
            "ram_role_arn" => Ok(Provider::AssumeRole(Box::new(AssumeRole {
                role_arn: self.required("role_arn")?,
                external_id: self.optional("external_id"),
                session: self.session(),
                source: self.access_key()?,
            }))),
            "ecs_ram_role" => Ok(Provider::EcsMetadata(EcsMetadata {
                role_name: self.optional("role_name"),
                ..EcsMetadata::default()
            })),
            "oidc_role_arn" => Ok(Provider::Oidc(Oidc {
                role_arn: Some(self.required("role_arn")?),
                oidc_provider_arn: Some(self.required("oidc_provider_arn")?),
                oidc_token_file: Some(self.required("oidc_token_file_path")?.into()),
                session: self.session(),
            })),
            _ => Err(failed(format!(
                "section {} of {WHAT} has a type that is not supported; use access_key, ram_role_arn, \
                 ecs_ram_role or oidc_role_arn",
                self.name
            ))),
        }
    }

    fn access_key(&self) -> Result<Provider, CredentialsError> {
        let inline = |text: String| Source::Inline(Secret::from(text));
        Ok(Provider::AccessKey(AccessKey {
            access_key_id: inline(self.required("access_key_id")?),
            access_key_secret: inline(self.required("access_key_secret")?),
            security_token: self.optional("security_token").map(inline),
        }))
    }

    fn session(&self) -> Session {
        Session {
            name: self.optional("role_session_name"),
            policy: self.optional("policy"),
            ..Session::default()
        }
    }

    fn optional(&self, key: &str) -> Option<String> {
        self.ini.get(self.name, key).filter(|value| !value.is_empty())
    }

    fn required(&self, key: &str) -> Result<String, CredentialsError> {
        self.optional(key)
            .ok_or_else(|| failed(format!("section {} of {WHAT} has no {key}", self.name)))
    }
}

fn failed(why: String) -> CredentialsError {
    CredentialsError::failed(profile::NAME, why)
}
