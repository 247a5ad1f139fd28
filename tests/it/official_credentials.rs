//! The vendor's own Python credentials library and this exporter, in the same environment and with the same files,
//! each against a fresh simulated cloud: do both ask the same hosts and end with the same key?
//!
//! The simulator's keys tell everything that was asked for (role, session name, duration, policy, external id, whose
//! key), so that one key means one question. Where the library is known to be wrong, the test says how, and what the
//! exporter does instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aliyun_pca_exporter::aliyun::budget::Budget;
use aliyun_pca_exporter::aliyun::credentials::{
    AccessKey, AssumeRole, Cache, Claims, EcsMetadata, Fetch, Oidc, Profile, Provider, Session, Source, Uri,
};
use aliyun_pca_exporter::aliyun::exchange::Exchange;
use aliyun_pca_exporter::host::{Clock, Env, Files, Host, HttpRequest, Random, Sent, Tasks, Transport};
use aliyun_pca_exporter::simulator::{
    CredentialsUri, Key, Metadata, MetadataForms, Role, Server, Wire, World,
};
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::official_sdk::python;

const USER: &str = "tester";
const ID: &str = "LTAI5tOfficialTest";
const SECRET: &str = "officialSecret";
const STS_ID: &str = "STS.NOfficialTest";
const STS_SECRET: &str = "officialStsSecret";
const STS_TOKEN: &str = "CAISofficial+/==";
const ROLE: &str = "acs:ram::1234567890123456:role/pca-reader";
const SECOND_ROLE: &str = "acs:ram::2345678901234567:role/auditor";
const OIDC_PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";
const OIDC_TOKEN: &str = "header.payload+/=.signature";
const METADATA: &str = "http://100.100.100.200";
const STS: &str = "https://sts.aliyuncs.com";

/// The refusals that a test may be about.
const REFUSALS: [&str; 3] = [
    "SignatureDoesNotMatch",
    "InvalidParameter.OIDCToken",
    "AuthenticationFail.OIDCToken.Invalid",
];

/// What both sides find.
struct Setting {
    variables: BTreeMap<&'static str, String>,
    /// By their path below the home folder.
    files: BTreeMap<&'static str, String>,
    metadata: Option<Metadata>,
}

/// What one side ends with.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    access_key_id: String,
    access_key_secret: String,
    security_token: Option<String>,
    /// Scheme, host and port of every service that was asked.
    hosts: BTreeSet<String>,
}

/// What both ended with: a key, or what was wrong.
struct Both {
    official: Result<Found, String>,
    exporter: Result<Found, String>,
    /// What the cloud refused the official library.
    refused_official: Vec<&'static str>,
}

/// Leads every request to a world, and notes for which host it was.
#[derive(Debug)]
struct Redirect {
    wire: Wire,
    hosts: Arc<Mutex<BTreeSet<String>>>,
}

impl Transport for Redirect {
    fn send(&self, request: HttpRequest) -> Sent {
        let origin: Vec<&str> = request.url.splitn(4, '/').take(3).collect();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(origin.join("/"));
        drop(hosts);
        self.wire.send(request)
    }
}

fn setting() -> Setting {
    Setting {
        variables: BTreeMap::new(),
        files: BTreeMap::new(),
        metadata: None,
    }
}

impl Setting {
    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    fn file(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }

    /// The command line's file, with these profiles, the first of which is the current one.
    fn cli(self, profiles: &[Value]) -> Self {
        let file = json!({ "current": profiles[0]["name"], "profiles": profiles });
        self.file(".aliyun/config.json", &file.to_string())
    }

    fn ini(self, text: &str) -> Self {
        self.file(".alibabacloud/credentials.ini", text)
    }

    fn metadata(self, metadata: Metadata) -> Self {
        Self {
            metadata: Some(metadata),
            ..self
        }
    }

    /// The variables that RRSA sets in a pod, and its token.
    fn rrsa(self) -> Self {
        self.variable("ALIBABA_CLOUD_ROLE_ARN", ROLE)
            .variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", OIDC_PROVIDER)
            .variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "~/token")
            .variable("ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod")
            .file("token", OIDC_TOKEN)
    }

    fn world(&self) -> World {
        let world = World::new(Clock::system(), Random::system());
        world.put_key(ID, Key::plain(USER, SECRET));
        world.put_key(STS_ID, Key::temporary(USER, STS_SECRET, STS_TOKEN));
        let role = Role::new(ROLE, "reader").trusting(USER).trusting(OIDC_PROVIDER);
        world.put_role(role);
        let second = Role::new(SECOND_ROLE, "auditor");
        world.put_role(second.trusting("reader").with_external_id("id+=/2"));
        world.put_oidc_token(OIDC_PROVIDER, OIDC_TOKEN, None);
        world.set_metadata(self.metadata.clone());
        world.set_credentials_uri(Some(CredentialsUri::new("/credentials", USER)));
        world
    }

    /// Lets both find a key: the official library by the provider `official` of the script, the exporter by `ours`.
    async fn both(&self, official: impl ToString, ours: Provider) -> Both {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        let world = self.world();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
            .await
            .unwrap();
        let url = format!("http://{}", server.address());
        let (stop, serving) = (CancellationToken::new(), TaskTracker::new());
        serving.spawn(server.serve(stop.clone()));

        // `~/` stands for the home folder, and `http://simulator` for the server.
        let filled = |text: &str| {
            text.replace("~/", &format!("{home}/"))
                .replace("http://simulator", &url)
        };
        for (path, text) in &self.files {
            let path = Path::new(home).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, filled(text)).unwrap();
        }
        let mut variables = BTreeMap::from([("HOME".to_owned(), home.to_owned())]);
        for (name, value) in &self.variables {
            variables.insert((*name).to_owned(), filled(value));
        }
        let official = official_library(&url, &filled(&official.to_string()), &variables).await;
        stop.cancel();
        Both {
            official,
            exporter: exporter(ours, &variables, self.world()).await,
            refused_official: REFUSALS
                .into_iter()
                .filter(|code| world.refused(code) > 0)
                .collect(),
        }
    }
}

async fn official_library(
    url: &str,
    provider: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Found, String> {
    let mut command = Command::new(python());
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/python/official_credentials.py"
        ))
        .args([url, provider])
        .env_clear()
        .envs(variables);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output
        .await
        .unwrap()
        .expect("PCA_TEST_PYTHON (or .venv/bin/python) must be a Python with the SDK");
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    if let Some(error) = answer["error"].as_str() {
        return Err(format!("the official library: {error}"));
    }
    let text = |field: &str| answer[field].as_str().map(str::to_owned);
    Ok(Found {
        access_key_id: text("access_key_id").unwrap(),
        access_key_secret: text("access_key_secret").unwrap(),
        security_token: text("security_token"),
        hosts: serde_json::from_value(answer["hosts"].clone()).unwrap(),
    })
}

async fn exporter(
    provider: Provider,
    variables: &BTreeMap<String, String>,
    world: World,
) -> Result<Found, String> {
    let hosts = Arc::new(Mutex::new(BTreeSet::new()));
    let transport = Arc::new(Redirect {
        wire: Wire::new(world),
        hosts: Arc::clone(&hosts),
    });
    let timeout = Duration::from_secs(10);
    // A budget is closed at first, for the sake of whoever used it before.
    let long_ago = tokio::time::Instant::now() - Duration::from_secs(10);
    let fetch = Fetch {
        exchange: Exchange::new(
            "official".into(),
            timeout,
            Host {
                clock: Clock::system(),
                env: Env::fixed(
                    variables
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_str())),
                ),
                files: Files::disk(),
                random: Random::system(),
                direct: Arc::clone(&transport) as Arc<dyn Transport>,
                transport,
                tasks: Tasks::default(),
            },
            Arc::new(Telemetry::new(BUILD).unwrap()),
        ),
        sts: Budget::new(5, timeout, long_ago),
    };
    let credentials = Cache::new(provider, fetch, Arc::new(Claims::default()))
        .get()
        .await;
    let credentials = credentials.map_err(|error| format!("the exporter: {error}"))?;
    let hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Found {
        access_key_id: credentials.access_key_id,
        access_key_secret: credentials.access_key_secret.expose().to_owned(),
        security_token: credentials.security_token.map(|token| token.expose().to_owned()),
        hosts: hosts.clone(),
    })
}

impl Both {
    /// The key that both ended with. What each ended with, if they differ.
    fn agreed(self) -> Found {
        match self {
            Self {
                official: Ok(official),
                exporter: Ok(exporter),
                ..
            } if official == exporter => exporter,
            Self {
                official, exporter, ..
            } => panic!("\n{official:#?}\n{exporter:#?}"),
        }
    }

    /// What the exporter ended with, where the official library ended with an error that holds `error`.
    fn exporter_alone(self, error: &str) -> Found {
        let official = self.official.unwrap_err();
        assert!(official.contains(error), "{official}");
        self.exporter.unwrap()
    }
}

fn hosts<const N: usize>(hosts: [&str; N]) -> BTreeSet<String> {
    hosts.map(str::to_owned).into()
}

fn plain() -> Found {
    Found {
        access_key_id: ID.to_owned(),
        access_key_secret: SECRET.to_owned(),
        security_token: None,
        hosts: BTreeSet::new(),
    }
}

fn temporary() -> Found {
    Found {
        access_key_id: STS_ID.to_owned(),
        access_key_secret: STS_SECRET.to_owned(),
        security_token: Some(STS_TOKEN.to_owned()),
        hosts: BTreeSet::new(),
    }
}

fn source(token: bool) -> Provider {
    let inline = |text: &str| Source::Inline(text.into());
    Provider::AccessKey(AccessKey {
        access_key_id: inline(if token { STS_ID } else { ID }),
        access_key_secret: inline(if token { STS_SECRET } else { SECRET }),
        security_token: token.then(|| inline(STS_TOKEN)),
    })
}

fn profile() -> Provider {
    Provider::Profile(Profile::default())
}

/// Fields of a profile or of a configuration, and more of them.
fn with(mut fields: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("fields, not {more}");
    };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

fn ak_profile(name: &str) -> Value {
    json!({ "name": name, "mode": "AK", "access_key_id": ID, "access_key_secret": SECRET })
}

fn role_profile() -> Value {
    json!({
        "name": "role", "mode": "RamRoleArn", "access_key_id": ID, "access_key_secret": SECRET,
        "ram_role_arn": ROLE, "ram_session_name": "laptop", "expired_seconds": 900,
    })
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_environment_gives_the_same_key_with_and_without_a_token() {
    let env = || {
        setting()
            .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", ID)
            .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    };
    assert_eq!(env().both("env", Provider::Env).await.agreed(), plain());
    let empty = env().variable("ALIBABA_CLOUD_SECURITY_TOKEN", "");
    assert_eq!(empty.both("env", Provider::Env).await.agreed(), plain());
    let temporary_key = setting()
        .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", STS_ID)
        .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", STS_SECRET)
        .variable("ALIBABA_CLOUD_SECURITY_TOKEN", STS_TOKEN);
    assert_eq!(
        temporary_key.both("env", Provider::Env).await.agreed(),
        temporary()
    );
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn a_key_from_the_configuration_is_taken_as_it_stands() {
    let official = json!({ "type": "access_key", "access_key_id": ID, "access_key_secret": SECRET });
    assert_eq!(setting().both(official, source(false)).await.agreed(), plain());
    let official = with(official_sts(), json!({ "type": "sts" }));
    assert_eq!(setting().both(official, source(true)).await.agreed(), temporary());
}

fn official_sts() -> Value {
    json!({ "access_key_id": STS_ID, "access_key_secret": STS_SECRET, "security_token": STS_TOKEN })
}

/// A role taken on with a temporary key, and the same in the official library's words.
fn role(policy: &str, sts_endpoint: &str) -> (Value, Provider) {
    let official = json!({
        "type": "ram_role_arn", "role_arn": ROLE, "role_session_name": "tester@example.com",
        "role_session_expiration": 900, "policy": policy, "external_id": "id+=/1", "sts_endpoint": sts_endpoint,
    });
    let exporter = Provider::AssumeRole(Box::new(AssumeRole {
        role_arn: ROLE.to_owned(),
        external_id: Some("id+=/1".to_owned()),
        session: Session {
            name: Some("tester@example.com".to_owned()),
            policy: Some(policy.to_owned()),
            duration: Some(Duration::from_secs(900)),
            sts_endpoint: Some(sts_endpoint.parse().unwrap()),
        },
        source: source(true),
    }));
    (with(official, official_sts()), exporter)
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn a_role_is_taken_on_with_all_that_can_be_said_about_its_session() {
    let policy =
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"yundun-cert:*","Resource":"*~"}]}"#;
    let (official, exporter) = role(policy, "sts.eu-central-1.aliyuncs.com");
    let found = setting().both(official, exporter).await.agreed();
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
    assert_eq!(found.hosts, hosts(["https://sts.eu-central-1.aliyuncs.com"]));
}

/// The library signs a blank as `+`, where the vendor's rules want `%20`, so that STS refuses a policy with one. The
/// exporter signs `%20`.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn a_policy_with_a_blank_is_signed_right_where_the_library_is_refused() {
    let (official, exporter) = role(r#"{"Version": "1", "Statement": []}"#, "sts.aliyuncs.com");
    let both = setting().both(official, exporter).await;
    assert_eq!(both.refused_official, ["SignatureDoesNotMatch"]);
    let found = both.exporter_alone("SignatureDoesNotMatch");
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_variables_of_sts_lead_both_to_the_same_host() {
    let in_region = || {
        setting()
            .rrsa()
            .variable("ALIBABA_CLOUD_STS_REGION", "cn-beijing")
    };
    let oidc = || Provider::Oidc(Oidc::default());
    let official = json!({ "type": "oidc_role_arn" });
    let found = in_region().both(&official, oidc()).await.agreed();
    assert_eq!(found.hosts, hosts(["https://sts.cn-beijing.aliyuncs.com"]));
    let in_vpc = in_region().variable("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true");
    let found = in_vpc.both(&official, oidc()).await.agreed();
    assert_eq!(found.hosts, hosts(["https://sts-vpc.cn-beijing.aliyuncs.com"]));
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn an_identity_providers_token_takes_on_the_same_role() {
    let official = json!({
        "type": "oidc_role_arn", "role_arn": ROLE, "oidc_provider_arn": OIDC_PROVIDER,
        "oidc_token_file_path": "~/token", "role_session_name": "tester", "role_session_expiration": 900,
    });
    // The token's file by the variable, which both read; all else from the configuration.
    let ours = Provider::Oidc(Oidc {
        role_arn: Some(ROLE.to_owned()),
        oidc_provider_arn: Some(OIDC_PROVIDER.to_owned()),
        oidc_token_file: None,
        session: Session {
            name: Some("tester".to_owned()),
            duration: Some(Duration::from_secs(900)),
            ..Session::default()
        },
    });
    let found = setting().rrsa().both(official, ours).await.agreed();
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
    assert_eq!(found.hosts, hosts([STS]));
}

/// The library puts the OIDC token into the URL. The simulator refuses that; the exporter sends it in the body.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_exporter_keeps_the_oidc_token_out_of_the_url_unlike_the_library() {
    let both = setting()
        .rrsa()
        .both(
            r#"raw:{"type": "oidc_role_arn"}"#,
            Provider::Oidc(Oidc::default()),
        )
        .await;
    assert_eq!(both.refused_official, ["InvalidParameter.OIDCToken"]);
    both.exporter_alone("InvalidParameter.OIDCToken");
}

/// The library sends the newline at the end of the token's file with the token, which is refused; the exporter trims.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_exporter_trims_the_oidc_token_unlike_the_library() {
    let newline = setting().rrsa().file("token", &format!("{OIDC_TOKEN}\n"));
    let both = newline
        .both(r#"{"type": "oidc_role_arn"}"#, Provider::Oidc(Oidc::default()))
        .await;
    assert_eq!(both.refused_official, ["AuthenticationFail.OIDCToken.Invalid"]);
    both.exporter_alone("AuthenticationFail.OIDCToken.Invalid");
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_command_lines_plain_profiles_give_their_key() {
    let ak = setting().cli(&[ak_profile("plain")]);
    assert_eq!(ak.both("cli", profile()).await.agreed(), plain());
    let sts_token = json!({
        "name": "sts", "mode": "StsToken", "access_key_id": STS_ID, "access_key_secret": STS_SECRET,
        "sts_token": STS_TOKEN,
    });
    let of_two = || setting().cli(&[ak_profile("plain"), sts_token.clone()]);
    assert_eq!(of_two().both("cli", profile()).await.agreed(), plain());
    let other = of_two().variable("ALIBABA_CLOUD_PROFILE", "sts");
    assert_eq!(other.both("cli", profile()).await.agreed(), temporary());
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_command_lines_role_profiles_take_on_the_same_role() {
    let role = || {
        let more =
            json!({ "external_id": "id+=/1", "policy": r#"{"Statement":[]}"#, "sts_region": "cn-beijing" });
        with(role_profile(), more)
    };
    let found = setting().cli(&[role()]).both("cli", profile()).await.agreed();
    assert_eq!(found.hosts, hosts(["https://sts.cn-beijing.aliyuncs.com"]));
    let in_vpc = with(role(), json!({ "enable_vpc": true }));
    let found = setting().cli(&[in_vpc]).both("cli", profile()).await.agreed();
    assert_eq!(found.hosts, hosts(["https://sts-vpc.cn-beijing.aliyuncs.com"]));
    let chained = json!({
        "name": "chained", "mode": "ChainableRamRoleArn", "source_profile": "role", "ram_role_arn": SECOND_ROLE,
        "ram_session_name": "laptop", "external_id": "id+=/2",
    });
    let chain = setting().cli(&[chained, role_profile()]);
    let found = chain.both("cli", profile()).await.agreed();
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
    assert_eq!(found.hosts, hosts([STS]));
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_command_lines_ecs_and_oidc_profiles_ask_the_same_services() {
    let ecs = |role: &str| json!({ "name": "ecs", "mode": "EcsRamRole", "ram_role_name": role });
    for role in ["pca-reader", ""] {
        let setting = setting()
            .cli(&[ecs(role)])
            .metadata(Metadata::new("pca-reader", USER));
        let found = setting.both("cli", profile()).await.agreed();
        assert_eq!(found.hosts, hosts([METADATA]), "{role}");
    }
    let oidc = json!({
        "name": "pod", "mode": "OIDC", "ram_role_arn": ROLE, "oidc_provider_arn": OIDC_PROVIDER,
        "oidc_token_file": "~/token", "expired_seconds": 900,
    });
    let found = setting()
        .rrsa()
        .cli(&[oidc])
        .both("cli", profile())
        .await
        .agreed();
    assert_eq!(found.hosts, hosts([STS]));
}

/// The command line writes an OIDC profile's session name as `ram_session_name`; the library reads it from
/// `role_session_name`, where it never is, and names the session after itself.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn an_oidc_profiles_session_name_is_read_where_the_command_line_writes_it() {
    let oidc = json!({
        "name": "pod", "mode": "OIDC", "ram_role_arn": ROLE, "oidc_provider_arn": OIDC_PROVIDER,
        "oidc_token_file": "~/token", "ram_session_name": "laptop",
    });
    let both = setting()
        .cli(std::slice::from_ref(&oidc))
        .file("token", OIDC_TOKEN)
        .both("cli", profile())
        .await;
    let (official, exporter) = (both.official.unwrap(), both.exporter.unwrap());
    assert_ne!(official.access_key_id, exporter.access_key_id);
    let meant = with(oidc, json!({ "role_session_name": "laptop" }));
    let found = setting()
        .cli(&[meant])
        .file("token", OIDC_TOKEN)
        .both("cli", profile())
        .await
        .agreed();
    assert_eq!(found.access_key_id, exporter.access_key_id);
}

/// A `RamRoleArn` profile may have a temporary key. The library leaves out its token, and is refused.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn a_role_profiles_token_is_used_unlike_by_the_library() {
    let temporary =
        json!({ "access_key_id": STS_ID, "access_key_secret": STS_SECRET, "sts_token": STS_TOKEN });
    let both = setting()
        .cli(&[with(role_profile(), temporary)])
        .both("cli", profile())
        .await;
    let found = both.exporter_alone("MissingSecurityToken");
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
}

/// Modes and values that the command line writes and the library does not know: a credentials URI, and 0 for a
/// duration that is not set.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn profiles_that_the_library_does_not_know_work() {
    let uri =
        json!({ "name": "uri", "mode": "CredentialsURI", "credentials_uri": "http://simulator/credentials" });
    let both = setting().cli(&[uri]).both("cli", profile()).await;
    let found = both.exporter_alone("unsupported profile mode 'CredentialsURI'");
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
    let unset = with(role_profile(), json!({ "expired_seconds": 0 }));
    let both = setting().cli(&[unset]).both("cli", profile()).await;
    both.exporter_alone("session duration should be in the range");
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn both_refuse_a_loop_of_profiles_and_an_unknown_mode() {
    let chained = |name: &str, source: &str| {
        json!({
            "name": name, "mode": "ChainableRamRoleArn", "source_profile": source, "ram_role_arn": ROLE,
            "ram_session_name": "laptop",
        })
    };
    let both = setting()
        .cli(&[chained("a", "b"), chained("b", "a")])
        .both("cli", profile())
        .await;
    // The library ends when Python's stack does.
    let official = both.official.unwrap_err();
    assert!(official.contains("RecursionError"), "{official}");
    let exporter = both.exporter.unwrap_err();
    assert!(exporter.contains("lead back to a"), "{exporter}");
    let both = setting()
        .cli(&[json!({ "name": "x", "mode": "Tomorrow" })])
        .both("cli", profile())
        .await;
    assert!(both.official.unwrap_err().contains("Tomorrow"));
    assert!(both.exporter.unwrap_err().contains("Tomorrow"));
}

fn ini_key() -> String {
    format!("access_key_id = {ID}\naccess_key_secret = {SECRET}\n")
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_ini_files_sections_stand_for_the_same_providers() {
    let ini = format!(
        "[default]\ntype = access_key\n{key}\n\
         [role]\ntype = ram_role_arn\n{key}role_arn = {ROLE}\nrole_session_name = laptop\npolicy = {{\"Statement\":[]}}\n\n\
         [ecs]\ntype = ecs_ram_role\nrole_name = pca-reader\n\n\
         [pod]\ntype = oidc_role_arn\nrole_arn = {ROLE}\noidc_provider_arn = {OIDC_PROVIDER}\n\
         oidc_token_file_path = ~/token\nrole_session_name = pod\n",
        key = ini_key()
    );
    for (section, asked) in [
        ("default", BTreeSet::new()),
        ("role", hosts([STS])),
        ("ecs", hosts([METADATA])),
        ("pod", hosts([STS])),
    ] {
        let setting = setting()
            .ini(&ini)
            .file("token", OIDC_TOKEN)
            .metadata(Metadata::new("pca-reader", USER))
            .variable("ALIBABA_CLOUD_PROFILE", section);
        let found = setting.both("ini", profile()).await.agreed();
        assert_eq!(found.hosts, asked, "{section}");
        assert_eq!(found.access_key_id == ID, section == "default", "{found:?}");
    }
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_ini_file_may_be_elsewhere_and_be_written_with_colons() {
    let setting = setting()
        .file(
            "keys.ini",
            &format!("[default]\ntype: access_key\n{}", ini_key().replace(" =", ":")),
        )
        .variable("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/keys.ini");
    assert_eq!(setting.both("ini", profile()).await.agreed(), plain());
}

/// The library cuts a value at `#`, and takes `%` for its own syntax. Both are part of a secret.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn what_looks_like_a_comment_in_a_secret_is_part_of_it_unlike_in_the_library() {
    let ini = |secret: &str| {
        format!("[default]\ntype = access_key\naccess_key_id = {ID}\naccess_key_secret = {secret}\n")
    };
    let both = setting().ini(&ini("se#cret")).both("ini", profile()).await;
    assert_eq!(both.official.unwrap().access_key_secret, "se");
    assert_eq!(both.exporter.unwrap().access_key_secret, "se#cret");
    let both = setting().ini(&ini("se%cret")).both("ini", profile()).await;
    assert_eq!(
        both.exporter_alone("InterpolationSyntaxError").access_key_secret,
        "se%cret"
    );
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn ecs_metadata_gives_the_same_key_in_both_forms_and_by_either_name() {
    let official = json!({ "type": "ecs_ram_role" });
    for forms in [
        MetadataForms::Both,
        MetadataForms::NewerOnly,
        MetadataForms::OlderOnly,
    ] {
        let metadata = || Metadata {
            forms,
            ..Metadata::new("pca-reader", USER)
        };
        let ecs = || Provider::EcsMetadata(EcsMetadata::default());
        let unnamed = setting()
            .metadata(metadata())
            .both(&official, ecs())
            .await
            .agreed();
        assert!(unnamed.access_key_id.starts_with("STS.N"), "{unnamed:?}");
        assert_eq!(unnamed.hosts, hosts([METADATA]));
        let by_variable = setting()
            .metadata(metadata())
            .variable("ALIBABA_CLOUD_ECS_METADATA", "pca-reader");
        assert_eq!(by_variable.both(&official, ecs()).await.agreed(), unnamed);
    }
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn where_the_older_form_is_disabled_and_the_only_one_both_give_up() {
    let setting = setting()
        .metadata(Metadata {
            forms: MetadataForms::OlderOnly,
            ..Metadata::new("pca-reader", USER)
        })
        .variable("ALIBABA_CLOUD_IMDSV1_DISABLED", "true");
    let ecs = Provider::EcsMetadata(EcsMetadata::default());
    let both = setting.both(r#"{"type": "ecs_ram_role"}"#, ecs).await;
    assert!(both.official.unwrap_err().contains("405"));
    assert!(both.exporter.unwrap_err().contains("405"));
}

/// The library asks for the role with the newline that ends its name, which there is none of; the exporter trims.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_exporter_trims_the_roles_name_unlike_the_library() {
    let setting = setting().metadata(Metadata {
        newline: true,
        ..Metadata::new("pca-reader", USER)
    });
    let ecs = Provider::EcsMetadata(EcsMetadata::default());
    let both = setting.both(r#"{"type": "ecs_ram_role"}"#, ecs).await;
    let found = both.exporter_alone("HttpCode=404");
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn a_credentials_uri_gives_the_same_key_from_either_place() {
    let by_variable = setting().variable(
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "http://simulator/credentials?id=7",
    );
    let official = json!({ "type": "credentials_uri" });
    let found = by_variable
        .both(&official, Provider::Uri(Uri::default()))
        .await
        .agreed();
    assert!(found.access_key_id.starts_with("STS.N"), "{found:?}");
    let named =
        json!({ "type": "credentials_uri", "credentials_uri": "http://keys.example:8080/credentials" });
    let uri = Provider::Uri(Uri {
        uri: Some("http://keys.example:8080/credentials".into()),
    });
    let found = setting().both(named, uri).await.agreed();
    assert_eq!(found.hosts, hosts(["http://keys.example:8080"]));
}

/// A setting in which the providers from the `first` on are configured, in the default chain's order.
fn configured_from(first: usize) -> Setting {
    type Step = fn(Setting) -> Setting;
    let steps: [Step; 6] = [
        |setting| {
            setting
                .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", ID)
                .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
        },
        Setting::rrsa,
        |setting| setting.cli(&[with(ak_profile("cli"), json!({ "access_key_id": "in-cli" }))]),
        |setting| {
            let key = ini_key().replace(ID, "in-ini");
            setting.ini(&format!("[default]\ntype = access_key\n{key}"))
        },
        |setting| setting.metadata(Metadata::new("pca-reader", USER)),
        |setting| setting.variable("ALIBABA_CLOUD_CREDENTIALS_URI", "http://simulator/credentials"),
    ];
    steps[first..]
        .iter()
        .fold(setting(), |setting, step| step(setting))
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_default_chain_has_the_same_order() {
    for (first, expected) in ["", STS, "in-cli", "in-ini", METADATA, "http://127.0.0.1"]
        .iter()
        .enumerate()
    {
        let both = configured_from(first)
            .both("default", Provider::default_chain())
            .await;
        let found = both.agreed();
        let asked: Vec<_> = found.hosts.iter().map(String::as_str).collect();
        let shown = match first {
            0 => found.access_key_id == ID && asked.is_empty(),
            2 | 3 => found.access_key_id == *expected && asked.is_empty(),
            // Before the credentials URI, the metadata service was looked for.
            5 => asked.len() == 2 && asked.iter().any(|host| host.starts_with(expected)),
            _ => asked == [*expected],
        };
        assert!(shown, "{first}: {found:?}");
    }
    assert!(
        configured_from(6)
            .both("default", Provider::default_chain())
            .await
            .exporter
            .is_err()
    );
}

#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn what_is_disabled_is_left_out_of_the_default_chain() {
    let no_cli = configured_from(2).variable("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    let found = no_cli.both("default", Provider::default_chain()).await.agreed();
    assert_eq!(found.access_key_id, "in-ini");
    let no_metadata = configured_from(4).variable("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let found = no_metadata
        .both("default", Provider::default_chain())
        .await
        .agreed();
    assert!(!found.hosts.contains(METADATA), "{found:?}");
}

/// After any failure the library goes on to the next provider, and so ends with another identity than was meant. The
/// exporter goes on only where nothing is configured, and otherwise says what is wrong.
#[tokio::test]
#[ignore = "needs the official Python SDK, see tests/run"]
async fn the_exporter_stops_at_what_is_configured_and_broken_unlike_the_library() {
    let broken = configured_from(2).variable("ALIBABA_CLOUD_ACCESS_KEY_ID", ID);
    let both = broken.both("default", Provider::default_chain()).await;
    assert_eq!(both.official.unwrap().access_key_id, "in-cli");
    let exporter = both.exporter.unwrap_err();
    assert!(exporter.contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "{exporter}");
}
