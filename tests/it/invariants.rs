//! What holds for any sequence of events: the store's table of events, against a model of the design's own words; and
//! the budget, with the whole polling side against a simulated cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aliyun_pca_exporter::model::{Failure, InstanceId, InstanceStatus, Reason, Target, UnixMillis};
use aliyun_pca_exporter::simulator::{ApiError, Delay, Fault, Network, Oddity};
use aliyun_pca_exporter::store::{Finding, Listing, Source, Store};
use proptest::prelude::*;

use crate::support::{ACTION, Lab, USER, instance, world, yaml};

const IDS: [&str; 4] = ["a", "b", "c", "d"];
const INTERVAL: Duration = Duration::from_secs(300);
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Something that happens to what the store knows.
#[derive(Clone, Debug)]
enum Event {
    Success(usize, i64),
    Failure(usize, Reason),
    /// The configuration lists these.
    Reload(BTreeSet<usize>),
    /// A complete discovery found these.
    Discovery(BTreeSet<usize>),
    DiscoveryFails,
    /// So many seconds pass; less than none is a clock that is set back.
    Clock(i64),
}

/// What the design's table says of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    listed: bool,
    /// Discovery has found it, and whether the last complete one did.
    found: Option<bool>,
    lost: Option<i64>,
    /// The value of the last success, and its second.
    facts: Option<(i64, i64)>,
    failure: Option<Reason>,
}

#[derive(Default)]
struct Model {
    instances: BTreeMap<usize, Known>,
    now: i64,
}

fn event() -> impl Strategy<Value = Event> {
    let some = || proptest::collection::btree_set(0..IDS.len(), 0..=IDS.len());
    let reason = (0..Reason::ALL.len()).prop_map(|reason| Reason::ALL[reason]);
    prop_oneof![
        4 => (0..IDS.len(), 0..100_i64).prop_map(|(id, value)| Event::Success(id, value)),
        3 => (0..IDS.len(), reason).prop_map(|(id, reason)| Event::Failure(id, reason)),
        2 => (0..IDS.len()).prop_map(|id| Event::Failure(id, Reason::NotFound)),
        2 => (0..IDS.len()).prop_map(|id| Event::Failure(id, Reason::Throttled)),
        1 => some().prop_map(Event::Reload),
        2 => some().prop_map(Event::Discovery),
        1 => Just(Event::DiscoveryFails),
        2 => (0..2000_i64).prop_map(Event::Clock),
        // Around the ends of the times that matter.
        4 => proptest::sample::select(vec![1, 299, 300, 329, 330, 359, 3599, 3600]).prop_map(Event::Clock),
        1 => (-90_000..90_000_i64).prop_map(Event::Clock),
    ]
}

impl Model {
    /// The table, row by row.
    fn take_in(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Success(id, value) => {
                if let Some(known) = self.instances.get_mut(id) {
                    known.facts = Some((*value, now));
                    known.failure = None;
                }
            }
            Event::Failure(id, reason) => {
                if let Some(known) = self.instances.get_mut(id) {
                    let age = known.facts.map(|(_, seen)| now - seen);
                    // Inside its interval, and the tenth in which it is tried again.
                    let inside = age.is_some_and(|age| (0..330).contains(&age));
                    if *reason != Reason::Throttled || !inside {
                        known.failure = Some(*reason);
                    }
                }
            }
            Event::Reload(listed) => {
                self.instances.retain(|id, known| {
                    let stays = listed.contains(id)
                        || known.found == Some(true)
                        || (!known.listed && known.found.is_some());
                    known.listed = listed.contains(id);
                    stays
                });
                for id in listed {
                    self.instances.entry(*id).or_default().listed = true;
                }
            }
            Event::Discovery(found) => {
                for id in found {
                    let known = self.instances.entry(*id).or_default();
                    (known.found, known.lost) = (Some(true), None);
                }
                for (id, known) in &mut self.instances {
                    if !found.contains(id) && known.found.is_some() {
                        known.found = Some(false);
                    }
                }
                self.instances.retain(|_, known| {
                    if known.listed || known.found != Some(false) || known.failure != Some(Reason::NotFound) {
                        known.lost = known.lost.filter(|_| known.listed);
                        return true;
                    }
                    let since = *known.lost.get_or_insert(now);
                    now - since < 3600
                });
            }
            Event::DiscoveryFails => {}
            Event::Clock(seconds) => self.now += seconds,
        }
    }
}

fn target(id: &InstanceId) -> Target {
    Target {
        account: "prod".into(),
        instance_id: id.clone(),
        region: "cn-hangzhou".to_owned(),
        name: None,
        labels: BTreeMap::new(),
    }
}

fn targets(ids: &BTreeSet<usize>) -> Vec<Arc<Target>> {
    ids.iter().map(|id| Arc::new(target(&IDS[*id].into()))).collect()
}

fn happen(store: &Store, event: &Event, now: UnixMillis) {
    let record = |id: &usize, outcome| {
        store.record(&target(&IDS[*id].into()), outcome, now);
    };
    match event {
        Event::Success(id, value) => record(
            id,
            Ok(InstanceStatus {
                certificates_issued: Some(*value),
                ..InstanceStatus::default()
            }),
        ),
        Event::Failure(id, reason) => record(
            id,
            Err(Failure {
                reason: *reason,
                detail: String::new(),
            }),
        ),
        Event::Reload(listed) => {
            let listing = Listing {
                account: &"prod".into(),
                interval: INTERVAL,
                targets: &targets(listed),
                discovers: true,
            };
            store.set_account(&listing, |id, _| Some(Arc::new(target(id))));
        }
        Event::Discovery(found) => {
            let found = found
                .iter()
                .map(|id| (InstanceId::from(IDS[*id]), Finding::default()));
            store.take_in_found(
                &"prod".into(),
                &Source::List,
                &found.collect(),
                || false,
                |id, _| target(id),
            );
            store.forget(&"prod".into(), now, FORGET_AFTER);
        }
        Event::DiscoveryFails | Event::Clock(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_store_keeps_to_the_table_of_events(events in proptest::collection::vec(event(), 1..60)) {
        let (store, mut model) = (Store::default(), Model::default());
        let start = 1_767_225_600;
        happen(&store, &Event::Reload(BTreeSet::new()), UnixMillis::from_seconds(start));
        for (number, event) in events.iter().enumerate() {
            happen(&store, event, UnixMillis::from_seconds(start + model.now));
            model.take_in(event);
            let shown: BTreeMap<_, _> = store
                .snapshot()
                .instances()
                .map(|state| {
                    let facts = state.facts.as_ref();
                    let facts = facts.map(|facts| (facts.status.certificates_issued.unwrap(), facts.seen.0 / 1000 - start));
                    let reason = state.failure.as_ref().map(|failure| failure.reason);
                    prop_assert_eq!(state.up(), facts.is_some() && reason.is_none());
                    Ok((state.target.instance_id.to_string(), (facts, reason)))
                })
                .collect::<Result<_, TestCaseError>>()?;
            let expected: BTreeMap<_, _> = model
                .instances
                .iter()
                .map(|(id, known)| (IDS[*id].to_owned(), (known.facts, known.failure)))
                .collect();
            prop_assert_eq!(shown, expected, "after {:?} (number {})", event, number);
        }
    }
}

/// Something that happens to a daemon and its cloud.
#[derive(Clone, Debug)]
enum Trouble {
    Pass(u64),
    /// Another number of slots and of instances.
    Reload(u8, usize),
    Latency(u64),
    Down(bool),
    /// Every so many calls go wrong: by an error, by no answer, or by being throttled.
    Errors(u64, u8),
    ClockJump(i64),
    Fine,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        6 => (1..900_u64).prop_map(Trouble::Pass),
        3 => (1_u8..=10, 1..120_usize).prop_map(|(slots, count)| Trouble::Reload(slots, count)),
        2 => (0..3000_u64).prop_map(Trouble::Latency),
        1 => any::<bool>().prop_map(Trouble::Down),
        2 => (1..20_u64, 0..3_u8).prop_map(|(every, kind)| Trouble::Errors(every, kind)),
        1 => (-90_000_000..90_000_000_i64).prop_map(Trouble::ClockJump),
        1 => Just(Trouble::Fine),
    ]
}

fn meet(lab: &mut Lab, ids: &[String], trouble: &Trouble) {
    let world = lab.world.clone();
    match trouble {
        Trouble::Pass(_) => {}
        Trouble::Reload(slots, count) => {
            let ids = ids[..*count].iter().map(String::as_str);
            lab.reload(&yaml("cas.aliyuncs.com", *slots, "interval: 1m", ids));
        }
        Trouble::Latency(millis) => {
            let delay = Delay::between(Duration::ZERO, Duration::from_millis(*millis));
            world.set_network(Network {
                there: delay,
                back: delay,
                ..Network::default()
            });
        }
        Trouble::Down(down) => world.set_network(Network {
            down: *down,
            ..Network::default()
        }),
        Trouble::Errors(every, kind) => {
            let fault = match kind {
                0 => Fault::new(ApiError::new("InternalError", 500, "Told to.")),
                1 => Fault::new(Oddity::NoAnswer),
                _ => Fault::new(ApiError::new("Throttling.User", 400, "Told to.")),
            };
            world.set_fault(fault.every(*every));
        }
        Trouble::ClockJump(millis) => world.set_clock_offset(*millis),
        Trouble::Fine => {
            world.clear_faults();
            world.set_network(Network::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_window_ever_holds_more_calls_than_the_budget_whatever_happens(
        troubles in proptest::collection::vec(trouble(), 5..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (held, most) = runtime.block_on(async {
            let world = world();
            let ids: Vec<_> = (0..120).map(|number| format!("cas-member-{number:03}")).collect();
            for id in &ids {
                world.put_instance(instance(id));
            }
            // What is counted here is what arrives, not what the cloud would say to it.
            world.set_limit(USER, 1000);
            let mut lab = Lab::start(world, &yaml("cas.aliyuncs.com", 5, "interval: 1m", ids.iter().map(String::as_str)));
            let mut most = 5;
            for trouble in &troubles {
                if let Trouble::Reload(slots, _) = trouble {
                    most = most.max(usize::from(*slots));
                }
                meet(&mut lab, &ids, trouble);
                if let Trouble::Pass(seconds) = trouble {
                    tokio::time::sleep(Duration::from_secs(*seconds)).await;
                }
            }
            tokio::time::sleep(Duration::from_secs(300)).await;
            (lab.world.most_in_one_window(USER, ACTION), most)
        });
        prop_assert!(held <= most, "{held} calls in a window of {most}");
    }
}
