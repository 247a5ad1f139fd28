//! `check`: is the configuration valid, what would be polled, and does it fit the budget?

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::has_endpoint;
use crate::config::{Config, Plan};
use crate::host::Files;

pub(super) fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path, &Files::disk(), has_endpoint)?;
    write!(std::io::stdout(), "{}", Plan::of(&config))?;
    Ok(ExitCode::SUCCESS)
}
