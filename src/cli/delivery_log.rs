//! GitHub's log of deliveries, as what intake takes failed ones from.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::github::{self, GitHub};
use crate::intake::lost::{DeliveryLog, Undelivered};

impl DeliveryLog for GitHub {
    async fn failed(&self, since: DateTime<Utc>) -> Result<Vec<Undelivered>, String> {
        let failed = self.failed_deliveries(since).await.map_err(|error| error.to_string())?;
        let undelivered = |failed: github::FailedDelivery| Undelivered {
            id: failed.id,
            guid: failed.guid,
            event: failed.event,
        };
        Ok(failed.into_iter().map(undelivered).collect())
    }

    async fn payload(&self, id: u64) -> Result<Option<Value>, String> {
        match self.delivery_payload(id).await {
            Ok(payload) => Ok(Some(payload)),
            Err(
                error @ (github::Error::RateLimited { .. }
                | github::Error::Unavailable { .. }
                | github::Error::Unauthorized { .. }),
            ) => Err(error.to_string()),
            // One that cannot be read holds up none behind it.
            Err(error) => {
                tracing::info!(%error, "a delivery's payload cannot be read");
                Ok(None)
            }
        }
    }
}
