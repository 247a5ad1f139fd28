//! The page of metrics as scrapers ask for it: its formats, compressed or not, and while a crowd is in the way.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::exposition::Format;
use aliyun_pca_exporter::host::Clock;
use aliyun_pca_exporter::model::{AccountName, InstanceStatus, Target};
use aliyun_pca_exporter::store::Store;
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use aliyun_pca_exporter::web::{self, Gate, Site};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::cloud::Setup;
use crate::support::{OPENING, Program, address_in, yaml};

/// What Prometheus sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
                          version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// A server with so many instances, as long as it lives.
struct Pages {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Pages {
    async fn start(instances: usize) -> Self {
        let (store, account) = (Arc::new(Store::default()), AccountName::from("prod"));
        let targets: Vec<_> = (0..instances)
            .map(|number| {
                Arc::new(Target {
                    account: account.clone(),
                    instance_id: format!("cas-member-{number:05}").as_str().into(),
                    region: "cn-hangzhou".to_owned(),
                    name: None,
                    labels: [("team".to_owned(), "pki".to_owned())].into(),
                })
            })
            .collect();
        store.set_targets(&account, Duration::from_secs(300), &targets);
        for target in &targets {
            let status = InstanceStatus {
                status: Some("USED".to_owned()),
                certificates_issued: Some(1),
                not_after: Some(OPENING),
                ..InstanceStatus::default()
            };
            store.record(target, Ok(status), OPENING);
        }
        let telemetry = Arc::new(Telemetry::new(BUILD).unwrap());
        let path = "/metrics".parse().unwrap();
        let site = Site::new(store, telemetry, Clock::starting_at(OPENING), path, BUILD, None);
        let listeners = web::bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = listeners.addresses()[0];
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(web::serve(
            listeners,
            Arc::new(site),
            Arc::new(Gate::open()),
            stop.clone(),
        ));
        Self { address, stop, tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_openmetrics_and_anybody_else_the_text_format() {
    let site = Pages::start(3).await;
    for (accept, format) in [
        (PROMETHEUS, Format::OpenMetrics),
        ("*/*", Format::Text),
        ("text/html", Format::Text),
    ] {
        let answer = client().get(site.url("/metrics")).header(ACCEPT, accept);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], format.content_type(), "{accept}");
        assert_eq!(answer.headers()[VARY], "accept, accept-encoding");
        let page = answer.text().await.unwrap();
        assert_eq!(
            page.ends_with("# EOF\n"),
            format == Format::OpenMetrics,
            "{accept}"
        );
        assert!(page.contains(
            "aliyun_pca_instance_up{account=\"prod\",instance_id=\"cas-member-00002\",team=\"pki\"} 1\n"
        ));
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_page_is_the_page_and_its_head_tells_the_compressed_length() {
    let site = Pages::start(1000).await;
    let plain = client().get(site.url("/metrics")).send().await.unwrap();
    assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    let plain = plain.text().await.unwrap();
    let ask = |request: reqwest::RequestBuilder| request.header(ACCEPT_ENCODING, "gzip").send();
    let answer = ask(client().get(site.url("/metrics"))).await.unwrap();
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    let compressed = answer.bytes().await.unwrap();
    let mut page = String::new();
    flate2::read::GzDecoder::new(&compressed[..])
        .read_to_string(&mut page)
        .unwrap();
    let lines = |page: &str| -> Vec<String> {
        let lines = page
            .lines()
            .filter(|line| line.starts_with("aliyun_pca_instance_"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines(&page), lines(&plain));
    assert!(
        compressed.len() * 10 < plain.len(),
        "{} of {}",
        compressed.len(),
        plain.len()
    );
    let head = ask(client().head(site.url("/metrics"))).await.unwrap();
    assert_eq!(head.headers()[CONTENT_ENCODING], "gzip");
    let length: usize = head.headers()[CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    assert!(length * 10 < plain.len(), "{length} of {}", plain.len());
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_say_nothing_keep_no_scrape_out() {
    let site = Pages::start(10).await;
    let mut silent = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        // Half of them begin a request and never end it. Who had to leave already is no matter.
        if number % 2 == 0 {
            let _ = stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: slow\r\nX-")
                .await;
        }
        silent.push(stream);
    }
    for path in ["/metrics", "/", "/-/healthy", "/metrics"] {
        let answer = client().get(site.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap();
    }
    drop(silent);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_readers_that_never_read_keep_no_scrape_out() {
    // A page that is larger than what the system buffers on the way.
    let site = Pages::start(20_000).await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let _ = stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n")
            .await;
        idle.push(stream);
    }
    for path in ["/-/healthy", "/metrics"] {
        let answer = client().get(site.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let page = answer.text().await.unwrap();
        assert!(
            path != "/metrics" || page.contains("cas-member-19999"),
            "{}",
            page.len()
        );
    }
    drop(idle);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_have_an_address_of_their_own_without_login_and_nothing_else_is_there() {
    let setup = Setup::new(&yaml("http://127.0.0.1:1", 5, "", ["cas-member-a"]));
    // The password is "CorrectHorse", hashed by crypt(3) of libxcrypt.
    let web = "basic_auth_users:\n  alice: $2y$04$abcdefghijklmnopqrstuunsvw4Mcwbxx01shGbpAh9ZzmXQBZ9ny\n";
    std::fs::write(setup.path("web.yaml"), web).unwrap();
    let mut command = setup.command(&[
        "--web.config.file=web.yaml",
        "--web.listen-address=127.0.0.1:0",
        "--web.probe-address=127.0.0.1:0",
    ]);
    let (_program, probes, pages) = tokio::task::spawn_blocking(move || {
        let mut program = Program::start(&mut command);
        let pages = address_in(&program.logged("message=listening "));
        let probes = address_in(&program.logged("listening for probes"));
        (program, probes, pages)
    })
    .await
    .unwrap();
    let status = async |address: &str, path: &str| {
        let answer = client()
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    assert_eq!(status(&probes, "/-/healthy").await, 200);
    assert!([200, 503].contains(&status(&probes, "/-/ready").await));
    for path in ["/metrics", "/", "/-/reload", "/-/healthy/"] {
        assert_eq!(status(&probes, path).await, 404, "{path}");
    }
    assert_eq!(status(&pages, "/-/healthy").await, 401);
}

#[tokio::test]
async fn a_head_that_has_no_end_is_refused_before_it_fills_the_memory() {
    let pages = Pages::start(1).await;
    let mut stream = TcpStream::connect(pages.address).await.unwrap();
    let line = format!("x-long: {}\r\n", "x".repeat(1_000));
    let mut sent = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n".to_vec();
    while sent.len() < 17 << 10 {
        sent.extend(line.as_bytes());
    }
    stream.write_all(&sent).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    // RFC 6585, 5.
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    pages.end().await;
}
