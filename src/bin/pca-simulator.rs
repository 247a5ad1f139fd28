//! The cloud's side on loopback: the API with a dozen telling instances, to try the exporter without a key.
//!
//! Not for production in any way: its key is public, and whoever reaches it may tell it what to do.

use std::io::Write as _;
use std::net::SocketAddr;

use aliyun_pca_exporter::host::{Clock, Random};
use aliyun_pca_exporter::simulator::{
    CredentialsUri, Delay, Key, Metadata, Network, Role, Server, World, telling, telling_ca_certificates,
};
use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whose the key is.
const USER: &str = "default";

/// A role that the user and the identity provider may take on, and whose calls count as the user's.
const ROLE: &str = "acs:ram::1234567890123456:role/pca-reader";

/// An identity provider, and a token that it has issued.
const OIDC_PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/demo";
const OIDC_TOKEN: &str = "demo.oidc.token";

/// The role of the instance that the metadata service is about.
const INSTANCE_ROLE: &str = "pca-reader";

/// Where keys are handed out to whoever asks.
const CREDENTIALS_PATH: &str = "/credentials";

/// Plays Alibaba Cloud's private CA API: signatures, limit, errors and all; and what hands out temporary keys for
/// it: STS, the metadata service of an ECS instance, a credentials URI.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10066")]
    listen_address: SocketAddr,
    /// The id of the key that is known
    #[arg(long, value_name = "ID", default_value = "testid")]
    access_key_id: String,
    /// The secret of the key that is known (it guards nothing)
    #[arg(long, value_name = "SECRET", default_value = "testsecret")]
    access_key_secret: String,
    /// How many calls of each action any sliding second may hold for its user
    #[arg(long, value_name = "CALLS", default_value_t = 10)]
    limit: usize,
    /// How long a call is under way, and its answer back: 50ms, or a range such as 0ms..200ms
    #[arg(long, value_name = "DELAY", default_value = "0ms")]
    latency: Delay,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let clock = Clock::system();
    let world = World::new(clock.clone(), Random::system());
    world.put_key(&flags.access_key_id, Key::plain(USER, &flags.access_key_secret));
    world.set_limit(USER, flags.limit);
    world.set_network(Network {
        there: flags.latency,
        back: flags.latency,
        ..Network::default()
    });
    for instance in telling(clock.now()) {
        world.put_instance(instance);
    }
    for certificate in telling_ca_certificates() {
        world.put_ca_certificate(certificate);
    }
    world.put_role(Role::new(ROLE, USER).trusting(USER).trusting(OIDC_PROVIDER));
    world.put_oidc_token(OIDC_PROVIDER, OIDC_TOKEN, None);
    world.set_metadata(Some(Metadata::new(INSTANCE_ROLE, USER)));
    world.set_credentials_uri(Some(CredentialsUri::new(CREDENTIALS_PATH, USER)));
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let server = Server::bind(flags.listen_address, world)
        .await
        .with_context(|| format!("cannot listen on {}", flags.listen_address))?;
    std::io::stdout()
        .lock()
        .write_all(welcome(&server.address().to_string()).as_bytes())
        .context("cannot write to stdout")?;
    let stop = CancellationToken::new();
    tokio::join!(server.serve(stop.clone()), async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

/// Where it listens, and what it can be told.
fn welcome(address: &str) -> String {
    let told = [
        r#"{"set_fault": {"what": {"odd": "bad_gateway_html"}}}"#,
        r#"{"set_fault": {"what": {"error": {"code": "Throttling.User", "status": 400}}, "times": {"every": 3}}}"#,
        r#"{"set_fault": {"what": {"odd": "no_answer"}, "scope": {"instance": "cas-member-healthy-sub"}, "times": {"next": 2}}}"#,
        r#"{"set_fault": {"what": {"answer": {"status": 200, "body": "anything"}}}}"#,
        r#"{"remove_fault": 1}"#,
        r#"{"clear_faults": {}}"#,
        r#"{"put_instance": {"InstanceId": "cas-member-new", "Status": "USED", "Type": "SUB_ROOT"}}"#,
        r#"{"remove_instance": "cas-member-healthy-sub"}"#,
        r#"{"put_certificate": {"identifier": "160ae6bb538d538c70c01f81dcf2", "instance_id": "cas-member-healthy-sub"}}"#,
        r#"{"put_ca_certificate": {"CertIdentifier": "1ef78be5", "PrivateCaInstanceId": "cas-member-healthy-root", "Status": "ISSUE", "CommonName": "Example CA 2026", "PrivateCaRegionId": "cn-hangzhou"}}"#,
        r#"{"remove_ca_certificate": "1ef78be5"}"#,
        r#"{"set_unknown_instance": "empty_list"}"#,
        r#"{"deny": {"user": "default", "action": "ListPcaCaCertificate"}}"#,
        r#"{"allow": {"user": "default", "action": "ListPcaCaCertificate"}}"#,
        r#"{"allow_http": false}"#,
        r#"{"allow_http": true}"#,
        r#"{"set_clock_offset": -1200}"#,
        r#"{"set_limit": {"user": "default", "calls": 5}}"#,
        r#"{"set_sts_limit": {"user": "default", "calls": 50}}"#,
        r#"{"set_fault": {"what": {"error": {"code": "ServiceUnavailable", "status": 503}}, "scope": {"action": "AssumeRole"}}}"#,
        r#"{"put_role": {"arn": "acs:ram::1234567890123456:role/auditor", "user": "default", "trusted": ["default"], "external_id": "42", "longest_seconds": 43200}}"#,
        r#"{"put_oidc_token": {"provider_arn": "acs:ram::1234567890123456:oidc-provider/demo", "token": "next.oidc.token", "expires_in": 3600}}"#,
        r#"{"set_metadata": {"role": "pca-reader", "user": "default", "forms": "older_only", "newline": true, "lasts_seconds": 900}}"#,
        r#"{"set_metadata": null}"#,
        r#"{"set_credentials_uri": {"path": "/keys", "user": "default", "lasts_seconds": 900}}"#,
        r#"{"set_network": {"there": "0ms..200ms", "back": "0ms..200ms", "drop_percent": 2}}"#,
        r#"{"set_network": {"down": true}}"#,
        r#"{"set_network": {}}"#,
        r#"{"put_key": {"access_key_id": "STS.id", "access_key_secret": "secret", "security_token": "token", "user": "default"}}"#,
    ];
    let url = format!("http://{address}/simulator/");
    let told = told
        .map(|command| format!("  curl {url} -d '{command}'\n"))
        .concat();
    format!(
        "pca-simulator listens on http://{address}\n\n\
         Temporary keys are handed out for:\n  \
           role               {ROLE}  (sts_endpoint: http://{address})\n  \
           identity provider  {OIDC_PROVIDER}, token {OIDC_TOKEN}\n  \
           ECS metadata       role {INSTANCE_ROLE}  (endpoint: http://{address})\n  \
           credentials URI    http://{address}{CREDENTIALS_PATH}\n\n\
         See everything, the names of the odd answers too:\n  curl {url}\nTell it something:\n{told}"
    )
}
