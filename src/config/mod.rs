//! The configuration: what the file says, as values that cannot be wrong. Where to start reading.
//!
//! `file` is the shape of the YAML, `validate` turns the shape into the values below and tells every error at
//! once; `credentials`, `access_key`, `role`, `targets`, `discovery`, `labels`, `duration` and `value` know the rules
//! of their parts. `plan` says what a configuration asks of the API. Nothing below `app` sees a `Config`.

mod access_key;
mod credentials;
mod discovery;
mod duration;
mod file;
mod labels;
mod plan;
mod role;
mod targets;
mod validate;
mod value;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::aliyun::credentials::Provider;
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::sign::Scheme;
use crate::host::Files;
use crate::model::{AccountName, Target};
use crate::poll::Discovery;
use crate::yaml;

pub use crate::yaml::FileError as ConfigError;
pub use plan::Plan;
pub use value::HasEndpoint;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How instances are polled.
    pub poll: Poll,
    /// One or more accounts, whose names differ.
    pub accounts: Vec<Account>,
}

/// How instances are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// How often each instance is asked: 1 s to 1 d, 5 min by default.
    pub interval: Duration,
    /// For one request: 1 s to 1 min and no longer than the interval; by default 10 s, or the interval if that
    /// is shorter.
    pub timeout: Duration,
}

/// A key, its budget, and the instances that are asked with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The `account` label.
    pub name: AccountName,
    /// Where the API answers; each target's region decides if there is none.
    pub endpoint: Option<Endpoint>,
    /// The region of instances that tell no other, such as `cn-hangzhou`.
    pub region: String,
    /// The budget: 1 to 10, 5 by default.
    pub requests_per_second: u8,
    /// How calls are signed.
    pub signature: Scheme,
    /// How to come by the key.
    pub credentials: Provider,
    /// The listed instances, whose ids differ; none only with `discovery`. Each has its region, and the account's
    /// labels under its own.
    pub targets: Vec<Arc<Target>>,
    /// How more instances are found; a listed one wins over a found one of the same id.
    pub discovery: Option<Discovery>,
}

impl Config {
    /// Reads the file at `path`. Relative paths of files in it are taken from the folder that it stands in.
    ///
    /// `has_endpoint` tells the regions that the product has an endpoint for; an account's own one serves any.
    ///
    /// The files and variables that it names are not looked at: they may come later, and change.
    pub fn load(path: &Path, files: &Files, has_endpoint: HasEndpoint) -> Result<Self, ConfigError> {
        let text = files
            .read(path)
            .map_err(|error| ConfigError::unreadable(path, error))?;
        let text = Zeroizing::new(text);
        let folder = path.parent().unwrap_or(Path::new(""));
        let read = yaml::read(&text, |file, problems| {
            validate::config(file, folder, has_endpoint, problems)
        });
        read.map_err(|errors| ConfigError::invalid(path, errors))
    }
}
