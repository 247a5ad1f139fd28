//! Gives the clients one processor and the servers another. Left to the scheduler, some scrapes have both on the same one
//! and others do not, and sending a page of megabytes costs several times less with both: every figure would depend on
//! how often that happened.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Our own thread is the clients'; with one processor only, everybody shares that.
pub(crate) struct Processors {
    all: CpuSet,
    servers: CpuSet,
    clients: CpuSet,
}

impl Processors {
    /// Keeps this thread, and those that it starts, to the clients' processor until the value is dropped.
    pub(crate) fn apart() -> anyhow::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|number| all.is_set(*number));
        let clients = allowed.next().unwrap_or_default();
        let servers = allowed.next().unwrap_or(clients);
        let processors = Self {
            all,
            servers: only(servers),
            clients: only(clients),
        };
        sched_setaffinity(None, &processors.clients)?;
        Ok(processors)
    }

    /// Has `start` start servers, which stay on their own processor.
    pub(crate) fn servers<T>(&self, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        sched_setaffinity(None, &self.servers)?;
        let started = start();
        sched_setaffinity(None, &self.clients)?;
        started
    }
}

impl Drop for Processors {
    fn drop(&mut self) {
        // It let itself be set before.
        let _ = sched_setaffinity(None, &self.all);
    }
}

fn only(number: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(number);
    set
}
