//! `check`: is the configuration valid, what would be polled, and does it fit the budget?

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::generation::check_regions;
use crate::config::{Config, Plan};
use crate::host::Files;

pub(super) fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path, &Files::disk())?;
    check_regions(&config)?;
    write!(std::io::stdout(), "{}", Plan::of(&config))?;
    Ok(ExitCode::SUCCESS)
}
