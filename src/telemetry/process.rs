//! The process metrics under the names that all clients of Prometheus use, from what the kernel says of this process.
//!
//! Not by the collector of the prometheus crate: that one counts CPU time in whole seconds, of which a daemon that polls
//! uses one in minutes, and it reads the limits again at each scrape, which is half of what it costs.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::sync::{Mutex, PoisonError};

use procfs::process::{LimitValue, Stat};
use procfs::{FromRead as _, ProcResult};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Registry};

/// Far more than there is, in bytes: some fifty numbers.
const LONGEST_STAT: u64 = 4_096;

/// Reads what this process uses whenever it is asked.
#[derive(Debug)]
struct Process {
    source: procfs::process::Process,
    cpu: Counter,
    open_fds: Gauge,
    resident_memory: Gauge,
    threads: Gauge,
    virtual_memory: Gauge,
    /// Open for good, and read by one at a time: two would both count what was used since the last.
    stat: Mutex<File>,
    /// Open for good, too: the way to it is most of what counting costs.
    fd: Option<File>,
    descriptions: Vec<Desc>,
}

/// Registers the metrics of this process. Where the kernel tells nothing of it there are none.
pub(super) fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    let (Ok(source), Ok(stat)) = (procfs::process::Process::myself(), File::open("/proc/self/stat")) else {
        return Ok(());
    };
    let max_fds = Gauge::new("process_max_fds", "Maximum number of open file descriptors.")?;
    let start_time = Gauge::new(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
    )?;
    // These are read once: nobody but `prlimit` changes a limit later, and nothing the start.
    if let Ok(most) = most_files(&source) {
        max_fds.set(most);
        registry.register(Box::new(max_fds))?;
    }
    if let Ok(started) = started(&source) {
        start_time.set(started);
        registry.register(Box::new(start_time))?;
    }
    registry.register(Box::new(Process::new(source, stat)?))
}

fn most_files(source: &procfs::process::Process) -> ProcResult<f64> {
    Ok(match source.limits()?.max_open_files.soft_limit {
        LimitValue::Value(most) => float(most),
        LimitValue::Unlimited => f64::INFINITY,
    })
}

/// Seconds since 1970.
fn started(source: &procfs::process::Process) -> ProcResult<f64> {
    Ok(float(procfs::boot_time_secs()?) + seconds(source.stat()?.starttime))
}

impl Process {
    fn new(source: procfs::process::Process, stat: File) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| Gauge::new(name, help);
        let mut new = Self {
            source,
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_fds: gauge("process_open_fds", "Number of open file descriptors.")?,
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            threads: gauge("process_threads", "Number of OS threads in the process.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            stat: Mutex::new(stat),
            fd: File::open("/proc/self/fd").ok(),
            descriptions: Vec::new(),
        };
        let descriptions = new.metrics().into_iter().flat_map(Collector::desc);
        new.descriptions = descriptions.cloned().collect();
        Ok(new)
    }

    fn metrics(&self) -> [&dyn Collector; 5] {
        [
            &self.cpu,
            &self.open_fds,
            &self.resident_memory,
            &self.threads,
            &self.virtual_memory,
        ]
    }

    fn read(&self, file: &mut File) -> ProcResult<()> {
        file.rewind()?;
        // Without the limit the library asks for the file's length first, and there is none.
        let stat = Stat::from_read(file.take(LONGEST_STAT))?;
        let used = seconds(stat.utime + stat.stime);
        self.cpu.inc_by((used - self.cpu.get()).max(0.0));
        self.resident_memory.set(float(stat.rss * procfs::page_size()));
        self.threads.set(float(stat.num_threads.unsigned_abs()));
        self.virtual_memory.set(float(stat.vsize));
        // Counting takes a descriptor on older kernels, and there may be none left; the rest is known all the same.
        if let Ok(open) = self.open_files() {
            self.open_fds.set(float(open));
        }
        Ok(())
    }

    fn open_files(&self) -> ProcResult<u64> {
        // Since Linux 6.2 the folder's size is the number of its entries.
        let folder = self.fd.as_ref().and_then(|fd| fd.metadata().ok());
        match folder.map_or(0, |folder| folder.len()) {
            0 => Ok(self.source.fd_count()? as u64),
            open => Ok(open),
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut file = self.stat.lock().unwrap_or_else(PoisonError::into_inner);
        match self.read(&mut file) {
            Ok(()) => self.metrics().into_iter().flat_map(Collector::collect).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// Seconds for the kernel's ticks.
fn seconds(ticks: u64) -> f64 {
    float(ticks) / float(procfs::ticks_per_second())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53: bytes, ticks and files"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> std::collections::BTreeMap<String, f64> {
        let registry = Registry::new();
        register(&registry).unwrap();
        let families = registry.gather().into_iter().map(|family| {
            let metric = &family.get_metric()[0];
            let value = metric.get_gauge().get_value() + metric.get_counter().get_value();
            (family.name().to_owned(), value)
        });
        families.collect()
    }

    /// User and system time so far, in the hundredths of a second that the kernel counts in on every common machine.
    fn ticks() -> f64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields = rest.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<f64>().unwrap()).sum()
    }

    #[test]
    fn cpu_time_is_told_to_the_hundredth_of_a_second() {
        while ticks() % 100.0 < 3.0 {
            std::hint::spin_loop();
        }
        let before = ticks();
        let told = values()["process_cpu_seconds_total"] * 100.0;
        let after = ticks();
        assert!(
            before <= told.round() && told.round() <= after,
            "{before} {told} {after}"
        );
    }

    #[test]
    fn the_limit_of_files_is_that_of_this_process_and_its_start_lies_before_now() {
        let values = values();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let limit = limit.current.map_or(f64::INFINITY, float);
        assert_eq!(values["process_max_fds"].to_bits(), limit.to_bits());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let age = now - values["process_start_time_seconds"];
        // The kernel says when it was started in whole seconds.
        assert!((-1.0..3_600.0).contains(&age), "{age}");
    }

    #[test]
    fn memory_threads_and_open_files_are_told() {
        let files: Vec<_> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        let values = values();
        assert!(values["process_open_fds"] > 200.0);
        drop(files);
        for name in ["resident_memory_bytes", "virtual_memory_bytes", "threads"] {
            assert!(values[&format!("process_{name}")] > 0.0, "{name}");
        }
        assert!(values["process_resident_memory_bytes"] < values["process_virtual_memory_bytes"]);
    }
}
