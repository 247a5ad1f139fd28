//! A process of a benchmark: started, asked what it has used, and killed in the end.

use std::io::{self, BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use procfs::process::Process;

/// A child that does not outlive its owner.
pub(crate) struct Program(pub(crate) Child);

/// Resident memory of a process, in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

impl Program {
    /// Starts `command` without input and standard output.
    pub(crate) fn silent(command: &mut Command) -> anyhow::Result<Self> {
        Self::start(command.stdout(Stdio::null()))
    }

    /// Starts `command` without input.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {command:?}"))?))
    }

    /// What it occupies, and has occupied at most.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = self.process()?.status()?;
        Ok(Memory {
            now: status.vmrss.context("the process has ended")?,
            peak: status.vmhwm.context("the process has ended")?,
        })
    }

    /// What the kernel tells of it.
    pub(crate) fn process(&self) -> anyhow::Result<Process> {
        Ok(Process::new(self.0.id().try_into()?)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, at worst.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address on this machine in the first line of `output` that says where a program listens. The rest is read and
/// thrown away, or a full pipe would stop the program.
pub(crate) fn listening_address(output: impl Read + Send + 'static) -> anyhow::Result<SocketAddr> {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while !(line.contains("listen") && line.contains("127.0.0.1:")) {
        line.clear();
        anyhow::ensure!(
            output.read_line(&mut line)? > 0,
            "a program ended before it listened"
        );
    }
    std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
    let (_, port) = line.split_once("127.0.0.1:").context("the line has an address")?;
    let digits = port.find(|character: char| !character.is_ascii_digit());
    let port = &port[..digits.unwrap_or(port.len())];
    Ok(SocketAddr::from(([127, 0, 0, 1], port.parse()?)))
}

/// For a person.
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}
