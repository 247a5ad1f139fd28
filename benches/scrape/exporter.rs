//! Ours: the web server, the store and the exposition of the exporter, without its polling half. Facts change when a
//! line on standard input says so.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::host::Clock;
use aliyun_pca_exporter::model::{AccountName, Failure, InstanceStatus, Outcome, Reason, Target, UnixMillis};
use aliyun_pca_exporter::pca::GET_CA_INSTANCE_STATUS;
use aliyun_pca_exporter::store::Store;
use aliyun_pca_exporter::telemetry::{BUILD, Telemetry};
use aliyun_pca_exporter::web;
use tokio_util::sync::CancellationToken;

/// One instance of so many has new facts at each step.
const CHANGING: usize = 10;

/// One instance of so many fails at each step, and comes back at the next.
const FAILING: usize = 100;

const INTERVAL: Duration = Duration::from_secs(900);

const DAY_MILLIS: i64 = 86_400_000;

/// What the exporter would know after a round.
struct World {
    store: Arc<Store>,
    clock: Clock,
    targets: Vec<Arc<Target>>,
    /// The API's times are whole seconds.
    begun: UnixMillis,
    step: usize,
}

/// Serves until standard input ends.
#[expect(
    clippy::print_stdout,
    reason = "the first line says where it listens, the others that facts have changed"
)]
pub(crate) async fn serve(instances: usize) -> anyhow::Result<()> {
    let account: AccountName = "bench".into();
    let telemetry = Arc::new(Telemetry::new(BUILD)?);
    telemetry.start_account(&account, &[GET_CA_INSTANCE_STATUS], 10);
    let mut world = World::new(&account, instances);
    let listeners = web::bind(&["127.0.0.1:0".parse()?]).await?;
    println!("listening on {}", listeners.addresses()[0]);
    let site = web::Site::new(
        Arc::clone(&world.store),
        telemetry,
        world.clock.clone(),
        "/metrics".parse()?,
        BUILD,
        None,
    );
    let changes = tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            line?;
            world.change();
            println!("changed");
        }
        std::io::Result::Ok(())
    });
    let serving = web::serve(
        listeners,
        Arc::new(site),
        Arc::new(web::Gate::open()),
        CancellationToken::new(),
    );
    tokio::select! {
        ended = changes => Ok(ended??),
        () = serving => Ok(()),
    }
}

impl World {
    fn new(account: &AccountName, instances: usize) -> Self {
        let target = |number: usize| {
            Arc::new(Target {
                account: account.clone(),
                instance_id: format!("cas-member-{number:05}").as_str().into(),
                region: "cn-hangzhou".to_owned(),
                name: Some(format!("issuing-ca-{number}")),
                labels: BTreeMap::new(),
            })
        };
        let world = Self {
            store: Arc::default(),
            clock: Clock::system(),
            targets: (0..instances).map(target).collect(),
            begun: UnixMillis::from_seconds(Clock::system().now().0 / 1000),
            step: 0,
        };
        world.store.set_targets(account, INTERVAL, &world.targets);
        for number in 0..instances {
            world.record(number, Ok(world.status(number)));
        }
        for number in world.failing() {
            world.record(number, failure());
        }
        world
    }

    /// Ten of a hundred instances have issued another certificate, one fails, and the one that did has come back.
    fn change(&mut self) {
        for number in self.failing() {
            self.record(number, Ok(self.status(number)));
        }
        self.step += 1;
        for number in (self.step % CHANGING..self.targets.len()).step_by(CHANGING) {
            self.record(number, Ok(self.status(number)));
        }
        for number in self.failing() {
            self.record(number, failure());
        }
    }

    /// Those that fail at this step.
    fn failing(&self) -> impl Iterator<Item = usize> + use<> {
        (self.step % FAILING..self.targets.len()).step_by(FAILING)
    }

    fn record(&self, number: usize, outcome: Outcome) {
        self.store
            .record(&self.targets[number], outcome, self.clock.now());
    }

    fn status(&self, number: usize) -> InstanceStatus {
        let number = i64::try_from(number).expect("there are thousands");
        let step = i64::try_from(self.step).expect("there are hundreds");
        let days = |days: i64| Some(UnixMillis(self.begun.0 + days * DAY_MILLIS));
        InstanceStatus {
            status: Some("USED".to_owned()),
            ca_type: Some("SUB_ROOT".to_owned()),
            certificates_issued: Some(number + step),
            certificates_quota: Some(20_000),
            not_before: days(-365),
            not_after: days(20 + number % 1_800),
            subscription_expiry: days(10 + number % 360),
            certificate_identifier: Some(format!("160ae6bb538d538c70c01f81dcf{number:05}")),
        }
    }
}

fn failure() -> Outcome {
    Err(Failure {
        reason: Reason::Timeout,
        detail: "no answer within 10 s".to_owned(),
    })
}
