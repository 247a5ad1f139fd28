//! The exporter itself with a dozen instances: when it answers, and what it occupies.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aliyun_pca_exporter::host::Clock;
use aliyun_pca_exporter::simulator::telling;
use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::program::{self, Memory, Program};

/// Starts, of which the median counts.
const STARTS: usize = 11;

/// Until everything has been polled once.
const SETTLING: Duration = Duration::from_secs(20);

const SCRAPES: u32 = 10;

/// What was measured.
pub(crate) struct Start {
    /// From exec to the answer, in milliseconds.
    pub(crate) answer: f64,
    pub(crate) instances: usize,
    pub(crate) memory: Memory,
}

pub(crate) async fn measure(folder: &Path) -> anyhow::Result<Start> {
    let mut cloud = Program::start(
        Command::new(env!("CARGO_BIN_EXE_pca-simulator"))
            .args(["--listen-address", "127.0.0.1:0"])
            .stdout(Stdio::piped()),
    )?;
    let output = cloud.0.stdout.take().context("stdout is piped")?;
    let endpoint = program::listening_address(output)?;
    let path = folder.join("config.yaml");
    let instances = telling(Clock::system().now());
    let mut yaml = format!(
        "accounts:\n\
         - name: bench\n  \
           endpoint: http://{endpoint}\n  \
           credentials: {{ access_key: {{ access_key_id: testid, access_key_secret: testsecret }} }}\n  \
           instances:\n"
    );
    for instance in &instances {
        // Writing to a String cannot fail.
        let _ = writeln!(yaml, "  - id: {}", instance.instance_id);
    }
    std::fs::write(&path, yaml)?;
    let mut answers = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        let (_exporter, address) = start(&path)?;
        answers.push(until_answered(begun, address)?);
    }
    answers.sort_by(f64::total_cmp);
    let (exporter, address) = start(&path)?;
    sleep(SETTLING).await;
    let client = Client::new(address)?;
    for _ in 0..SCRAPES {
        client.scrape(false).await?;
    }
    Ok(Start {
        answer: answers[STARTS / 2],
        instances: instances.len(),
        memory: exporter.memory()?,
    })
}

/// On a port that was free a moment ago.
fn start(config: &Path) -> anyhow::Result<(Program, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
    command
        .arg("--config.file")
        .arg(config)
        .args(["--web.listen-address", &address.to_string()])
        // A proxy of this machine must not come between.
        .env("NO_PROXY", "127.0.0.1")
        .stderr(Stdio::null());
    Ok((Program::silent(&mut command)?, address))
}

fn until_answered(begun: Instant, address: SocketAddr) -> anyhow::Result<f64> {
    while begun.elapsed() < SETTLING {
        if let Ok(mut stream) = TcpStream::connect(address) {
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            let mut head = [0; 12];
            stream.read_exact(&mut head)?;
            anyhow::ensure!(head == *b"HTTP/1.1 200", "the exporter answers with an error");
            return Ok(begun.elapsed().as_secs_f64() * 1000.0);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    anyhow::bail!("the exporter does not answer")
}
