//! No secret anywhere: canaries as key, secret and token, through every provider and every failing case, in nothing
//! that comes out.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::Path;

use aliyun_pca_exporter::simulator::{Fault, Key, Oddity, Server, World, errors};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::service::serve;
use crate::support::{Metrics, Program, address_in, command, get, instance, poll_until, real_world};

/// In every secret, and in nothing else.
const CANARY: &str = "canary";

/// An id for each thing that can go wrong with an answer; the world makes it go wrong.
fn failing_instances(world: &World) -> Vec<String> {
    let errors = errors().into_iter().map(|(error, _)| Fault::new(error));
    let oddities = Oddity::ALL.iter().map(|oddity| Fault::new(*oddity));
    let mut ids = Vec::new();
    for (number, fault) in errors.chain(oddities).enumerate() {
        let id = format!("cas-member-{number}");
        world.put_instance(instance(&id));
        world.set_fault(fault.on_instance(&id));
        ids.push(id);
    }
    ids
}

/// Accounts that fail in every way: answers in both schemes, a wrong secret, an unknown key, no connection, no TLS,
/// and secrets where a path or a variable belongs.
fn configuration(server: &str, ids: &[String]) -> String {
    let mut yaml = "poll: { interval: 1h, timeout: 1s }\naccounts:\n".to_owned();
    let mut account = |name: &str, endpoint: &str, signature: &str, key: &str, ids: &[String]| {
        write!(
            yaml,
            "- name: {name}\n  endpoint: {endpoint}\n  signature: {signature}\n  requests_per_second: 10\n  \
               credentials: {{ access_key: {{ {key} }} }}\n  instances:\n"
        )
        .unwrap();
        for id in ids {
            writeln!(yaml, "  - id: {id}").unwrap();
        }
    };
    let one = &ids[..1];
    let http = format!("http://{server}");
    for signature in ["acs3-hmac-sha256", "hmac-sha1"] {
        let short = signature.split('-').next().unwrap();
        let key = |id: &str| {
            format!(
                "access_key_id: canary-{id}-{short}, access_key_secret: canary-secret, security_token: canary-token"
            )
        };
        account(&format!("answers-{short}"), &http, signature, &key("good"), ids);
        account(&format!("wrong-{short}"), &http, signature, &key("wrong"), one);
        account(
            &format!("unknown-{short}"),
            &http,
            signature,
            &key("unknown"),
            one,
        );
        account(
            &format!("refused-{short}"),
            "http://127.0.0.1:1",
            signature,
            &key("refused"),
            one,
        );
        account(
            &format!("tls-{short}"),
            &format!("https://{server}"),
            signature,
            &key("tls"),
            one,
        );
    }
    let scheme = "acs3-hmac-sha256";
    let file = "access_key_id: canary-file, access_key_secret_file: /nowhere/canary-secret";
    account("file", &http, scheme, file, one);
    let variable = "access_key_id: canary-variable, access_key_secret_env: CANARY_SECRET";
    account("variable", &http, scheme, variable, one);
    let unusable = "access_key_id: canary-unusable, access_key_secret_file: unusable";
    account("unusable", &http, scheme, unusable, one);
    yaml
}

/// The providers that find a key, and the key that they find.
const FINDING: [(&str, &str); 9] = [
    ("env", "canary-env"),
    ("cli", "canary-cli"),
    ("ini", "canary-ini"),
    ("role", "STS.canary-assumed"),
    ("roles", "STS.canary-assumed"),
    ("oidc", "STS.canary-assumed"),
    ("metadata", "STS.canary-plain"),
    ("uri", "STS.canary-plain"),
    ("chain", "STS.canary-plain"),
];

/// Every provider, finding a key and failing in its ways; `good` and `bad` are the services below.
fn providers(good: &str, bad: &str) -> Vec<(&'static str, String)> {
    const KEY: &str = "{ access_key: { access_key_id: canary-source, access_key_secret: canary-secret } }";
    let role = |name: &str, sts: &str, source: &str| {
        format!(
            "{{ assume_role: {{ role_arn: \"acs:ram::1234567890123456:role/{name}\", sts_endpoint: \"http://{sts}\", \
               external_id: canary-external, source: {source} }} }}"
        )
    };
    let oidc = |name: &str, sts: &str, file: &str| {
        format!(
            "{{ oidc: {{ role_arn: \"acs:ram::1234567890123456:role/{name}\", oidc_provider_arn: \
               \"acs:ram::1234567890123456:oidc-provider/ack\", oidc_token_file: {file}, sts_endpoint: \"http://{sts}\" }} }}"
        )
    };
    let uri =
        |host: &str, path: &str| format!("{{ uri: {{ uri: \"http://{host}/{path}?token=canary-uri\" }} }}");
    let metadata = |host: &str| format!("{{ ecs_metadata: {{ endpoint: \"http://{host}\" }} }}");
    vec![
        ("env", "{ env: {} }".to_owned()),
        ("cli", "{ profile: { cli_file: cli.json } }".to_owned()),
        (
            "cli-truncated",
            "{ profile: { cli_file: truncated.json } }".to_owned(),
        ),
        ("ini", "{ profile: { ini_file: good.ini } }".to_owned()),
        (
            "ini-malformed",
            "{ profile: { ini_file: malformed.ini } }".to_owned(),
        ),
        ("role", role("r0", good, KEY)),
        ("role-refused", role("r1", bad, KEY)),
        ("role-unreachable", role("r2", "127.0.0.1:1", KEY)),
        ("roles", role("r3", good, &role("r4", good, &uri(good, "plain")))),
        ("oidc", oidc("o5", good, "token")),
        ("oidc-refused", oidc("o6", bad, "token")),
        ("oidc-unreachable", oidc("o7", "127.0.0.1:1", "token")),
        ("oidc-no-file", oidc("o8", good, "canary-nowhere")),
        ("metadata", metadata(good)),
        ("metadata-refused", metadata(bad)),
        ("uri", uri(good, "plain")),
        ("uri-refused", uri(bad, "plain")),
        ("uri-odd", uri(good, "odd")),
        ("uri-truncated", uri(good, "truncated")),
        ("uri-unreachable", uri("127.0.0.1:1", "plain")),
        (
            "chain",
            format!("{{ chain: [{{ profile: {{}} }}, {}] }}", uri(good, "plain")),
        ),
        (
            "chain-broken",
            format!("{{ chain: [{{ profile: {{}} }}, {}] }}", uri(bad, "plain")),
        ),
    ]
}

fn lay_out(folder: &Path) {
    let key = |id: &str| json!({ "name": "default", "mode": "AK", "access_key_id": id, "access_key_secret": "canary-secret" });
    let cli = json!({ "current": "default", "profiles": [key("canary-cli")] }).to_string();
    let files = [
        ("truncated.json", &cli[..cli.len() - 8]),
        ("cli.json", cli.as_str()),
        (
            "good.ini",
            "[default]\naccess_key_id = canary-ini\naccess_key_secret = canary-secret\n",
        ),
        ("malformed.ini", "[default\naccess_key_secret canary-secret\n"),
        ("token", "canary-oidc-token\n"),
        ("unusable", "canary\nsecret"),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// STS, a metadata service and a service that hands out keys, all at one address. The good one gives canaries; the
/// bad one refuses everything, and repeats in every way what it was asked.
async fn key_service(good: bool, tasks: &TaskTracker) -> String {
    serve(tasks, move |request| answer(good, request)).await
}

async fn answer(good: bool, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let key = |name: &str| {
        json!({
            "Code": "Success",
            "AccessKeyId": format!("STS.canary-{name}"),
            "AccessKeySecret": "canary-secret",
            "SecurityToken": "canary-token",
            "Expiration": "2099-01-01T00:00:00Z",
        })
    };
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let asked = format!("{head:?} {}", String::from_utf8_lossy(&body));
    let (status, text) = match (good, head.uri.path()) {
        (false, _) => {
            let error = json!({ "Code": "SignatureDoesNotMatch", "RequestId": "6894B13B", "Message": asked });
            (400, error.to_string())
        }
        (true, "/") => (200, json!({ "Credentials": key("assumed") }).to_string()),
        (true, "/latest/api/token") => (200, "canary-metadata-token".to_owned()),
        (true, path) if path.ends_with("/security-credentials/") => (200, "reader".to_owned()),
        (true, "/odd") => (
            200,
            json!({ "Code": "Success", "AccessKeyId": [asked] }).to_string(),
        ),
        (true, "/truncated") => (200, key("plain").to_string()[..60].to_owned()),
        (true, _) => (200, key("plain").to_string()),
    };
    let response = Response::builder().status(status).body(Full::from(text));
    Ok(response.unwrap())
}

/// A cloud that knows the canaries.
fn world() -> World {
    let world = real_world();
    for scheme in ["acs3", "hmac"] {
        let key = |secret| Key::temporary(&format!("{scheme}-{secret}"), secret, "canary-token");
        world.put_key(&format!("canary-good-{scheme}"), key("canary-secret"));
        world.put_key(&format!("canary-wrong-{scheme}"), key("another"));
    }
    for (_, id) in FINDING {
        let key = if id.starts_with("STS.") {
            Key::temporary(id, "canary-secret", "canary-token")
        } else {
            Key::plain(id, "canary-secret")
        };
        world.put_key(id, key);
    }
    world.put_instance(instance("cas-member-fine"));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_line_page_or_metric_whatever_fails() {
    let world = world();
    let ids = failing_instances(&world);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let services = TaskTracker::new();
    let (good, bad) = (
        key_service(true, &services).await,
        key_service(false, &services).await,
    );
    let cas = server.address().to_string();
    let mut yaml = configuration(&cas, &ids);
    for (name, provider) in providers(&good, &bad) {
        write!(
            yaml,
            "- name: {name}\n  endpoint: http://{cas}\n  credentials: {provider}\n  instances: [{{ id: cas-member-fine }}]\n"
        )
        .unwrap();
    }
    let targets = yaml.matches(" id: cas-member-").count();
    tasks.spawn(server.serve(stop.clone()));

    for format in ["logfmt", "json"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), &yaml).unwrap();
        lay_out(folder.path());
        let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
        command
            .current_dir(folder.path())
            .args(["--log.level=trace", "--web.listen-address=127.0.0.1:0"]);
        command.args(["--log.format", format]).env("RUST_BACKTRACE", "1");
        command
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "canary-env")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-secret")
            .env("HOME", folder.path());
        let (program, address) = tokio::task::spawn_blocking(move || {
            let mut program = Program::start(&mut command);
            let address = address_in(&program.logged("listening"));
            (program, address)
        })
        .await
        .unwrap();
        let metrics = format!("http://{address}/metrics");
        let metrics = poll_until(&metrics, |_, text| {
            let metrics = Metrics(text.to_owned());
            let up = text
                .lines()
                .filter(|line| line.starts_with("aliyun_pca_instance_up{") && line.ends_with(" 1"));
            let failed = text
                .lines()
                .filter(|line| line.starts_with("aliyun_pca_instance_error{"));
            (up.count() + failed.count() == targets).then_some(metrics)
        })
        .await;
        for (account, _) in FINDING {
            let labels = [format!("account=\"{account}\"")];
            let up = metrics.value("aliyun_pca_instance_up", &labels.each_ref().map(String::as_str));
            assert_eq!(up, Some(1.0), "{account}");
        }
        let mut seen = String::new();
        for path in ["/metrics", "/", "/-/ready", "/canary-not-there"] {
            seen += &get(&format!("http://{address}{path}")).await.unwrap().1;
        }
        let (output, log) = tokio::task::spawn_blocking(move || {
            program.signal("TERM");
            let (_, output, log) = program.end();
            (output, log)
        })
        .await
        .unwrap();
        let failures = log.lines().filter(|line| line.contains("poll failed")).count();
        assert!(
            failures > targets / 2,
            "only {failures} of {targets} failures were logged:\n{log}"
        );
        for (what, text) in [("a page", &seen), ("the output", &output), ("the log", &log)] {
            assert!(
                !text.to_lowercase().contains(CANARY),
                "{format}: {what} shows a secret:\n{text}"
            );
        }
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
