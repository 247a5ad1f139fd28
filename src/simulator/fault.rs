//! Faults: what the cloud does instead of answering honestly, to whom and how often.
//!
//! A fault strikes calls that the rules let in, so it never hides a badly signed one.

use std::num::NonZeroU64;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::oddity::Oddity;
use super::reply;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens instead of the honest answer.
    pub what: Misbehaviour,
    /// To which calls.
    #[serde(default)]
    pub scope: Scope,
    /// To how many of them.
    #[serde(default)]
    pub times: Times,
}

/// What happens instead of the honest answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// A refusal of the API.
    Error(ApiError),
    /// An answer that is odd in itself.
    Odd(Oddity),
    /// Exactly this answer, called JSON whatever it is.
    Answer {
        /// The HTTP status.
        #[serde(with = "reply::status")]
        status: StatusCode,
        /// The body, byte for byte.
        body: String,
    },
}

/// To which calls a fault happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To all.
    #[default]
    All,
    /// To those that ask for this instance, by its id or by a certificate of its.
    Instance(String),
    /// To those of this action.
    Action(String),
}

/// To how many calls of its scope a fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// To all, until it is removed.
    #[default]
    Always,
    /// To every nth: of 3, to the third, the sixth, …
    Every(NonZeroU64),
    /// To the next so many; then it is gone.
    Next(u64),
}

/// Names a fault that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultId(u64);

/// The faults in force. Of several that strike one call, the one set first wins.
#[derive(Debug, Default)]
pub(super) struct Faults {
    set: u64,
    active: Vec<Active>,
}

/// A fault in force.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Active {
    id: FaultId,
    #[serde(flatten)]
    fault: Fault,
    /// The calls of its scope so far.
    calls: u64,
}

impl Fault {
    /// To every call, until removed.
    pub fn new(what: impl Into<Misbehaviour>) -> Self {
        Self {
            what: what.into(),
            scope: Scope::All,
            times: Times::Always,
        }
    }

    /// Only to calls that ask for this instance.
    #[must_use]
    pub fn on_instance(self, id: &str) -> Self {
        Self {
            scope: Scope::Instance(id.to_owned()),
            ..self
        }
    }

    /// Only to calls of this action.
    #[must_use]
    pub fn on_action(self, action: &str) -> Self {
        Self {
            scope: Scope::Action(action.to_owned()),
            ..self
        }
    }

    /// To every `n`th call; 0 counts as 1.
    #[must_use]
    pub fn every(self, n: u64) -> Self {
        Self {
            times: Times::Every(NonZeroU64::new(n).unwrap_or(NonZeroU64::MIN)),
            ..self
        }
    }

    /// To the next `calls` calls.
    #[must_use]
    pub fn next(self, calls: u64) -> Self {
        Self {
            times: Times::Next(calls),
            ..self
        }
    }
}

impl Misbehaviour {
    /// A 200 with this body, byte for byte.
    pub fn body(body: &str) -> Self {
        Self::Answer {
            status: StatusCode::OK,
            body: body.to_owned(),
        }
    }
}

impl From<ApiError> for Misbehaviour {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<Oddity> for Misbehaviour {
    fn from(oddity: Oddity) -> Self {
        Self::Odd(oddity)
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) -> FaultId {
        self.set += 1;
        let id = FaultId(self.set);
        self.active.push(Active { id, fault, calls: 0 });
        id
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, id: FaultId) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    pub(super) fn active(&self) -> &[Active] {
        &self.active
    }

    /// What happens to a call of `action` that asks for `instance`.
    pub(super) fn strike(&mut self, action: &str, instance: Option<&str>) -> Option<Misbehaviour> {
        let mut struck = None;
        for Active { fault, calls, .. } in &mut self.active {
            let meant = match &fault.scope {
                Scope::All => true,
                Scope::Instance(id) => Some(id.as_str()) == instance,
                Scope::Action(name) => name == action,
            };
            if !meant {
                continue;
            }
            *calls += 1;
            let strikes = match &mut fault.times {
                Times::Always => true,
                Times::Every(n) => *calls % n.get() == 0,
                Times::Next(left) if struck.is_none() && *left > 0 => {
                    *left -= 1;
                    true
                }
                Times::Next(_) => false,
            };
            if strikes && struck.is_none() {
                struck = Some(fault.what.clone());
            }
        }
        self.active.retain(|active| active.fault.times != Times::Next(0));
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &mut Faults, calls: &[&str]) -> Vec<bool> {
        let calls = calls.iter();
        calls
            .map(|instance| faults.strike("Get", Some(instance)).is_some())
            .collect()
    }

    #[test]
    fn every_third_call_is_struck() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Oddity::EmptyBody).every(3));
        let expected = [false, false, true, false, false, true];
        assert_eq!(struck(&mut faults, &["a", "b", "a", "a", "b", "a"]), expected);
    }

    #[test]
    fn a_fault_for_the_next_two_calls_is_gone_after_them() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Oddity::EmptyBody).next(2));
        assert_eq!(struck(&mut faults, &["a", "b", "a"]), [true, true, false]);
        assert!(faults.active().is_empty());
    }

    #[test]
    fn a_fault_of_one_instance_strikes_and_counts_no_other() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Oddity::EmptyBody).on_instance("a").every(2));
        assert_eq!(
            struck(&mut faults, &["a", "b", "b", "a"]),
            [false, false, false, true]
        );
        assert!(faults.strike("Get", None).is_none());
    }

    #[test]
    fn a_fault_of_one_action_strikes_and_counts_no_other() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Oddity::EmptyBody).on_action("Get").every(2));
        let actions = ["Get", "AssumeRole", "AssumeRole", "Get"];
        let struck = actions.map(|action| faults.strike(action, None).is_some());
        assert_eq!(struck, [false, false, false, true]);
    }

    #[test]
    fn of_two_faults_the_first_wins_and_the_second_keeps_its_turns() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Oddity::EmptyBody).next(1));
        faults.add(Fault::new(Oddity::ListNull).next(1));
        assert_eq!(faults.strike("Get", None), Some(Oddity::EmptyBody.into()));
        assert_eq!(faults.strike("Get", None), Some(Oddity::ListNull.into()));
    }

    #[test]
    fn a_removed_fault_strikes_no_more() {
        let mut faults = Faults::default();
        let id = faults.add(Fault::new(Oddity::EmptyBody));
        assert!(faults.remove(id));
        assert!(!faults.remove(id));
        assert!(faults.strike("Get", None).is_none());
    }
}
