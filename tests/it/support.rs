//! What several tests build: a laboratory (the polling half wired to a simulated cloud in the same process, in
//! virtual time), a reader of the text format, and a child process that does not outlive its test.

pub(crate) mod cloud;
pub(crate) mod hanging;
pub(crate) mod log;
pub(crate) mod page;
pub(crate) mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use aliyun_pca_exporter::app::{Daemon, has_endpoint};
use aliyun_pca_exporter::config::Config;
use aliyun_pca_exporter::exposition::{self, Scope};
use aliyun_pca_exporter::host::{Clock, Env, Files, Host, Random, Tasks, Transport};
use aliyun_pca_exporter::model::UnixMillis;
use aliyun_pca_exporter::simulator::{Instance, Key, Wire, World};

pub(crate) const ACCESS_KEY_ID: &str = "testid";
pub(crate) const ACCESS_KEY_SECRET: &str = "testsecret";

/// The simulator's user behind the test key.
pub(crate) const USER: &str = "tester";

pub(crate) const ACTION: &str = "GetCAInstanceStatus";

/// How long to wait for what must come, before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-01-01T00:00:00Z, when every laboratory opens.
pub(crate) const OPENING: UnixMillis = UnixMillis(1_767_225_600_000);

/// The polling half and its cloud.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) host: Host,
    pub(crate) daemon: Daemon,
}

/// The text format, read line by line.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(pub(crate) String);

/// A process that ends with the test. Its log is read all the time, or a full pipe would stop it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    log: String,
}

impl Lab {
    /// Starts polling what `yaml` says, against `world`.
    pub(crate) fn start(world: World, yaml: &str) -> Self {
        let host = host(Arc::new(Wire::new(world.clone())));
        let daemon = Daemon::poll(&config(yaml), &host, None).unwrap();
        Self { world, host, daemon }
    }

    /// Takes over another configuration.
    pub(crate) fn reload(&mut self, yaml: &str) {
        self.daemon.reload(&config(yaml), &self.host);
    }

    /// What a scrape would read now.
    pub(crate) fn metrics(&self) -> Metrics {
        let (snapshot, own) = (self.daemon.store.snapshot(), self.daemon.telemetry.gather());
        Metrics(exposition::text(
            &snapshot,
            &own,
            self.host.clock.now(),
            Scope::Scrape,
        ))
    }

    /// Seconds by the exporter's clock since the laboratory opened.
    pub(crate) fn now(&self) -> f64 {
        self.host.clock.now().seconds_since(OPENING)
    }
}

impl Metrics {
    /// The value of the one series with this name and all of these labels, given as `name="value"`.
    pub(crate) fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut found = self.series(name).filter(|(series, _)| {
            labels
                .iter()
                .all(|label| series.contains(&format!("{{{label}")) || series.contains(&format!(",{label}")))
        });
        let value = found.next().map(|(_, value)| value);
        assert!(
            found.next().is_none(),
            "{name} {labels:?} names more than one series in\n{}",
            self.0
        );
        value
    }

    /// The value of an instance's series, by the metric's name without `aliyun_pca_instance_`.
    pub(crate) fn of(&self, instance: &str, name: &str) -> Option<f64> {
        self.value(
            &format!("aliyun_pca_instance_{name}"),
            &[&format!("instance_id=\"{instance}\"")],
        )
    }

    /// The reason that an instance's last poll failed for, if it did.
    pub(crate) fn reason(&self, instance: &str) -> Option<String> {
        let of_instance = format!("instance_id=\"{instance}\"");
        let mut series = self.series("aliyun_pca_instance_error");
        let (series, value) = series.find(|(series, _)| series.contains(&of_instance))?;
        assert!((value - 1.0).abs() < f64::EPSILON);
        let (_, reason) = series.split_once("reason=\"")?;
        reason.split_once('"').map(|(reason, _)| reason.to_owned())
    }

    /// The ids of all instances that have a series.
    pub(crate) fn instances(&self) -> BTreeSet<String> {
        let ups = self.series("aliyun_pca_instance_up");
        ups.map(|(series, _)| {
            let (_, id) = series.split_once("instance_id=\"").unwrap();
            id.split_once('"').unwrap().0.to_owned()
        })
        .collect()
    }

    /// The line of an instance's info.
    pub(crate) fn info(&self, instance: &str) -> String {
        let of_instance = format!("instance_id=\"{instance}\"");
        let mut infos = self.series("aliyun_pca_instance_info");
        let (series, _) = infos.find(|(series, _)| series.contains(&of_instance)).unwrap();
        series.to_owned()
    }

    /// An instance's series that say what the cloud said: all but those about polling and the days, which pass.
    pub(crate) fn facts(&self, instance: &str) -> BTreeSet<String> {
        let passing = [
            "_up{",
            "_error{",
            "_poll_interval_seconds{",
            "_last_success_timestamp_seconds{",
            "_days{",
        ];
        let of_instance = format!("instance_id=\"{instance}\"");
        let lines = self
            .0
            .lines()
            .filter(|line| line.starts_with("aliyun_pca_instance_"));
        lines
            .filter(|line| line.contains(&of_instance) && !passing.iter().any(|name| line.contains(name)))
            .map(str::to_owned)
            .collect()
    }

    fn series<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, f64)> {
        let start = format!("{name}{{");
        self.0
            .lines()
            .filter(move |line| line.starts_with(&start))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series, value.parse().unwrap())
            })
    }
}

/// A world with the test key and no delay. Seeded, so that a failure can be seen again.
pub(crate) fn world() -> World {
    let world = World::new(Clock::starting_at(OPENING), Random::seeded(1));
    world.put_key(ACCESS_KEY_ID, Key::plain(USER, ACCESS_KEY_SECRET));
    world
}

/// A world in real time, with the test key.
pub(crate) fn real_world() -> World {
    let world = World::new(Clock::system(), Random::system());
    world.put_key(ACCESS_KEY_ID, Key::plain(USER, ACCESS_KEY_SECRET));
    world
}

/// A virtual host with this way to the cloud.
pub(crate) fn host(transport: Arc<dyn Transport>) -> Host {
    Host {
        clock: Clock::starting_at(OPENING),
        env: Env::fixed([]),
        files: Files::memory([]),
        random: Random::seeded(2),
        direct: Arc::clone(&transport),
        transport,
        tasks: Tasks::default(),
    }
}

pub(crate) fn config(yaml: &str) -> Config {
    let path = "config.yaml";
    Config::load(Path::new(path), &Files::memory([(path, yaml)]), has_endpoint)
        .unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// The YAML of an account `prod` with the test key and these instances; `more` are further lines for `poll`.
pub(crate) fn yaml<'a>(
    endpoint: &str,
    requests_per_second: u8,
    poll: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut yaml = format!(
        "poll: {{ {poll} }}\n\
         accounts:\n\
         - name: prod\n  \
           endpoint: {endpoint}\n  \
           requests_per_second: {requests_per_second}\n  \
           credentials:\n    \
             access_key: {{ access_key_id: {ACCESS_KEY_ID}, access_key_secret: {ACCESS_KEY_SECRET} }}\n  \
           instances:\n"
    );
    for id in ids {
        writeln!(yaml, "  - id: \"{id}\"").unwrap();
    }
    yaml
}

/// A healthy instance.
pub(crate) fn instance(id: &str) -> Instance {
    Instance {
        instance_id: id.to_owned(),
        status: Some("USED".to_owned()),
        ca_type: Some("SUB_ROOT".to_owned()),
        cert_issued_count: Some(12),
        cert_total_count: Some(100),
        before_time: Some(OPENING.0 - 86_400_000),
        after_time: Some(OPENING.0 + 90 * 86_400_000),
        use_expire_time: Some(OPENING.0 + 30 * 86_400_000),
        identifier: Some("a7bb2dd212a2112128cd5cc9b753****".to_owned()),
    }
}

/// The cases of a folder of `tests/data`: the path and the text of each.
pub(crate) fn yaml_cases(folder: &str) -> Vec<(PathBuf, String)> {
    let mut cases: Vec<_> = std::fs::read_dir(Path::new("tests/data").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    cases.sort();
    cases
}

pub(crate) async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A program in an environment without the proxies of the machine that the test runs on.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The text behind `url`, and its status.
pub(crate) async fn get(url: &str) -> Result<(u16, String), String> {
    let response = reqwest_client()
        .get(url)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    response
        .text()
        .await
        .map(|text| (status, text))
        .map_err(|error| error.to_string())
}

pub(crate) fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

/// Asks again and again until `wanted` finds what it wants in the answer; fails with the last one in the end.
pub(crate) async fn poll_until<T>(url: &str, wanted: impl Fn(u16, &str) -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let last = get(url).await;
        if let Ok((status, text)) = &last
            && let Some(found) = wanted(*status, text)
        {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{url} never gave what was wanted; last: {last:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Program {
    /// Starts a program with its output captured.
    pub(crate) fn start(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self {
            child,
            lines,
            log: String::new(),
        }
    }

    /// Waits for the next line of the log that contains `text`, and returns it.
    pub(crate) fn logged(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {text:?} in the log ({error}):\n{}", self.log));
            self.keep(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn keep(&mut self, line: &str) {
        self.log.push_str(line);
        self.log.push('\n');
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        threads.unwrap().count()
    }

    /// Waits for the end; returns exit code, standard output, and the whole log.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.keep(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.log),
            }
        }
        let mut output = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        let code = self.child.wait().unwrap().code();
        (code, output, std::mem::take(&mut self.log))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page's blocks of a language, without the indentation of the list that they may stand in.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix(&format!("```{language}")) else {
            continue;
        };
        let block = lines
            .by_ref()
            .take_while(|line| line.trim_start() != "```")
            .map(|line| line.strip_prefix(indent).unwrap_or(line));
        blocks.push(block.collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// The address in a log line that says `addresses=[127.0.0.1:1234]`, as `listening` does.
pub(crate) fn address_in(line: &str) -> String {
    let (_, rest) = line
        .split_once("127.0.0.1:")
        .unwrap_or_else(|| panic!("no address in {line}"));
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}")
}

/// How often each instance was asked for, and the longest time between two calls for one, in seconds.
pub(crate) fn distances(world: &World) -> BTreeMap<String, (usize, f64)> {
    let mut last: BTreeMap<String, (usize, f64, tokio::time::Instant)> = BTreeMap::new();
    for arrival in world.arrivals(USER, ACTION) {
        let id = arrival.instance.unwrap().to_string();
        let (calls, longest, at) = last.entry(id).or_insert((0, 0.0, arrival.at));
        *longest = longest.max((arrival.at - *at).as_secs_f64());
        (*calls, *at) = (*calls + 1, arrival.at);
    }
    last.into_iter()
        .map(|(id, (calls, longest, _))| (id, (calls, longest)))
        .collect()
}
