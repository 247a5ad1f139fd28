//! A certificate, a key or a CA as PEM text: in the web configuration itself, or in a file. What the text holds is not
//! looked at here.

use std::path::Path;

use super::{Pem, PemSource};
use crate::secret::Secret;
use crate::yaml::{Entry, Place, Problems, Reported};

/// How PEM text can be given.
pub(super) struct Forms<'s> {
    name: &'static str,
    inline: &'s Entry<Secret>,
    file: &'s Entry<String>,
}

impl<'s> Forms<'s> {
    pub(super) fn of(name: &'static str, inline: &'s Entry<Secret>, file: &'s Entry<String>) -> Self {
        Self { name, inline, file }
    }

    /// Where it is expected.
    pub(super) fn place(&self) -> &'s Place {
        &self.file.place
    }

    pub(super) fn required(&self, folder: &Path, problems: &mut Problems) -> Result<Pem, Reported> {
        self.optional(folder, problems)?.ok_or_else(|| {
            problems.push(
                self.place(),
                format!("missing; give it, or the text itself as {}", self.name),
            )
        })
    }

    pub(super) fn optional(&self, folder: &Path, problems: &mut Problems) -> Result<Option<Pem>, Reported> {
        let (inline, file) = (self.inline.get()?, self.file.get()?);
        let (place, source) = match (inline, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let error = format!("give {0} or {0}_file, not both", self.name);
                return Err(problems.push(self.place(), error));
            }
            (Some(text), None) => (&self.inline.place, PemSource::Inline(text.clone())),
            (None, Some(path)) if path.is_empty() => {
                return Err(problems.push(self.place(), "must not be empty"));
            }
            // The path will be shown in errors.
            (None, Some(path)) if path.contains("-----") || path.contains('\n') => {
                let error = format!("must be a path; the text itself goes to {}", self.name);
                return Err(problems.push(self.place(), error));
            }
            (None, Some(path)) => (&self.file.place, PemSource::File(folder.join(path))),
        };
        Ok(Some(Pem {
            place: place.clone(),
            source,
        }))
    }
}
