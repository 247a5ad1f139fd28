//! The process metrics under the names that all clients of Prometheus use, from what the kernel says of this process.
//!
//! Not by the collector of the prometheus crate: that one counts CPU time in whole seconds, of which a daemon that polls
//! uses one in minutes, and it reads the limits again at each scrape, which is half of what it costs. Nor from
//! `/proc/self/stat`, which costs more than what is asked here, and counts CPU time in hundredths of a second.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use procfs::process::{LimitValue, StatM};
use procfs::{FromRead as _, ProcResult};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Registry};
use rustix::time::{ClockId, DynamicClockId, clock_gettime_dynamic};

/// Far more than there is, in bytes: seven numbers.
const LONGEST_STATM: u64 = 4_096;

/// Links to a folder that is empty: every thread adds one to `/proc/self/task`.
const LINKS_WITHOUT_THREADS: u64 = 2;

/// Reads what this process uses whenever it is asked.
#[derive(Debug)]
struct Process {
    source: procfs::process::Process,
    cpu: Counter,
    open_fds: Gauge,
    resident_memory: Gauge,
    threads: Gauge,
    virtual_memory: Gauge,
    /// These are open for good: the way to them is most of what reading costs. One at a time reads, or two would both
    /// count the CPU time since the last.
    statm: Mutex<File>,
    task: Option<File>,
    fd: Option<File>,
    descriptions: Vec<Desc>,
}

/// Registers the metrics of this process. Where the kernel tells nothing of it there are none.
pub(super) fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    let open = |name: &str| File::open(format!("/proc/self/{name}"));
    let (Ok(source), Ok(statm)) = (procfs::process::Process::myself(), open("statm")) else {
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
    let folders = ["task", "fd"].map(|name| open(name).ok());
    registry.register(Box::new(Process::new(source, statm, folders)?))
}

fn most_files(source: &procfs::process::Process) -> ProcResult<f64> {
    Ok(match source.limits()?.max_open_files.soft_limit {
        LimitValue::Value(most) => float(most),
        LimitValue::Unlimited => f64::INFINITY,
    })
}

/// Seconds since 1970.
fn started(source: &procfs::process::Process) -> ProcResult<f64> {
    let ticks = source.stat()?.starttime;
    Ok(float(procfs::boot_time_secs()?) + float(ticks) / float(procfs::ticks_per_second()))
}

/// User and system time of all threads in seconds, those that have ended included.
fn cpu_time() -> ProcResult<f64> {
    let clock = DynamicClockId::Known(ClockId::ProcessCPUTime);
    let used = clock_gettime_dynamic(clock).map_err(io::Error::from)?;
    Ok(Duration::try_from(used).map_or(0.0, |used| used.as_secs_f64()))
}

impl Process {
    fn new(
        source: procfs::process::Process,
        statm: File,
        [task, fd]: [Option<File>; 2],
    ) -> Result<Self, prometheus::Error> {
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
            statm: Mutex::new(statm),
            task,
            fd,
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
        let statm = StatM::from_read(file.take(LONGEST_STATM))?;
        let (threads, cpu) = (self.running_threads()?, cpu_time()?);
        self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
        self.resident_memory
            .set(float(statm.resident * procfs::page_size()));
        self.threads.set(float(threads));
        self.virtual_memory.set(float(statm.size * procfs::page_size()));
        // Counting takes a descriptor on older kernels, and there may be none left; the rest is known all the same.
        if let Ok(open) = self.open_files() {
            self.open_fds.set(float(open));
        }
        Ok(())
    }

    fn running_threads(&self) -> ProcResult<u64> {
        let folder = self.task.as_ref().and_then(|task| task.metadata().ok());
        match folder.map_or(0, |folder| folder.nlink()) {
            // What stands in for Linux may not count them there.
            0..=LINKS_WITHOUT_THREADS => Ok(self.source.stat()?.num_threads.unsigned_abs()),
            links => Ok(links - LINKS_WITHOUT_THREADS),
        }
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
        let mut file = self.statm.lock().unwrap_or_else(PoisonError::into_inner);
        match self.read(&mut file) {
            Ok(()) => self.metrics().into_iter().flat_map(Collector::collect).collect(),
            Err(_) => Vec::new(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53: bytes, ticks, files and threads"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn registry() -> Registry {
        let registry = Registry::new();
        register(&registry).unwrap();
        registry
    }

    fn told(registry: &Registry) -> BTreeMap<String, f64> {
        let families = registry.gather().into_iter().map(|family| {
            let metric = &family.get_metric()[0];
            let value = metric.get_gauge().get_value() + metric.get_counter().get_value();
            (family.name().to_owned(), value)
        });
        families.collect()
    }

    fn values() -> BTreeMap<String, f64> {
        told(&registry())
    }

    /// A number of what the kernel says of this process in words, such as `Threads`.
    fn status(name: &str) -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }

    /// User and system time so far, each in whole ticks of a hundredth of a second.
    fn ticks() -> f64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let fields = rest.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<f64>().unwrap()).sum()
    }

    #[test]
    fn cpu_time_is_that_of_the_kernel_however_often_it_is_told() {
        let registry = registry();
        for used in [10.0, 20.0] {
            while ticks() < used {
                std::hint::spin_loop();
            }
            let before = ticks();
            let told = told(&registry)["process_cpu_seconds_total"] * 100.0;
            // Either may have been about to count another.
            let after = ticks() + 2.0;
            assert!(before <= told && told <= after, "{before} {told} {after}");
        }
    }

    #[test]
    fn cpu_time_is_told_finer_than_the_kernels_ticks() {
        let registry = registry();
        let cpu = || told(&registry)["process_cpu_seconds_total"];
        let steps = std::iter::repeat_with(|| -cpu() + cpu());
        // Other tests use it meanwhile, so that many a step is longer.
        assert!(steps.take(1_000).any(|step| 0.0 < step && step < 0.005));
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
    fn open_files_are_told() {
        let files: Vec<_> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        assert!(values()["process_open_fds"] > 200.0);
        drop(files);
    }

    #[test]
    fn memory_and_threads_are_what_the_kernel_says_in_words() {
        let kibibyte = 1024.0;
        for (metric, name, unit) in [
            ("process_virtual_memory_bytes", "VmSize", kibibyte),
            ("process_threads", "Threads", 1.0),
        ] {
            let registry = registry();
            let agree = || {
                let (before, told, after) = (status(name), told(&registry)[metric] / unit, status(name));
                before.to_bits() == told.to_bits() && told.to_bits() == after.to_bits()
            };
            // Other tests come and go meanwhile.
            assert!((0..1_000).any(|_| agree()), "{metric}");
        }
        let resident = values()["process_resident_memory_bytes"] / kibibyte;
        let expected = status("VmRSS");
        assert!(
            (expected / 2.0..expected * 2.0).contains(&resident),
            "{resident} {expected}"
        );
    }
}
