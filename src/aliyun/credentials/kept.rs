//! Which of several answered first. It stays the one: another identity must never take over silently.

use std::sync::{Arc, OnceLock};

/// The place of the one that has answered, once one has; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<OnceLock<usize>>);

impl Kept {
    pub(super) fn get(&self) -> Option<usize> {
        self.0.get().copied()
    }

    /// The one at `index` has answered.
    pub(super) fn keep(&self, index: usize) {
        // Only another fetch at the same moment could have set it.
        let _ = self.0.set(index);
    }
}

/// What a provider is told, not what it has been through.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}
