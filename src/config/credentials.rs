//! The providers of credentials: exactly one for each account, and exactly one form of each part of a key.
//!
//! No error here repeats a value: whatever stands in the wrong place may be a secret.

use std::path::Path;
use std::time::Duration;

use crate::aliyun::credentials::{AccessKey, Provider, Source};
use crate::config::file;
use crate::config::value::{endpoint, in_range, text};
use crate::secret::Secret;
use crate::yaml::{Entry, Place, Problems, Reported};

/// Bytes of a text that is not part of a key: a role's policy may have 2,048.
const LONGEST: usize = 4096;

/// The life of a role's session: STS takes 15 minutes up to what the role allows, 12 hours at most.
const SESSION: (Duration, Duration) = (Duration::from_secs(15 * 60), Duration::from_secs(12 * 3600));

/// What a provider in the file comes to; nothing if it is not given.
type Found = Result<Option<Provider>, Reported>;

/// The three forms of a part of a key.
struct Forms<'f> {
    name: &'static str,
    inline: &'f Entry<Secret>,
    file: &'f Entry<String>,
    variable: &'f Entry<String>,
}

/// The provider of an account. Paths in it are relative to `folder`.
pub(super) fn provider(
    entry: &Entry<file::Credentials>,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Provider, Reported> {
    match entry.get()? {
        Some(shape) => one_provider(&entry.place, shape, folder, problems),
        None => Err(problems.push(
            &entry.place,
            "missing, which means `default`; give `env` or `access_key`: `default` is not supported yet",
        )),
    }
}

fn one_provider(
    place: &Place,
    shape: &file::Credentials,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Provider, Reported> {
    let found = [
        access_key(&shape.access_key, folder, problems),
        shape.env.get().map(|given| given.map(|_| Provider::Env)),
        not_yet(&shape.default, problems, |_, _| ()),
        not_yet(&shape.profile, problems, |profile, problems| {
            texts(&[&profile.name, &profile.cli_file, &profile.ini_file], problems);
        }),
        not_yet(&shape.assume_role, problems, |role, problems| {
            assume_role(role, folder, problems);
        }),
        not_yet(&shape.oidc, problems, oidc),
        not_yet(&shape.ecs_metadata, problems, |metadata, problems| {
            texts(&[&metadata.role_name], problems);
            // The shape alone is checked of the other one: either value will do.
            let _ = (endpoint(&metadata.endpoint, problems), &metadata.disable_imdsv1);
        }),
        not_yet(&shape.uri, problems, |uri, problems| texts(&[&uri.uri], problems)),
        not_yet(&shape.chain, problems, |providers, problems| {
            for entry in providers {
                if let Ok(Some(shape)) = entry.get() {
                    let _ = one_provider(&entry.place, shape, folder, problems);
                }
            }
        }),
    ];
    let mut given = found.into_iter().filter_map(Result::transpose);
    match (given.next(), given.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => Err(problems.push(place, "give one provider only")),
        (None, _) => Err(problems.push(place, "name a provider: `env` or `access_key`")),
    }
}

/// A provider that is checked as far as its shape goes, and then refused.
fn not_yet<T>(entry: &Entry<T>, problems: &mut Problems, check: impl FnOnce(&T, &mut Problems)) -> Found {
    let Some(shape) = entry.get()? else {
        return Ok(None);
    };
    check(shape, problems);
    Err(problems.push(&entry.place, "this provider is not supported yet"))
}

fn assume_role(role: &file::AssumeRole, folder: &Path, problems: &mut Problems) {
    if role.role_arn.is_absent() {
        let _ = role.role_arn.required(problems);
    }
    texts(
        &[
            &role.role_arn,
            &role.role_session_name,
            &role.external_id,
            &role.policy,
        ],
        problems,
    );
    let _ = in_range(&role.duration, SESSION, problems);
    let _ = endpoint(&role.sts_endpoint, problems);
    if let Ok(Some(source)) = role.source.get() {
        let _ = one_provider(&role.source.place, source, folder, problems);
    }
}

fn oidc(oidc: &file::Oidc, problems: &mut Problems) {
    let file::Oidc {
        role_arn,
        oidc_provider_arn,
        oidc_token_file,
        role_session_name,
        policy,
        duration,
        sts_endpoint,
    } = oidc;
    texts(
        &[
            role_arn,
            oidc_provider_arn,
            oidc_token_file,
            role_session_name,
            policy,
        ],
        problems,
    );
    let _ = in_range(duration, SESSION, problems);
    let _ = endpoint(sts_endpoint, problems);
}

fn texts(entries: &[&Entry<String>], problems: &mut Problems) {
    for entry in entries {
        let _ = text(entry, LONGEST, problems);
    }
}

fn access_key(entry: &Entry<file::AccessKey>, folder: &Path, problems: &mut Problems) -> Found {
    let Some(shape) = entry.get()? else {
        return Ok(None);
    };
    let id = Forms {
        name: "access_key_id",
        inline: &shape.access_key_id,
        file: &shape.access_key_id_file,
        variable: &shape.access_key_id_env,
    };
    let secret = Forms {
        name: "access_key_secret",
        inline: &shape.access_key_secret,
        file: &shape.access_key_secret_file,
        variable: &shape.access_key_secret_env,
    };
    let token = Forms {
        name: "security_token",
        inline: &shape.security_token,
        file: &shape.security_token_file,
        variable: &shape.security_token_env,
    };
    let access_key_id = id.required(&entry.place, folder, problems);
    let access_key_secret = secret.required(&entry.place, folder, problems);
    let security_token = token.optional(&entry.place, folder, problems);
    Ok(Some(Provider::AccessKey(AccessKey {
        access_key_id: access_key_id?,
        access_key_secret: access_key_secret?,
        security_token: security_token?,
    })))
}

impl Forms<'_> {
    fn required(&self, place: &Place, folder: &Path, problems: &mut Problems) -> Result<Source, Reported> {
        self.optional(place, folder, problems)?.ok_or_else(|| {
            let error = format!("missing; give it here, or as {0}_file or {0}_env", self.name);
            problems.push(&self.inline.place, error)
        })
    }

    fn optional(
        &self,
        place: &Place,
        folder: &Path,
        problems: &mut Problems,
    ) -> Result<Option<Source>, Reported> {
        let found = [
            self.inline(problems),
            text(self.file, LONGEST, problems).map(|path| path.map(|path| Source::File(folder.join(path)))),
            self.variable(problems),
        ];
        let mut given = found.into_iter().filter_map(Result::transpose);
        let only = given.next().transpose();
        if given.next().is_some() {
            let error = format!("give one form only of {0}, {0}_file and {0}_env", self.name);
            return Err(problems.push(place, error));
        }
        only
    }

    fn inline(&self, problems: &mut Problems) -> Result<Option<Source>, Reported> {
        let Some(secret) = self.inline.get()? else {
            return Ok(None);
        };
        if secret.expose().is_empty() {
            return Err(problems.push(&self.inline.place, "must not be empty"));
        }
        // What cannot be part of an HTTP header would fail at the first call.
        if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            let error = "has a character that no key has, such as a blank or a line break";
            return Err(problems.push(&self.inline.place, error));
        }
        Ok(Some(Source::Inline(secret.clone())))
    }

    fn variable(&self, problems: &mut Problems) -> Result<Option<Source>, Reported> {
        let Some(name) = text(self.variable, LONGEST, problems)? else {
            return Ok(None);
        };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(is_legal) {
            let error = "a variable's name has letters, digits and _ only, and begins with no digit";
            return Err(problems.push(&self.variable.place, error));
        }
        Ok(Some(Source::Variable(name.to_owned())))
    }
}
