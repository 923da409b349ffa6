//! What is done now and then: asking GitHub about silent runs, cursors.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::{RUN_COLUMNS, id_from, run_from};
use super::{ClaimedStep, Result, Store, Tx};
use crate::domain::{DeliveryId, Link, Run, RunId};
use crate::plan::Step;
use crate::plan::step::{Cancel, Lane};

impl Store {
    /// Open runs for which it is time to see whether they have been silent too long.
    pub async fn runs_to_look_at(&self, limit: u32) -> Result<Vec<Run>> {
        let sql = format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE look_at IS NOT NULL AND look_at <= $1
             ORDER BY look_at LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(self.now()).bind(i64::from(limit));
        self.shared.read.fetch_all(query).await?.iter().map(run_from).collect()
    }

    /// The runs that are found by a link.
    pub async fn runs_by_link(&self, link: &Link) -> Result<Vec<RunId>> {
        let query = sqlx::query("SELECT run_id FROM links WHERE link = $1");
        let rows = self.shared.read.fetch_all(query.bind(link.as_str())).await?;
        rows.iter().map(|row| id_from(row, "run_id")).collect()
    }

    /// Sets when a run comes up in [`Store::runs_to_look_at`] again, if it is open.
    pub async fn look_again_at(&self, run: &RunId, at: DateTime<Utc>) -> Result<()> {
        let update =
            sqlx::query("UPDATE runs SET look_at = $2 WHERE id = $1 AND look_at IS NOT NULL");
        let update = update.bind(run.as_str()).bind(at.timestamp_millis());
        self.shared.write.execute(update).await?;
        Ok(())
    }

    /// Adds a step that asks GitHub to each of these runs, unless one already waits there.
    pub async fn request_look(&self, runs: &[RunId]) -> Result<()> {
        for run in runs {
            let mut writer = self.shared.write.lend().await?;
            let mut tx = writer.begin().await?;
            self.lock_run(&mut tx, run).await?;
            let waits = sqlx::query(
                "SELECT id FROM steps WHERE run_id = $1 AND settled_at IS NULL AND kind = $2",
            );
            let waits = waits.bind(run.as_str()).bind(Step::Look.kind());
            if waits.fetch_optional(&mut *tx).await?.is_some() {
                continue;
            }
            self.add_steps(&mut tx, run, &[Step::Look]).await?;
            tx.commit().await?;
            self.tell(run);
        }
        Ok(())
    }

    /// Adds a step that cancels a run, unless one already waits there.
    pub async fn request_cancel(&self, run: &RunId, by: &str) -> Result<()> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        self.lock_run(&mut tx, run).await?;
        let waits = sqlx::query(
            "SELECT id FROM steps WHERE run_id = $1 AND settled_at IS NULL AND kind = $2",
        );
        let waits = waits.bind(run.as_str()).bind(Step::CANCEL);
        if waits.fetch_optional(&mut *tx).await?.is_some() {
            return Ok(());
        }
        self.hurry(&mut tx, run).await?;
        let step = Step::Cancel(Cancel { by: by.to_owned() });
        self.add_steps(&mut tx, run, &[step]).await?;
        tx.commit().await?;
        self.tell(run);
        Ok(())
    }

    /// Before a step that cancels a run: what waits there is taken up now, whatever it waits for, so
    /// that it can see that it is not wanted any more.
    pub(super) async fn hurry(&self, tx: &mut Tx<'_>, run: &RunId) -> Result<()> {
        let hurry = sqlx::query(
            "UPDATE steps SET due_at = $3
             WHERE run_id = $1 AND lane = $2 AND state = 'ready' AND due_at > $3",
        );
        let hurry = hurry.bind(run.as_str()).bind(Lane::Work.as_str()).bind(self.now());
        hurry.execute(&mut **tx).await?;
        Ok(())
    }

    /// Whether what a step creates may have been sent.
    pub async fn has_begun_to_create(&self, step: &ClaimedStep) -> Result<bool> {
        let query = sqlx::query("SELECT step FROM writes WHERE step = $1 AND begun = 1");
        Ok(self.shared.read.fetch_optional(query.bind(step.id.0)).await?.is_some())
    }

    /// Whether a delivery was handled: it concerned a run, or was noted.
    pub async fn was_handled(&self, delivery: &DeliveryId) -> Result<bool> {
        let query = sqlx::query("SELECT id FROM deliveries WHERE id = $1").bind(delivery.as_str());
        Ok(self.shared.read.fetch_optional(query).await?.is_some())
    }

    /// Notes that a delivery needs no handling any more, also one that concerned no run.
    pub async fn note_handled(&self, delivery: &DeliveryId) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO deliveries (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        );
        let insert = insert.bind(delivery.as_str()).bind(self.now());
        self.shared.write.execute(insert).await?;
        Ok(())
    }

    /// Remembers a small thing under a name.
    pub async fn keep(&self, name: &str, value: &str) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO kept (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        );
        self.shared.write.execute(insert.bind(name).bind(value)).await?;
        Ok(())
    }

    /// What was last remembered under a name.
    pub async fn kept(&self, name: &str) -> Result<Option<String>> {
        let query = sqlx::query("SELECT value FROM kept WHERE name = $1").bind(name);
        let row = self.shared.read.fetch_optional(query).await?;
        Ok(row.map(|row| row.try_get("value")).transpose()?)
    }
}
