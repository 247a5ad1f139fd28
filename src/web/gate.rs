//! What stands before every page: how a connection begins, and who is let in.

use std::path::Path;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rustls::ServerConfig;

use super::live::{Broken, LiveConfig};
use super::routes::{Site, plain};
use crate::host::Files;
use crate::yaml::FileError;

/// Lets requests through to the site, or not, as the web configuration says; all of them without one.
#[derive(Debug)]
pub struct Gate {
    live: Option<LiveConfig>,
}

impl Gate {
    /// Plain HTTP, open to everybody.
    pub fn open() -> Self {
        Self { live: None }
    }

    /// As the web configuration at `path` says, which is read again whenever it matters. Everything that is wrong in
    /// it now, or in the files that it names, is the error.
    pub fn load(path: &Path, files: Files) -> Result<Self, FileError> {
        Ok(Self {
            live: Some(LiveConfig::load(path, files)?),
        })
    }

    /// What a TLS handshake goes by now; none for plain HTTP.
    pub(super) fn handshake(&self) -> Option<Result<Arc<ServerConfig>, Broken>> {
        let live = self.live.as_ref().filter(|live| live.speaks_tls())?;
        Some(live.tls())
    }

    /// The site's answer, if the request gets so far.
    pub(super) fn answer(&self, site: &Site, request: &Parts, draining: bool) -> Response<Full<Bytes>> {
        if let Some(live) = &self.live
            && live.config().is_err()
        {
            return plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The web configuration is broken; the log says how.\n",
            );
        }
        site.answer(&request.method, request.uri.path(), draining)
    }
}
