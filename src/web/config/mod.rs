//! The web configuration, `--web.config.file`: TLS, client certificates, headers, users and the rate limit, as values
//! that cannot be wrong.
//!
//! Its keys are those of the Prometheus exporter-toolkit. `file` is the shape of the YAML, `validate` and `tls` turn
//! the shape into the values below and tell every error at once. What the files that it names hold is not here.

mod file;
mod pem;
mod tls;
mod validate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue};
use rustls::crypto::SupportedKxGroup;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::tls::errors;
use crate::host::Files;
use crate::secret::Secret;
use crate::yaml::{self, FileError, Place};

/// What the web server does beside answering; by default nothing: no TLS, no password, no limit.
#[derive(Debug)]
pub struct WebConfig {
    /// The server speaks TLS; plain HTTP without it.
    pub tls: Option<Tls>,
    /// HTTP/2 is offered, on TLS only.
    pub http2: bool,
    /// Headers of every answer.
    pub headers: HeaderMap<HeaderValue>,
    /// Users and the bcrypt hashes of their passwords; anybody may ask if there is none.
    pub users: BTreeMap<String, Secret>,
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
}

/// How the server speaks TLS.
#[derive(Debug)]
pub struct Tls {
    /// The server's certificate, the ones between it and its root behind it.
    pub certificate: Pem,
    /// The certificate's private key.
    pub key: Pem,
    /// Whose certificates clients show.
    pub client_auth: ClientAuth,
    /// TLS 1.2, 1.3 or both.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// One or more, the favourite first.
    pub cipher_suites: Vec<SupportedCipherSuite>,
    /// One or more, the favourite first.
    pub curves: Vec<&'static dyn SupportedKxGroup>,
    /// The server's favourites count, not the client's.
    pub server_chooses: bool,
}

/// PEM text, and where the web configuration gives it.
#[derive(Debug)]
pub struct Pem {
    /// The key that gives it.
    pub place: Place,
    /// Where the text itself is.
    pub source: PemSource,
}

/// Where PEM text is.
#[derive(Debug)]
pub enum PemSource {
    /// In the web configuration.
    Inline(Secret),
    /// In a file, read again at each handshake.
    File(PathBuf),
}

/// Which certificates clients show.
#[derive(Debug)]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// Any will do, whoever signed it.
    Any {
        /// A client without one is turned away.
        required: bool,
        /// CAs that clients are told of, to choose a certificate by.
        hint: Option<Pem>,
        /// The names of which the certificate has one; any name will do if there are none here.
        allowed_sans: Vec<String>,
    },
    /// One that leads to a CA of ours.
    Verified {
        /// A client without one is turned away.
        required: bool,
        /// The CAs.
        ca: Pem,
        /// The names of which the certificate has one; any name will do if there are none here.
        allowed_sans: Vec<String>,
    },
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The time in which one more request may come.
    pub interval: Duration,
    /// Requests that may come at once: 1 or more.
    pub burst: u32,
}

impl WebConfig {
    /// Reads `text`, which stands at `path`. Relative paths of files in it are taken from the folder of `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        Self::read(path, text, None)
    }

    /// The same, and what is wrong in the certificates and keys that it names, inline or in files, as they are now.
    pub(super) fn parse_with_files(path: &Path, text: &str, files: &Files) -> Result<Self, FileError> {
        Self::read(path, text, Some(files))
    }

    fn read(path: &Path, text: &str, files: Option<&Files>) -> Result<Self, FileError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        // To say nothing means nothing, in the toolkit too: no TLS, no users.
        let text = if is_blank(text) { "{}" } else { text };
        let read = yaml::read(text, |file, problems| {
            let config = validate::web_config(file, folder, problems)?;
            for (tls, files) in config.tls.iter().zip(files) {
                for error in errors(tls, files) {
                    problems.push(&error.place, error.message);
                }
            }
            Ok(config)
        });
        read.map_err(|errors| FileError::invalid(path, errors))
    }
}

/// Whether there is nothing but blanks and comments.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}
