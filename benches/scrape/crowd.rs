//! Scrapes amid thousands of clients that dribble a request head byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::client::Client;
use crate::program::Memory;
use crate::server::{Kind, Server};

/// Slow clients. Whoever is sent away comes back.
pub(crate) const SLOW: usize = 2_000;

/// Scrapes a second.
const RATE: u32 = 200;

/// Connections that scrape.
const SCRAPERS: usize = 20;

/// The instances on the page.
const INSTANCES: usize = 1_000;

/// From one byte of a slow client to the next.
const DRIBBLE: Duration = Duration::from_millis(500);

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured.
pub(crate) struct Crowd {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    /// Connections of slow clients, those that came back included.
    pub(crate) slow: usize,
    pub(crate) memory: Memory,
}

pub(crate) async fn measure(seconds: u32) -> anyhow::Result<Crowd> {
    raise_open_files()?;
    let server = Server::exporter(Kind::Ours, INSTANCES)?;
    let address = server.address;
    let stop = Instant::now() + Duration::from_secs(seconds.into());
    let mut dribblers = JoinSet::new();
    for _ in 0..SLOW {
        dribblers.spawn(dribble(address, stop));
    }
    let mut scrapers = JoinSet::new();
    for number in 0..SCRAPERS {
        scrapers.spawn(scrape(address, number, stop));
    }
    let (mut asked, mut answered) = (0, 0);
    for counted in scrapers.join_all().await {
        let counted = counted?;
        asked += counted.0;
        answered += counted.1;
    }
    let memory = server.memory()?;
    Ok(Crowd {
        asked,
        answered,
        slow: dribblers.join_all().await.into_iter().sum(),
        memory,
    })
}

/// As many as this process may have.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, wanted).context("raising the limit of open files")
}

/// Returns how many connections it took.
async fn dribble(address: SocketAddr, stop: Instant) -> usize {
    let mut connections = 0;
    while Instant::now() < stop {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            sleep(DRIBBLE).await;
            continue;
        };
        connections += 1;
        for byte in b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
            .iter()
            .chain([b'a'].iter().cycle())
        {
            if Instant::now() >= stop || stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(DRIBBLE).await;
        }
    }
    connections
}

/// Returns how often it asked, and was answered.
async fn scrape(address: SocketAddr, number: usize, stop: Instant) -> anyhow::Result<(usize, usize)> {
    let scrapers = u32::try_from(SCRAPERS)?;
    let client = Client::new(address)?;
    let mut ticks = interval(Duration::from_secs(scrapers.into()) / RATE);
    let (mut asked, mut answered) = (0, 0);
    // Half of them ask for gzip.
    let gzip = number.is_multiple_of(2);
    while Instant::now() < stop {
        ticks.tick().await;
        asked += 1;
        if matches!(timeout(PATIENCE, client.scrape(gzip)).await, Ok(Ok(_))) {
            answered += 1;
        }
    }
    Ok((asked, answered))
}
