//! What tests count and break.

use std::time::Duration;

use crate::sandbox::github::faults::Fault;
use crate::sandbox::github::limits::{Patience, Used};
use crate::sandbox::github::requests::RecordedRequest;
use crate::sandbox::github::{SandboxGitHub, lock};

/// What tests count and break.
impl SandboxGitHub {
    /// The requests since the last reset, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner().requests().clone()
    }

    /// Forgets the requests so far.
    pub fn reset_requests(&self) {
        self.inner().requests().clear();
    }

    /// The next call of an operation goes wrong. An operation is `POST /repos/{owner}/{repo}/pulls`,
    /// a GraphQL root field such as `createPullRequest`, or `*`.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.fail(operation, 0, 1, fault);
    }

    /// After `skip` calls of an operation, `times` calls go wrong.
    pub fn fail(&self, operation: &str, skip: u32, times: u32, fault: Fault) {
        self.inner().faults().add(operation, skip, times, fault);
    }

    /// The next time, this mutation alone goes wrong inside of GitHub (`createRef`); those beside it
    /// in the document are executed.
    pub fn fail_field_next(&self, field: &str) {
        self.inner().faults().add_field(field);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.inner().faults().clear();
    }

    /// Sends the answers that [`Fault::HoldAnswer`] keeps back.
    pub fn release_answers(&self) {
        self.inner().released.send_replace(());
    }

    /// Whether those who were told to wait have waited.
    pub fn patience(&self) -> Patience {
        self.with(|world| world.told.kept.clone())
    }

    /// Uses up the hourly budget of an organisation's installation.
    pub fn exhaust_rate_limit(&self, organization: &str) {
        self.leave_of_rate_limit(organization, 0);
    }

    /// Uses up the hourly budgets of an organisation's installation but for so much.
    pub fn leave_of_rate_limit(&self, organization: &str, left: u64) {
        self.with(|world| {
            let id = world.installation_by_login(organization);
            let (now, hourly) = (world.now(), world.hourly);
            if let Some(found) = world.installations.iter_mut().find(|it| Some(it.id) == id) {
                found.used = Used::but_for(left, now, hourly);
            }
        });
    }

    /// Waits until nothing is queued or on its way: all deliveries that are not held are made.
    pub async fn webhooks_delivered(&self) {
        loop {
            let changed = self.changed();
            let is_idle = self.is_idle();
            if is_idle {
                return;
            }
            changed.await;
        }
    }

    fn is_idle(&self) -> bool {
        let world = lock(&self.inner().world);
        world.hooks.queue.is_empty() && !world.hooks.in_flight
    }

    /// Makes every delivery wait so long before it goes out.
    pub fn delay_webhooks(&self, delay: Duration) {
        self.with(|world| world.hooks.delay = delay);
    }
}
