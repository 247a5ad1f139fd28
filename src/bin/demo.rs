//! The exporter and the simulated cloud in one process, on a dozen telling instances: no key, no network.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::app::{Daemon, ListenAddress, Signals, has_endpoint, subscriber};
use aliyun_pca_exporter::cli::{LogFormat, LogLevel, Web};
use aliyun_pca_exporter::config::Config;
use aliyun_pca_exporter::host::{Clock, Env, Files, Host, HttpClient, Random, Tasks};
use aliyun_pca_exporter::simulator::{Key, Server, World, telling, telling_ca_certificates};
use anyhow::Context as _;
use clap::Parser;

/// The key that the pretended cloud knows.
const KEY: (&str, &str) = ("testid", "testsecret");

/// How long what is under way may take to end.
const GRACE: Duration = Duration::from_secs(7);

/// Runs the exporter against a simulated cloud.
///
/// Needs no key and no network: everything listens on this machine only.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Cli {
    /// Where the exporter listens
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10065"
    )]
    listen_address: ListenAddress,
    /// Where the simulated cloud listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10066")]
    cloud_address: SocketAddr,
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the place for a command's error")]
async fn main() -> ExitCode {
    let log = subscriber(LogLevel::Info, LogFormat::Logfmt, std::io::stderr);
    // Only a second subscriber could make this fail, and there is none before it.
    let _ = tracing::subscriber::set_global_default(log);
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "what a person is told to look at")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut signals = Signals::watch()?;
    let world = World::new(Clock::system(), Random::system());
    world.put_key(KEY.0, Key::plain("demo", KEY.1));
    let instances = telling(Clock::system().now());
    let ids: Vec<_> = instances
        .iter()
        .map(|instance| instance.instance_id.clone())
        .collect();
    for instance in instances {
        world.put_instance(instance);
    }
    for certificate in telling_ca_certificates() {
        world.put_ca_certificate(certificate);
    }
    let cloud = Server::bind(cli.cloud_address, world)
        .await
        .with_context(|| format!("the simulated cloud cannot listen on {}", cli.cloud_address))?;
    let endpoint = cloud.address();

    let files = Files::memory([("demo.yaml", configuration(endpoint, &ids).as_str())]);
    let config = Config::load("demo.yaml".as_ref(), &files, has_endpoint)?;
    let direct = Arc::new(HttpClient::direct(config.poll.timeout)?);
    let host = Host {
        clock: Clock::system(),
        env: Env::fixed([]),
        files,
        random: Random::system(),
        transport: direct.clone(),
        direct,
        tasks: Tasks::default(),
    };
    host.tasks.spawn("the simulated cloud", |stop| cloud.serve(stop));
    let web = Web {
        listen_addresses: vec![cli.listen_address],
        telemetry_path: "/metrics".parse()?,
        probe_address: None,
        enable_lifecycle: false,
        web_config: None,
    };
    let (daemon, _) = Daemon::start(&config, &host, web, None).await?;
    let address = daemon
        .addresses
        .first()
        .context("there is an address for each that was asked for")?;
    println!(
        "The exporter polls {} instances of a simulated cloud; all are shown in about 5 seconds.\n\
         \n  the page      http://{address}/\
         \n  the metrics   http://{address}/metrics\
         \n  the cloud     http://{endpoint}/simulator/   (tells what it can be told: faults, delays, instances)\n\
         \nCtrl-C ends it.",
        ids.len(),
    );
    tokio::select! {
        _ = signals.next() => {}
        () = host.tasks.stopping().cancelled() => {}
    }
    host.tasks.stop();
    Ok(host.tasks.join(GRACE).await?)
}

/// Polls more often than one would in earnest, so that there is something to see.
fn configuration(endpoint: SocketAddr, ids: &[String]) -> String {
    let mut instances = String::new();
    for id in ids {
        let name = id.trim_start_matches("cas-member-").replace('-', " ");
        // Writing to a String cannot fail.
        let _ = writeln!(instances, "      - {{ id: {id}, name: {name} }}");
    }
    format!(
        "poll: {{ interval: 15s }}\n\
         accounts:\n  \
           - name: demo\n    \
             endpoint: http://{endpoint}\n    \
             credentials: {{ access_key: {{ access_key_id: {}, access_key_secret: {} }} }}\n    \
             labels: {{ team: pki }}\n    \
             discovery: {{}}\n    \
             instances:\n{instances}",
        KEY.0, KEY.1,
    )
}
