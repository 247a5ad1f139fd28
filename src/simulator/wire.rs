//! The way to a `World`: the delays and losses of its network, and the `Transport` for callers in the same process.
//!
//! What is on its way arrives, whatever becomes of the caller: a call that was given up after a timeout still
//! counts at the cloud. So the arrival is a task of its own, detached from the caller's future.

use std::future;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::reply::{Reply, Response};
use super::under_way::Crossing;
use super::world::World;
use crate::host::{Body, HttpRequest, HttpResponse, LARGEST_BODY, Sent, Transport, TransportError};

/// A `Transport` that leads to a `World`, with no socket in between: it works in tokio's paused time.
///
/// Like the real one it reads no body beyond `host::LARGEST_BODY`.
#[derive(Clone, Debug)]
pub struct Wire {
    world: World,
    under_way: TaskTracker,
}

impl Wire {
    /// A wire to `world`.
    pub fn new(world: World) -> Self {
        Self {
            world,
            under_way: TaskTracker::new(),
        }
    }

    /// One exchange, delays included; what `Reply` asks for beyond that is left to whoever hands it over.
    pub(super) async fn exchange(&self, request: HttpRequest) -> Reply {
        let Some(passage) = self.world.passage() else {
            return Reply::Refused;
        };
        let (answered, answer) = oneshot::channel();
        let world = self.world.clone();
        self.under_way.spawn(async move {
            pause(passage.there).await;
            let reply = world.receive(&request);
            pause(passage.back).await;
            let reply = if passage.dropped { Reply::Closed } else { reply };
            // A caller that has given up meanwhile is no concern of the cloud's.
            let _ = answered.send(reply);
        });
        // The task ends without an answer only with the runtime itself.
        answer.await.unwrap_or(Reply::Closed)
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> Sent {
        let wire = self.clone();
        // Like a real client: nothing is sent before the first poll.
        Box::pin(async move {
            let _under_way = Crossing::begin(&wire.world, &request);
            match wire.exchange(request).await {
                Reply::Whole(response) => Ok(received(response, whole)),
                Reply::Late(by, response) => {
                    pause(by).await;
                    Ok(received(response, whole))
                }
                Reply::CutShort(response) => Ok(received(response, |_| Box::pin(async { Err(closed()) }))),
                Reply::Stalled(response) => Ok(received(response, |_| Box::pin(future::pending()))),
                Reply::Closed => Err(closed()),
                Reply::Never => future::pending().await,
                Reply::Refused => Err(TransportError::Connect("the simulator refused it".to_owned())),
            }
        })
    }
}

fn received(response: Response, body: fn(Bytes) -> Body) -> HttpResponse {
    let (head, bytes) = response.into_parts();
    HttpResponse {
        status: head.status,
        headers: head.headers,
        body: body(bytes),
    }
}

fn whole(body: Bytes) -> Body {
    Box::pin(future::ready(if body.len() > LARGEST_BODY {
        Err(TransportError::TooLarge { limit: LARGEST_BODY })
    } else {
        Ok(body)
    }))
}

fn closed() -> TransportError {
    TransportError::Closed("the simulator closed it".to_owned())
}

/// Even a sleep of nothing would let virtual time move.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
