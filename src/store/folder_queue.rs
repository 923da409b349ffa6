//! Queues for folders: whoever asked first for one changes it first, in whichever process.

use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _};

use super::append::Write;
use super::rows::{RUN_COLUMNS, id_from, number_from, run_from, to_json};
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Place, Result, Store, Tx};
use crate::domain::{Run, RunId};
use crate::plan::Step;

/// A run that asks for a folder.
pub(super) struct PlaceInLine {
    run: RunId,
    target: String,
}

impl Entry for PlaceInLine {
    /// The run whose turn it is, if that is another one.
    type Outcome = Option<Run>;

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.places
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<Option<Run>>> {
        Ok(store.put_in_line(tx, all).await?.into())
    }
}

impl Store {
    /// Puts a run in line for a folder. Answers the run whose turn it is, if that is another one.
    /// Whoever has asked before keeps its place; a run that is merged or over is in nobody's way.
    pub async fn queue_for(&self, run: &RunId, place: &Place) -> Result<Option<Run>> {
        self.write_down(PlaceInLine { run: run.clone(), target: target_of(place) }).await
    }

    async fn put_in_line(&self, tx: &mut Tx<'_>, all: &[&PlaceInLine]) -> Result<Vec<Option<Run>>> {
        // The order of places is the order of commits, and whoever has asked before is committed.
        let targets = all.iter().map(|it| it.target.as_str());
        self.shared.dialect.lock_names(tx, targets).await?;
        let row = |(n, it): (usize, &&PlaceInLine)| json!({"asked": n, "run": it.run.as_str(), "target": it.target});
        let rows: Vec<_> = all.iter().enumerate().map(row).collect();
        let asked = to_json("rows", &rows)?;
        let statement = "INSERT INTO folder_queues (target, run_id)
             SELECT it ->> 'target', it ->> 'run' FROM {rows} WHERE TRUE ORDER BY n
             ON CONFLICT (target, run_id) DO NOTHING";
        self.write(tx, [Write { statement, rows }]).await?;

        let find = format!(
            "SELECT asked, {RUN_COLUMNS} FROM runs JOIN (
               SELECT CAST(it ->> 'asked' AS BIGINT) AS asked, ahead.id AS place, ahead.run_id
               FROM {}
               JOIN folder_queues AS own
                 ON own.target = it ->> 'target' AND own.run_id = it ->> 'run'
               JOIN folder_queues AS ahead ON ahead.target = own.target AND ahead.id < own.id
             ) AS ahead ON runs.id = ahead.run_id ORDER BY ahead.place",
            self.shared.dialect.rows("$1")
        );
        let find = sqlx::query(AssertSqlSafe(find)).bind(asked);
        let mut first = vec![None; all.len()];
        for row in find.fetch_all(&mut **tx).await? {
            let asked: usize = number_from(&row, "asked")?;
            let run = run_from(&row)?;
            if let Some(first @ None) = first.get_mut(asked)
                && run.needs_its_target()
            {
                *first = Some(run);
            }
        }
        Ok(first)
    }

    /// The folders for which settlements matter to others.
    pub(super) async fn folders_concerned(
        &self,
        tx: &mut Tx<'_>,
        concerned: &[(RunId, Folders)],
    ) -> Result<Vec<String>> {
        let mut folders = Vec::new();
        for (run, _) in concerned {
            let find = sqlx::query("SELECT target FROM folder_queues WHERE run_id = $1");
            for row in find.bind(run.as_str()).fetch_all(&mut **tx).await? {
                folders.push(row.try_get("target")?);
            }
        }
        Ok(folders)
    }

    /// Has those that wait behind these runs try again, and takes away the places of those that no
    /// longer need them. The folders are locked. Answers the runs that have a new step by it.
    pub(super) async fn hand_folders_on(
        &self,
        tx: &mut Tx<'_>,
        concerned: &[(RunId, Folders)],
    ) -> Result<Vec<RunId>> {
        if concerned.is_empty() {
            return Ok(Vec::new());
        }
        let row = |(run, _): &(RunId, Folders)| json!({"run": run.as_str()});
        let find = format!(
            "SELECT behind.run_id AS run FROM {}
             JOIN folder_queues AS own ON own.run_id = it ->> 'run'
             JOIN folder_queues AS behind ON behind.target = own.target AND behind.id > own.id
             ORDER BY n, behind.id",
            self.shared.dialect.rows("$1")
        );
        let rows: Vec<_> = concerned.iter().map(row).collect();
        let find = sqlx::query(AssertSqlSafe(find)).bind(to_json("rows", &rows)?);
        let behind = find.fetch_all(&mut **tx).await?;
        let behind = behind.iter().map(|row| id_from(row, "run")).collect::<Result<Vec<_>>>()?;

        let let_go = concerned.iter().filter(|(_, folders)| *folders == Folders::LetGo);
        let statement =
            "DELETE FROM folder_queues WHERE run_id IN (SELECT it ->> 'run' FROM {rows})";
        self.write(tx, [Write { statement, rows: let_go.map(row).collect() }]).await?;
        for waiting in &behind {
            self.lock_run(tx, waiting).await?;
            self.add_steps(tx, waiting, &[Step::Propose]).await?;
        }
        Ok(behind)
    }
}

/// What a settlement of a run means to those that wait behind it for a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folders {
    /// Nothing.
    Kept,
    /// It has a pull request now, which they can name.
    Shown,
    /// It needs its folders no longer.
    LetGo,
}

impl Folders {
    pub(super) fn of(before: &Run, after: &Run) -> Self {
        if before.needs_its_target() && !after.needs_its_target() {
            Self::LetGo
        } else if before.pull_request().is_none() && after.pull_request().is_some() {
            Self::Shown
        } else {
            Self::Kept
        }
    }
}

fn target_of(place: &Place) -> String {
    format!("{}:{}", place.repository.key(), place.path)
}
