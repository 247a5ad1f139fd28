//! A key whose parts stand in the configuration, in files or in variables: exactly one form of each part.
//!
//! No error here repeats a value: whatever stands in the wrong place may be a secret.

use std::path::Path;

use crate::aliyun::credentials::{AccessKey, Source};
use crate::config::file;
use crate::config::value::{LONGEST_NAME, path, text};
use crate::secret::Secret;
use crate::yaml::{Entry, Place, Problems, Reported};

/// The three forms of a part of a key.
struct Forms<'f> {
    name: &'static str,
    inline: &'f Entry<Secret>,
    file: &'f Entry<String>,
    variable: &'f Entry<String>,
}

/// The key that stands at `place`.
pub(super) fn access_key(
    place: &Place,
    shape: &file::AccessKey,
    folder: &Path,
    problems: &mut Problems,
) -> Result<AccessKey, Reported> {
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
    let access_key_id = id.required(place, folder, problems);
    let access_key_secret = secret.required(place, folder, problems);
    let security_token = token.optional(place, folder, problems);
    Ok(AccessKey {
        access_key_id: access_key_id?,
        access_key_secret: access_key_secret?,
        security_token: security_token?,
    })
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
            path(self.file, folder, problems).map(|path| path.map(Source::File)),
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
        let Some(name) = text(self.variable, LONGEST_NAME, problems)? else {
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
