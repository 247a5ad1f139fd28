//! `check --live`: one signed call for each thing that an account polls or discovers by, and in words what came of
//! them. Nothing is tried again.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::account::{client, endpoints};
use crate::aliyun::budget::Budget;
use crate::aliyun::credentials::{Claims, Credentials, CredentialsError};
use crate::aliyun::skew::Skew;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::{Failure, InstanceId};
use crate::pca::{
    GET_CA_INSTANCE_STATUS, GET_CA_INSTANCE_STATUS_RAM_ACTION, LIST_PCA_CA_CERTIFICATE,
    LIST_PCA_CA_CERTIFICATE_RAM_ACTION, Page, Pca,
};
use crate::telemetry::Telemetry;

/// A clock this close to the API's is not worth a word: the measurement itself is good to a second.
const CLOSE_MILLIS: u64 = 2000;

/// What came of the calls of one account.
#[derive(Debug)]
pub(super) struct Live {
    account: String,
    credentials: Result<Credentials, CredentialsError>,
    /// At least one, or none for want of a key.
    calls: Vec<Call>,
    skew_millis: Option<i64>,
}

/// What came of one call.
#[derive(Debug)]
struct Call {
    /// At the start of its line.
    name: &'static str,
    /// The action, and what it asked about.
    question: String,
    /// What the answer says.
    outcome: Result<String, Failure>,
}

/// Calls for one account after the other.
pub(super) async fn check(config: &Config, host: &Host, telemetry: &Arc<Telemetry>) -> Vec<Live> {
    let claims = Arc::new(Claims::default());
    // One slot is enough for all, and leaves most of the allowance to a daemon that runs beside.
    let budget = Budget::new(1, config.poll.timeout, Instant::now());
    let mut all = Vec::new();
    for account in &config.accounts {
        let pca = Pca(client(
            account,
            config.poll.timeout,
            host,
            telemetry,
            &claims,
            Skew::default(),
        ));
        let credentials = pca.0.credentials.get().await;
        let calls = match credentials {
            Ok(_) => calls(account, &pca, &budget).await,
            Err(_) => Vec::new(),
        };
        all.push(Live {
            account: account.name.to_string(),
            credentials,
            calls,
            skew_millis: pca.0.exchange.skew.measured(),
        });
    }
    all
}

/// Asks about the first listed instance, for the first page of the list, and for the first certificate's instance:
/// what of these the account has.
async fn calls(account: &Account, pca: &Pca, budget: &Budget) -> Vec<Call> {
    let endpoints = endpoints(account);
    let mut calls = Vec::new();
    if let Some(target) = account.targets.first() {
        let (endpoint, id) = (endpoints.of(&target.region), &target.instance_id);
        let answer = pca.instance_status(budget.slot().await, &endpoint, id).await;
        calls.push(Call {
            name: "call",
            question: format!("{GET_CA_INSTANCE_STATUS} of {id}"),
            outcome: answer
                .map(|answer| answer.status.status.unwrap_or("no status was sent".to_owned()))
                .map_err(|error| error.failure(GET_CA_INSTANCE_STATUS_RAM_ACTION)),
        });
    }
    let Some(discovery) = &account.discovery else {
        return calls;
    };
    let endpoint = endpoints.of_account();
    if discovery.list {
        let answer = pca.ca_certificates(budget.slot().await, endpoint, None).await;
        calls.push(Call {
            name: "list",
            question: LIST_PCA_CA_CERTIFICATE.to_owned(),
            outcome: answer
                .map(|page| entries(&page))
                .map_err(|error| error.failure(LIST_PCA_CA_CERTIFICATE_RAM_ACTION)),
        });
    }
    if let Some(certificate) = discovery.certificates.first() {
        let answer = pca.instances_of(budget.slot().await, endpoint, certificate).await;
        calls.push(Call {
            name: "lookup",
            question: format!("{GET_CA_INSTANCE_STATUS} of certificate {certificate}"),
            outcome: answer
                .map(|ids| ids.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(", "))
                .map_err(|error| error.failure(GET_CA_INSTANCE_STATUS_RAM_ACTION)),
        });
    }
    calls
}

/// How many certificates a page has.
fn entries(page: &Page) -> String {
    let (number, more) = (page.certificates.len(), page.next.is_some());
    let plural = if number == 1 { "" } else { "s" };
    format!(
        "{number} CA certificate{plural}{}",
        if more { ", and more on further pages" } else { "" }
    )
}

impl Live {
    /// There was a key, and every call succeeded.
    pub(super) fn succeeded(&self) -> bool {
        self.credentials.is_ok() && self.calls.iter().all(|call| call.outcome.is_ok())
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "account {}", self.account)?;
        match &self.credentials {
            Ok(credentials) => {
                write!(
                    f,
                    "  key    {} from {}",
                    credentials.last_four(),
                    credentials.provider
                )?;
                match credentials.life {
                    Some(life) => writeln!(f, ", good until {}", life.expires)?,
                    None => writeln!(f)?,
                }
            }
            Err(error) => writeln!(f, "  key    none: {error}")?,
        }
        for call in &self.calls {
            writeln!(f, "  {call}")?;
        }
        if self.calls.is_empty() {
            writeln!(f, "  call   not made for want of a key")?;
        }
        match self.skew_millis {
            None => writeln!(f, "  clock  not compared, since there was no answer")?,
            Some(millis) if millis.unsigned_abs() <= CLOSE_MILLIS => {
                writeln!(f, "  clock  agrees with the API's")?;
            }
            Some(millis) => {
                let seconds = millis.unsigned_abs().div_ceil(1000);
                let (way, limit) = (if millis > 0 { "ahead of" } else { "behind" }, 15);
                writeln!(
                    f,
                    "  clock  {seconds} s {way} the API's, which refuses more than {limit} minutes"
                )?;
            }
        }
        writeln!(f, "  {}", if self.succeeded() { "fine" } else { "FAILED" })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            question,
            outcome,
        } = self;
        match outcome {
            Ok(answer) => write!(f, "{name:<6} {question}: {answer}"),
            Err(Failure { reason, detail }) => {
                write!(f, "{name:<6} {question} failed ({reason}): {detail}")
            }
        }
    }
}
