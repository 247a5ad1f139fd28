//! How many calls of an action are under way at once, as their callers see it: from the sending to the answer's
//! head, or to the moment at which the caller gives up.

use std::collections::BTreeMap;

use super::call;
use super::world::World;
use crate::host::HttpRequest;

/// The calls under way, by action.
#[derive(Debug, Default)]
pub(super) struct UnderWay(BTreeMap<String, Count>);

#[derive(Debug, Default)]
struct Count {
    now: usize,
    most: usize,
}

/// One call under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Crossing {
    world: World,
    action: Option<String>,
}

impl UnderWay {
    /// The most at once so far.
    pub(super) fn most(&self, action: &str) -> usize {
        self.0.get(action).map_or(0, |count| count.most)
    }

    fn begin(&mut self, action: &str) {
        let count = self.0.entry(action.to_owned()).or_default();
        count.now += 1;
        count.most = count.most.max(count.now);
    }

    fn end(&mut self, action: &str) {
        if let Some(count) = self.0.get_mut(action) {
            count.now -= 1;
        }
    }
}

impl Crossing {
    /// A request that has just been sent. One that names no action is not counted.
    pub(super) fn begin(world: &World, request: &HttpRequest) -> Self {
        let action = call::action(request);
        if let Some(action) = &action {
            world.with(|state| state.under_way.begin(action));
        }
        Self {
            world: world.clone(),
            action,
        }
    }
}

impl Drop for Crossing {
    fn drop(&mut self) {
        if let Some(action) = &self.action {
            self.world.with(|state| state.under_way.end(action));
        }
    }
}
