//! Calls about entities of the catalog.

use reqwest::Method;
use serde_json::json;

use super::transport::Call;
use super::{Error, Port};
use crate::domain::{EntityRef, EntityUpsert, RunId};

impl Port {
    /// Writes an entity: made if it is not there, else changed where the values are named. With a
    /// run, the change is shown there; Port takes that only while the run is in progress.
    pub async fn upsert_entity(
        &self,
        entity: &EntityUpsert,
        run: Option<&RunId>,
    ) -> Result<(), Error> {
        let blueprint = entity.entity.blueprint.as_str();
        let call = Call::new(Method::POST, ["blueprints", blueprint, "entities"])
            .query("upsert", "true")
            // Without it, Port replaces the whole entity.
            .query("merge", "true")
            .for_run(run);
        self.transport.write(call.body(json!(entity))).await
    }

    /// Removes an entity. One that is not there is removed.
    pub async fn delete_entity(
        &self,
        entity: &EntityRef,
        run: Option<&RunId>,
    ) -> Result<(), Error> {
        let (blueprint, identifier) = (entity.blueprint.as_str(), entity.identifier.as_str());
        let call = Call::new(Method::DELETE, ["blueprints", blueprint, "entities", identifier])
            .query("delete_dependents", "false")
            .for_run(run);
        match self.transport.write(call).await {
            Err(Error::NotFound(_)) => Ok(()),
            answered => answered,
        }
    }
}
