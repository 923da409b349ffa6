//! Port's claim-and-acknowledge calls, as what intake fetches runs with.

use tokio_util::sync::CancellationToken;

use crate::config::PollingSettings;
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, RunId, Status};
use crate::intake::Intake;
use crate::intake::polling::{Offers, Polling, Trouble};
use crate::portal::{self, Installation, Port, Streamer};

/// What Port offers to one installation.
pub struct PortOffers {
    /// Port.
    pub port: Port,
    /// For whom runs are claimed.
    pub installation: Installation,
}

impl Offers for PortOffers {
    async fn claim(
        &self,
        kind: RunKind,
        limit: u32,
        without: &[ActionId],
    ) -> Result<Vec<serde_json::Value>, Trouble> {
        self.port
            .claim(&self.installation, kind, limit, without)
            .await
            .map_err(|error| trouble(&error))
    }

    async fn acknowledge(&self, run: &RunId, kind: RunKind) -> Result<bool, Trouble> {
        self.port.acknowledge(&self.installation, run, kind).await.map_err(|error| trouble(&error))
    }

    async fn is_worked_on(&self, run: &RunId, kind: RunKind) -> Result<bool, Trouble> {
        // Port does not tell how the run of a workflow's node stands.
        if kind == RunKind::WorkflowNode {
            return Ok(false);
        }
        let seen = self.port.run(run).await.map_err(|error| trouble(&error))?;
        Ok(seen.status != Status::InProgress || seen.status_label.is_some())
    }
}

fn trouble(error: &portal::Error) -> Trouble {
    match error {
        portal::Error::Unclear(_) => Trouble::Unclear(error.to_string()),
        portal::Error::RateLimited { until } => {
            Trouble::NotDone { reason: error.to_string(), until: Some(*until) }
        }
        _ => Trouble::NotDone { reason: error.to_string(), until: None },
    }
}

/// Fetches runs until the service stops.
pub(super) async fn poll(
    port: Port,
    intake: Intake,
    settings: PollingSettings,
    stop: CancellationToken,
) {
    let installation = Installation::new(settings.installation);
    if installation.is_agent()
        && let Err(error) = port.announce(Streamer::Polling).await
    {
        tracing::warn!(%error, "Port could not be told that runs are polled; it may still send them by Kafka");
    }
    let offers = PortOffers { port, installation };
    Polling::new(intake, offers, settings.interval).run(stop).await;
}
