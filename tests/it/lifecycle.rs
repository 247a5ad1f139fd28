//! Reloads and the end, as a signal or a request asks a running daemon for them. In real time, over real sockets.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aliyun_pca_exporter::simulator::{Delay, Fault, Network, Oddity};
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::cloud::{Cloud, Setup, beside};
use crate::support::{Metrics, PATIENCE, Program, poll_until, reqwest_client, yaml};

/// Linux's, as `open` wants it.
const O_NONBLOCK: i32 = 0o4000;

const A: &str = "cas-member-a";
const B: &str = "cas-member-b";

const LIFECYCLE: &[&str] = &["--web.enable-lifecycle"];
const RELOADED: &str = "aliyun_pca_exporter_config_last_reload_successful";

/// A daemon, and the folder that it runs in.
struct Daemon {
    program: Program,
    address: String,
    setup: Setup,
}

impl Daemon {
    async fn start(setup: Setup, flags: &'static [&str]) -> Self {
        beside(move || {
            let (program, address) = setup.daemon(flags);
            Self {
                program,
                address,
                setup,
            }
        })
        .await
    }

    /// Waits until a scrape says that the instance's last poll succeeded.
    async fn up(&self, id: &str) -> Metrics {
        self.until(|metrics| metrics.of(id, "up") == Some(1.0)).await
    }

    async fn until(&self, wanted: impl Fn(&Metrics) -> bool) -> Metrics {
        let url = format!("http://{}/metrics", self.address);
        poll_until(&url, |_, text| {
            Some(Metrics(text.to_owned())).filter(|metrics| wanted(metrics))
        })
        .await
    }

    /// Waits until the metric says whether the last reload succeeded.
    async fn reloaded(&self, successfully: bool) -> Metrics {
        let line = format!("\n{RELOADED} {}\n", u8::from(successfully));
        self.until(|metrics| metrics.0.contains(&line)).await
    }

    async fn logged(mut self, text: &'static str) -> (Self, String) {
        beside(move || {
            let line = self.program.logged(text);
            (self, line)
        })
        .await
    }

    /// Waits for the end; returns the exit code and the log.
    async fn end(self) -> (Option<i32>, String) {
        beside(move || {
            let (code, _, log) = self.program.end();
            (code, log)
        })
        .await
    }
}

/// A pipe, opened for writing once somebody has opened it for reading.
fn once_it_is_read(path: &Path) -> File {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match File::options().write(true).custom_flags(O_NONBLOCK).open(path) {
            Ok(pipe) => return pipe,
            Err(error) => assert!(Instant::now() < deadline, "nobody reads it: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes a pipe where there is nothing, or soon.
fn make_pipe(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let made = Command::new("mkfifo").arg(path).stderr(Stdio::null()).status();
        if made.unwrap().success() {
            return;
        }
        assert!(Instant::now() < deadline, "{} stays", path.display());
    }
}

/// Asks for a reload.
async fn ask(method: Method, address: &str) -> reqwest::Result<Response> {
    let url = format!("http://{address}/-/reload");
    reqwest_client().request(method, url).send().await
}

async fn post(daemon: &Daemon) -> (u16, String) {
    let response = ask(Method::POST, &daemon.address).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_takes_over_an_instance_that_was_added() {
    let cloud = Cloud::start(&[A, B]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), &[]).await;
    let before = daemon.up(A).await;
    assert_eq!(before.of(B, "up"), None);
    daemon.setup.configure(&cloud.configuration(&[A, B]));
    daemon.program.signal("HUP");
    let after = daemon.up(B).await;
    assert_eq!(after.facts(A), before.facts(A));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_one_line_and_a_metric_and_polling_goes_on_until_it_is_mended() {
    let cloud = Cloud::start(&[A]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), &[]).await;
    daemon.up(A).await;
    let good = cloud.configuration(&[A]);
    daemon
        .setup
        .configure(&good.replace(" interval:", " intervall:").replace(A, B));
    daemon.program.signal("HUP");
    let metrics = daemon.reloaded(false).await;
    assert_eq!((metrics.of(A, "up"), metrics.of(B, "up")), (Some(1.0), None));
    let polls = cloud.world.arrivals_for(A).len();
    daemon
        .until(|_| cloud.world.arrivals_for(A).len() >= polls + 2)
        .await;
    let (daemon, line) = daemon.logged("cannot reload").await;
    for part in ["level=error", "config.yaml:1: poll: unknown key `intervall`"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    daemon.setup.configure(&good);
    daemon.program.signal("HUP");
    daemon.reloaded(true).await;
    daemon.program.signal("TERM");
    let (code, log) = daemon.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("cannot reload").count(), 1, "{log}");
    assert_eq!(log.matches("configuration reloaded").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_with_what_came_of_the_reload() {
    let cloud = Cloud::start(&[A]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), LIFECYCLE).await;
    let (status, text) = post(&daemon).await;
    assert_eq!(status, 200, "{text}");
    let good = cloud.configuration(&[A]);
    daemon
        .setup
        .configure(&good.replace("name: prod", "name: prod\n  regoin: x"));
    let (status, text) = post(&daemon).await;
    assert_eq!(status, 500, "{text}");
    assert!(
        text.contains("config.yaml:4: accounts[0]: unknown key `regoin`"),
        "{text}"
    );
    daemon.reloaded(false).await;
    std::fs::remove_file(daemon.setup.path("config.yaml")).unwrap();
    let (status, text) = post(&daemon).await;
    assert_eq!(status, 500, "{text}");
    assert!(text.contains("config.yaml: cannot be read: "), "{text}");
    daemon.setup.configure(&good);
    assert_eq!(post(&daemon).await.0, 200);
    daemon.reloaded(true).await;
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let response = ask(method.clone(), &daemon.address).await.unwrap();
        assert_eq!(response.status().as_u16(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "POST", "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_a_request_is_forbidden_and_reloads_nothing() {
    let cloud = Cloud::start(&[A, B]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), &[]).await;
    daemon.setup.configure("broken");
    let (status, text) = post(&daemon).await;
    assert_eq!(status, 403);
    assert!(text.contains("--web.enable-lifecycle"), "{text}");
    daemon.reloaded(true).await;
    daemon.program.signal("TERM");
    let (_, log) = daemon.end().await;
    assert!(!log.contains("reload"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_waits_for_no_call_that_hangs_and_asks_no_second_time() {
    let cloud = Cloud::start(&[A, B]).await;
    cloud.world.set_fault(Fault::new(Oddity::NoAnswer).on_instance(A));
    let minute = |ids: &[&'static str]| {
        let ids = ids.iter().copied();
        yaml(&cloud.endpoint, 10, "interval: 1m, timeout: 1m", ids)
    };
    let daemon = Daemon::start(Setup::new(&minute(&[A])), LIFECYCLE).await;
    daemon.until(|_| !cloud.world.arrivals_for(A).is_empty()).await;
    daemon.setup.configure(&minute(&[A, B]));
    assert_eq!(post(&daemon).await.0, 200);
    let metrics = daemon.up(B).await;
    assert_eq!(metrics.of(A, "up"), Some(0.0));
    assert_eq!(cloud.world.arrivals_for(A).len(), 1, "the call still hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_how_long_a_call_may_take() {
    let cloud = Cloud::start(&[A]).await;
    let two_seconds = "2s".parse::<Delay>().unwrap();
    cloud.world.set_network(Network {
        back: two_seconds,
        ..Network::default()
    });
    let with = |timeout: &str| {
        let poll = format!("interval: 5s, timeout: {timeout}");
        yaml(&cloud.endpoint, 10, &poll, [A])
    };
    let daemon = Daemon::start(Setup::new(&with("1s")), &[]).await;
    daemon
        .until(|metrics| metrics.reason(A).as_deref() == Some("timeout"))
        .await;
    daemon.setup.configure(&with("5s"));
    daemon.program.signal("HUP");
    daemon.up(A).await;
    daemon.setup.configure(&with("1s"));
    daemon.program.signal("HUP");
    daemon
        .until(|metrics| metrics.reason(A).as_deref() == Some("timeout"))
        .await;
}

/// Asks for health and at once, on the same connection, for a reload. Once health is answered, the reload is asked for.
async fn ask_on_a_connection_of_its_own(address: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let requests = "GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n\
                    POST /-/reload HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n";
    connection.write_all(requests.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("is healthy.\n") {
        assert!(connection.read_buf(&mut answer).await.unwrap() > 0);
    }
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_hangs_is_told_of_and_the_next_one_works() {
    let cloud = Cloud::start(&[A, B]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), &[]).await;
    daemon.up(A).await;
    let path = daemon.setup.path("config.yaml");
    std::fs::remove_file(&path).unwrap();
    // Nobody ever writes to it.
    make_pipe(&path);
    daemon.program.signal("HUP");
    daemon.reloaded(false).await;
    let (daemon, line) = daemon.logged("cannot reload").await;
    assert!(line.contains("config.yaml: not loaded within 10 s"), "{line}");
    std::fs::remove_file(&path).unwrap();
    daemon.setup.configure(&cloud.configuration(&[A, B]));
    daemon.program.signal("HUP");
    daemon.up(B).await;
}

#[test]
fn a_signal_to_stop_is_obeyed_though_the_start_hangs() {
    for hangs in ["config.yaml", "state"] {
        let setup = Setup::new(&yaml("http://127.0.0.1:9", 10, "interval: 1m", [A]));
        let path = setup.path(hangs);
        let _ = std::fs::remove_file(&path);
        make_pipe(&path);
        let flags = ["--web.listen-address=127.0.0.1:0", "--state.file=state"];
        let program = Program::start(&mut setup.command(&flags));
        // Nobody ever writes to it.
        let _pipe = once_it_is_read(&path);
        program.signal("TERM");
        let (code, _, log) = program.end();
        assert_eq!(code, Some(0), "{hangs}: {log}");
        assert!(log.contains("stopped before it had started"), "{hangs}: {log}");
    }
}

#[test]
fn a_start_whose_state_hangs_ends_with_2_and_says_so() {
    let setup = Setup::new(&yaml("http://127.0.0.1:9", 10, "interval: 1m", [A]));
    // Nobody ever writes to it.
    make_pipe(&setup.path("state"));
    let (code, _, log) = setup.run(&["--web.listen-address=127.0.0.1:0", "--state.file=state"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("state: not loaded within 10 s"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_stop_is_obeyed_though_writing_the_state_hangs() {
    let cloud = Cloud::start(&[A]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), &["--state.file=state"]).await;
    daemon.up(A).await;
    // What is written before it takes the file's place.
    let partial = daemon.setup.path(&format!("state.{}.tmp", daemon.program.id()));
    // Nobody ever reads from it. It cannot be made while something is just being written there.
    beside(move || make_pipe(&partial)).await;
    let (daemon, line) = daemon.logged("does its file system hang?").await;
    assert!(
        line.contains("level=warn") && line.contains("file=state"),
        "{line}"
    );
    daemon.program.signal("TERM");
    let (code, log) = daemon.end().await;
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains(
            "level=error message=\"cannot write the state\" file=state error=\"not written within 5 s"
        ),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_stop_is_obeyed_though_a_reload_hangs_and_all_who_asked_are_answered() {
    let cloud = Cloud::start(&[A]).await;
    let daemon = Daemon::start(cloud.setup(&[A]), LIFECYCLE).await;
    daemon.up(A).await;
    let path = daemon.setup.path("config.yaml");
    std::fs::remove_file(&path).unwrap();
    // Once it is read, a reload is under way, and is so for ever.
    make_pipe(&path);
    daemon.program.signal("HUP");
    let _pipe = beside(move || once_it_is_read(&path)).await;
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.push(ask_on_a_connection_of_its_own(&daemon.address).await);
    }
    daemon.program.signal("TERM");
    for mut connection in asked {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable"),
            "{answer:?}"
        );
    }
    let (code, log) = daemon.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.find("stopping").unwrap() < log.find("stopped").unwrap(),
        "{log}"
    );
}
