//! No secret anywhere: canaries as key, secret and token, through every failing case, in nothing that comes out.

use std::fmt::Write as _;

use aliyun_pca_exporter::simulator::{Fault, Key, Oddity, Server, World, errors};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_line_page_or_metric_whatever_fails() {
    let world = real_world();
    for scheme in ["acs3", "hmac"] {
        let key = |secret| Key::temporary(&format!("{scheme}-{secret}"), secret, "canary-token");
        world.put_key(&format!("canary-good-{scheme}"), key("canary-secret"));
        world.put_key(&format!("canary-wrong-{scheme}"), key("another"));
    }
    let ids = failing_instances(&world);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
        .await
        .unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let yaml = configuration(&server.address().to_string(), &ids);
    let targets = yaml.matches("- id:").count();
    tasks.spawn(server.serve(stop.clone()));

    for format in ["logfmt", "json"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), &yaml).unwrap();
        std::fs::write(folder.path().join("unusable"), "canary\nsecret").unwrap();
        let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
        command
            .current_dir(folder.path())
            .args(["--log.level=trace", "--web.listen-address=127.0.0.1:0"]);
        command.args(["--log.format", format]).env("RUST_BACKTRACE", "1");
        let (program, address) = tokio::task::spawn_blocking(move || {
            let mut program = Program::start(&mut command);
            let address = address_in(&program.logged("listening"));
            (program, address)
        })
        .await
        .unwrap();
        let metrics = format!("http://{address}/metrics");
        poll_until(&metrics, |_, text| {
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
