//! The shipped configuration of Alertmanager, with the real amtool and the real Alertmanager: who is told, and which
//! alerts keep others quiet.

use std::process::Command;

use serde_json::Value;

use crate::support::{Program, command, free_port, poll_until};

pub(crate) const CONFIG: &str = "deploy/alertmanager/alertmanager.yaml";

pub(crate) struct Alertmanager {
    /// `http://` and its address.
    pub(crate) url: String,
    _program: Program,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    pub(crate) async fn start(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("alertmanager.yml"), yaml).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let listen = format!("--web.listen-address={address}");
        let mut command = command("prometheus-alertmanager");
        command.current_dir(folder.path());
        command.args(["--config.file=alertmanager.yml", "--storage.path=data"]);
        command.args([&listen, "--cluster.listen-address="]);
        let alertmanager = Self {
            url: format!("http://{address}"),
            _program: Program::start(&mut command),
            _folder: folder,
        };
        poll_until(&format!("{}/-/ready", alertmanager.url), |status, _| {
            (status == 200).then_some(())
        })
        .await;
        alertmanager
    }

    /// What is made of its alerts, once `wanted` is content with them.
    pub(crate) async fn until<T>(&self, wanted: impl Fn(&[Value]) -> Option<T>) -> T {
        let alerts = format!("{}/api/v2/alerts", self.url);
        poll_until(&alerts, |_, text| {
            let alerts: Vec<Value> = serde_json::from_str(text).ok()?;
            wanted(&alerts)
        })
        .await
    }
}

/// The alerts that others keep quiet: name, severity and instance of each.
pub(crate) fn quieted(alerts: &[Value]) -> Vec<String> {
    let quiet = |alert: &&Value| {
        alert["status"]["inhibitedBy"]
            .as_array()
            .is_some_and(|by| !by.is_empty())
    };
    let mut quieted: Vec<_> = alerts
        .iter()
        .filter(quiet)
        .map(|alert| {
            let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
            [label("alertname"), label("severity"), label("instance_id")].join(" ")
        })
        .collect();
    quieted.sort();
    quieted
}

#[test]
#[ignore = "needs amtool, see tests/run"]
fn alerts_go_to_the_team_of_their_label_and_loudly_when_critical() {
    for (labels, receiver) in [
        (
            "alertname=AliyunPcaCertificateExpiry severity=critical team=pki",
            "pki-page",
        ),
        (
            "alertname=AliyunPcaCertificateExpiry severity=warning team=pki",
            "pki-mail",
        ),
        (
            "alertname=AliyunPcaBoughtUnused severity=info team=pki",
            "pki-mail",
        ),
        (
            "alertname=AliyunPcaCertificateExpiry severity=critical team=unheard-of",
            "exporter-page",
        ),
        (
            "alertname=AliyunPcaExporterAbsent severity=critical",
            "exporter-page",
        ),
        (
            "alertname=AliyunPcaThrottled severity=warning account=prod",
            "exporter-mail",
        ),
        ("alertname=AliyunPcaWatchdog severity=none", "watchdog-webhook"),
    ] {
        let verify = format!("--verify.receivers={receiver}");
        let mut amtool = Command::new("amtool");
        amtool.args(["config", "routes", "test", "--config.file", CONFIG, &verify]);
        let output = amtool.args(labels.split(' ')).output().unwrap();
        assert!(output.status.success(), "{labels}: {output:?}");
    }
}

#[tokio::test]
#[ignore = "needs prometheus-alertmanager, see tests/run"]
async fn critical_quiets_the_warning_of_its_instance_and_an_absent_exporter_what_is_stale() {
    let alertmanager = Alertmanager::start(&std::fs::read_to_string(CONFIG).unwrap()).await;
    for labels in [
        "alertname=AliyunPcaCertificateExpiry severity=critical account=prod instance_id=one team=pki",
        "alertname=AliyunPcaCertificateExpiry severity=warning account=prod instance_id=one team=pki",
        "alertname=AliyunPcaCertificateExpiry severity=warning account=prod instance_id=two team=pki",
        "alertname=AliyunPcaSubscriptionExpiry severity=warning account=prod instance_id=one team=pki",
        "alertname=AliyunPcaExporterAbsent severity=critical",
        "alertname=AliyunPcaFactsStale severity=critical account=prod instance_id=two team=pki",
        "alertname=AliyunPcaQuota severity=warning account=prod instance_id=two team=pki",
    ] {
        let mut amtool = Command::new("amtool");
        amtool.args(["alert", "add", "--alertmanager.url", &alertmanager.url]);
        let output = amtool.args(labels.split(' ')).output().unwrap();
        assert!(output.status.success(), "{labels}: {output:?}");
    }
    let quieted = alertmanager
        .until(|alerts| {
            let quieted = quieted(alerts);
            (alerts.len() == 7 && quieted.len() >= 2).then_some(quieted)
        })
        .await;
    assert_eq!(
        quieted,
        [
            "AliyunPcaCertificateExpiry warning one",
            "AliyunPcaFactsStale critical two"
        ]
    );
}
