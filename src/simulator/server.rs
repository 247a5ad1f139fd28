//! A `World` behind HTTP/1.1 on loopback, for programs: the real wire format, faults that are real on the socket.
//!
//! `/` is the API; `/simulator/` is where the world is told what to do, see `control`.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control;
use super::reply::{Reply, Response};
use super::under_way::Crossing;
use super::wire::Wire;
use super::world::World;
use crate::host::HttpRequest;

/// A bound listener that is not serving yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    world: World,
}

/// Ends the connection where it stands.
#[derive(Debug, thiserror::Error)]
#[error("told to close the connection")]
struct Close;

/// A body that may end early.
struct Outgoing {
    bytes: Bytes,
    end: End,
}

/// What comes after the bytes.
#[derive(Clone, Copy)]
enum End {
    Whole,
    /// Let what was written reach the peer, then close.
    FlushThenClose,
    Close,
    Stall,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. It speaks plain http, so from now on the world allows that.
    pub async fn bind(address: SocketAddr, world: World) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        world.allow_http(true);
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            world,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then every connection is dropped at once, calls under way included.
    pub async fn serve(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            // A connection that failed before it was accepted is the peer's affair.
            let Ok((stream, _)) = accepted else {
                tokio::task::yield_now().await;
                continue;
            };
            let serving = serve_connection(stream, self.world.clone());
            let stop = stop.clone();
            connections.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = serving => {}
                }
            });
        }
        connections.close();
        connections.wait().await;
    }
}

async fn serve_connection(stream: TcpStream, world: World) {
    let wire = Wire::new(world.clone());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (wire, world) = (wire.clone(), world.clone());
        async move {
            if control::is_for(request.uri().path()) {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| Close)?.to_bytes();
                let response = control::answer(&world, &head.method, head.uri.path(), &body);
                Ok(whole(response))
            } else {
                let request = read(request).await?;
                let _under_way = Crossing::begin(&world, &request);
                hand_over(wire.exchange(request).await).await
            }
        }
    });
    // What goes wrong on a connection, asked for or not, is seen by the peer and ends with the connection.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: hyper::Request<Incoming>) -> Result<HttpRequest, Close> {
    let (head, body) = request.into_parts();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    Ok(HttpRequest {
        url: format!("http://{}{target}", host.unwrap_or("localhost")),
        method: head.method,
        headers: head.headers,
        body: body.collect().await.map_err(|_| Close)?.to_bytes(),
    })
}

async fn hand_over(reply: Reply) -> Result<hyper::Response<Outgoing>, Close> {
    match reply {
        Reply::Whole(response) => Ok(whole(response)),
        Reply::Late(by, response) => {
            tokio::time::sleep(by).await;
            Ok(whole(response))
        }
        Reply::CutShort(response) => Ok(half(response, End::FlushThenClose)),
        Reply::Stalled(response) => Ok(half(response, End::Stall)),
        Reply::Closed | Reply::Refused => Err(Close),
        Reply::Never => future::pending().await,
    }
}

fn whole(response: Response) -> hyper::Response<Outgoing> {
    response.map(|bytes| Outgoing {
        bytes,
        end: End::Whole,
    })
}

/// Promises the whole length and sends half of it.
fn half(mut response: Response, end: End) -> hyper::Response<Outgoing> {
    let length = response.body().len();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response.map(|bytes| Outgoing {
        bytes: bytes.slice(..length / 2),
        end,
    })
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Close;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Close>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::FlushThenClose => {
                // hyper flushes when a body has nothing ready, and asks again.
                self.end = End::Close;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Close => Poll::Ready(Some(Err(Close))),
            End::Stall => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Whole => SizeHint::with_exact(self.bytes.len() as u64),
            End::FlushThenClose | End::Close | End::Stall => SizeHint::default(),
        }
    }
}
