//! The simulator: every rule accepts and refuses, every fault is what it says, in process and on a socket.

mod ca_certificates;
mod faults;
mod in_process;
mod instances;
mod metadata;
mod on_a_socket;
mod rules;
mod signatures;
mod sts;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aliyun_pca_exporter::aliyun::credentials::Credentials;
use aliyun_pca_exporter::aliyun::request::Request;
use aliyun_pca_exporter::aliyun::sign::{self, Scheme, acs3, encode, hmac_sha1};
use aliyun_pca_exporter::host::{
    Clock, HttpClient, HttpRequest, HttpResponse, LARGEST_BODY, Random, Transport, TransportError,
};
use aliyun_pca_exporter::model::{Reason, UnixMillis};
use aliyun_pca_exporter::simulator::{
    ApiError, CaCertificate, CredentialsUri, DEFAULT_STS_LIMIT, Delay, EXAMPLE, EXAMPLE_ID, Fault, Instance,
    Key, Metadata, MetadataForms, Misbehaviour, Network, Oddity, Reply, Response, Role, SLOW, Server,
    UnknownInstance, Wire, World, errors, example, telling, telling_ca_certificates,
};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const START: UnixMillis = UnixMillis(1_765_843_200_000); // 2025-12-16T00:00:00Z
const ACTION: &str = "GetCAInstanceStatus";
const SCHEMES: [Scheme; 2] = [Scheme::Acs3HmacSha256, Scheme::HmacSha1];

/// `pca-simulator`, running until dropped.
pub(crate) struct Simulator {
    pub(crate) url: String,
    commands: Vec<String>,
    process: Child,
}

impl Simulator {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pca-simulator"))
            .args(["--listen-address", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let url = line()
            .strip_prefix("pca-simulator listens on ")
            .unwrap()
            .to_owned();
        while line() != "Tell it something:" {}
        // What follows are commands, the last of which adds a key.
        let mut commands = Vec::new();
        while !commands
            .last()
            .is_some_and(|last: &String| last.contains("put_key"))
        {
            let line = line();
            commands.push(line.split('\'').nth(1).unwrap().to_owned());
        }
        Self {
            url,
            commands,
            process,
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn world_at(start: UnixMillis) -> World {
    let world = World::new(Clock::starting_at(start), Random::seeded(1));
    world.put_key("testid", Key::plain("alice", "testsecret"));
    world.put_key(
        "STS.testid",
        Key::temporary("alice", "testsecret", "CAIStoken+/=test"),
    );
    world.put_key("bobsid", Key::plain("bob", "bobssecret"));
    world.put_instance(example());
    world
}

fn world() -> World {
    world_at(START)
}

fn plain() -> Credentials {
    Credentials::lasting("testid".to_owned(), "testsecret".into(), None, "test")
}

fn temporary() -> Credentials {
    Credentials {
        access_key_id: "STS.testid".to_owned(),
        security_token: Some("CAIStoken+/=test".into()),
        ..plain()
    }
}

/// A signed call, each field of which a test can spoil before it is signed.
struct Calling<'a> {
    scheme: Scheme,
    credentials: Credentials,
    version: &'static str,
    action: &'static str,
    parameters: Vec<(&'a str, &'a str)>,
    endpoint: String,
    time: UnixMillis,
    nonce: String,
}

fn calling() -> Calling<'static> {
    Calling {
        scheme: Scheme::default(),
        credentials: plain(),
        version: "2020-06-30",
        action: ACTION,
        parameters: vec![("InstanceId", EXAMPLE_ID)],
        endpoint: "cas.aliyuncs.com".to_owned(),
        time: START,
        nonce: Random::system().nonce(),
    }
}

impl Calling<'_> {
    fn signed(self) -> HttpRequest {
        let request = Request {
            endpoint: self.endpoint.parse().unwrap(),
            version: self.version,
            action: self.action,
            ram_action: "yundun-cert:GetCAInstanceStatus",
            parameters: self
                .parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        sign::sign(self.scheme, &request, &self.credentials, self.time, &self.nonce)
    }
}

fn whole(reply: Reply) -> Response {
    match reply {
        Reply::Whole(response) => response,
        other => panic!("{other:?}"),
    }
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

/// The JSON of an answer; a byte order mark before it may be ignored (RFC 8259, 8.1).
fn body(response: &Response) -> Value {
    serde_json::from_str(text(response).trim_start_matches('\u{feff}'))
        .unwrap_or_else(|_| panic!("{}", text(response)))
}

/// Status and code of the answer, from JSON or XML; no code if it is an answer.
fn outcome(world: &World, request: &HttpRequest) -> (u16, Option<String>) {
    let response = whole(world.receive(request));
    let text = text(&response);
    let code = match text.split_once("<Code>") {
        Some((_, rest)) => rest.split('<').next().map(str::to_owned),
        None => serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| Some(body["Code"].as_str()?.to_owned())),
    };
    (response.status().as_u16(), code)
}

/// Waits for something that happens in other tasks. The deadline only turns a hang into a failure.
async fn until(mut happened: impl FnMut() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("it never happened");
}

fn accepted() -> (u16, Option<String>) {
    (200, None)
}

fn refused(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}
