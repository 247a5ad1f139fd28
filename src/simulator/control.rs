//! Telling a served world what to do, over HTTP: `GET /simulator/` shows it, `POST /simulator/` takes one `Command`.

use std::collections::{BTreeMap, BTreeSet};

use hyper::body::Bytes;
use hyper::header::ALLOW;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::ca_certificate::CaCertificate;
use super::cas::UnknownInstance;
use super::command::Command;
use super::credentials_uri::CredentialsUri;
use super::fault::Active;
use super::instance::Instance;
use super::metadata::Metadata;
use super::network::Network;
use super::oddity::Oddity;
use super::reply::{self, Response};
use super::role::Role;
use super::world::World;

/// The one path, without its slash at the end.
const PATH: &str = "/simulator";

/// What is to see of a world; no secret.
#[derive(Serialize)]
struct Report<'a> {
    now: String,
    network: Network,
    unknown_instance: UnknownInstance,
    faults: &'a [Active],
    /// By access key id.
    users: BTreeMap<&'a str, &'a str>,
    /// Those that differ from the default.
    limits: &'a BTreeMap<String, usize>,
    sts_limits: &'a BTreeMap<String, usize>,
    /// By user.
    denied: &'a BTreeMap<String, BTreeSet<String>>,
    http_allowed: bool,
    roles: Vec<&'a Role>,
    metadata: Option<&'a Metadata>,
    credentials_uri: Option<&'a CredentialsUri>,
    sessions: usize,
    calls: Vec<Calls<'a>>,
    refusals: &'a BTreeMap<String, u64>,
    instances: Vec<&'a Instance>,
    /// Those that were put.
    ca_certificates: Vec<&'a CaCertificate>,
    odd_answers: &'static [Oddity],
}

#[derive(Serialize)]
struct Calls<'a> {
    user: &'a str,
    action: &'a str,
    arrivals: usize,
    most_in_one_window: usize,
    most_at_once: usize,
}

/// Whether a path is the control's.
pub(super) fn is_for(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The answer to a request of the control's.
pub(super) fn answer(world: &World, method: &Method, path: &str, body: &Bytes) -> Response {
    let known = path
        .strip_prefix(PATH)
        .is_some_and(|rest| matches!(rest, "" | "/"));
    match *method {
        _ if !known => error(StatusCode::NOT_FOUND, &format!("there is only {PATH}/")),
        Method::GET => text(StatusCode::OK, &report(world)),
        Method::POST => match serde_json::from_slice::<Command>(body) {
            Ok(command) => match world.obey(command) {
                Ok(done) => text(StatusCode::OK, &done),
                Err(refusal) => error(StatusCode::NOT_FOUND, refusal),
            },
            Err(problem) => error(StatusCode::BAD_REQUEST, &format!("no command: {problem}")),
        },
        _ => {
            let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST");
            reply::set(&mut response, ALLOW, "GET, POST");
            response
        }
    }
}

fn report(world: &World) -> Value {
    let now = world.now().to_string();
    world.with(|state| {
        json!(Report {
            now,
            network: state.network,
            unknown_instance: state.cas.unknown,
            faults: state.faults.active(),
            users: state
                .keys
                .iter()
                .map(|(id, key)| (id.as_str(), key.user.as_str()))
                .collect(),
            limits: &state.limits,
            sts_limits: &state.sts.limits,
            denied: &state.denied,
            http_allowed: state.http_allowed,
            roles: state.sts.roles.values().collect(),
            metadata: state.metadata.instance.as_ref(),
            credentials_uri: state.credentials_uri.as_ref(),
            sessions: state.sessions.count(),
            calls: state
                .arrivals
                .iter()
                .map(|(user, action, series)| Calls {
                    user,
                    action,
                    arrivals: series.all().len(),
                    most_in_one_window: series.most_in_one_window(),
                    most_at_once: state.under_way.most(action),
                })
                .collect(),
            refusals: state.arrivals.refusals(),
            instances: state.cas.instances.values().collect(),
            ca_certificates: state.cas.ca_certificates.values().collect(),
            odd_answers: Oddity::ALL,
        })
    })
}

fn error(status: StatusCode, problem: &str) -> Response {
    text(status, &json!({ "error": problem }))
}

/// Indented, for people with curl.
fn text(status: StatusCode, value: &Value) -> Response {
    reply::response(status, "application/json", format!("{value:#}\n"))
}
