//! Copies of what is shipped for Prometheus and Alertmanager in which time passes faster and everyone can be reached
//! at one address. Thresholds, expressions, routes and inhibitions stay as they are.

use serde_yaml::Value;

use crate::alertmanager::CONFIG;
use crate::prometheus::shipped;

/// How long a minute of `for`, `keep_firing_for`, a window or an offset takes: a fifth of a second.
const RULES: [(&str, &str); 13] = [
    (" for: 5m\n", " for: 1s\n"),
    (" for: 10m\n", " for: 2s\n"),
    (" for: 15m\n", " for: 3s\n"),
    (" for: 30m\n", " for: 6s\n"),
    (" for: 1h\n", " for: 12s\n"),
    (" keep_firing_for: 5m\n", " keep_firing_for: 1s\n"),
    (" keep_firing_for: 45m\n", " keep_firing_for: 9s\n"),
    ("[15m]", "[3s]"),
    ("[1h]", "[12s]"),
    ("[1d]", "[288s]"),
    ("[7d:1h]", "[2016s:12s]"),
    (" offset 1d", " offset 288s"),
    (" offset 7d", " offset 2016s"),
];

/// Of which the recorded series have this one alone.
const RECORDED: [(&str, &str); 1] = [("[15m]", "[3s]")];

const ROUTES: [(&str, &str); 6] = [
    ("group_wait: 30s", "group_wait: 2s"),
    ("group_interval: 5m", "group_interval: 1s"),
    ("group_interval: 1m", "group_interval: 1s"),
    ("repeat_interval: 1m", "repeat_interval: 2s"),
    ("repeat_interval: 1d", "repeat_interval: 2s"),
    ("repeat_interval: 4h", "repeat_interval: 2s"),
];

/// A file of rules.
pub(super) fn rules(shipped: &str) -> String {
    if shipped.contains("alert:") {
        changed(shipped, &RULES)
    } else {
        changed(shipped, &RECORDED)
    }
}

/// The configuration of a Prometheus with these targets and this Alertmanager.
pub(super) fn prometheus(targets: &[&str], alertmanager: &str) -> String {
    changed(&shipped(targets), &[("localhost:9093", alertmanager)])
}

/// The configuration of Alertmanager. Each receiver's webhook becomes `/receiver/webhook` at `address`, and its mail a
/// webhook `/receiver/mail`. `repeat` is whether notifications are repeated in a hurry too.
pub(super) fn alertmanager(address: &str, repeat: bool) -> String {
    let shipped = std::fs::read_to_string(CONFIG).unwrap();
    let hurried = |(slow, _): &(&str, &str)| repeat || !slow.starts_with("repeat");
    let changes: Vec<_> = ROUTES.into_iter().filter(hurried).collect();
    let mut yaml: Value = serde_yaml::from_str(&changed(&shipped, &changes)).unwrap();
    for receiver in yaml["receivers"].as_sequence_mut().unwrap() {
        let name = receiver["name"].as_str().unwrap().to_owned();
        let mut webhooks = Vec::new();
        for (kind, configs) in [("webhook", "webhook_configs"), ("mail", "email_configs")] {
            let configs = receiver.as_mapping_mut().unwrap().remove(configs);
            for config in configs.iter().flat_map(|configs| configs.as_sequence().unwrap()) {
                let (url, resolved) = (
                    format!("http://{address}/{name}/{kind}"),
                    &config["send_resolved"],
                );
                webhooks.push(serde_json::json!({ "url": url, "send_resolved": resolved }));
            }
        }
        assert!(!webhooks.is_empty(), "{name} is told by neither webhook nor mail");
        receiver["webhook_configs"] = serde_yaml::to_value(webhooks).unwrap();
    }
    serde_yaml::to_string(&yaml).unwrap()
}

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from:?} in what is shipped:\n{text}");
        text.replace(from, to)
    })
}
