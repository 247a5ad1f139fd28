//! `check`: is the configuration valid, what would be polled, and does it fit the budget? Is the web configuration valid?
//! With `--live` also: do an account's calls succeed, each kind made once?

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{FAILED, has_endpoint, host, live};
use crate::config::{Config, Plan};
use crate::host::{Files, Random};
use crate::telemetry::{BUILD, Telemetry};
use crate::web::Gate;

pub(super) async fn check(path: &Path, web_config: Option<&Path>, live: bool) -> anyhow::Result<ExitCode> {
    let gate = match web_config {
        Some(path) => Gate::load(path, Files::disk(), &Random::system()).await.map(Some),
        None => Ok(None),
    };
    let config = match (Config::load(path, &Files::disk(), has_endpoint), gate) {
        (Ok(config), Ok(gate)) => {
            let mut output = std::io::stdout();
            write!(output, "{}", Plan::of(&config))?;
            if let (Some(path), Some(gate)) = (web_config, gate) {
                writeln!(output, "\n{}: {gate}", path.display())?;
            }
            config
        }
        // Whoever mends one wants to know of the other, too.
        (config, gate) => {
            let errors = [config.err(), gate.err()].into_iter().flatten();
            let errors: Vec<_> = errors.map(|error| error.to_string()).collect();
            anyhow::bail!(errors.join("\n"));
        }
    };
    if live {
        check_live(&config).await
    } else {
        Ok(ExitCode::SUCCESS)
    }
}

async fn check_live(config: &Config) -> anyhow::Result<ExitCode> {
    let host = host(config)?;
    let mut output = std::io::stdout();
    writeln!(output, "\nEach kind of call once for each account:")?;
    let all = live::check(config, &host, &Arc::new(Telemetry::new(BUILD)?)).await;
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
