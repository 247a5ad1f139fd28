//! The servers that are compared, each a process with a few connections.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use anyhow::Context as _;

use crate::client::Client;
use crate::program::{self, Program};

/// Clients that scrape at the same moment.
pub(crate) const CLIENTS: usize = 8;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The exporter, which makes a page.
    Ours,
    /// The exporter, which has made the page already.
    Ready,
    /// A ready-made page behind a small server.
    Buffer,
    Registry,
    Go,
    Python,
}

/// The programs of the other languages, as far as this machine has what they need.
pub(crate) struct Programs {
    go: Option<PathBuf>,
    python: Option<PathBuf>,
    /// What is left out, and how to get it.
    pub(crate) missing: Vec<&'static str>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// Those that scrape, and one more for whom a page is made beforehand.
    pub(crate) clients: Vec<Client>,
    program: Program,
    changes: Option<(ChildStdin, mpsc::Receiver<String>)>,
}

/// Nanoseconds on a processor so far, by thread.
type OnCpu = BTreeMap<i32, u64>;

impl Kind {
    /// Takes tens to hundreds of milliseconds for thousands of instances.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Registry | Self::Go | Self::Python)
    }
}

impl Programs {
    pub(crate) fn find(folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scrape");
        let go = folder.join("rival-go");
        let built = Command::new("go")
            .args(["build", "-o"])
            .args([&go, &source.join("go/main.go")])
            // Debian's packages, and nothing from the network.
            .env("GO111MODULE", "off")
            .env("GOPATH", "/usr/share/gocode")
            .status();
        let python = PathBuf::from("/usr/bin/python3");
        let imported = Command::new(&python)
            .args(["-c", "import prometheus_client"])
            .status();
        let mut missing = Vec::new();
        let mut found = |status: std::io::Result<std::process::ExitStatus>, path, hint| {
            let found = status.is_ok_and(|status| status.success());
            if !found {
                missing.push(hint);
            }
            found.then_some(path)
        };
        Self {
            go: found(
                built,
                go,
                "Go's client_golang is left out: apt install golang-go golang-github-prometheus-client-golang-dev",
            ),
            python: found(
                imported,
                source.join("python/main.py"),
                "Python's prometheus_client is left out: apt install python3-prometheus-client",
            ),
            missing,
        }
    }
}

impl Server {
    /// Starts an exporter with so many instances.
    pub(crate) fn exporter(kind: Kind, instances: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve", "exporter", "--instances", &instances.to_string()]);
        let mut program = Program(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let input = program.0.stdin.take().context("stdin is piped")?;
        let output = program.0.stdout.take().context("stdout is piped")?;
        let (address, lines) = lines_after_address(output)?;
        Ok(Self {
            kind,
            address,
            clients: clients(address)?,
            program,
            changes: Some((input, lines)),
        })
    }

    /// Starts those that serve this page.
    pub(crate) fn rivals(page: &Path, programs: &Programs) -> anyhow::Result<Vec<Self>> {
        let role = |role: &str| {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--serve", role, "--page"]);
            anyhow::Ok(command)
        };
        let mut commands = vec![
            (Kind::Buffer, role("buffer")?),
            (Kind::Registry, role("registry")?),
        ];
        if let Some(go) = &programs.go {
            commands.push((Kind::Go, Command::new(go)));
        }
        if let Some(script) = &programs.python {
            let mut command = Command::new("/usr/bin/python3");
            command.arg(script);
            commands.push((Kind::Python, command));
        }
        let started = commands.into_iter().map(|(kind, mut command)| {
            let mut program = Program::start(command.arg(page).stdout(Stdio::piped()))?;
            let output = program.0.stdout.take().context("stdout is piped")?;
            let address = program::listening_address(output)?;
            Ok(Self {
                kind,
                address,
                clients: clients(address)?,
                program,
                changes: None,
            })
        });
        started.collect()
    }

    /// Lets facts change, where anything remembers them.
    pub(crate) fn change(&mut self) -> anyhow::Result<()> {
        if let Some((input, output)) = &mut self.changes {
            writeln!(input)?;
            output.recv().context("the server has ended")?;
        }
        Ok(())
    }

    /// What its threads have used. The kernel makes `utime` and `stime` of the same counts, but in whole ticks.
    pub(crate) fn on_cpu(&self) -> anyhow::Result<OnCpu> {
        let process = self.program.process()?;
        let tasks = process.tasks()?.flatten();
        let used = tasks.filter_map(|task| Some((task.tid, task.schedstat().ok()?.sum_exec_runtime)));
        Ok(used.collect())
    }

    pub(crate) fn memory(&self) -> anyhow::Result<program::Memory> {
        self.program.memory()
    }
}

/// Milliseconds between two readings. A thread that has ended in between is lost, which servers that keep their
/// threads do not let happen.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of minutes at the most")]
pub(crate) fn millis_between(from: &OnCpu, to: &OnCpu) -> f64 {
    let grown = to
        .iter()
        .map(|(thread, used)| used - from.get(thread).unwrap_or(&0));
    grown.sum::<u64>() as f64 / 1e6
}

fn clients(address: SocketAddr) -> anyhow::Result<Vec<Client>> {
    (0..=CLIENTS).map(|_| Client::new(address)).collect()
}

/// The address in the first line, and the lines that follow.
fn lines_after_address(output: ChildStdout) -> anyhow::Result<(SocketAddr, mpsc::Receiver<String>)> {
    let mut lines = BufReader::new(output).lines();
    let first = lines.next().context("the server ended before it listened")??;
    let (_, address) = first.rsplit_once(' ').context("the line has an address")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    Ok((address.parse()?, receive))
}
