//! A run and its parts: each is a row, a history and two lanes of its own, and what one decides for
//! another is a step there, written in the same transaction.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Row as _};

use super::append::new_steps;
use super::catalog::place_from;
use super::rows::{RUN_COLUMNS, run_from};
use super::run_rows::changed_runs;
use super::{Place, Result, Store, Tx};
use crate::domain::{EntityRef, Run, RunId, TargetName};
use crate::plan::{Decision, Step};

impl Store {
    /// The parts of a run, in the order of the template's targets.
    pub async fn parts_of(&self, whole: &RunId) -> Result<Vec<Run>> {
        let sql =
            format!("SELECT {RUN_COLUMNS} FROM runs WHERE whole = $1 ORDER BY LENGTH(id), id");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(whole.as_str());
        self.shared.read.fetch_all(query).await?.iter().map(run_from).collect()
    }

    /// Where the files of an entity lie for one of its template's targets.
    pub async fn part_place(
        &self,
        entity: &EntityRef,
        target: &TargetName,
    ) -> Result<Option<Place>> {
        let find = sqlx::query(
            "SELECT repository, path FROM part_places
             WHERE blueprint = $1 AND identifier = $2 AND target = $3",
        );
        let find = find.bind(entity.blueprint.as_str()).bind(entity.identifier.as_str());
        let row = self.shared.read.fetch_optional(find.bind(target.as_str())).await?;
        let place =
            |row: sqlx::any::AnyRow| place_from(row.try_get("repository")?, row.try_get("path")?);
        row.map(place).transpose()
    }

    /// Nobody else adds a step to any of these runs until the transaction has ended. In the order of
    /// their names, so that nobody waits for who waits for them.
    pub(super) async fn lock_with_others(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        others: &[(RunId, Step)],
    ) -> Result<()> {
        let others = others.iter().map(|(other, _)| other);
        let all: BTreeSet<&RunId> = others.chain([run]).collect();
        for run in all {
            self.lock_run(tx, run).await?;
        }
        Ok(())
    }

    /// Writes down runs that a decision has made, with what they are found by and without a step.
    pub(super) async fn begin_parts(&self, tx: &mut Tx<'_>, parts: &[Decision]) -> Result<()> {
        let runs: Vec<Run> = parts.iter().map(|part| part.run.clone()).collect();
        let new = self.insert_runs(tx, &runs).await?;
        let new: Vec<&Decision> = parts.iter().filter(|part| new.contains(&part.run.id)).collect();
        let rows = new.iter().map(|part| self.run_row(&part.run)).collect::<Result<Vec<_>>>()?;
        let links = new.iter().flat_map(|part| part.links.iter().map(|link| (&part.run.id, link)));
        let links: Vec<_> = links.map(|(run, link)| (run.clone(), link.clone())).collect();
        let adopted = self.adopted(tx, &links).await?;
        self.write(tx, [changed_runs(rows), self.new_links(&links), new_steps(adopted)]).await
    }

    /// Adds what a decision has for other runs to do. They are locked.
    pub(super) async fn add_to_others(
        &self,
        tx: &mut Tx<'_>,
        others: &[(RunId, Step)],
    ) -> Result<()> {
        for (other, step) in others {
            if let Step::Cancel(_) = step {
                self.hurry(tx, other).await?;
            }
            self.add_steps(tx, other, std::slice::from_ref(step)).await?;
        }
        Ok(())
    }

    /// To be called after the commit.
    pub(super) fn tell_others_of(&self, others: &[(RunId, Step)]) {
        for (other, _) in others {
            self.tell(other);
        }
    }

    pub(super) async fn put_part_place(
        &self,
        tx: &mut Tx<'_>,
        entity: &EntityRef,
        target: &TargetName,
        place: &Place,
    ) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO part_places (blueprint, identifier, target, repository, path)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (blueprint, identifier, target) DO UPDATE SET
               repository = excluded.repository, path = excluded.path",
        );
        let insert = insert.bind(entity.blueprint.as_str()).bind(entity.identifier.as_str());
        let insert = insert.bind(target.as_str()).bind(place.repository.to_string());
        insert.bind(place.path.as_str()).execute(&mut **tx).await?;
        Ok(())
    }

    pub(super) async fn forget_part_places(
        &self,
        tx: &mut Tx<'_>,
        entity: &EntityRef,
    ) -> Result<()> {
        let delete =
            sqlx::query("DELETE FROM part_places WHERE blueprint = $1 AND identifier = $2");
        let delete = delete.bind(entity.blueprint.as_str()).bind(entity.identifier.as_str());
        delete.execute(&mut **tx).await?;
        Ok(())
    }
}
