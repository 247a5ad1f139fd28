//! One poll under way: a call, and another one where signing afresh is all that the first one lacked.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::aliyun::budget::{Budget, Slot};
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::error::{CallError, Retry};
use crate::model::{InstanceId, Target};
use crate::pca::{Answer, Pca};

/// What a poll needs.
pub(super) struct Flight {
    pub(super) pca: Pca,
    pub(super) endpoint: Endpoint,
    pub(super) budget: Budget,
    pub(super) target: Arc<Target>,
}

/// A poll that is back.
pub(super) struct Landed {
    pub(super) id: InstanceId,
    pub(super) result: Result<Answer, CallError>,
    /// It was about to be signed afresh when its poller was stopped.
    pub(super) interrupted: bool,
}

impl Flight {
    pub(super) async fn run(self, slot: Slot, stop: CancellationToken) -> Landed {
        let id = self.target.instance_id.clone();
        let (mut result, mut interrupted) = (self.call(slot, &id).await, false);
        // What signing afresh sets right is no failure of the instance, and needs no place in the schedule.
        if result.as_ref().is_err_and(|error| error.retry() == Retry::AtOnce) {
            tokio::select! {
                slot = self.budget.slot() => result = self.call(slot, &id).await,
                () = stop.cancelled() => interrupted = true,
            }
        }
        Landed {
            id,
            result,
            interrupted,
        }
    }

    async fn call(&self, slot: Slot, id: &InstanceId) -> Result<Answer, CallError> {
        self.pca.instance_status(slot, &self.endpoint, id).await
    }
}
