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
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue};
use rustls::crypto::SupportedKxGroup;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::tls::errors;
use crate::host::Files;
use crate::secret::Secret;
use crate::yaml::{self, FileError, Place, Problems};

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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub struct Pem {
    /// The key that gives it.
    pub place: Place,
    /// Where the text itself is.
    pub source: PemSource,
}

/// Where PEM text is.
#[derive(Clone, Debug)]
pub enum PemSource {
    /// In the web configuration.
    Inline(Secret),
    /// In a file, read again at each handshake.
    File(PathBuf),
}

/// Which certificates clients show.
#[derive(Clone, Debug)]
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
        Self::read(path, text, |_, _| ())
    }

    /// The same, and what is wrong in the certificates and keys that it names, inline or in files, as they are now.
    pub(super) async fn parse_with_files(path: &Path, text: &str, files: &Files) -> Result<Self, FileError> {
        let mut tls = None;
        let read = Self::read(path, text, |config, _| tls.clone_from(&config.tls));
        let errors = match &tls {
            Some(tls) => errors(tls, files).await,
            None => Vec::new(),
        };
        if errors.is_empty() {
            return read;
        }
        // Once more, so that each error has its line among the others.
        Self::read(path, text, |_, problems| {
            for error in errors {
                problems.push(&error.place, error.message);
            }
        })
    }

    /// `look` sees what is said, though something beside it may be wrong.
    fn read(path: &Path, text: &str, look: impl FnOnce(&Self, &mut Problems)) -> Result<Self, FileError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        // To say nothing means nothing, in the toolkit too: no TLS, no users.
        let text = if is_blank(text) { "{}" } else { text };
        let read = yaml::read(text, |file, problems| {
            let config = validate::web_config(file, folder, problems)?;
            look(&config, problems);
            Ok(config)
        });
        read.map_err(|errors| FileError::invalid(path, errors))
    }
}

/// What keeps others out, in words.
impl fmt::Display for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "TLS" } else { "plain HTTP" })?;
        let client_auth = self.tls.as_ref().map(|tls| &tls.client_auth);
        let (certificates, are_verified) = match client_auth {
            None | Some(ClientAuth::None) => ("", false),
            Some(ClientAuth::Any { required: true, .. }) => {
                (", client certificates that anybody may have made", false)
            }
            Some(ClientAuth::Any { .. } | ClientAuth::Verified { required: false, .. }) => {
                (", client certificates from who has one", false)
            }
            Some(ClientAuth::Verified { required: true, .. }) => (", verified client certificates", true),
        };
        f.write_str(certificates)?;
        match self.users.len() {
            0 if are_verified => Ok(()),
            0 => f.write_str(", open to everybody"),
            1 => f.write_str(", 1 user"),
            users => write!(f, ", {users} users"),
        }
    }
}

/// Whether there is nothing but blanks and comments.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}
