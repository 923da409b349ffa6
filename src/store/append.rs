//! Adding to runs: steps at the end of their lanes, lines to their histories, what they are found by.
//! However many rows there are and whatever runs they are of, they are one statement for each table.

use std::collections::HashSet;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use super::dialect::Dialect;
use super::rows::{from_json, id_from, to_json};
use super::{Result, Store, Tx};
use crate::domain::observation::Link;
use crate::domain::{Event, RunId};
use crate::plan::Step;

/// A row to be written, by the names of its columns.
pub(super) type NewRow = Value;

/// Rows, and the statement that writes them: `{rows}` in it stands for them.
pub(super) struct Write {
    pub(super) statement: &'static str,
    pub(super) rows: Vec<NewRow>,
}

impl Store {
    /// Nobody else adds a step to the run until the transaction has ended.
    pub(super) async fn lock_run(&self, tx: &mut Tx<'_>, run: &RunId) -> Result<()> {
        if self.shared.dialect == Dialect::Postgres {
            let lock = sqlx::query("SELECT id FROM runs WHERE id = $1 FOR UPDATE");
            lock.bind(run.as_str()).fetch_optional(&mut **tx).await?;
        }
        Ok(())
    }

    /// Adds steps at the end of a run's lanes. The run is locked, or new.
    pub(super) async fn add_steps(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        steps: &[Step],
    ) -> Result<()> {
        self.write(tx, [new_steps(self.step_rows(run, steps)?)]).await
    }

    pub(super) fn step_rows(&self, run: &RunId, steps: &[Step]) -> Result<Vec<NewRow>> {
        steps.iter().map(|step| self.step_row(run, step)).collect()
    }

    pub(super) fn step_row(&self, run: &RunId, step: &Step) -> Result<NewRow> {
        let now = self.now();
        Ok(json!({
            "run": run.as_str(),
            "lane": step.lane().as_str(),
            "kind": step.kind(),
            "payload": to_json("a step", step)?,
            "due_at": now + i64::try_from(step.delay().as_millis()).unwrap_or(0),
            "created_at": now,
        }))
    }

    /// Adds lines to the run's history. The run is locked, or new.
    pub(super) async fn add_events(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        events: &[Event],
    ) -> Result<()> {
        let rows = events.iter().map(|event| self.event_row(run, event)).collect();
        self.write(tx, [new_events(rows)]).await
    }

    pub(super) fn event_row(&self, run: &RunId, event: &Event) -> NewRow {
        json!({
            "run": run.as_str(),
            "at": self.now(),
            "kind": event.kind.as_str(),
            "message": without_nul(&event.message),
        })
    }

    /// What was seen under links before they are a run's, which takes it over, as steps to be added.
    /// What was seen stays there: another run may wait for the same.
    pub(super) async fn adopted(
        &self,
        tx: &mut Tx<'_>,
        links: &[(RunId, Link)],
    ) -> Result<Vec<NewRow>> {
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let rows = link_rows(links);
        let find = format!(
            "SELECT it ->> 'run' AS run, delivery, observation
             FROM {} JOIN waiting ON waiting.link = it ->> 'link'
             WHERE expires_at > $2 AND NOT EXISTS
               (SELECT 1 FROM links WHERE links.link = it ->> 'link' AND run_id = it ->> 'run')
             ORDER BY n, expires_at, delivery",
            self.shared.dialect.rows("$1")
        );
        let find = sqlx::query(AssertSqlSafe(find)).bind(to_json("rows", &rows)?).bind(self.now());
        let mut adopted = HashSet::new();
        let mut steps = Vec::new();
        for row in find.fetch_all(&mut **tx).await? {
            let run = id_from(&row, "run")?;
            let delivery: String = row.try_get("delivery")?;
            let seen = from_json("an observation", row.try_get("observation")?)?;
            if adopted.insert((run.clone(), delivery)) {
                steps.push(self.step_row(&run, &Step::Observe(seen))?);
            }
        }
        Ok(steps)
    }

    /// What runs are found by from now on.
    pub(super) fn new_links(&self, links: &[(RunId, Link)]) -> Write {
        self.remember(links.iter().map(|(_, link)| link));
        let statement = "INSERT INTO links (link, run_id) SELECT it ->> 'link', it ->> 'run'
             FROM {rows} WHERE TRUE ON CONFLICT (link, run_id) DO NOTHING";
        Write { statement, rows: link_rows(links) }
    }

    /// Executes the statements that have rows, one after another. SQLite gets all at once: the way to
    /// its thread and back costs more than most of them.
    pub(super) async fn write(
        &self,
        tx: &mut Tx<'_>,
        writes: impl IntoIterator<Item = Write>,
    ) -> Result<()> {
        let dialect = self.shared.dialect;
        let writes = writes.into_iter().filter(|write| !write.rows.is_empty());
        let writes: Vec<Write> = writes.collect();
        let at_once = if dialect == Dialect::Sqlite { writes.len().max(1) } else { 1 };
        for together in writes.chunks(at_once) {
            let numbered = together.iter().zip(1..).map(|(write, n)| {
                write.statement.replace("{rows}", &dialect.rows(&format!("${n}")))
            });
            let statements = numbered.collect::<Vec<_>>().join(";\n");
            let mut statements = sqlx::query(AssertSqlSafe(statements));
            for write in together {
                statements = statements.bind(to_json("rows", &write.rows)?);
            }
            statements.execute(&mut **tx).await?;
        }
        Ok(())
    }
}

/// The runs are locked, or new.
pub(super) fn new_steps(rows: Vec<NewRow>) -> Write {
    let statement = "INSERT INTO steps
           (run_id, lane, kind, payload, state, attempt, claims, due_at, created_at)
         SELECT it ->> 'run', it ->> 'lane', it ->> 'kind', it ->> 'payload', 'ready', 1, 0,
           CAST(it ->> 'due_at' AS BIGINT), CAST(it ->> 'created_at' AS BIGINT)
         FROM {rows} ORDER BY n";
    Write { statement, rows }
}

/// The runs are locked, or new.
pub(super) fn new_events(rows: Vec<NewRow>) -> Write {
    let statement = "INSERT INTO events (run_id, seq, at, kind, message)
         SELECT it ->> 'run',
           (SELECT COALESCE(MAX(seq), 0) FROM events WHERE run_id = it ->> 'run')
             + ROW_NUMBER() OVER (PARTITION BY it ->> 'run' ORDER BY n),
           CAST(it ->> 'at' AS BIGINT), it ->> 'kind', it ->> 'message'
         FROM {rows}";
    Write { statement, rows }
}

/// What runs are found by no longer.
pub(super) fn gone_links(links: &[(RunId, Link)]) -> Write {
    let statement = "DELETE FROM links WHERE (link, run_id) IN
           (SELECT it ->> 'link', it ->> 'run' FROM {rows})";
    Write { statement, rows: link_rows(links) }
}

/// A text as both databases read it out of JSON: one ends it at the character NUL, the other refuses
/// it.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn link_rows(links: &[(RunId, Link)]) -> Vec<NewRow> {
    let row = |(run, link): &(RunId, Link)| json!({"run": run.as_str(), "link": link.as_str()});
    links.iter().map(row).collect()
}
