//! `check --live`: one signed call for each account, and in words what came of it.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::generation::{client, endpoint};
use crate::aliyun::budget::Budget;
use crate::aliyun::credentials::{Claims, Credentials, CredentialsError};
use crate::aliyun::error::CallError;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::{Failure, InstanceStatus};
use crate::pca::{GET_CA_INSTANCE_STATUS, GET_CA_INSTANCE_STATUS_RAM_ACTION, Pca};
use crate::telemetry::Telemetry;

/// A clock this close to the API's is not worth a word: the measurement itself is good to a second.
const CLOSE_MILLIS: u64 = 2000;

/// What came of the call of one account.
#[derive(Debug)]
pub(super) struct Live {
    account: String,
    instance: String,
    credentials: Result<Credentials, CredentialsError>,
    called: Option<Result<InstanceStatus, Failure>>,
    skew_millis: Option<i64>,
}

/// Calls once for each account, one account after the other.
pub(super) async fn check(config: &Config, host: &Host, telemetry: &Arc<Telemetry>) -> Vec<Live> {
    let claims = Arc::new(Claims::default());
    // One slot is enough for all, and leaves most of the allowance to a daemon that runs beside.
    let budget = Budget::new(1, config.poll.timeout, Instant::now());
    let mut all = Vec::new();
    for account in &config.accounts {
        let pca = Pca(client(account, config.poll.timeout, host, telemetry, &claims));
        all.push(call(account, &pca, &budget).await);
    }
    all
}

async fn call(account: &Account, pca: &Pca, budget: &Budget) -> Live {
    let target = account
        .targets
        .first()
        .expect("an account without instances is refused by the configuration");
    let endpoint = endpoint(account, &target.region);
    let credentials = pca.0.credentials.get().await;
    let called = if credentials.is_ok() {
        let slot = budget.slot().await;
        let answer = pca.instance_status(slot, &endpoint, &target.instance_id).await;
        let failure = |error: CallError| error.failure(GET_CA_INSTANCE_STATUS_RAM_ACTION);
        Some(answer.map(|answer| answer.status).map_err(failure))
    } else {
        None
    };
    Live {
        account: account.name.to_string(),
        instance: target.instance_id.to_string(),
        credentials,
        called,
        skew_millis: pca.0.exchange.skew.measured(),
    }
}

impl Live {
    /// The call succeeded.
    pub(super) fn succeeded(&self) -> bool {
        matches!(self.called, Some(Ok(_)))
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
        match &self.called {
            None => writeln!(f, "  call   not made for want of a key")?,
            Some(Ok(status)) => {
                let status = status.status.as_deref().unwrap_or("no status was sent");
                writeln!(
                    f,
                    "  call   {GET_CA_INSTANCE_STATUS} of {}: {status}",
                    self.instance
                )?;
            }
            Some(Err(Failure { reason, detail })) => {
                let instance = &self.instance;
                writeln!(
                    f,
                    "  call   {GET_CA_INSTANCE_STATUS} of {instance} failed ({reason}): {detail}"
                )?;
            }
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
