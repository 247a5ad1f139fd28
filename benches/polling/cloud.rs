//! The cloud of the benchmark: `pca-simulator` in a process of its own, told what to be and asked what it saw.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use aliyun_pca_exporter::pca::GET_CA_INSTANCE_STATUS;
use aliyun_pca_exporter::simulator::{Instance, example};
use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use crate::program::{self, Program};
use crate::{INSTANCES, LIMIT, bare};

/// The exporter's key.
pub(crate) const ID: &str = "exporter";
pub(crate) const SECRET: &str = "exporter-secret";

/// The user whose key that is: `pca-simulator` has one.
const USER: &str = "default";

/// How long calls are on their way. All of it on the way out is the worst that can happen to a budget, which counts
/// arrivals.
pub(crate) const JITTER: &str = "0ms..200ms";

/// Of how many calls in a hundred the connection is closed unanswered.
pub(crate) const DROP_PERCENT: u8 = 2;

/// How long any answer of the control may take: the report tells of every instance.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running simulator.
pub(crate) struct Cloud {
    address: SocketAddr,
    client: reqwest::Client,
    /// Runs as long as this lives.
    _program: Program,
}

/// What the cloud has seen since its start.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    calls: Vec<Calls>,
    refusals: BTreeMap<String, u32>,
}

/// The calls of one user and action.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Calls {
    user: String,
    action: String,
    pub(crate) arrivals: u32,
    pub(crate) most_in_one_window: u32,
}

impl Cloud {
    /// Starts it, with every instance, a bad network and a user for the bare client.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut program = Program::start(
            Command::new(env!("CARGO_BIN_EXE_pca-simulator"))
                .args(["--listen-address", "127.0.0.1:0"])
                .args(["--access-key-id", ID, "--access-key-secret", SECRET])
                .args(["--limit", &LIMIT.to_string()])
                .stdout(Stdio::piped()),
        )?;
        let output = program.0.stdout.take().context("stdout is piped")?;
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let cloud = Self {
            address: program::listening_address(output)?,
            client: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?,
            _program: program,
        };
        for number in 0..INSTANCES {
            let instance = Instance {
                instance_id: instance_id(number),
                ..example()
            };
            cloud.tell(&json!({ "put_instance": instance })).await?;
        }
        cloud
            .tell(&json!({ "put_key": {
                "access_key_id": bare::ID, "access_key_secret": bare::SECRET, "user": bare::USER,
            } }))
            .await?;
        // So that every throttled call is the exporter's.
        cloud
            .tell(&json!({ "set_limit": { "user": bare::USER, "calls": 1000 } }))
            .await?;
        cloud
            .tell(&json!({ "set_network": { "there": JITTER, "drop_percent": DROP_PERCENT } }))
            .await?;
        Ok(cloud)
    }

    /// Where the API is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has seen.
    pub(crate) async fn report(&self) -> anyhow::Result<Report> {
        let text = self.get(&self.control()).await?;
        serde_json::from_str(&text).context("the simulator's report")
    }

    /// The text behind a URL, the cloud's or another on this machine.
    pub(crate) async fn get(&self, url: &str) -> anyhow::Result<String> {
        let response = self.client.get(url).send().await?.error_for_status()?;
        Ok(response.text().await?)
    }

    async fn tell(&self, command: &serde_json::Value) -> anyhow::Result<()> {
        let request = self.client.post(self.control()).body(command.to_string());
        request.send().await?.error_for_status()?;
        Ok(())
    }

    fn control(&self) -> String {
        format!("{}/simulator/", self.url())
    }
}

impl Report {
    /// The calls of the exporter.
    pub(crate) fn exporter(&self) -> Calls {
        self.calls_of(USER)
    }

    /// The calls of the bare client.
    pub(crate) fn bare(&self) -> Calls {
        self.calls_of(bare::USER)
    }

    /// Calls over the exporter's limit.
    pub(crate) fn throttled(&self) -> u32 {
        self.refusals.get("Throttling.User").copied().unwrap_or(0)
    }

    /// Without a call there are none.
    fn calls_of(&self, user: &str) -> Calls {
        let mut calls = self.calls.iter();
        let found = calls.find(|calls| calls.user == user && calls.action == GET_CA_INSTANCE_STATUS);
        found.cloned().unwrap_or_default()
    }
}

/// The id of the instance with this number.
pub(crate) fn instance_id(number: u32) -> String {
    format!("cas-member-{number:05}")
}
