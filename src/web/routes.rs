//! Which path answers what: the metrics, the status page, health, readiness, and the wish for a reload.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Response, StatusCode};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::body::Body;
use super::pages::Pages;
use super::shared::Shared;
use super::{negotiation, status_page};
use crate::host::Clock;
use crate::store::{AccountState, Snapshot, Store};
use crate::telemetry::{Build, Telemetry};

const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";

/// What may be asked where everything else is guarded.
pub(super) const PROBES: [&str; 2] = [HEALTHY, READY];

/// Where the configuration is reloaded, by POST alone.
const RELOAD: &str = "/-/reload";

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The path of the metrics, such as `/metrics`: begins with a slash and is none of the server's own paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

/// A text that cannot be the path of the metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be the path of the metrics; write one such as /metrics, not / and nothing under /-/")]
pub struct PathError(String);

/// All that the server has to say.
#[derive(Debug)]
pub struct Site {
    store: Arc<Store>,
    clock: Clock,
    telemetry_path: TelemetryPath,
    build: Build,
    page_policy: HeaderValue,
    reloads: Option<mpsc::Sender<Reload>>,
    pages: Pages,
    status_pages: Mutex<Shared<Bytes>>,
}

/// Somebody's wish that the configuration is reloaded.
#[derive(Debug)]
pub struct Reload(oneshot::Sender<Result<(), String>>);

/// What a path leads to.
enum Route {
    Metrics,
    Status,
    Healthy,
    Ready,
}

impl Reload {
    /// Says what came of it. Whoever asked may have gone away.
    pub fn answer(self, outcome: Result<(), String>) {
        let _ = self.0.send(outcome);
    }
}

impl FromStr for TelemetryPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let plain = text.starts_with('/')
            && text
                .parse::<PathAndQuery>()
                .is_ok_and(|parsed| parsed.path() == text);
        // A browser reads `//metrics` as the host `metrics`.
        if plain && text != "/" && !text.starts_with("/-/") && !text.starts_with("//") {
            Ok(Self(text.to_owned()))
        } else {
            Err(PathError(text.to_owned()))
        }
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Site {
    /// A site that shows what `store` and `telemetry` hold whenever it is asked.
    pub fn new(
        store: Arc<Store>,
        telemetry: Arc<Telemetry>,
        clock: Clock,
        telemetry_path: TelemetryPath,
        build: Build,
        reloads: Option<mpsc::Sender<Reload>>,
    ) -> Self {
        Self {
            status_pages: Mutex::default(),
            pages: Pages::new(Arc::clone(&store), telemetry, clock.clone()),
            store,
            clock,
            telemetry_path,
            build,
            page_policy: status_page::content_security_policy(),
            reloads,
        }
    }

    /// The answer to a request. The body is whole even for HEAD: the server leaves it out and keeps its length.
    pub(super) async fn answer(&self, request: &Parts, draining: bool) -> Response<Body> {
        let (method, path) = (&request.method, request.uri.path());
        if path == RELOAD {
            return match &self.reloads {
                Some(reloads) => reload(method, reloads).await,
                None => plain(
                    StatusCode::FORBIDDEN,
                    "Reloading by a request is off: start with --web.enable-lifecycle, or send SIGHUP.\n",
                ),
            };
        }
        let Some(route) = self.route(path) else {
            return not_found();
        };
        if method != Method::GET && method != Method::HEAD {
            return refusal("Only GET and HEAD work here.\n", "GET, HEAD");
        }
        match route {
            Route::Metrics => self.metrics(&request.headers).await,
            Route::Status => self.status_page().await,
            Route::Healthy => plain(StatusCode::OK, "aliyun-pca-exporter is healthy.\n"),
            Route::Ready if draining => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not ready: draining before the exit.\n",
            ),
            Route::Ready => readiness(&self.store.snapshot()),
        }
    }

    fn route(&self, path: &str) -> Option<Route> {
        match path {
            "/" => Some(Route::Status),
            HEALTHY => Some(Route::Healthy),
            READY => Some(Route::Ready),
            other if other == self.telemetry_path.0 => Some(Route::Metrics),
            _ => None,
        }
    }

    async fn metrics(&self, asked: &HeaderMap) -> Response<Body> {
        let format = negotiation::format(asked);
        let compress = negotiation::gzip(asked);
        let page = if compress {
            self.pages.compressed(format).await
        } else {
            self.pages.plain(format).await
        };
        let mut response = response(StatusCode::OK, format.content_type(), page);
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if compress {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    async fn status_page(&self) -> Response<Body> {
        let mut pages = self.status_pages.lock().await;
        let page = if let Some(page) = pages.again() {
            page
        } else {
            let (snapshot, now) = (self.store.snapshot(), self.clock.now());
            let (path, build) = (self.telemetry_path.clone(), self.build);
            // Megabytes of it would hold up everybody else.
            let making =
                tokio::task::spawn_blocking(move || status_page::render(&snapshot, now, &path, &build));
            pages.put(making.await.expect("writing into memory does not panic").into())
        };
        let body = Body::from(Bytes::clone(&page)).keeping(page);
        let mut response = response(StatusCode::OK, "text/html; charset=utf-8", body);
        let headers = response.headers_mut();
        headers.insert("content-security-policy", self.page_policy.clone());
        headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
        response
    }
}

async fn reload(method: &Method, reloads: &mpsc::Sender<Reload>) -> Response<Body> {
    if method != Method::POST {
        return refusal("Only POST works here.\n", "POST");
    }
    let (answer, outcome) = oneshot::channel();
    let asked = reloads.send(Reload(answer)).await.is_ok();
    match outcome.await {
        Ok(Ok(())) if asked => plain(StatusCode::OK, "The configuration is reloaded.\n"),
        Ok(Err(why)) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("The configuration before stays in force:\n{why}\n"),
        ),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "Stopping.\n"),
    }
}

fn readiness(snapshot: &Snapshot) -> Response<Body> {
    if snapshot.ready() {
        return plain(StatusCode::OK, "aliyun-pca-exporter is ready.\n");
    }
    let named = |wanted: fn(&AccountState) -> bool| {
        let accounts = snapshot.accounts.iter().filter(|account| wanted(account));
        accounts
            .map(|account| account.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let waits = [
        ("no poll has ended yet for", named(|account| account.waiting)),
        (
            "no discovery has been tried yet for",
            named(|account| account.undiscovered),
        ),
    ];
    let waits = waits.iter().filter(|(_, names)| !names.is_empty());
    let waits: Vec<_> = waits.map(|(what, names)| format!("{what} {names}")).collect();
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("Not ready: {}.\n", waits.join("; ")),
    )
}

pub(super) fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "There is nothing at this path.\n")
}

fn refusal(text: &'static str, allowed: &'static str) -> Response<Body> {
    let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    refusal
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    refusal
}

pub(super) fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    response(status, PLAIN_TEXT, text)
}

fn response(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telemetry_path_is_one_that_a_request_can_have() {
        for path in ["/metrics", "/pca/metrics", "/-metrics", "/m/"] {
            assert_eq!(path.parse::<TelemetryPath>().unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_telemetry_path_takes_no_other_page_away() {
        for path in [
            "",
            "metrics",
            "/",
            "/-/ready",
            "/-/x",
            "/a?b",
            "/a#b",
            "/a b",
            "*",
            "http://a/b",
        ] {
            let error = path.parse::<TelemetryPath>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{path:?} cannot be")), "{error}");
        }
    }
}
