//! CPU time per scrape and memory of every server with the same series.
//!
//! All servers run at once and are scraped in turn, so that whatever else the machine does weighs on all alike; the slow
//! ones have the first rounds alone. Each scrape comes after a rest, in which the processor falls asleep and forgets, as it
//! does from one scrape of Prometheus to the next. Our page is then too old to be shared with the scrape before. A ready
//! page of ours is one that was made for another client before the rest, and is still new enough to be shared.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::client::scrape_at_once;
use crate::processors::Processors;
use crate::program::Memory;
use crate::server::{CLIENTS, Kind, Programs, Server, millis_between};

/// So old may a page be that is given to another client.
const SHARED: Duration = Duration::from_secs(1);

/// From what changes, or the making of a ready page, to the scrape.
const PAUSE: Duration = Duration::from_millis(700);

/// What a server still does once its client has everything.
const REST: Duration = Duration::from_millis(20);

/// Rounds in which those are scraped that are slow.
const ROUNDS_OF_SLOW: u32 = 2;

/// How it is scraped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) gzip: bool,
    pub(crate) clients: usize,
}

pub(crate) const MODES: [Mode; 4] = [
    Mode {
        gzip: false,
        clients: 1,
    },
    Mode {
        gzip: false,
        clients: CLIENTS,
    },
    Mode {
        gzip: true,
        clients: 1,
    },
    Mode {
        gzip: true,
        clients: CLIENTS,
    },
];

/// The figures of one number of instances.
pub(crate) struct Cost {
    pub(crate) instances: usize,
    /// Bytes.
    pub(crate) page: usize,
    pub(crate) servers: Vec<Used>,
}

/// What one server has used.
pub(crate) struct Used {
    pub(crate) kind: Kind,
    /// Milliseconds per scrape, by mode.
    pub(crate) millis: Vec<f64>,
    pub(crate) memory: Memory,
}

pub(crate) async fn measure(
    instances: usize,
    rounds: u32,
    programs: &Programs,
    folder: &Path,
) -> anyhow::Result<Cost> {
    let processors = Processors::apart()?;
    let ours = processors.servers(|| Server::exporter(Kind::Ours, instances))?;
    let ready = processors.servers(|| Server::exporter(Kind::Ready, instances))?;
    let page = ours.clients[0].page().await?;
    let path = folder.join("page.txt");
    std::fs::write(&path, of_instances(&page))?;
    let mut servers = vec![ours, ready];
    servers.extend(processors.servers(|| Server::rivals(&path, programs))?);
    let mut millis = vec![Vec::new(); servers.len()];
    for mode in MODES {
        let mut used = vec![Vec::new(); servers.len()];
        // The first round opens connections and does not count.
        for round in 0..=rounds {
            for (server, used) in servers.iter_mut().zip(&mut used) {
                if round > ROUNDS_OF_SLOW && server.kind.is_slow() {
                    continue;
                }
                let begun = Instant::now();
                prepare(server, mode).await?;
                sleep(PAUSE).await;
                let cost = scrape(server, mode).await?;
                anyhow::ensure!(
                    server.kind != Kind::Ready || begun.elapsed() < SHARED,
                    "the ready page was too old to be shared; this machine is too slow or too busy"
                );
                if round > 0 {
                    used.push(cost);
                }
            }
        }
        for (millis, used) in millis.iter_mut().zip(&mut used) {
            millis.push(median(used));
        }
    }
    let servers = servers.iter().zip(millis);
    let servers = servers.map(|(server, millis)| {
        Ok(Used {
            kind: server.kind,
            millis,
            memory: server.memory()?,
        })
    });
    Ok(Cost {
        instances,
        page: page.len(),
        servers: servers.collect::<anyhow::Result<_>>()?,
    })
}

async fn prepare(server: &mut Server, mode: Mode) -> anyhow::Result<()> {
    match server.kind {
        Kind::Ours => server.change(),
        Kind::Ready => scrape_at_once(&server.clients[CLIENTS..], mode.gzip).await,
        Kind::Buffer | Kind::Registry | Kind::Go | Kind::Python => Ok(()),
    }
}

/// Milliseconds per scrape.
async fn scrape(server: &mut Server, mode: Mode) -> anyhow::Result<f64> {
    let from = server.on_cpu()?;
    scrape_at_once(&server.clients[..mode.clients], mode.gzip).await?;
    sleep(REST).await;
    let millis = millis_between(&from, &server.on_cpu()?);
    #[expect(clippy::cast_precision_loss, reason = "eight at the most")]
    let scrapes = mode.clients as f64;
    Ok(millis / scrapes)
}

/// Without the own counters: the rivals have gauges only.
fn of_instances(page: &str) -> String {
    let about = |line: &&str| {
        let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        line.starts_with("aliyun_pca_instance_")
    };
    page.lines().filter(about).flat_map(|line| [line, "\n"]).collect()
}

/// Others' work on this machine disturbs a round now and then, and the mean with it. Of an even number it is the mean of
/// the two in the middle: the larger one would be to the disadvantage of those that have only two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}
