//! Serves a site over HTTP/1.1, and HTTP/2 on TLS, until it is told to stop, and lets requests in flight end.
//!
//! Knows connections and no route. One connection's trouble, a panic included, is that connection's alone.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::crowd::{Crowd, Place};
use super::gate::Gate;
use super::listen::Listeners;
use super::routes::Site;
use super::tls::H2;

/// A connection that sends no whole request head for so long is closed, idle ones between two scrapes included. No
/// multiple of a usual scrape interval, so that we do not hang up just as the next scrape begins.
const HEAD_TIMEOUT: Duration = Duration::from_secs(40);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests of one HTTP/2 connection that are served at a time.
const MOST_STREAMS: u32 = 16;

/// Connections served at a time, well below the usual limit of 1,024 open files. One more, and another has to leave.
const MOST_CONNECTIONS: usize = 512;

/// The same for the address of the probes: both together stay below that limit, too.
const MOST_PROBES: usize = 64;

/// Connections on their way out while others come in. With more, newcomers wait with the system.
const MOST_LEAVING: usize = 64;

/// How long an answer may take until it is sent, counted from the question on.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// How long a connection may take from one question to the next.
const LONGEST_PAUSE: Duration = Duration::from_secs(LONGEST_ANSWER.as_secs() + HEAD_TIMEOUT.as_secs());

/// Bytes of a request's head; Prometheus and browsers send a few hundred.
const LONGEST_HEAD: u32 = 16 << 10;

/// How often it is looked for connections that take longer.
const TIDY: Duration = Duration::from_secs(10);

/// How long requests in flight may take to end once we stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait after the system had no connection to give (mostly for want of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What all connections share, cheap to clone.
#[derive(Clone)]
struct Server {
    site: Arc<Site>,
    gate: Arc<Gate>,
    stop: CancellationToken,
}

/// How a connection ended.
type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Serves until `stop` is cancelled. From then on nothing new is accepted, requests in flight get five seconds to
/// end, and whoever still asks for readiness hears that the exporter is draining.
pub async fn serve(listeners: Listeners, site: Arc<Site>, gate: Arc<Gate>, stop: CancellationToken) {
    let server = Server {
        site,
        gate,
        stop: stop.clone(),
    };
    let (graceful, crowd) = (GracefulShutdown::new(), Crowd::default());
    let mut connections = JoinSet::new();
    let mut tidy = tokio::time::interval(TIDY);
    let most = if server.gate.is_for_probes() {
        MOST_PROBES
    } else {
        MOST_CONNECTIONS
    };
    let mut ready = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended),
            _ = tidy.tick() => crowd.tidy(LONGEST_PAUSE, LONGEST_ANSWER),
            accepted = accept(&listeners, ready), if connections.len() < most + MOST_LEAVING => {
                let stream = match accepted {
                    Ok(stream) => stream,
                    Err(error) => {
                        // A client that went away before it was its turn is no reason to wait.
                        if error.kind() != io::ErrorKind::ConnectionAborted {
                            tracing::warn!(%error, "cannot accept a connection");
                            ready = Instant::now() + ACCEPT_PAUSE;
                        }
                        continue;
                    }
                };
                if connections.len() >= most {
                    crowd.make_room();
                }
                let place = Arc::new(crowd.join());
                let leave = place.leave.clone();
                let connection = server.clone().connection(stream, graceful.watcher(), place);
                connections.spawn(async move {
                    tokio::select! {
                        ended = connection => ended,
                        () = leave.cancelled() => Err("it had to leave".into()),
                    }
                });
            }
        }
    }
    drop(listeners);
    // What has not ended by then is cut off when `connections` is dropped.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

impl Server {
    /// Serves one connection to its end.
    async fn connection(self, stream: TcpStream, watcher: Watcher, place: Arc<Place>) -> Ended {
        if !self.gate.speaks_tls() {
            return self.http1(stream, watcher, place).await;
        }
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.handshake(stream));
        let stream = tokio::select! {
            stream = handshake => stream??,
            () = self.stop.cancelled() => return Ok(()),
        };
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            self.http2(stream, watcher, place).await
        } else {
            self.http1(stream, watcher, place).await
        }
    }

    /// What TLS goes by is read for each handshake, and may take its time.
    async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Box<dyn Error + Send + Sync>> {
        let tls = self.gate.tls().await;
        let tls = tls.map_err(|_| "no TLS while the web configuration is broken")?;
        Ok(TlsAcceptor::from(tls).accept(stream).await?)
    }

    async fn http1(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        watcher: Watcher,
        place: Arc<Place>,
    ) -> Ended {
        let service = service_fn(|request| self.answer(request, &place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(LONGEST_HEAD as usize)
            .serve_connection(TokioIo::new(stream), service);
        Ok(watcher.watch(connection).await?)
    }

    async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        watcher: Watcher,
        place: Arc<Place>,
    ) -> Ended {
        let asked = Arc::new(Notify::new());
        let service = {
            let asked = Arc::clone(&asked);
            service_fn(move |request| {
                asked.notify_one();
                let (server, place) = (self.clone(), Arc::clone(&place));
                async move { server.answer(request, &place).await }
            })
        };
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = watcher.watch(connection) => Ok(ended?),
            () = idle(&asked) => Ok(()),
        }
    }

    async fn answer(&self, request: Request<Incoming>, place: &Place) -> Result<Response<Body>, Infallible> {
        let answering = place.asked();
        let (head, _) = request.into_parts();
        let draining = self.stop.is_cancelled();
        let answer = self.gate.answer(&self.site, &head, draining).await;
        Ok(if head.method == Method::HEAD {
            without_body(answer)
        } else {
            answer.map(|body| body.keeping(answering))
        })
    }
}

/// The head alone, with the length of what is left out. The library does that by itself for HTTP/1.1 only.
fn without_body(answer: Response<Body>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.length()));
    Response::from_parts(head, Body::default())
}

/// Returns once nothing has been asked for as long as HTTP/1.1 may wait for a request.
async fn idle(asked: &Notify) {
    while tokio::time::timeout(HEAD_TIMEOUT, asked.notified()).await.is_ok() {}
}

/// The next connection, not before `ready`.
async fn accept(listeners: &Listeners, ready: Instant) -> io::Result<TcpStream> {
    tokio::time::sleep_until(ready).await;
    listeners.accept().await
}

fn report(ended: Result<Ended, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(error) => {
            tracing::error!(%error, "serving a connection failed, which is a defect; please report it");
        }
    }
}
