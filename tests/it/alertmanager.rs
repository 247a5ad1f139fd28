//! The shipped configuration of Alertmanager, with the real amtool and the real Alertmanager: who is told, and which
//! alerts keep others quiet.

use std::process::Command;

use serde_json::Value;

use crate::support::{Program, command, free_port, poll_until};

const CONFIG: &str = "deploy/alertmanager/alertmanager.yaml";

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
    let address = format!("127.0.0.1:{}", free_port());
    let folder = tempfile::tempdir().unwrap();
    let mut alertmanager = command("prometheus-alertmanager");
    alertmanager.args([
        &format!("--config.file={CONFIG}"),
        &format!("--storage.path={}", folder.path().display()),
        &format!("--web.listen-address={address}"),
        "--cluster.listen-address=",
    ]);
    let _alertmanager = Program::start(&mut alertmanager);
    let url = format!("http://{address}");
    poll_until(&format!("{url}/-/ready"), |status, _| {
        (status == 200).then_some(())
    })
    .await;

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
        amtool.args(["alert", "add", "--alertmanager.url", &url]);
        let output = amtool.args(labels.split(' ')).output().unwrap();
        assert!(output.status.success(), "{labels}: {output:?}");
    }
    let quiet = |alert: &Value| {
        alert["status"]["inhibitedBy"]
            .as_array()
            .is_some_and(|by| !by.is_empty())
    };
    let alerts = format!("{url}/api/v2/alerts");
    let quieted = poll_until(&alerts, |_, text| {
        let alerts: Vec<Value> = serde_json::from_str(text).ok()?;
        let mut quieted: Vec<_> = alerts
            .iter()
            .filter(|alert| quiet(alert))
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                [label("alertname"), label("severity"), label("instance_id")].join(" ")
            })
            .collect();
        quieted.sort();
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
