//! The status page in Chromium, for people's eyes: `tests/browser/status_page.py` looks, and leaves what it saw in
//! `target/screenshots`.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::model::{Failure, InstanceStatus, Reason, Target, UnixMillis};
use aliyun_pca_exporter::simulator::telling;
use aliyun_pca_exporter::store::{BudgetState, CredentialsState, Store};

use crate::official_sdk::python;
use crate::web::{HOSTILE, NOW, Server};

const SCREENSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots");

/// An instance as the store is told of it.
struct Told {
    target: Arc<Target>,
    status: Option<InstanceStatus>,
    failure: Option<Failure>,
    /// How long ago, in minutes.
    seen: i64,
}

fn told(account: &str, id: &str, name: Option<&str>, status: InstanceStatus) -> Told {
    Told {
        target: Arc::new(Target {
            account: account.into(),
            instance_id: id.into(),
            region: "cn-hangzhou".to_owned(),
            name: name.map(str::to_owned),
            labels: BTreeMap::new(),
        }),
        status: Some(status),
        failure: None,
        seen: 2,
    }
}

fn failure(reason: Reason, detail: &str) -> Failure {
    Failure {
        reason,
        detail: detail.to_owned(),
    }
}

/// The simulator's dozen, in two accounts, two of them failing.
fn a_dozen() -> Vec<Told> {
    let mut dozen: Vec<_> = telling(NOW)
        .into_iter()
        .enumerate()
        .map(|(number, instance)| {
            let name = instance.instance_id.trim_start_matches("cas-member-");
            let name = (number != 8).then(|| name.replace('-', " "));
            let status = InstanceStatus {
                status: instance.status,
                ca_type: instance.ca_type,
                certificates_issued: instance.cert_issued_count,
                certificates_quota: instance.cert_total_count,
                not_before: instance.before_time.map(UnixMillis),
                not_after: instance.after_time.map(UnixMillis),
                subscription_expiry: instance.use_expire_time.map(UnixMillis),
                certificate_identifier: instance.identifier,
            };
            let account = if number % 3 == 0 { "lab" } else { "production" };
            told(account, &instance.instance_id, name.as_deref(), status)
        })
        .collect();
    dozen[1].failure = Some(failure(Reason::Timeout, "no answer within 10 seconds"));
    dozen[1].seen = 95;
    dozen[6].failure = Some(failure(
        Reason::Forbidden,
        "Forbidden.RAM: this key may not make this call; allow yundun-cert:GetCAInstanceStatus",
    ));
    dozen[11].status = None;
    dozen
}

/// As many as a large group has, their facts spread out.
fn a_thousand() -> Vec<Told> {
    let day = |days: i64| Some(UnixMillis(NOW.0 + days * 86_400_000 + 3_600_000));
    let thousand = (0..1000).map(|number: i64| {
        let status = InstanceStatus {
            status: Some("USED".to_owned()),
            ca_type: Some(if number % 7 == 0 { "ROOT" } else { "SUB_ROOT" }.to_owned()),
            certificates_issued: Some(number * 13 % 1000),
            certificates_quota: Some(1000),
            not_after: day(number * 37 % 1009 - 3),
            subscription_expiry: day(number * 71 % 601),
            ..InstanceStatus::default()
        };
        let (id, name) = (
            format!("cas-cn-{:08x}", number * 7919),
            format!("issuing ca {number:04}"),
        );
        let mut told = told(&format!("account-{}", number % 5), &id, Some(&name), status);
        told.seen = number % 4;
        if number % 100 == 0 {
            told.failure = Some(failure(Reason::Connect, "the connection was refused"));
        }
        told
    });
    thousand.collect()
}

/// Everything that an outsider can write into a text.
fn hostile() -> Vec<Told> {
    let long = "长".repeat(10_000);
    let wide = "W".repeat(10_000);
    let texts = HOSTILE.into_iter().chain([long.as_str(), wide.as_str()]);
    let hostile = texts.enumerate().map(|(number, text)| {
        let status = InstanceStatus {
            status: Some(text.to_owned()),
            ca_type: Some(text.to_owned()),
            ..InstanceStatus::default()
        };
        let mut told = told(text, &format!("{number}{text}"), Some(text), status);
        told.failure = Some(failure(Reason::Other, text));
        told
    });
    hostile.collect()
}

fn fill(store: &Store, instances: &[Told]) {
    let mut accounts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for told in instances {
        let targets = accounts.entry(told.target.account.clone()).or_default();
        targets.push(Arc::clone(&told.target));
    }
    for (number, (account, targets)) in (0_u8..).zip(accounts) {
        store.set_targets(&account, Duration::from_secs(300), &targets);
        store.set_budget(
            &account,
            BudgetState {
                limit: 5,
                rate: if number == 0 { 5.0 } else { 2.5 },
                demand: if number == 0 { 0.21 } else { 1.35 },
            },
        );
        store.set_measured_skew(&account, 400 + i64::from(number) * 40_000);
        let credentials = CredentialsState {
            provider: if number == 0 {
                "env"
            } else {
                "assume_role over ecs_metadata"
            }
            .to_owned(),
            expires: (number > 0).then_some(UnixMillis(NOW.0 + 2_500_000)),
        };
        store.set_credentials(&account, Some(credentials));
    }
    for told in instances {
        let at = UnixMillis(NOW.0 - told.seen * 60_000 - 20_000);
        if let Some(status) = &told.status {
            store.record(&told.target, Ok(status.clone()), at);
            store.attempt(&told.target, at.max(UnixMillis(NOW.0 - 200_000)));
        }
        if let Some(failure) = &told.failure {
            store.record(&told.target, Err(failure.clone()), NOW);
        }
    }
}

/// What the browser finds wrong with the page of these instances, or nothing.
async fn looked_at(name: &'static str, instances: &[Told]) -> Output {
    let server = Server::start().await;
    fill(&server.store, instances);
    std::fs::create_dir_all(SCREENSHOTS).unwrap();
    let mut look = Command::new(python());
    look.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/browser/status_page.py"
    ))
    .arg(format!("http://{}/", server.address()))
    .args([&instances.len().to_string(), name, SCREENSHOTS])
    .env("NO_PROXY", "127.0.0.1");
    let looking = tokio::task::spawn_blocking(move || {
        look.output()
            .expect("PCA_TEST_PYTHON (or .venv/bin/python) must be a Python with Playwright")
    });
    server.while_serving(looking).await.unwrap()
}

#[tokio::test]
#[ignore = "needs Chromium and Playwright, see tests/run"]
async fn in_a_browser_the_page_sorts_filters_and_keeps_to_itself_whatever_is_on_it() {
    for (name, instances) in [
        ("dozen", a_dozen()),
        ("thousand", a_thousand()),
        ("hostile", hostile()),
    ] {
        let output = looked_at(name, &instances).await;
        let (said, complaint) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{name}: {said}{complaint}");
        let promised = format!("{} instances: all as promised", instances.len());
        assert!(said.starts_with(&promised), "{name}: {said}");
    }
}
