//! From the cloud to the phone: the exporter, a real Prometheus with the shipped rules and a real Alertmanager with the
//! shipped configuration, in a hurry, and what its receivers are told.

mod hurried;

use std::collections::BTreeSet;

use aliyun_pca_exporter::simulator::{Instance, Network};
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::alertmanager::{Alertmanager, quieted};
use crate::prometheus::Prometheus;
use crate::support::cloud::{Cloud, Setup, beside};
use crate::support::service::serve;
use crate::support::{Metrics, PATIENCE, Program, instance, poll_until, yaml};

const ID: &str = "cas-member-a";

const DAY: i64 = 86_400_000;

/// All that stands between the cloud and the phone.
struct Chain {
    cloud: Cloud,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    told: Told,
    _replicas: Vec<(Setup, Program)>,
}

/// What the receivers were told, in order: of each notification a line for each alert, such as
/// `pki-page/webhook firing AliyunPcaCertificateExpiry critical`.
struct Told(watch::Receiver<Vec<Vec<String>>>);

impl Chain {
    /// With a certificate that ends in 20 days, and as many replicas of the exporter, which share the budget.
    async fn start(replicas: u8, repeat: bool) -> Self {
        let cloud = Cloud::start(&[]).await;
        put_certificate(&cloud, 20);
        let (mut running, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..replicas {
            let yaml = yaml(&cloud.endpoint, 10 / replicas, "interval: 2s, timeout: 2s", [ID]);
            let setup = Setup::new(&format!("{yaml}  labels: {{ team: pki }}\n"));
            let (setup, (program, address)) = beside(move || {
                let daemon = setup.daemon(&[]);
                (setup, daemon)
            })
            .await;
            poll_until(&format!("http://{address}/metrics"), |_, text| {
                (Metrics(text.to_owned()).of(ID, "up") == Some(1.0)).then_some(())
            })
            .await;
            running.push((setup, program));
            addresses.push(address);
        }
        let (address, told) = Told::listen().await;
        let alertmanager = Alertmanager::start(&hurried::alertmanager(&address, repeat)).await;

        // Prometheus takes seconds to find its targets, and a hurried rule would call that an absent exporter: so the
        // rules come when all are in touch. To load them it lets go of Alertmanager for seconds, and what fires meanwhile
        // comes late and in no group's wait, as after a restart of Alertmanager.
        let targets: Vec<_> = addresses.iter().map(String::as_str).collect();
        let yaml = hurried::prometheus(&targets, alertmanager.url.trim_start_matches("http://"));
        let prometheus = Prometheus::without_rules(&yaml, tempfile::tempdir().unwrap());
        prometheus.finds_alertmanager().await;
        let scraped = format!("count(aliyun_pca_instance_up == 1) == {replicas}");
        holds(&prometheus, &scraped).await;
        prometheus.load(hurried::rules);
        Self {
            cloud,
            prometheus,
            alertmanager,
            told,
            _replicas: running,
        }
    }
}

impl Told {
    /// What is told at the address that is returned too.
    async fn listen() -> (String, Self) {
        let (sender, told) = watch::channel(Vec::new());
        let address = serve(&TaskTracker::new(), move |request| {
            let sender = sender.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let whom = head.uri.path().trim_start_matches('/');
                let alerts = body["alerts"].as_array().unwrap().iter();
                let lines = alerts.map(|alert| {
                    let label = |name: &str| alert["labels"][name].as_str().unwrap();
                    let status = alert["status"].as_str().unwrap();
                    format!("{whom} {status} {} {}", label("alertname"), label("severity"))
                });
                let lines = lines.collect();
                sender.send_modify(|told: &mut Vec<Vec<String>>| told.push(lines));
                Ok(Response::new(Full::default()))
            }
        })
        .await;
        (address, Self(told))
    }

    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Waits for a line in a notification after the first `seen` ones.
    async fn line(&self, seen: usize, line: &str) {
        let mut told = self.0.clone();
        let comes = told.wait_for(|told| told[seen..].iter().flatten().any(|told| told == line));
        let comes = matches!(tokio::time::timeout(PATIENCE, comes).await, Ok(Ok(_)));
        assert!(
            comes,
            "no {line:?} after the first {seen} of {:#?}",
            *self.0.borrow()
        );
    }

    /// The notifications to whom begins like this.
    fn to(&self, whom: &str) -> Vec<Vec<String>> {
        let told = self.0.borrow();
        let concerned = |lines: &&Vec<String>| lines.iter().any(|line| line.starts_with(whom));
        told.iter().filter(concerned).cloned().collect()
    }
}

/// A certificate of a year with so many days left, or of longer.
fn put_certificate(cloud: &Cloud, days_left: i64) {
    let now = cloud.world.now().0;
    cloud.world.put_instance(Instance {
        before_time: Some(now - 345 * DAY),
        after_time: Some(now + days_left * DAY),
        use_expire_time: Some(now + 300 * DAY),
        ..instance(ID)
    });
}

/// Waits until a query has a result.
async fn holds(prometheus: &Prometheus, query: &str) {
    prometheus
        .until(query, |result| (!result.is_empty()).then_some(()))
        .await;
}

#[tokio::test]
#[ignore = "needs prometheus and prometheus-alertmanager, see tests/run"]
async fn a_certificate_rings_at_its_team_until_it_is_renewed_and_an_outage_of_the_api_quiets_nothing() {
    let chain = Chain::start(1, true).await;
    let told = &chain.told;
    let (page, mail) = (
        "pki-page/webhook firing AliyunPcaCertificateExpiry critical",
        "pki-page/mail firing AliyunPcaCertificateExpiry critical",
    );
    told.line(0, page).await;
    told.line(0, mail).await;
    let inhibited = chain
        .alertmanager
        .until(|alerts| Some(quieted(alerts)).filter(|quieted| !quieted.is_empty()))
        .await;
    assert_eq!(inhibited, [format!("AliyunPcaCertificateExpiry warning {ID}")]);

    // Longer than twice `keep_firing_for`: what has lost its series is resolved by then.
    chain.cloud.world.set_network(Network {
        down: true,
        ..Network::default()
    });
    told.line(0, "pki-mail/mail firing AliyunPcaFactsStale warning")
        .await;
    let long = "time() - max(aliyun_pca_instance_last_success_timestamp_seconds) > 20";
    holds(&chain.prometheus, long).await;
    told.line(told.count(), page).await;
    let resolved = || {
        let lines = told.to("").concat().into_iter();
        lines
            .filter(|line| line.contains(" resolved "))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(resolved(), BTreeSet::new());

    chain.cloud.world.set_network(Network::default());
    let fresh = "pki-mail/mail resolved AliyunPcaFactsStale warning";
    told.line(0, fresh).await;
    told.line(told.count(), page).await;
    assert_eq!(resolved(), BTreeSet::from([fresh.to_owned()]));

    put_certificate(&chain.cloud, 365);
    told.line(0, &page.replace("firing", "resolved")).await;
    told.line(0, &mail.replace("firing", "resolved")).await;
    // And of nothing else: the warning was never told.
    let team: BTreeSet<_> = told.to("pki-").concat().into_iter().collect();
    let team: Vec<_> = team.iter().map(String::as_str).collect();
    assert_eq!(
        team,
        [
            "pki-mail/mail firing AliyunPcaFactsStale warning",
            fresh,
            mail,
            "pki-page/mail resolved AliyunPcaCertificateExpiry critical",
            page,
            "pki-page/webhook resolved AliyunPcaCertificateExpiry critical",
        ]
    );
}

#[tokio::test]
#[ignore = "needs prometheus and prometheus-alertmanager, see tests/run"]
async fn two_replicas_ring_once_for_one_certificate() {
    let chain = Chain::start(2, false).await;
    let page = "pki-page/webhook firing AliyunPcaCertificateExpiry critical";
    chain.told.line(0, page).await;
    // Since then Alertmanager has had many occasions, one a second, to say more.
    let critical = "{alertname=\"AliyunPcaCertificateExpiry\",severity=\"critical\"}";
    let long = format!("time() - ALERTS_FOR_STATE{critical} > 15");
    holds(&chain.prometheus, &long).await;
    let both = "count(aliyun_pca_instance_certificate_not_after_timestamp_seconds) == 2";
    holds(&chain.prometheus, both).await;
    assert_eq!(chain.told.to("pki-page/webhook"), [[page]]);
    assert_eq!(chain.told.to("pki-mail"), Vec::<Vec<String>>::new());
}
