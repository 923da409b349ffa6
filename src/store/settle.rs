//! Settling: what a step has come to is written in one transaction with the steps that follow.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _};

use super::append::{NewRow, Write, gone_links, new_events, new_steps};
use super::catalog::EntityChange;
use super::dialect::Dialect;
use super::folder_queue::Folders;
use super::queue::{ClaimedStep, StepId, put_off};
use super::rows::to_json;
use super::run_rows::changed_runs;
use super::seen::concerned;
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Error, Result, Store, Tx};
use crate::domain::observation::Link;
use crate::domain::{EntityRef, RunId};
use crate::plan::{Decision, Step};

/// What a settled step has come to, ready to be written.
pub(super) struct Settlement {
    step: StepId,
    claim: i64,
    run: RunId,
    /// Steps of the report lane that were sent with it.
    also: Vec<NewRow>,
    changed: Option<NewRow>,
    events: Vec<NewRow>,
    steps: Vec<NewRow>,
    links: Vec<(RunId, Link)>,
    unlinks: Vec<(RunId, Link)>,
    concerns: Option<EntityRef>,
    folders: Folders,
    parts: Vec<Decision>,
    others: Vec<(RunId, Step)>,
    entity: Option<EntityChange>,
}

impl Entry for Settlement {
    /// Whether the claim still held. If it did not, nothing is written.
    type Outcome = bool;

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.settlements
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<bool>> {
        store.write_settlements(tx, all).await
    }
}

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
        let of_run =
            |links: &[Link]| links.iter().map(|link| (run.clone(), link.clone())).collect();
        let has_changed = decision.run != claimed.run || !decision.events.is_empty();
        let concerns =
            if let Step::Begin = claimed.step { decision.run.request.entity_ref() } else { None };
        self.write_settlement(Settlement {
            changed: has_changed.then(|| self.run_row(&decision.run)).transpose()?,
            events: decision.events.iter().map(|event| self.event_row(run, event)).collect(),
            steps: self.step_rows(run, &decision.steps)?,
            links: of_run(&decision.links),
            unlinks: of_run(&decision.unlinks),
            concerns,
            folders: Folders::of(&claimed.run, &decision.run),
            parts: decision.parts.clone(),
            others: decision.others.clone(),
            entity: entity.cloned(),
            ..Settlement::of(claimed)
        })
        .await
    }

    /// Settles a step of the report lane, and those that were sent with it. Of the run nothing else
    /// is touched: its work may go on at the same time.
    pub async fn settle_report(
        &self,
        claimed: &ClaimedStep,
        also_settled: &[StepId],
    ) -> Result<()> {
        let (run, lane) = (claimed.run.id.as_str(), claimed.step.lane().as_str());
        let now = self.now();
        let also = also_settled
            .iter()
            .map(|also| json!({"id": also.0, "run": run, "lane": lane, "now": now}));
        let settlement = Settlement { also: also.collect(), ..Settlement::of(claimed) };
        self.write_settlement(settlement).await
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
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        self.lock_with_others(&mut tx, run, &said.others).await?;
        put_off(&mut tx, claimed, until, error).await?;
        let events = said.events.iter().map(|event| self.event_row(run, event)).collect();
        let tables = [
            changed_runs(vec![self.run_row(&said.run)?]),
            new_events(events),
            new_steps(self.step_rows(run, &said.steps)?),
        ];
        self.write(&mut tx, tables).await?;
        self.add_to_others(&mut tx, &said.others).await?;
        tx.commit().await?;
        self.tell(run);
        self.tell_others_of(&said.others);
        Ok(())
    }

    async fn write_settlement(&self, settlement: Settlement) -> Result<()> {
        if self.write_down(settlement).await? { Ok(()) } else { Err(Error::LeaseLost) }
    }

    async fn write_settlements(
        &self,
        tx: &mut Tx<'_>,
        all: &[&Settlement],
    ) -> Result<Written<bool>> {
        self.lock_what_is_settled(tx, all).await?;
        let held = self.close_steps(tx, all).await?;
        let outcomes = all.iter().map(|it| held.contains(&it.step)).collect();
        let held = all.iter().copied().filter(|it| held.contains(&it.step)).collect::<Vec<_>>();
        let changed = if held.is_empty() { Vec::new() } else { self.write_held(tx, &held).await? };
        Ok(Written { outcomes, changed })
    }

    /// Writes what the steps have come to whose claims still held. Answers the runs that are changed
    /// by it.
    async fn write_held(&self, tx: &mut Tx<'_>, all: &[&Settlement]) -> Result<Vec<RunId>> {
        let links = gather(all, |it| &it.links);
        let mut steps = gather(all, |it| &it.steps);
        steps.extend(self.adopted(tx, &links).await?);
        let concerns = all.iter().filter_map(|it| Some((&it.run, it.concerns.as_ref()?)));
        let tables = [
            closed_also(gather(all, |it| &it.also)),
            changed_runs(gather(all, |it| it.changed.as_slice())),
            new_events(gather(all, |it| &it.events)),
            self.new_links(&links),
            new_steps(steps),
            gone_links(&gather(all, |it| &it.unlinks)),
            concerned(concerns),
        ];
        self.write(tx, tables).await?;
        let mut changed = Vec::new();
        for settlement in all {
            self.begin_parts(tx, &settlement.parts).await?;
            self.add_to_others(tx, &settlement.others).await?;
            if let Some(change) = &settlement.entity {
                self.change_entity(tx, &settlement.run, change).await?;
            }
            changed.push(settlement.run.clone());
            changed.extend(settlement.others.iter().map(|(other, _)| other.clone()));
        }
        changed.extend(self.hand_folders_on(tx, &folders_of(all)).await?);
        Ok(changed)
    }

    /// Nobody may write down an observation under one of the new links in between: it would miss the
    /// run, and the run would miss it.
    async fn lock_what_is_settled(&self, tx: &mut Tx<'_>, all: &[&Settlement]) -> Result<()> {
        if self.shared.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let folders = self.folders_concerned(tx, &folders_of(all)).await?;
        let parts = all.iter().flat_map(|it| &it.parts).flat_map(|part| &part.links);
        let links = all.iter().flat_map(|it| &it.links).map(|(_, link)| link).chain(parts);
        let names = links.map(Link::as_str).chain(folders.iter().map(String::as_str));
        self.shared.dialect.lock_names(tx, names).await?;
        for settlement in all {
            self.lock_with_others(tx, &settlement.run, &settlement.others).await?;
        }
        Ok(())
    }

    /// Answers the steps whose claims still held.
    async fn close_steps(&self, tx: &mut Tx<'_>, all: &[&Settlement]) -> Result<HashSet<StepId>> {
        let now = self.now();
        let rows: Vec<_> =
            all.iter().map(|it| json!({"id": it.step.0, "claim": it.claim})).collect();
        let close = format!(
            "UPDATE steps SET state = 'done', settled_at = $2 FROM {}
             WHERE steps.id = CAST(it ->> 'id' AS BIGINT)
               AND claims = CAST(it ->> 'claim' AS BIGINT) AND state = 'claimed'
             RETURNING steps.id AS id",
            self.shared.dialect.rows("$1")
        );
        let close = sqlx::query(AssertSqlSafe(close)).bind(to_json("rows", &rows)?).bind(now);
        let rows = close.fetch_all(&mut **tx).await?;
        rows.iter().map(|row| Ok(StepId(row.try_get("id")?))).collect()
    }
}

/// Steps of the report lane that were sent with others.
fn closed_also(rows: Vec<NewRow>) -> Write {
    let statement = "UPDATE steps SET state = 'done', settled_at = CAST(it ->> 'now' AS BIGINT)
         FROM {rows} WHERE steps.id = CAST(it ->> 'id' AS BIGINT) AND run_id = it ->> 'run'
           AND lane = it ->> 'lane' AND state = 'ready'";
    Write { statement, rows }
}

impl Settlement {
    /// The step is settled, and nothing else has changed.
    fn of(claimed: &ClaimedStep) -> Self {
        Self {
            step: claimed.id,
            claim: claimed.claim(),
            run: claimed.run.id.clone(),
            also: Vec::new(),
            changed: None,
            events: Vec::new(),
            steps: Vec::new(),
            links: Vec::new(),
            unlinks: Vec::new(),
            concerns: None,
            folders: Folders::Kept,
            parts: Vec::new(),
            others: Vec::new(),
            entity: None,
        }
    }
}

/// The same of all.
fn gather<T: Clone>(all: &[&Settlement], of: impl Fn(&Settlement) -> &[T]) -> Vec<T> {
    all.iter().flat_map(|settlement| of(settlement)).cloned().collect()
}

fn folders_of(all: &[&Settlement]) -> Vec<(RunId, Folders)> {
    let concerned = all.iter().filter(|settlement| settlement.folders != Folders::Kept);
    concerned.map(|settlement| (settlement.run.clone(), settlement.folders)).collect()
}
