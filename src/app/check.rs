//! `check`: is the configuration valid, what would be polled, and does it fit the budget? With `--live` also: do an
//! account's calls succeed, each kind made once?

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{FAILED, has_endpoint, live, prepare};
use crate::config::{Config, Plan};
use crate::host::Files;
use crate::telemetry::{BUILD, Telemetry};

pub(super) async fn check(path: &Path, live: bool) -> anyhow::Result<ExitCode> {
    if live {
        return check_live(path).await;
    }
    let config = Config::load(path, &Files::disk(), has_endpoint)?;
    write!(std::io::stdout(), "{}", Plan::of(&config))?;
    Ok(ExitCode::SUCCESS)
}

async fn check_live(path: &Path) -> anyhow::Result<ExitCode> {
    let (config, host) = prepare(path)?;
    let mut output = std::io::stdout();
    writeln!(
        output,
        "{}\nEach kind of call once for each account:",
        Plan::of(&config)
    )?;
    let all = live::check(&config, &host, &Arc::new(Telemetry::new(BUILD)?)).await;
    for live in &all {
        write!(output, "\n{live}")?;
    }
    let succeeded = all.iter().all(live::Live::succeeded);
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}
