//! What people look at beside a run itself: the change as it was proposed last, and which runs
//! concern an entity.

use serde_json::json;
use sqlx::Row as _;

use super::append::{NewRow, Write};
use super::rows::{from_json, to_json};
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Result, Store, Tx};
use crate::domain::{EntityRef, RunId};

/// A run's change, as the row that keeps it.
pub(super) struct Patches(NewRow);

impl Entry for Patches {
    type Outcome = ();

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.patches
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<()>> {
        let statement = "INSERT INTO patches (run_id, patches)
             SELECT it ->> 'run', it ->> 'patches' FROM {rows} WHERE TRUE
             ON CONFLICT (run_id) DO UPDATE SET patches = excluded.patches";
        let rows = all.iter().map(|patches| patches.0.clone()).collect();
        store.write(tx, [Write { statement, rows }]).await?;
        Ok(vec![(); all.len()].into())
    }
}

impl Store {
    /// Keeps the change of a run, as a unified diff for each file, in place of what was kept before.
    pub async fn keep_patches(&self, run: &RunId, patches: &[String]) -> Result<()> {
        let patches = to_json("patches", &patches)?;
        self.write_down(Patches(json!({"run": run.as_str(), "patches": patches}))).await
    }

    /// The change of a run as it was proposed last; empty where it has proposed none.
    pub async fn patches_of(&self, run: &RunId) -> Result<Vec<String>> {
        let find = sqlx::query("SELECT patches FROM patches WHERE run_id = $1");
        let row = self.shared.read.fetch_optional(find.bind(run.as_str())).await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        from_json("patches", row.try_get("patches")?)
    }
}

/// The entities that runs concern.
pub(super) fn concerned<'a>(all: impl Iterator<Item = (&'a RunId, &'a EntityRef)>) -> Write {
    let statement = "INSERT INTO entity_runs (blueprint, identifier, run_id)
         SELECT it ->> 'blueprint', it ->> 'identifier', it ->> 'run' FROM {rows} WHERE TRUE
         ON CONFLICT (blueprint, identifier, run_id) DO NOTHING";
    let row = |(run, entity): (&RunId, &EntityRef)| {
        json!({
            "run": run.as_str(),
            "blueprint": entity.blueprint.as_str(),
            "identifier": entity.identifier.as_str(),
        })
    };
    Write { statement, rows: all.map(row).collect() }
}
