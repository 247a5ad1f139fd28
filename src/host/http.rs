//! The `Transport` over a real network: reqwest, told to do nothing by itself.

use std::time::Duration;

use hyper::body::Bytes;

use super::transport::{Body, HttpRequest, HttpResponse, Sent, Transport, TransportError};

/// The largest answer that is read, in bytes. A full page of `ListPcaCaCertificate` (2,000 entries) stays below.
pub const LARGEST_BODY: usize = 4 << 20;

/// Connections that idle longer are closed by us, before the server does it under a call's feet.
const IDLE: Duration = Duration::from_secs(5);

/// The `User-Agent` of every request.
const USER_AGENT: &str = concat!("aliyun-pca-exporter/", env!("CARGO_PKG_VERSION"));

/// An HTTP/1.1 client for requests of the cloud's API.
#[derive(Clone, Debug)]
pub struct HttpClient(reqwest::Client);

/// The client could not be built; most often there are no CA certificates on the system.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS: {0}; are the system's CA certificates installed (or SSL_CERT_FILE set)?")]
pub struct HttpClientError(String);

impl HttpClient {
    /// A client for calls that the caller gives up after `timeout`. Connecting has half of that, so that a peer that
    /// cannot be reached is told from one that does not answer. Proxies come from the
    /// environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    pub fn new(timeout: Duration) -> Result<Self, HttpClientError> {
        Self::build(Self::builder(timeout))
    }

    /// The same without any proxy, for peers on this machine.
    pub fn direct(timeout: Duration) -> Result<Self, HttpClientError> {
        Self::build(Self::builder(timeout).no_proxy())
    }

    fn builder(timeout: Duration) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(timeout / 2)
            .tcp_user_timeout(timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            // A request sent again by the library would carry a used nonce and no slot of the budget.
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
    }

    fn build(builder: reqwest::ClientBuilder) -> Result<Self, HttpClientError> {
        // An error means that a provider is installed already, which is all we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        builder
            .build()
            .map(Self)
            .map_err(|error| HttpClientError(innermost(&error.without_url())))
    }
}

impl Transport for HttpClient {
    fn send(&self, request: HttpRequest) -> Sent {
        let sent = self
            .0
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send();
        Box::pin(async move {
            let response = sent.await.map_err(before_head)?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(HttpResponse {
                status,
                headers,
                body: read(response),
            })
        })
    }
}

fn read(mut response: reqwest::Response) -> Body {
    Box::pin(async move {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| TransportError::Closed(innermost(&error.without_url())))?
        {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(TransportError::TooLarge { limit: LARGEST_BODY });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(body))
    })
}

/// reqwest's errors print the whole URL, which may hold a key id, a token and a signature.
fn before_head(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let text = innermost(&error);
    if has_tls_cause(&error) {
        TransportError::Tls(text)
    } else if error.is_connect() {
        TransportError::Connect(text)
    } else {
        TransportError::Closed(text)
    }
}

/// The cause that says most: `Connection refused`, not `error sending request`.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether a TLS error is among the causes. An `io::Error` hides the one that it wraps from `source`.
fn has_tls_cause(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || wrapped.is_some_and(|wrapped| has_tls_cause(wrapped))
        || error.source().is_some_and(has_tls_cause)
}
