//! The HTTP side over real sockets, by a client that sends just what a test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::host::Clock;
use aliyun_pca_exporter::model::{Failure, InstanceStatus, Outcome, Reason, Target, UnixMillis};
use aliyun_pca_exporter::store::{BudgetState, CredentialsState, Store};
use aliyun_pca_exporter::telemetry::{Build, Telemetry};
use aliyun_pca_exporter::web::{self, BindError, Gate, ListenAddress, Listeners, Site};
use base64::Engine as _;
use sha2::Digest as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// 2025-12-16T00:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis::from_seconds(1_765_843_200);

const BUILD: Build = Build {
    version: "1.2.3",
    revision: "0123456",
    rustc: "1.95.0",
};

/// Texts that would be more than texts on a page that is not careful.
pub(crate) const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</td></table></style></script>",
    "&lt;b&gt; &amp; {{ 7 * 7 }} {% raw %}",
    "\u{202e}gpj.exe\u{2066} שלום مرحبا",
    "👩‍👩‍👧‍👦 🔑",
];

/// A server that is about to run; `while_serving` runs it beside the client.
pub(crate) struct Server {
    listeners: Listeners,
    pub(crate) store: Arc<Store>,
    telemetry_path: &'static str,
    stop: CancellationToken,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_on(&["127.0.0.1:0"]).await
    }

    async fn start_on(addresses: &[&str]) -> Self {
        Self {
            listeners: web::bind(&parsed(addresses)).await.unwrap(),
            store: Arc::new(Store::default()),
            telemetry_path: "/metrics",
            stop: CancellationToken::new(),
        }
    }

    fn polls(&self, account: &str, targets: &[Arc<Target>]) {
        self.store
            .set_targets(&account.into(), Duration::from_secs(300), targets);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners.addresses()[0]
    }

    /// Serves while `client` runs, then stops, and waits for the end.
    pub(crate) async fn while_serving<T>(self, client: impl Future<Output = T>) -> T {
        let telemetry = Arc::new(Telemetry::new(BUILD).unwrap());
        let site = Site::new(
            self.store,
            telemetry,
            Clock::starting_at(NOW),
            self.telemetry_path.parse().unwrap(),
            BUILD,
            None,
        );
        let stop = self.stop.clone();
        let client = async {
            let seen = client.await;
            stop.cancel();
            seen
        };
        let served = web::serve(self.listeners, Arc::new(site), Arc::new(Gate::open()), self.stop);
        tokio::join!(client, served).0
    }
}

/// An answer as it came.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn parsed(addresses: &[&str]) -> Vec<ListenAddress> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

fn target(id: &str, name: Option<&str>) -> Arc<Target> {
    Arc::new(Target {
        account: "prod".into(),
        instance_id: id.into(),
        region: "cn-hangzhou".to_owned(),
        name: name.map(str::to_owned),
        labels: BTreeMap::new(),
    })
}

fn failed(reason: Reason, detail: &str) -> Outcome {
    Err(Failure {
        reason,
        detail: detail.to_owned(),
    })
}

fn in_hours(hours: i64) -> UnixMillis {
    UnixMillis(NOW.0 + hours * 3_600_000)
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path).await
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream, String::new()).await
}

/// Reads until the server closes.
async fn rest(stream: &mut TcpStream, mut begun: String) -> Answer {
    stream.read_to_string(&mut begun).await.unwrap();
    let (head, body) = begun.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    Answer {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// The text between a start and the end that follows it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, after) = text.split_once(start).unwrap();
    after.split_once(end).unwrap().0
}

/// The page's tags, and the text between them, as a browser reads them.
fn tags_and_text(page: &str) -> (Vec<&str>, String) {
    let (mut tags, mut text) = (Vec::new(), String::new());
    for part in page.split('<').skip(1) {
        let (tag, after) = part.split_once('>').unwrap();
        tags.push(tag.split([' ', '\n']).next().unwrap());
        text.push_str(after);
    }
    for (escaped, plain) in [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ] {
        text = text.replace(escaped, plain);
    }
    (tags, text)
}

#[tokio::test]
async fn the_metrics_are_text_of_version_0_0_4() {
    let server = Server::start().await;
    server.polls("prod", &[target("cas-member-1", None)]);
    let address = server.address();
    let answer = server.while_serving(get(address, "/metrics")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let samples = crate::exposition::read(&answer.body).unwrap();
    let names: Vec<_> = samples.iter().map(|sample| sample.name.as_str()).collect();
    assert!(names.contains(&"aliyun_pca_instance_up"), "{names:?}");
    assert!(names.contains(&"aliyun_pca_exporter_build_info"), "{names:?}");
}

#[tokio::test]
async fn the_path_of_the_metrics_is_configurable() {
    let mut server = Server::start().await;
    server.telemetry_path = "/pca";
    let address = server.address();
    let client = async { (get(address, "/pca").await, get(address, "/metrics").await) };
    let (there, not_there) = server.while_serving(client).await;
    assert_eq!((there.status, not_there.status), (200, 404));
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let server = Server::start().await;
    let address = server.address();
    let answer = server.while_serving(get(address, "/metrics?name[]=up&x=/")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn head_gives_the_head_of_get_and_no_body() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        for path in ["/", "/-/healthy", "/-/ready"] {
            let (get, head) = (get(address, path).await, ask(address, "HEAD", path).await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
            let length = &head.headers["content-length"];
            assert_eq!(length, &get.body.len().to_string(), "{path}");
            assert_eq!(
                head.headers["content-type"], get.headers["content-type"],
                "{path}"
            );
        }
        // Its length differs from scrape to scrape.
        let head = ask(address, "HEAD", "/metrics").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn any_other_path_is_404() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        for path in [
            "/metrics/",
            "//metrics",
            "/Metrics",
            "/%6detrics",
            "/x/../metrics",
            "/metrics;x",
            "//",
            "/-/",
            "/-/healthy/",
            "/favicon.ico",
            "/config",
        ] {
            assert_eq!(get(address, path).await.status, 404, "{path}");
        }
        // Not even a wrong method tells that a path is there.
        assert_eq!(ask(address, "POST", "/x").await.status, 404);
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_ones_work() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        for path in ["/", "/metrics", "/-/healthy", "/-/ready"] {
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
                let answer = ask(address, method, path).await;
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.headers["allow"], "GET, HEAD", "{method} {path}");
            }
        }
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn no_answer_may_be_stored_or_taken_for_another_type() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"] {
            let answer = get(address, path).await;
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        }
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn it_is_ready_once_every_account_has_had_an_outcome_and_healthy_all_along() {
    let server = Server::start().await;
    let (address, store) = (server.address(), Arc::clone(&server.store));
    let (a, b) = (target("a", None), target("b", None));
    server.polls("prod", &[a.clone(), b]);
    server.polls("lab", &[]);
    let client = async move {
        let before = get(address, "/-/ready").await;
        assert_eq!(before.status, 503);
        assert_eq!(before.body, "Not ready: no poll has ended yet for prod.\n");
        assert_eq!(get(address, "/-/healthy").await.status, 200);

        store.record(&a, failed(Reason::Connect, "the cloud is away"), NOW);
        let after = get(address, "/-/ready").await;
        assert_eq!(
            (after.status, after.body.as_str()),
            (200, "aliyun-pca-exporter is ready.\n")
        );
        let healthy = get(address, "/-/healthy").await;
        assert_eq!(
            (healthy.status, healthy.body.as_str()),
            (200, "aliyun-pca-exporter is healthy.\n")
        );
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n")
            .await
            .unwrap();
        let mut first = Vec::new();
        while !first.ends_with(b"\r\n\r\n") {
            first.push(stream.read_u8().await.unwrap());
        }
        assert!(first.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let second = b"GET /-/healthy HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(second).await.unwrap();
        rest(&mut stream, String::new()).await
    };
    assert_eq!(server.while_serving(client).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_talks_nonsense_is_its_own_trouble() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").await.unwrap();
        let nonsense = rest(&mut stream, String::new()).await;
        (nonsense.status, get(address, "/-/healthy").await.status)
    };
    assert_eq!(server.while_serving(client).await, (400, 200));
}

#[tokio::test]
async fn a_connection_that_never_ends_its_request_is_closed() {
    let server = Server::start().await;
    let address = server.address();
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
        // From here on time passes as soon as nothing else happens.
        tokio::time::pause();
        let hour = Duration::from_secs(3600);
        tokio::time::timeout(hour, stream.read_to_end(&mut Vec::new())).await
    };
    server
        .while_serving(client)
        .await
        .expect("closed within the hour")
        .unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_the_address() {
    let server = Server::start().await;
    let taken = server.address().to_string();
    let error = web::bind(&parsed(&["127.0.0.1:0", &taken])).await.unwrap_err();
    assert!(matches!(&error, BindError::InUse { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {taken}: the port is in use")),
        "{text}"
    );
}

#[tokio::test]
async fn all_interfaces_with_a_port_in_use_is_the_same_error() {
    let server = Server::start_on(&[":0"]).await;
    let taken = format!(":{}", server.address().port());
    let error = web::bind(&parsed(&[&taken])).await.unwrap_err();
    assert!(matches!(&error, BindError::InUse { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_of_no_interface_is_an_error_that_names_it() {
    // TEST-NET-1 (RFC 5737) belongs to nobody.
    let error = web::bind(&parsed(&["192.0.2.1:0"])).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot listen on 192.0.2.1:0: "), "{text}");
}

#[tokio::test]
async fn several_addresses_are_all_served() {
    let server = Server::start_on(&["127.0.0.1:0", "127.0.0.2:0"]).await;
    let addresses = server.listeners.addresses().to_vec();
    let client = async {
        for address in addresses {
            assert_eq!(get(address, "/-/healthy").await.status, 200, "{address}");
        }
    };
    server.while_serving(client).await;
}

#[tokio::test]
async fn a_port_alone_is_every_interface_of_both_families() {
    let server = Server::start_on(&[":0"]).await;
    let bound = server.address();
    let client = async {
        let mut addresses = vec![SocketAddr::from(([127, 0, 0, 1], bound.port()))];
        if bound.is_ipv6() {
            addresses.push(format!("[::1]:{}", bound.port()).parse().unwrap());
        }
        for address in addresses {
            assert_eq!(get(address, "/-/healthy").await.status, 200, "{address}");
        }
    };
    server.while_serving(client).await;
}

/// A page of many megabytes, more than the sockets between server and client hold.
fn large(server: &Server) {
    let mut large = (*target("cas-member-1", None)).clone();
    large.labels.insert("note".to_owned(), "x".repeat(4 << 20));
    server.polls("prod", &[Arc::new(large)]);
}

/// Asks for the metrics and reads no more of the answer than its first bytes.
async fn begin_to_read(address: SocketAddr) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    (stream, String::from_utf8(first.to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_in_flight_ends_though_the_server_stops() {
    let server = Server::start().await;
    large(&server);
    let (address, stop) = (server.address(), server.stop.clone());
    let client = async {
        let (mut stream, begun) = begin_to_read(address).await;
        stop.cancel();
        rest(&mut stream, begun).await
    };
    let answer = server.while_serving(client).await;
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    assert!(answer.body.len() > 16 << 20);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_exit_up_for_seconds_only() {
    let server = Server::start().await;
    large(&server);
    let address = server.address();
    let client = async {
        let unread = begin_to_read(address).await;
        // From here on time passes as soon as nothing else happens.
        tokio::time::pause();
        (unread, tokio::time::Instant::now())
    };
    let (unread, stopped) = server.while_serving(client).await;
    let waited = stopped.elapsed();
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    drop(unread);
}

#[tokio::test]
async fn while_draining_readiness_is_503_and_nobody_new_is_let_in() {
    let server = Server::start().await;
    let (address, stop) = (server.address(), server.stop.clone());
    let client = async {
        let mut waiting = TcpStream::connect(address).await.unwrap();
        waiting.write_all(b"GET /-/ready HTTP/1.1\r\n").await.unwrap();
        // Once another request has been answered, the half of this one has been read.
        assert_eq!(get(address, "/-/ready").await.status, 200);
        stop.cancel();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        waiting.write_all(b"Host: test\r\n\r\n").await.unwrap();
        rest(&mut waiting, String::new()).await
    };
    let answer = server.while_serving(client).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "Not ready: draining before the exit.\n");
}

#[tokio::test]
async fn the_page_shows_what_is_known_soonest_end_first() {
    let server = Server::start().await;
    let names = ["later", "ended", "subscription", "unknown", "untried"];
    let targets = names.map(|name| target(&format!("cas-member-{name}"), None));
    server.polls("prod", &targets);
    let ending = |certificate: Option<i64>, subscription: Option<i64>| {
        Ok(InstanceStatus {
            status: Some("USED".to_owned()),
            ca_type: Some("SUB_ROOT".to_owned()),
            certificates_issued: Some(3),
            certificates_quota: Some(10),
            not_after: certificate.map(in_hours),
            subscription_expiry: subscription.map(in_hours),
            ..InstanceStatus::default()
        })
    };
    // The clock of a test with sockets goes on, so that nothing here lies at the edge of a unit.
    let seen = UnixMillis(NOW.0 - 270_000);
    server
        .store
        .record(&targets[0], ending(Some(9_600), Some(2_400)), seen);
    server
        .store
        .record(&targets[1], ending(Some(-84), Some(4_812)), seen);
    server
        .store
        .record(&targets[2], ending(Some(7_200), Some(480)), seen);
    server.store.record(&targets[3], ending(None, None), seen);
    let failure = failed(Reason::Timeout, "no answer within 10 seconds");
    server.store.record(&targets[1], failure, seen);
    server.store.attempt(&targets[1], seen);
    // 17 minutes, of which 4 and a half are over.
    server
        .store
        .set_interval(&"prod".into(), Duration::from_secs(1020));
    let address = server.address();

    let page = server.while_serving(get(address, "/")).await.body;

    let mut order: Vec<_> = names.to_vec();
    order.sort_by_key(|name| page.find(&format!("cas-member-{name}")));
    assert_eq!(order, ["ended", "subscription", "later", "unknown", "untried"]);
    let row = |name: &str| tags_and_text(between(&page, &format!("cas-member-{name}"), "</tr>")).1;
    for words in [
        "SUB_ROOT",
        "USED",
        "3 days ago2025-12-12",
        "200 days2026-07-04",
        "30 %3 of 10",
        "4 minutes ago",
        "in 12 minutes",
        "timeout no answer within 10 seconds",
    ] {
        assert!(row("ended").contains(words), "{words}: {}", row("ended"));
    }
    assert!(row("untried").contains("not asked yet"), "{}", row("untried"));
    let figures = tags_and_text(between(&page, "<dl>", "</dl>")).1;
    let figures: Vec<_> = figures.split_whitespace().collect();
    assert_eq!(figures.join(" "), "instances5 expired1 end in 30 days1 failing1");
    let header = tags_and_text(between(&page, "<header>", "</header>")).1;
    assert!(header.contains("as of 2025-12-16 00:"), "{header}");
}

#[tokio::test]
async fn the_page_shows_what_each_account_may_call_by_which_clock_and_with_whose_key() {
    let server = Server::start().await;
    server.polls("prod", &[target("cas-member-1", None)]);
    server.polls("untried", &[]);
    let (prod, store) = ("prod".into(), &server.store);
    let budget = BudgetState {
        limit: 5,
        rate: 2.5,
        demand: 0.31,
    };
    store.set_budget(&prod, budget);
    store.set_measured_skew(&prod, 10_800_000);
    let credentials = CredentialsState {
        provider: "assume_role over env".to_owned(),
        expires: Some(UnixMillis(in_hours(1).0 - 90_000)),
    };
    store.set_credentials(&prod, Some(credentials));
    let address = server.address();
    let page = server.while_serving(get(address, "/")).await.body;
    let (_, accounts) = page.split_once("<h2>Accounts</h2>").unwrap();
    let row = |name: &str| tags_and_text(between(accounts, &format!(">{name}<"), "</tr>")).1;
    for words in [
        "5m",
        "5 calls a second",
        "slowed down to 2.5",
        "31 %",
        "3 hours ahead",
        "assume_role over env",
        "in 58 minutes",
        "off",
    ] {
        assert!(row("prod").contains(words), "{words}: {}", row("prod"));
    }
    assert!(row("untried").contains("none yet"), "{}", row("untried"));
}

#[tokio::test]
async fn the_page_links_to_metrics_and_health_and_names_its_version() {
    let mut server = Server::start().await;
    server.telemetry_path = "/pca&metrics";
    let address = server.address();
    let page = server.while_serving(get(address, "/")).await.body;
    let nav = between(&page, "<nav ", "</nav>");
    for link in [
        "href=\"/pca&#38;metrics\"",
        "href=\"/-/healthy\"",
        "href=\"/-/ready\"",
    ] {
        assert!(nav.contains(link), "{nav}");
    }
    let footer = tags_and_text(between(&page, "<footer>", "</footer>")).1;
    assert!(
        footer.contains("aliyun-pca-exporter 1.2.3, revision 0123456"),
        "{footer}"
    );
}

#[tokio::test]
async fn the_page_allows_its_own_style_sheet_and_script_and_nothing_else() {
    let server = Server::start().await;
    let address = server.address();
    let answer = server.while_serving(get(address, "/")).await;
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(between(&answer.body, "<style>", "</style>")),
        hash(between(&answer.body, "<script>", "</script>")),
    );
    assert_eq!(answer.headers["content-security-policy"], policy);
    assert_eq!(answer.body.matches("<script").count(), 1);
    for forbidden in [
        " style=",
        " src=",
        " onclick=",
        "http:",
        "https:",
        "@import",
        "url(",
    ] {
        assert!(!answer.body.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn hostile_texts_stay_texts_on_the_page() {
    let long = "长".repeat(10_000);
    let mut hostile = HOSTILE.to_vec();
    hostile.push(&long);
    let page_with = async |texts: &[&str]| {
        let server = Server::start().await;
        let targets: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(number, text)| target(&format!("{number}{text}"), Some(text)))
            .collect();
        server.polls("prod", &targets);
        for (target, text) in targets.iter().zip(texts) {
            let status = InstanceStatus {
                status: Some((*text).to_owned()),
                ca_type: Some((*text).to_owned()),
                ..InstanceStatus::default()
            };
            server.store.record(target, Ok(status), NOW);
            server.store.record(target, failed(Reason::Other, text), NOW);
        }
        let address = server.address();
        server.while_serving(get(address, "/")).await.body
    };
    let page = page_with(&hostile).await;
    let harmless = page_with(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let (tags, text) = tags_and_text(&page);
    assert_eq!(tags, tags_and_text(&harmless).0);
    for each in hostile {
        // Name, id, status, type and error.
        assert_eq!(text.matches(each).count(), 5, "{each}");
    }
}
