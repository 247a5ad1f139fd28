//! Flags and subcommands: what was typed. What it means is `app`'s.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::{ListenAddress, TelemetryPath};

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("PCA_REVISION"),
    ", rustc ",
    env!("PCA_RUSTC"),
    ")"
);

const EXIT_CODES: &str = "\
Exit codes: 0 fine; 1 it ran and something failed; 2 it could not start.

Secrets come from the configuration, files or the environment, never from flags.
Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.";

/// Prometheus exporter for private certificate authorities (PCA) on Alibaba Cloud.
///
/// Without a subcommand it runs as a daemon: it polls GetCAInstanceStatus in the background, inside each
/// account's budget of calls, and serves the last known state to Prometheus.
#[derive(Debug, Parser)]
#[command(name = "aliyun-pca-exporter", version = VERSION, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do instead of running the daemon.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// Flags of the daemon's web server.
    #[command(flatten)]
    pub web: Web,
    /// Flags of what the daemon keeps.
    #[command(flatten)]
    pub state: State,
}

/// What to do instead of running the daemon.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validate the configuration and print what would be polled; calls nothing without --live
    Check {
        /// Also validate this web configuration, and the certificates and keys that it names
        #[arg(long = "web.config.file", value_name = "FILE")]
        web_config: Option<PathBuf>,
        /// Also make each account's kinds of call once, and say in words what is wrong
        #[arg(long)]
        live: bool,
    },
    /// Poll everything once and print the metrics, for node_exporter's textfile collector
    ///
    /// Leaves out the process's own metrics and the days until expiry, which a file would double or freeze; the
    /// timestamps are there.
    Once {
        /// Write this file in one step instead of printing
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Ask a running daemon whether it works, for the health check of a container
    ///
    /// Exits 0 if the answer is 200, else 1. Where the daemon's port wants TLS or a password, name another URL.
    Healthcheck {
        /// What to ask
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10065/-/healthy")]
        url: String,
    },
    /// Print the least RAM policy that the configuration needs; calls nothing
    ///
    /// The policy is on standard output. Whom it is for, and what else is needed where roles are taken on, is on
    /// standard error.
    RamPolicy,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "config.yaml",
        global = true
    )]
    pub config_file: PathBuf,
    /// The least severe lines to log, on standard error
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub log_level: LogLevel,
    /// How log lines are written
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        default_value = "logfmt",
        global = true
    )]
    pub log_format: LogFormat,
}

/// Flags of the daemon's web server.
#[derive(Debug, Args)]
pub struct Web {
    /// Where to listen; may be repeated
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10065")]
    pub listen_addresses: Vec<ListenAddress>,
    /// Where to listen for health and readiness alone, in plain HTTP, so that TLS and logins do not keep probes out
    #[arg(long = "web.probe-address", value_name = "ADDRESS")]
    pub probe_address: Option<ListenAddress>,
    /// Let POST /-/reload reload the configuration, as SIGHUP does
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
    /// Where the metrics are
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    pub telemetry_path: TelemetryPath,
    /// TLS, client certificates, users, headers and the rate limit, as in the exporter-toolkit; plain HTTP without it
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config: Option<PathBuf>,
}

/// Flags of what the daemon keeps.
#[derive(Debug, Args)]
pub struct State {
    /// Keep what is known in this file, so that a restart shows it at once and polls nothing before it is due
    #[arg(id = "state.file", long = "state.file", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// The least severe lines to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(
    missing_docs,
    reason = "the names say it, and a comment here would become help text"
)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(
    missing_docs,
    reason = "the names say it, and a comment here would become help text"
)]
pub enum LogFormat {
    Logfmt,
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        let program = ["aliyun-pca-exporter"].iter().chain(arguments);
        Cli::try_parse_from(program).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let cli = parse(&[]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.web.listen_addresses, [":10065".parse().unwrap()]);
        assert_eq!(cli.web.telemetry_path, "/metrics".parse().unwrap());
        assert_eq!(cli.web.web_config, None);
        assert_eq!(
            (cli.common.log_level, cli.common.log_format),
            (LogLevel::Info, LogFormat::Logfmt)
        );
    }

    #[test]
    fn common_flags_may_stand_before_and_after_the_subcommand() {
        for arguments in [
            ["--config.file", "a.yaml", "check"],
            ["check", "--config.file", "a.yaml"],
        ] {
            assert_eq!(
                parse(&arguments).unwrap().common.config_file,
                PathBuf::from("a.yaml")
            );
        }
    }

    #[test]
    fn the_listen_address_may_be_repeated() {
        let cli = parse(&[
            "--web.listen-address",
            "127.0.0.1:1",
            "--web.listen-address=[::1]:2",
        ])
        .unwrap();
        let expected = ["127.0.0.1:1", "[::1]:2"].map(|address| address.parse().unwrap());
        assert_eq!(cli.web.listen_addresses, expected);
    }
}
