//! Why nothing was read from a file: the system refused, or the document says what it must not.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Error;

/// Why a file gave nothing; prints as one line for each thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file says something that it must not.
    #[error("{}", Lines(path, errors))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the file.
        errors: Vec<Error>,
    },
}

/// `config.yaml:12: accounts[0].region: …`, a line for each error.
struct Lines<'e>(&'e Path, &'e [Error]);

impl FileError {
    /// The file at `path` cannot be read.
    pub fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            error,
        }
    }

    /// The file at `path` has these errors.
    pub fn invalid(path: &Path, errors: Vec<Error>) -> Self {
        Self::Invalid {
            path: path.to_owned(),
            errors,
        }
    }
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.1.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{error}", self.0.display())?;
        }
        Ok(())
    }
}
