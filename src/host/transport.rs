//! One HTTP exchange with the cloud, as a trait: the network in production, the simulator's world in tests.
//!
//! No timeout lives here: the caller gives up by dropping the future.

use std::fmt;
use std::pin::Pin;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

/// A request ready for the wire. No `Debug`: its URL and headers carry keys and signatures.
#[derive(Clone)]
pub struct HttpRequest {
    /// GET, POST or PUT.
    pub method: Method,
    /// The whole URL, query included, already percent-encoded.
    pub url: String,
    /// Every header that the sender cares about, `host` included.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

/// The head of an answer, and a way to get the rest.
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, read when awaited.
    pub body: Body,
}

/// A body that is still to come.
pub type Body = Pin<Box<dyn Future<Output = Result<Bytes, TransportError>> + Send>>;

/// An exchange under way, up to the answer's head.
pub type Sent = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send>>;

/// Something that carries requests to the cloud.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends one request, once: no retry, no redirect.
    fn send(&self, request: HttpRequest) -> Sent;
}

/// Why there is no (whole) answer. The texts name no URL.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The peer was not reached; nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The TLS handshake failed; nothing was sent.
    #[error("TLS: {0}")]
    Tls(String),
    /// The peer ended the connection before the answer was whole.
    #[error("the connection broke: {0}")]
    Closed(String),
    /// The answer is larger than any that the API gives.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The largest body that is read, in bytes.
        limit: usize,
    },
}
