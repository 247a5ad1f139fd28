//! The loop of one account: wait for what is due and for a slot, poll, record, log what changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::flight::{Flight, Landed};
use super::report::{Report, Told};
use super::targets::Targets;
use super::{Schedule, retry};
use crate::aliyun::budget::{Budget, Slot};
use crate::aliyun::error::Retry;
use crate::host::Host;
use crate::model::{AccountName, Failure, InstanceId, Outcome, Reason};
use crate::pca::{Endpoints, GET_CA_INSTANCE_STATUS_RAM_ACTION, Pca};
use crate::store::{Change, Store};
use crate::telemetry::Telemetry;

/// How often the growing rate of a budget that was throttled is looked at.
const GROWTH_STEP: Duration = Duration::from_secs(1);

/// Polls the instances of one account.
#[derive(Debug)]
pub struct Poller {
    /// The account.
    pub account: AccountName,
    /// How often each of its instances is to be polled; which there are, the store knows.
    pub interval: Duration,
    /// Calls in any second.
    pub requests_per_second: u8,
    /// The calls.
    pub pca: Pca,
    /// Where they go.
    pub endpoints: Endpoints,
    /// When they may go.
    pub budget: Budget,
    /// Where outcomes go.
    pub store: Arc<Store>,
    /// The counters.
    pub telemetry: Arc<Telemetry>,
    /// Randomness.
    pub host: Host,
    /// When each is polled. It goes on from one configuration's poller to the next's, and with it every retry.
    pub schedule: Arc<Mutex<Schedule<InstanceId>>>,
    /// The store has other instances than before, or a poller that was stopped has changed the schedule.
    pub changed: Arc<Notify>,
    /// What the log knows already.
    pub told: Arc<Told>,
}

/// When to end, other than on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Stopped,
    /// When every instance has been polled and no retry is pending.
    Settled,
}

/// The state of a running loop.
struct Running {
    poller: Poller,
    targets: Targets,
    flights: JoinSet<Landed>,
    /// Which flight is whose, to know it even if it panics.
    in_flight: HashMap<Id, InstanceId>,
    /// Instances that the last answer about them named more than once.
    duplicated: BTreeSet<InstanceId>,
    report: Report,
    /// Nothing new is begun.
    stopped: bool,
    /// When the last call went.
    last_start: Option<Instant>,
}

impl Poller {
    /// Polls until asked to stop, and then waits for the calls that are under way.
    pub async fn run(self, until: Until, stop: CancellationToken) {
        let now = Instant::now();
        let targets = self.targets();
        let turns = self.turns(&targets, now);
        let report = {
            let mut schedule = self.schedule();
            schedule.reconfigure(turns, self.interval, self.requests_per_second, now);
            if until == Until::Settled {
                schedule.make_single_round();
            }
            Report::new(Arc::clone(&self.told), (!schedule.all_heard()).then_some(now))
        };
        let mut running = Running {
            poller: self,
            targets,
            flights: JoinSet::new(),
            in_flight: HashMap::new(),
            duplicated: BTreeSet::new(),
            report,
            stopped: false,
            last_start: None,
        };
        running.measure();
        running.poll(until, &stop).await;
        running.stopped = stop.is_cancelled();
        while let Some(landed) = running.flights.join_next_with_id().await {
            running.land(landed);
            running.poller.changed.notify_one();
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule<InstanceId>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn targets(&self) -> Targets {
        Targets::of(&self.store, &self.account)
    }

    fn turns(&self, targets: &Targets, now: Instant) -> Vec<(InstanceId, Option<Instant>)> {
        targets.turns(self.pca.0.exchange.now(), now)
    }
}

impl Running {
    async fn poll(&mut self, until: Until, stop: &CancellationToken) {
        while until == Until::Stopped || !self.poller.schedule().settled() {
            let due = self.poller.schedule().due();
            let changed = Arc::clone(&self.poller.changed);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(landed) = self.flights.join_next_with_id() => self.land(landed),
                slot = slot_when_due(&self.poller.budget, due) => self.start(slot, due, stop),
                () = changed.notified() => self.retarget(stop),
                () = sleep(GROWTH_STEP), if self.report.slowed() => self.measure(),
            }
        }
    }

    /// Takes over the instances that there are now.
    fn retarget(&mut self, stop: &CancellationToken) {
        let now = Instant::now();
        self.targets = self.poller.targets();
        let turns = self.poller.turns(&self.targets, now);
        if let Some(mut schedule) = self.plan(stop) {
            schedule.set_targets(turns, now);
        }
        self.duplicated.retain(|id| self.targets.get(id).is_some());
        self.measure();
    }

    /// The schedule, unless it is the next poller's by now, and with it the say which targets there are.
    fn plan(&self, stop: &CancellationToken) -> Option<MutexGuard<'_, Schedule<InstanceId>>> {
        let schedule = self.poller.schedule();
        (!stop.is_cancelled()).then_some(schedule)
    }

    fn start(&mut self, slot: Slot, due: Option<Instant>, stop: &CancellationToken) {
        let now = Instant::now();
        let taken = self.plan(stop).and_then(|mut schedule| schedule.take(now));
        let target = taken.and_then(|id| self.targets.get(&id));
        let Some(target) = target.cloned() else {
            slot.unused();
            return;
        };
        let endpoint = self.poller.endpoints.of(&target.region);
        // What was due before the previous call could not have gone before it.
        let waited = due.map_or(Duration::ZERO, |due| {
            now - due.max(self.last_start.unwrap_or(due))
        });
        self.last_start = Some(now);
        self.poller.telemetry.waited(&self.poller.account, waited);
        let true_time = self.poller.pca.0.exchange.now();
        self.poller.store.attempt(&target, true_time);
        let id = target.instance_id.clone();
        let flight = Flight {
            pca: self.poller.pca.clone(),
            endpoint,
            budget: self.poller.budget.clone(),
            target,
        };
        let flight = self.flights.spawn(flight.run(slot, stop.clone()));
        self.in_flight.insert(flight.id(), id);
    }

    fn land(&mut self, landed: Result<(Id, Landed), JoinError>) {
        match landed {
            Ok((flight, landed)) => {
                self.in_flight.remove(&flight);
                self.record(landed);
            }
            Err(panicked) => {
                // One instance's answer met a defect here: the others must not suffer.
                let Some(id) = self.in_flight.remove(&panicked.id()) else {
                    return;
                };
                error!(account = %self.poller.account, instance_id = %id, "a poll panicked, please report it");
                self.poller.schedule().done(&id, Instant::now(), |_| None);
                let failure = Failure {
                    reason: Reason::Other,
                    detail: "a defect in this exporter".to_owned(),
                };
                self.take_in(&id, Err(failure));
            }
        }
        // The next poller has the say by now how much is allowed.
        if !self.stopped {
            self.measure();
        }
        self.report.clocks(&self.poller);
        Report::credentials(&self.poller);
        self.report
            .first_round(&self.poller, self.poller.schedule().all_heard());
    }

    fn record(&mut self, landed: Landed) {
        let Landed {
            id,
            result,
            interrupted,
        } = landed;
        let id = &id;
        if interrupted {
            self.poller
                .schedule()
                .done(id, Instant::now(), |_| Some(Duration::ZERO));
            return;
        }
        // What was to be tried again at once was tried already.
        let later = result.as_ref().is_err_and(|error| error.retry() == Retry::Later);
        let random = &self.poller.host.random;
        let delay = |made| later.then(|| retry::delay(made, random.fraction())).flatten();
        self.poller.schedule().done(id, Instant::now(), delay);
        let outcome = match result {
            Ok(answer) => {
                self.note_duplicate(id, answer.duplicated);
                Ok(answer.status)
            }
            Err(error) => Err(error.failure(GET_CA_INSTANCE_STATUS_RAM_ACTION)),
        };
        self.take_in(id, outcome);
    }

    fn note_duplicate(&mut self, id: &InstanceId, duplicated: bool) {
        if !duplicated {
            self.duplicated.remove(id);
            return;
        }
        self.poller.telemetry.duplicated(&self.poller.account);
        if self.duplicated.insert(id.clone()) {
            warn!(
                account = %self.poller.account,
                instance_id = %id,
                "the answer names the instance more than once; the entry in use, or the latest, is shown",
            );
        }
    }

    fn take_in(&mut self, id: &InstanceId, outcome: Outcome) {
        let Some(target) = self.targets.get(id) else {
            return;
        };
        let failure = outcome.as_ref().err().cloned();
        let now = self.poller.pca.0.exchange.now();
        let change = self.poller.store.record(target, outcome, now);
        let account = &self.poller.account;
        match (change, failure) {
            (Change::Failed, Some(Failure { reason, detail })) => {
                warn!(%account, instance_id = %id, %reason, detail, "poll failed, the last known facts stay");
            }
            (Change::Recovered, _) => info!(%account, instance_id = %id, "poll succeeds again"),
            (Change::Seen, _) => debug!(%account, instance_id = %id, "first facts"),
            (Change::Failed | Change::None, _) => {}
        }
    }

    /// Takes over what the budget allows now, and shows it.
    fn measure(&mut self) {
        let capacity = self.poller.budget.capacity();
        let mut schedule = self.poller.schedule();
        schedule.set_capacity(capacity.slots, capacity.slot_time);
        self.report.budget(&self.poller, &schedule, capacity);
    }
}

/// A slot, once one is needed.
async fn slot_when_due(budget: &Budget, due: Option<Instant>) -> Slot {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
    budget.slot().await
}
