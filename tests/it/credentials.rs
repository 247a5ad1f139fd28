//! Each provider by cases: `tests/data/credentials/<case>/` holds what the provider finds, what it must ask and what
//! it is answered, and what it must end with. The format is described in the folder's README.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aliyun_pca_exporter::aliyun::budget::Budget;
use aliyun_pca_exporter::aliyun::credentials::{Credentials, CredentialsError, Fetch};
use aliyun_pca_exporter::aliyun::exchange::Exchange;
use aliyun_pca_exporter::cli::LogLevel;
use aliyun_pca_exporter::host::{
    Clock, Env, Files, Host, HttpRequest, HttpResponse, Random, Sent, Tasks, Transport, TransportError,
};
use aliyun_pca_exporter::model::UnixMillis;
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_yaml::Value;

use crate::support::log::Log;
use crate::support::{self, OPENING};

/// In every secret of every case, and in nothing that is printed.
const CANARY: &str = "canary";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[expect(dead_code, reason = "for who reads the case")]
    about: String,
    provider: Value,
    /// This machine's clock at the start.
    clock: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    fetches: Vec<Step>,
}

/// One fetch of the same provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// A folder whose files are laid over those that were there.
    files: Option<PathBuf>,
    #[serde(default)]
    exchange: Vec<Ask>,
    key: Option<Key>,
    error: Option<String>,
    not_configured: Option<String>,
}

/// One request that must come, and what is answered.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// `POST https://sts.aliyuncs.com/`, all but the query.
    request: String,
    /// Whether it goes out without any proxy.
    #[serde(default)]
    direct: bool,
    /// The query's parameters as they stand in the URL, encoded; `*` is any text.
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// The body's, likewise.
    #[serde(default)]
    form: BTreeMap<String, String>,
    /// Headers that must be there; an empty one must not.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A status, or how it fails: `refused`, `broken`, `never`.
    answer: Value,
    date: Option<String>,
    #[serde(default)]
    body: String,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Key(Key),
    /// The provider is configured and does not work.
    Error(String),
    /// In a chain, the next provider would be asked.
    NotConfigured(String),
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
    /// How long it is good, in seconds; nothing for a lasting one.
    left: Option<u64>,
    /// By the cloud's clock.
    expires: Option<String>,
    provider: String,
}

/// One way out of the machine.
#[derive(Debug)]
struct Way {
    script: Arc<Script>,
    direct: bool,
}

/// The requests still to come, and what went wrong with those that came.
#[derive(Default)]
struct Script {
    expected: Mutex<Vec<Ask>>,
    faults: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Step {
    fn end(self) -> End {
        match (self.key, self.error, self.not_configured) {
            (Some(key), None, None) => End::Key(key),
            (None, Some(why), None) => End::Error(why),
            (None, None, Some(why)) => End::NotConfigured(why),
            _ => panic!("a fetch ends with one of key, error and not_configured"),
        }
    }
}

impl Script {
    fn fault(&self, fault: String) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    /// What is wrong, after a fetch.
    fn end(&self) -> Vec<String> {
        let mut faults = std::mem::take(&mut *self.faults.lock().unwrap());
        for ask in std::mem::take(&mut *self.expected.lock().unwrap()) {
            faults.push(format!("never asked: {}", ask.request));
        }
        faults
    }
}

impl Transport for Way {
    fn send(&self, request: HttpRequest) -> Sent {
        let mut expected = self
            .script
            .expected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (url, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let line = format!("{} {url}", request.method);
        if expected.is_empty() {
            self.script.fault(format!("unexpected: {line}"));
            return Box::pin(async { Err(TransportError::Connect("unexpected".to_owned())) });
        }
        let ask = expected.remove(0);
        drop(expected);
        let body = std::str::from_utf8(&request.body).unwrap();
        for fault in ask.faults(&line, query, body, &request.headers, self.direct) {
            self.script.fault(format!("{line}: {fault}"));
        }
        ask.answered()
    }
}

impl Ask {
    fn faults(&self, line: &str, query: &str, body: &str, headers: &HeaderMap, direct: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if line != self.request {
            faults.push(format!("expected {}", self.request));
        }
        if direct != self.direct {
            faults.push(format!("direct is {direct}"));
        }
        compare("query", &self.query, query, &mut faults);
        compare("form", &self.form, body, &mut faults);
        for (name, value) in &self.headers {
            let sent = headers.get(name).map(|value| value.to_str().unwrap());
            if sent.unwrap_or_default() != value {
                faults.push(format!("header {name} is {sent:?}, expected {value:?}"));
            }
        }
        faults
    }

    fn answered(self) -> Sent {
        Box::pin(async move {
            let status = match &self.answer {
                Value::Number(status) => u16::try_from(status.as_u64().unwrap()).unwrap(),
                Value::String(way) if way == "refused" => {
                    return Err(TransportError::Connect("Connection refused".to_owned()));
                }
                Value::String(way) if way == "never" => std::future::pending().await,
                Value::String(way) if way == "broken" => 200,
                other => panic!("no such answer: {other:?}"),
            };
            let broken = self.answer.is_string();
            let mut headers = HeaderMap::new();
            if let Some(date) = &self.date {
                headers.insert("date", HeaderValue::from_str(date).unwrap());
            }
            // Where a redirect leads must not be asked.
            if (300..400).contains(&status) {
                headers.insert("location", HeaderValue::from_static("https://elsewhere.example/"));
            }
            let body = self.body;
            Ok(HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: Box::pin(async move {
                    if broken {
                        Err(TransportError::Closed("end of file".to_owned()))
                    } else {
                        Ok(body.into())
                    }
                }),
            })
        })
    }
}

/// Compares encoded parameters, by name; each must come once.
fn compare(what: &str, expected: &BTreeMap<String, String>, sent: &str, faults: &mut Vec<String>) {
    let mut parameters = BTreeMap::new();
    for pair in sent.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        if parameters.insert(name, value).is_some() {
            faults.push(format!("{what}: {name} comes twice"));
        }
    }
    for (name, value) in &parameters {
        match expected.get(*name) {
            None => faults.push(format!("{what}: {name} is not expected")),
            Some(expected) if expected != value && (expected != "*" || value.is_empty()) => {
                faults.push(format!("{what}: {name} is {value}, expected {expected}"));
            }
            Some(_) => {}
        }
    }
    let missing = expected
        .keys()
        .filter(|name| !parameters.contains_key(name.as_str()));
    faults.extend(missing.map(|name| format!("{what}: {name} is missing")));
}

fn time(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Copies a folder's files over those of another; `~/` in their text is the home folder.
fn lay_over(from: &Path, to: &Path, home: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            lay_over(&from, &to, home);
            continue;
        }
        let bytes = std::fs::read(from).unwrap();
        match String::from_utf8(bytes) {
            Ok(text) => std::fs::write(to, text.replace("~/", &format!("{home}/"))).unwrap(),
            Err(not_text) => std::fs::write(to, not_text.into_bytes()).unwrap(),
        }
    }
}

fn end(found: Result<Credentials, CredentialsError>) -> End {
    match found {
        Ok(found) => End::Key(Key {
            id: found.access_key_id,
            secret: found.access_key_secret.expose().to_owned(),
            token: found.security_token.map(|token| token.expose().to_owned()),
            left: found.life.map(|life| life.left.as_secs()),
            expires: found.life.map(|life| life.expires.to_string()),
            provider: found.provider,
        }),
        Err(error @ CredentialsError::Failed { .. }) => End::Error(error.to_string()),
        Err(error @ CredentialsError::NotConfigured { .. }) => End::NotConfigured(error.to_string()),
    }
}

/// Runs a case; returns everything that is not as it says.
async fn run(folder: &Path) -> Vec<String> {
    let path = folder.join("case.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    // `~` in a case is the home folder, which holds the case's files.
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let text = text.replace("~/", &format!("{home}/"));
    let case: Case =
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if folder.join("files").is_dir() {
        lay_over(&folder.join("files"), Path::new(home), home);
    }

    // A new budget holds every slot for a while.
    let sts = Budget::new(10, Duration::from_secs(10), tokio::time::Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let provider = serde_json::to_string(&case.provider).unwrap();
    let yaml =
        format!("accounts: [{{ name: prod, credentials: {provider}, instances: [{{ id: cas-member-1 }}] }}]");
    let account = support::config(&yaml).accounts.remove(0);
    let script = Arc::new(Script::default());
    let way = |direct| {
        let script = Arc::clone(&script);
        Arc::new(Way { script, direct })
    };
    let mut variables = case.environment;
    variables
        .entry("HOME".to_owned())
        .or_insert_with(|| home.to_owned());
    let variables = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let host = Host {
        clock: Clock::starting_at(case.clock.as_deref().map_or(OPENING, time)),
        env: Env::fixed(variables),
        files: Files::disk(),
        random: Random::seeded(1),
        transport: way(false),
        direct: way(true),
        tasks: Tasks::default(),
    };
    let telemetry = Arc::new(Telemetry::new(BUILD).unwrap());
    let with = Fetch {
        exchange: Exchange::new(account.name, Duration::from_secs(10), host, telemetry),
        sts,
    };

    let (log, _guard) = Log::capture(LogLevel::Trace);
    let mut faults = Vec::new();
    let mut printed = String::new();
    for step in case.fetches {
        if let Some(files) = &step.files {
            lay_over(&folder.join(files), Path::new(home), home);
        }
        script.expected.lock().unwrap().clone_from(&step.exchange);
        let found = account.credentials.fetch(&with).await;
        write!(printed, "{found:?}").unwrap();
        if let Err(error) = &found {
            write!(printed, "{error}").unwrap();
        }
        faults.extend(script.end());
        let (end, expected) = (end(found), step.end());
        if end != expected {
            faults.push(format!("ended with\n  {end:?}\nexpected\n  {expected:?}"));
        }
    }
    write!(printed, "{:?}{with:?}{}", account.credentials, log.text()).unwrap();
    if printed.contains(CANARY) {
        faults.push(format!("a secret is printed: {printed}"));
    }
    faults
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("tests/data/credentials").unwrap();
    let mut folders: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[tokio::test(start_paused = true)]
async fn every_case_asks_what_it_must_and_ends_as_it_must() {
    let mut wrong = String::new();
    for folder in cases() {
        for fault in run(&folder).await {
            writeln!(wrong, "{}: {fault}", folder.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
