//! `check --live`: one signed call for each account that lists an instance, and in words what came of it.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::account::{client, endpoints};
use crate::aliyun::budget::Budget;
use crate::aliyun::credentials::{Claims, Credentials, CredentialsError};
use crate::aliyun::error::CallError;
use crate::aliyun::skew::Skew;
use crate::config::{Account, Config};
use crate::host::Host;
use crate::model::{Failure, InstanceId, InstanceStatus};
use crate::pca::{GET_CA_INSTANCE_STATUS, GET_CA_INSTANCE_STATUS_RAM_ACTION, Pca};
use crate::telemetry::Telemetry;

/// A clock this close to the API's is not worth a word: the measurement itself is good to a second.
const CLOSE_MILLIS: u64 = 2000;

/// What came of the call of one account.
#[derive(Debug)]
pub(super) struct Live {
    account: String,
    credentials: Result<Credentials, CredentialsError>,
    call: Call,
    skew_millis: Option<i64>,
}

/// What became of an account's call.
#[derive(Debug)]
enum Call {
    /// There was nothing to sign it with.
    NoKey,
    /// The account lists no instance to ask about.
    NoInstance,
    /// It was made, about this instance.
    Made(InstanceId, Result<InstanceStatus, Failure>),
}

/// Calls once for each account that lists an instance, one account after the other.
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
        all.push(call(account, &pca, &budget).await);
    }
    all
}

async fn call(account: &Account, pca: &Pca, budget: &Budget) -> Live {
    let credentials = pca.0.credentials.get().await;
    let call = match (&credentials, account.targets.first()) {
        (Err(_), _) => Call::NoKey,
        (Ok(_), None) => Call::NoInstance,
        (Ok(_), Some(target)) => {
            let endpoint = endpoints(account).of(&target.region);
            let slot = budget.slot().await;
            let answer = pca.instance_status(slot, &endpoint, &target.instance_id).await;
            let failure = |error: CallError| error.failure(GET_CA_INSTANCE_STATUS_RAM_ACTION);
            let result = answer.map(|answer| answer.status).map_err(failure);
            Call::Made(target.instance_id.clone(), result)
        }
    };
    Live {
        account: account.name.to_string(),
        credentials,
        call,
        skew_millis: pca.0.exchange.skew.measured(),
    }
}

impl Live {
    /// The call succeeded, or there was a key and nothing to call about.
    pub(super) fn succeeded(&self) -> bool {
        matches!(self.call, Call::NoInstance | Call::Made(_, Ok(_)))
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
        match &self.call {
            Call::NoKey => writeln!(f, "  call   not made for want of a key")?,
            Call::NoInstance => writeln!(f, "  call   not made, since no instance is listed")?,
            Call::Made(instance, Ok(status)) => {
                let status = status.status.as_deref().unwrap_or("no status was sent");
                writeln!(f, "  call   {GET_CA_INSTANCE_STATUS} of {instance}: {status}")?;
            }
            Call::Made(instance, Err(Failure { reason, detail })) => {
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
