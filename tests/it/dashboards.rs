//! The Grafana dashboards: against a real Prometheus that scrapes two replicas, and Grafana's
//! own schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::official_sdk::python;
use crate::prometheus::{Prometheus, demo, shipped};
use crate::support::{Program, command, free_port};

const FOLDER: &str = "deploy/grafana/dashboards";

const RUNBOOKS: &str =
    "https://github.com/aliyun-pca-exporter/aliyun-pca-exporter/blob/main/docs/runbooks/README.md";

/// Panels that Grafana 10 and 11 show without Angular and without migration.
const CURRENT_TYPES: [&str; 7] = [
    "bargauge",
    "heatmap",
    "row",
    "stat",
    "state-timeline",
    "table",
    "timeseries",
];

struct Dashboard {
    path: PathBuf,
    json: Value,
}

impl Dashboard {
    fn all() -> Vec<Self> {
        let all: Vec<_> = std::fs::read_dir(FOLDER)
            .unwrap()
            .map(|entry| Self::read(entry.unwrap().path()))
            .collect();
        assert_eq!(all.len(), 2, "the overview and the exporter's page");
        all
    }

    fn overview() -> Self {
        Self::read(Path::new(FOLDER).join("aliyun-pca-overview.json"))
    }

    fn read(path: PathBuf) -> Self {
        let json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        Self { path, json }
    }

    /// Every panel but the rows, which only part them.
    fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"])
            .iter()
            .filter(|panel| panel["type"] != "row")
    }

    fn panel(&self, title: &str) -> &Value {
        self.panels().find(|panel| panel["title"] == title).unwrap()
    }

    /// The PromQL of all panels, with the panel's title for a failing test.
    fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.panels().flat_map(|panel| {
            list(&panel["targets"])
                .iter()
                .map(|target| (text(&panel["title"]), text(&target["expr"])))
        })
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Where colours change, from the lowest up.
fn bounds(thresholds: &Value) -> Vec<f64> {
    list(&thresholds["steps"])
        .iter()
        .filter_map(|step| step["value"].as_f64())
        .collect()
}

/// A property that the column of a table has of its own.
fn of_column<'a>(panel: &'a Value, column: &str, property: &str) -> &'a Value {
    let overrides = list(&panel["fieldConfig"]["overrides"]);
    let of_column = overrides.iter().find(|one| one["matcher"]["options"] == column);
    let mut properties = list(&of_column.unwrap()["properties"]).iter();
    &properties.find(|one| one["id"] == property).unwrap()["value"]
}

/// A query as Grafana sends it: of this account, of all instances. The forecast looks back on hours, of which a test
/// has none, so it gets seconds.
fn as_sent(query: &str, account: &str) -> String {
    query
        .replace("$account", account)
        .replace("$instance", ".*")
        .replace("$__rate_interval", "1m")
        .replace("[7d:1h]", "[1m:1s]")
}

#[test]
fn a_dashboard_can_be_provisioned_and_linked_to() {
    for Dashboard { path, json } in Dashboard::all() {
        assert_eq!(json["uid"], path.file_stem().unwrap().to_str().unwrap());
        assert_eq!(
            json.get("id"),
            None,
            "the database's own number, which every Grafana gives anew"
        );
        assert_eq!(json["editable"], true);
        assert_eq!(json["schemaVersion"], 39, "that of Grafana 10.4 and 11.0");
        assert_eq!(json["tags"], json!(["aliyun-pca"]));
        let links = list(&json["links"]);
        assert!(
            links.iter().any(|link| link["tags"] == json["tags"]),
            "to the other one"
        );
        assert!(links.iter().any(|link| link["url"] == RUNBOOKS));
    }
}

#[test]
fn a_panel_is_of_a_current_type_explained_and_asks_the_chosen_prometheus() {
    for dashboard in Dashboard::all() {
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard.json["panels"]) {
            assert!(CURRENT_TYPES.contains(&text(&panel["type"])), "{panel}");
            assert!(ids.insert(panel["id"].as_u64()), "an id twice: {panel}");
        }
        for panel in dashboard.panels() {
            assert!(!text(&panel["description"]).is_empty(), "{panel}");
            assert_eq!(
                panel["datasource"],
                json!({"type": "prometheus", "uid": "${datasource}"})
            );
        }
    }
}

#[test]
fn source_account_and_instance_can_be_chosen() {
    for Dashboard { json, .. } in Dashboard::all() {
        let variables = list(&json["templating"]["list"]);
        let shapes: Vec<_> = variables
            .iter()
            .map(|variable| (text(&variable["name"]), text(&variable["type"])))
            .collect();
        let wanted = [
            ("datasource", "datasource"),
            ("account", "query"),
            ("instance", "query"),
        ];
        assert_eq!(shapes, wanted);
        assert_eq!(variables[0]["query"], "prometheus");
        for variable in &variables[1..] {
            assert_eq!(variable["multi"], true, "{variable}");
            assert_eq!(variable["includeAll"], true, "{variable}");
            assert_eq!(variable["current"]["value"], json!(["$__all"]), "{variable}");
        }
    }
}

#[test]
fn every_number_has_a_unit() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.panels() {
            let unit = match text(&panel["type"]) {
                "heatmap" => &panel["options"]["yAxis"]["unit"],
                // By column, below.
                "table" => continue,
                _ => &panel["fieldConfig"]["defaults"]["unit"],
            };
            assert!(unit.is_string(), "{panel}");
        }
    }
    let overview = Dashboard::overview();
    let instances = overview.panel("Instances, the soonest end first");
    for (column, unit) in [
        ("Soonest end", "d"),
        ("Certificate", "d"),
        ("Subscription", "d"),
        ("Quota used", "percentunit"),
        ("Age of facts", "s"),
        ("Age in intervals", "none"),
    ] {
        assert_eq!(of_column(instances, column, "unit"), unit, "{column}");
    }
}

/// The alerts': certificate 90 and 30 days, subscription 30 and 7 days, quota 80 and 95 %, facts three intervals and a
/// day old, demand over the budget, discovery three intervals old, clock off by a minute.
#[test]
fn colours_change_where_the_alerts_begin() {
    let overview = Dashboard::overview();
    let instances = overview.panel("Instances, the soonest end first");
    for (column, wanted) in [
        ("Certificate", vec![30.0, 90.0]),
        ("Subscription", vec![7.0, 30.0]),
        ("Quota used", vec![0.8, 0.95]),
        ("Age of facts", vec![86_400.0]),
        ("Age in intervals", vec![3.0]),
    ] {
        assert_eq!(
            bounds(of_column(instances, column, "thresholds")),
            wanted,
            "{column}"
        );
    }
    let exporter = Dashboard::read(Path::new(FOLDER).join("aliyun-pca-exporter.json"));
    for (dashboard, title, wanted) in [
        (
            &overview,
            "Quota used, and the forecast for 14 days",
            vec![0.8, 0.95],
        ),
        (&overview, "Quota used now", vec![0.8, 0.95]),
        (&overview, "Age of facts", vec![86_400.0]),
        (&exporter, "Demand", vec![1.0]),
        (&exporter, "Age of the discovery, in intervals", vec![3.0]),
        (&exporter, "Clock skew, by replica", vec![-60.0, 60.0]),
    ] {
        let panel = dashboard.panel(title);
        let thresholds = &panel["fieldConfig"]["defaults"]["thresholds"];
        assert_eq!(bounds(thresholds), wanted, "{title}");
    }
    for (title, limit) in [
        (
            "Certificates under 30 days",
            "_certificate_not_after_timestamp_seconds{…} - time() < 30 * 86400",
        ),
        (
            "Certificates under 90 days",
            "_certificate_not_after_timestamp_seconds{…} - time() < 90 * 86400",
        ),
        (
            "Subscriptions under 7 days",
            "_subscription_expiry_timestamp_seconds{…} - time() < 7 * 86400",
        ),
        (
            "Subscriptions under 30 days",
            "_subscription_expiry_timestamp_seconds{…} - time() < 30 * 86400",
        ),
        (
            "Quota over 80 %",
            "_certificates_issued{…} >= 0.8 * aliyun_pca_instance_certificates_quota{…}",
        ),
        ("Stale facts", "> 3 * max"),
    ] {
        let query = text(&overview.panel(title)["targets"][0]["expr"]);
        let query = query.replace(r#"{account=~"$account", instance_id=~"$instance"}"#, "{…}");
        assert!(query.contains(limit), "{title}: {query}");
    }
}

#[test]
fn a_panel_leads_to_the_section_of_an_alert_in_the_runbook() {
    let runbooks = std::fs::read_to_string("docs/runbooks/README.md").unwrap();
    // GitHub's anchor of a heading is in lower case.
    let sections: BTreeSet<_> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_ascii_lowercase)
        .collect();
    let mut links = 0;
    for dashboard in Dashboard::all() {
        for link in dashboard
            .panels()
            .filter_map(|panel| panel["links"].as_array())
            .flatten()
        {
            let (page, section) = text(&link["url"]).split_once('#').unwrap();
            assert_eq!(page, RUNBOOKS);
            assert!(sections.contains(section), "{link}");
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}

/// The demo as two replicas, and the golden page for the metrics that the demo has no reason to show; each scraped twice.
async fn scraped() -> (Program, Program, Prometheus) {
    let (demo, address) = demo();
    let port = free_port();
    let golden = Program::start(command("python3").args([
        "-m",
        "http.server",
        "--bind=127.0.0.1",
        "--directory=tests/data/golden",
        &port.to_string(),
    ]));
    let again = address.replace("127.0.0.1", "localhost");
    let yaml = format!(
        "{}  - job_name: golden\n    scrape_interval: 1s\n    metrics_path: /metrics.txt\n    \
             static_configs: [{{targets: [\"127.0.0.1:{port}\"]}}]\n",
        shipped(&[&address, &again]),
    );
    let prometheus = Prometheus::with(&yaml, tempfile::tempdir().unwrap());
    // A rate needs two values.
    prometheus
        .until(
            "count_over_time(aliyun_pca_exporter_build_info[1m]) >= 2",
            |result| (result.len() == 3).then_some(()),
        )
        .await;
    (demo, golden, prometheus)
}

#[tokio::test]
#[ignore = "needs prometheus and python3, see tests/run"]
async fn every_query_gives_data_and_two_replicas_show_each_instance_once() {
    let (_demo, _golden, prometheus) = scraped().await;
    for dashboard in Dashboard::all() {
        for (title, query) in dashboard.queries() {
            let query = as_sent(query, ".*");
            // There are alerts only where Prometheus has rules.
            let may_be_empty = query.contains("ALERTS{");
            let result = prometheus
                .until(&query, |result| {
                    (may_be_empty || !result.is_empty()).then(|| result.to_vec())
                })
                .await;
            let mut seen = BTreeSet::new();
            for labels in result.iter().map(|series| &series["metric"]) {
                if let Some(instance) = labels["instance_id"].as_str() {
                    let instance = (labels["account"].as_str(), instance);
                    assert!(seen.insert(instance), "{title}: {instance:?} twice by {query}");
                }
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs prometheus and python3, see tests/run"]
async fn the_overview_tells_what_the_demo_is_about() {
    let (_demo, _golden, prometheus) = scraped().await;
    let overview = Dashboard::overview();
    for (title, value) in [
        ("Instances", "12"),
        ("Last poll succeeded", "1"),
        // 20 days left, and expired; the revoked one does not count.
        ("Certificates under 30 days", "2"),
        ("Certificates under 90 days", "2"),
        // Five days left, and over.
        ("Subscriptions under 7 days", "2"),
        ("Subscriptions under 30 days", "2"),
        // 960 of 1000; a root that has issued all does not count.
        ("Quota over 80 %", "1"),
        ("Stale facts", "0"),
    ] {
        let query = text(&overview.panel(title)["targets"][0]["expr"]);
        let found = prometheus.value(&as_sent(query, "demo")).await;
        assert_eq!(found.to_string(), value, "{title}");
    }
    let targets = list(&overview.panel("Instances, the soonest end first")["targets"]);
    let (soonest, info, status) = (&targets[0]["expr"], &targets[1]["expr"], &targets[2]["expr"]);
    let of_each = async |query: &Value, label: &'static str| {
        let all = |result: &[Value]| {
            result
                .iter()
                .map(|series| series["metric"][label].as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        };
        prometheus.until(&as_sent(text(query), "demo"), all).await
    };
    let soonest = of_each(soonest, "instance_id").await;
    assert_eq!(
        soonest[..4],
        [
            "cas-member-subscription-over",
            "cas-member-expired",
            "cas-member-subscription-5-days",
            "cas-member-20-days-left"
        ]
    );
    assert_eq!(soonest.len(), 10, "all but the revoked and the refunded one");
    assert!(of_each(info, "name").await.contains(&"20 days left".to_owned()));
    let statuses: BTreeSet<_> = of_each(status, "status").await.into_iter().collect();
    assert_eq!(
        statuses.into_iter().collect::<Vec<_>>(),
        ["BUY", "REFUND", "REVOKE", "SUSPENDED", "USED"]
    );
}

#[tokio::test]
#[ignore = "needs prometheus and python3, see tests/run"]
async fn an_instance_can_be_chosen_by_its_name() {
    let (_demo, _golden, prometheus) = scraped().await;
    let overview = Dashboard::overview();
    let variables = list(&overview.json["templating"]["list"]);
    let query = text(&variables[2]["query"]["query"]);
    let query = query
        .strip_prefix("query_result(")
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    let titles: BTreeSet<String> = prometheus
        .until(&as_sent(query, ".*"), |result| {
            result
                .iter()
                .map(|series| series["metric"]["title"].as_str().map(str::to_owned))
                .collect()
        })
        .await;
    assert!(
        titles.contains("20 days left cas-member-20-days-left"),
        "{titles:?}"
    );
    // One that has no name.
    assert!(titles.contains(" cas-member-bought"), "{titles:?}");
}

#[test]
#[ignore = "needs Grafana's schema for Python, see tests/run"]
fn grafana_knows_every_key_of_a_dashboard() {
    let mut command = command(python().to_str().unwrap());
    command.arg("tests/python/dashboards.py");
    command.args(Dashboard::all().into_iter().map(|dashboard| dashboard.path));
    let (code, output, log) = Program::start(&mut command).end();
    assert_eq!(
        (code, output.as_str()),
        (Some(0), "Grafana knows every key\n"),
        "{log}"
    );
}
