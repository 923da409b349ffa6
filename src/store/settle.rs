//! Settling: what a step has come to is written in one transaction with the steps that follow.

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::catalog::EntityChange;
use super::queue::{ClaimedStep, StepId, held, put_off};
use super::rows::{from_json, to_json};
use super::{Result, Store, Tx};
use crate::domain::observation::Link;
use crate::domain::{Operation, RepositoryName, Run, RunId};
use crate::plan::{Decision, Step};

impl Store {
    /// Settles a step of the work lane: the run, its history, what it is found by, what follows, and
    /// what became of an entity are written together, or, if the lease was lost, not at all.
    pub async fn settle(
        &self,
        claimed: &ClaimedStep,
        decision: &Decision,
        entity: Option<&EntityChange>,
    ) -> Result<()> {
        let run = &claimed.run.id;
        let mut tx = self.begin().await?;
        // Nobody may write down an observation under one of these links in between: it would miss
        // the run, and the run would miss it.
        let folders = self.folders_concerned(&mut tx, &claimed.run, &decision.run).await?;
        let parts = decision.parts.iter();
        let links = decision.links.iter().chain(parts.flat_map(|part| &part.links));
        let names = links.map(Link::as_str);
        let names = names.chain(folders.iter().map(String::as_str));
        self.shared.dialect.lock_names(&mut tx, names).await?;
        self.lock_with_others(&mut tx, run, decision).await?;

        self.close_steps(&mut tx, claimed, &[]).await?;
        if decision.run != claimed.run || !decision.events.is_empty() {
            self.update_run(&mut tx, &decision.run).await?;
        }
        self.add_events(&mut tx, run, &decision.events).await?;
        self.add_steps(&mut tx, run, &decision.steps).await?;
        self.add_links(&mut tx, run, &decision.links).await?;
        for link in &decision.unlinks {
            let delete = sqlx::query("DELETE FROM links WHERE link = $1 AND run_id = $2");
            delete.bind(link.as_str()).bind(run.as_str()).execute(&mut *tx).await?;
        }
        self.begin_parts(&mut tx, &decision.parts).await?;
        self.add_to_others(&mut tx, decision).await?;
        if let Some(change) = entity {
            self.change_entity(&mut tx, run, change).await?;
        }
        if let (Step::Begin, Some(entity)) = (&claimed.step, decision.run.request.entity_ref()) {
            self.concerns(&mut tx, run, &entity).await?;
        }
        let next = self.hand_folders_on(&mut tx, &claimed.run, &decision.run, &folders).await?;
        tx.commit().await?;
        self.tell(run);
        self.tell_all(&next);
        self.tell_others_of(decision);
        Ok(())
    }

    /// Puts a step of the work lane off, and writes down what the run says of that.
    pub async fn postpone_and_say(
        &self,
        claimed: &ClaimedStep,
        until: DateTime<Utc>,
        error: &str,
        said: &Decision,
    ) -> Result<()> {
        let run = &claimed.run.id;
        let mut tx = self.begin().await?;
        self.lock_with_others(&mut tx, run, said).await?;
        put_off(&mut tx, claimed, until, error).await?;
        self.update_run(&mut tx, &said.run).await?;
        self.add_events(&mut tx, run, &said.events).await?;
        self.add_steps(&mut tx, run, &said.steps).await?;
        self.add_to_others(&mut tx, said).await?;
        tx.commit().await?;
        self.tell(run);
        self.tell_others_of(said);
        Ok(())
    }

    /// Settles a step of the report lane, and those that were sent with it. Of the run nothing else
    /// is touched: its work may go on at the same time.
    pub async fn settle_report(
        &self,
        claimed: &ClaimedStep,
        also_settled: &[StepId],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        self.close_steps(&mut tx, claimed, also_settled).await?;
        tx.commit().await?;
        self.tell(&claimed.run.id);
        Ok(())
    }

    async fn close_steps(
        &self,
        tx: &mut Tx,
        claimed: &ClaimedStep,
        also_settled: &[StepId],
    ) -> Result<()> {
        let now = self.now();
        let close = sqlx::query(
            "UPDATE steps SET state = 'done', settled_at = $3
             WHERE id = $1 AND claims = $2 AND state = 'claimed'",
        );
        let close = close.bind(claimed.id.0).bind(claimed.claim()).bind(now);
        held(close.execute(&mut **tx).await?.rows_affected())?;
        for also in also_settled {
            let close = sqlx::query(
                "UPDATE steps SET state = 'done', settled_at = $4
                 WHERE id = $1 AND run_id = $2 AND lane = $3 AND state = 'ready'",
            );
            let close = close.bind(also.0).bind(claimed.run.id.as_str());
            close.bind(claimed.step.lane().as_str()).bind(now).execute(&mut **tx).await?;
        }
        Ok(())
    }

    pub(super) async fn update_run(&self, tx: &mut Tx, run: &Run) -> Result<()> {
        let now = self.now();
        let ended_at = run.ended_at.map_or(now, |at| at.timestamp_millis());
        let work = run.work.as_ref().map(|work| to_json("a run's work", work)).transpose()?;
        let update = sqlx::query(
            "UPDATE runs SET
               operation = $2, stage = $3, status = $4, label = $5, repository = $6, links = $7,
               work = $8, updated_at = $9, ended_at = $10,
               look_at = CASE WHEN $10 IS NULL THEN COALESCE(look_at, $9) END, request = $11,
               stage_since = $12, is_late = $13
             WHERE id = $1",
        );
        update
            .bind(run.id.as_str())
            .bind(run.operation.map(Operation::as_str))
            .bind(run.stage.as_str())
            .bind(run.status.as_str())
            .bind(run.label.as_str())
            .bind(run.repository().map(RepositoryName::key))
            .bind(to_json("a run's links", &run.links)?)
            .bind(work)
            .bind(now)
            .bind(run.status.is_end().then_some(ended_at))
            .bind(to_json("a run's request", &run.request)?)
            .bind(run.stage_since.timestamp_millis())
            .bind(i64::from(run.is_late))
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Adds what the run is found by, and takes over what was seen under it before. What was seen
    /// stays there: another run may wait for the same.
    pub(super) async fn add_links(&self, tx: &mut Tx, run: &RunId, links: &[Link]) -> Result<()> {
        let mut adopted = Vec::new();
        for link in links {
            let insert = sqlx::query(
                "INSERT INTO links (link, run_id) VALUES ($1, $2)
                 ON CONFLICT (link, run_id) DO NOTHING",
            );
            let insert = insert.bind(link.as_str()).bind(run.as_str());
            if insert.execute(&mut **tx).await?.rows_affected() == 0 {
                continue;
            }
            let find = sqlx::query(
                "SELECT delivery, observation FROM waiting
                 WHERE link = $1 AND expires_at > $2 ORDER BY expires_at, delivery",
            );
            for row in find.bind(link.as_str()).bind(self.now()).fetch_all(&mut **tx).await? {
                let delivery: String = row.try_get("delivery")?;
                if adopted.contains(&delivery) {
                    continue;
                }
                let seen = from_json("an observation", row.try_get("observation")?)?;
                self.add_steps(tx, run, &[Step::Observe(seen)]).await?;
                adopted.push(delivery);
            }
        }
        Ok(())
    }
}
