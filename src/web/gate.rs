//! What stands before every page: how a connection begins, and who is let in.
//!
//! In the order of the exporter-toolkit: a broken web configuration answers 500, the rate limit 429, a missing or wrong
//! login 401; the configured headers are on all but the first.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hyper::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rustls::ServerConfig;
use tokio::time::Instant;

use super::basic_auth::Logins;
use super::body::Body;
use super::config::WebConfig;
use super::live::{Broken, LiveConfig};
use super::rate_limit::Bucket;
use super::routes::{PROBES, Site, not_found, plain};
use crate::host::{Files, Random};
use crate::yaml::FileError;

/// Lets requests through to the site, or not, as the web configuration says; all of them without one.
#[derive(Debug)]
pub struct Gate {
    /// Whom it let in at the start, in words.
    summary: String,
    guarded: Option<Guarded>,
    /// Nothing but health and readiness.
    probes_only: bool,
}

#[derive(Debug)]
struct Guarded {
    live: LiveConfig,
    bucket: Bucket,
    logins: Logins,
}

impl Gate {
    /// Plain HTTP, open to everybody.
    pub fn open() -> Self {
        Self {
            summary: "plain HTTP, open to everybody".to_owned(),
            guarded: None,
            probes_only: false,
        }
    }

    /// Plain HTTP for whoever asks for health and readiness, and nothing else, whatever the web configuration says.
    pub fn probes() -> Self {
        Self {
            summary: "plain HTTP, health and readiness alone".to_owned(),
            guarded: None,
            probes_only: true,
        }
    }

    /// As the web configuration at `path` says, which is read again whenever it matters. Everything that is wrong in
    /// it now, or in the files that it names, is the error.
    pub async fn load(path: &Path, files: Files, random: &Random) -> Result<Self, FileError> {
        let (live, summary) = LiveConfig::load(path, files).await?;
        Ok(Self {
            summary,
            guarded: Some(Guarded {
                live,
                bucket: Bucket::default(),
                logins: Logins::new(random),
            }),
            probes_only: false,
        })
    }

    /// Whether connections begin with a TLS handshake.
    pub(super) fn speaks_tls(&self) -> bool {
        self.guarded
            .as_ref()
            .is_some_and(|guarded| guarded.live.speaks_tls())
    }

    /// Nothing but probes is answered.
    pub(super) fn is_for_probes(&self) -> bool {
        self.probes_only
    }

    /// What a TLS handshake goes by now, where TLS is spoken.
    pub(super) async fn tls(&self) -> Result<Arc<ServerConfig>, Broken> {
        match &self.guarded {
            Some(guarded) => guarded.live.tls().await,
            None => Err(Broken),
        }
    }

    /// The site's answer, if the request gets so far.
    pub(super) async fn answer(&self, site: &Site, request: &Parts, draining: bool) -> Response<Body> {
        if self.probes_only && !PROBES.contains(&request.uri.path()) {
            return not_found();
        }
        let page = || site.answer(request, draining);
        let Some(guarded) = &self.guarded else {
            return page().await;
        };
        let Ok(config) = guarded.live.config().await else {
            let text = "The web configuration is broken; the log says how.\n";
            return plain(StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        let mut answer = match guarded.refuse(&config, request).await {
            Some(refusal) => refusal,
            None => page().await,
        };
        add(&config.headers, answer.headers_mut());
        answer
    }
}

/// Whom it let in at the start.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl Guarded {
    async fn refuse(&self, config: &WebConfig, request: &Parts) -> Option<Response<Body>> {
        if let Some(limit) = config.rate_limit
            && !self.bucket.take(limit, Instant::now())
        {
            return Some(plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests.\n"));
        }
        let authorization = request.headers.get(AUTHORIZATION);
        if config.users.is_empty() || self.logins.allow(&config.users, authorization).await {
            return None;
        }
        let mut refusal = plain(StatusCode::UNAUTHORIZED, "Unauthorized.\n");
        let headers = refusal.headers_mut();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Some(refusal)
    }
}

/// The configured headers replace ours, but for the policy of a page: where there are two, a browser keeps to both.
fn add(configured: &HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in configured {
        if name == CONTENT_SECURITY_POLICY {
            headers.append(name, value.clone());
        } else {
            headers.insert(name, value.clone());
        }
    }
}
