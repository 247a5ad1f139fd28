//! Serves a site over HTTP/1.1 until it is told to stop, and lets requests in flight end.
//!
//! Knows connections and no route. One connection's trouble, a panic included, is that connection's alone.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::listen::Listeners;
use super::routes::Site;

/// A connection that sends no whole request head for so long is closed, idle ones between two scrapes included. No
/// multiple of a usual scrape interval, so that we do not hang up just as the next scrape begins.
const HEAD_TIMEOUT: Duration = Duration::from_secs(40);

/// Connections served at a time, well below the usual limit of 1,024 open files. Others wait with the system.
const MOST_CONNECTIONS: usize = 512;

/// How long requests in flight may take to end once we stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait after the system had no connection to give (mostly for want of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop` is cancelled. From then on nothing new is accepted, requests in flight get five seconds to
/// end, and whoever still asks for readiness hears that the exporter is draining.
pub async fn serve(listeners: Listeners, site: Arc<Site>, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended),
            stream = accept(&listeners), if connections.len() < MOST_CONNECTIONS => {
                let (site, stop) = (Arc::clone(&site), stop.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (site, draining) = (Arc::clone(&site), stop.is_cancelled());
                    async move {
                        let answer = site.answer(request.method(), request.uri().path(), draining).await;
                        Ok::<_, Infallible>(answer)
                    }
                });
                let connection = http.serve_connection(TokioIo::new(stream), service);
                connections.spawn(graceful.watch(connection));
            }
        }
    }
    drop(listeners);
    // What has not ended by then is cut off when `connections` is dropped.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

async fn accept(listeners: &Listeners) -> TcpStream {
    loop {
        match listeners.accept().await {
            Ok(stream) => return stream,
            // The client went away before it was its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn report(ended: Result<Result<(), hyper::Error>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(error) => {
            tracing::error!(%error, "serving a connection failed, which is a defect; please report it");
        }
    }
}
