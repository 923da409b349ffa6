//! Which processes work, and which of them tries a step that is suspected of ending them. So a step
//! that ends the program is told from one that was only under way when it was ended from outside.

use std::time::Duration;

use sqlx::Row as _;

use super::queue::ClaimedStep;
use super::{Holder, Result, Store};

/// After so many ends in a row a step is suspected of them, and is tried when no other suspect is.
pub(crate) const SUSPECTED: u32 = 2;

/// Under this name, one process at a time decides who tries a suspect.
const TRIAL: &str = "trial of a step";

impl Store {
    /// Says that a process is there, for so long from now.
    pub async fn is_there(&self, process: Holder, length: Duration) -> Result<()> {
        let say = sqlx::query(
            "INSERT INTO processes (holder, until) VALUES ($1, $2)
             ON CONFLICT (holder) DO UPDATE SET until = excluded.until",
        );
        self.shared.write.execute(say.bind(process.number()).bind(self.in_time(length))).await?;
        Ok(())
    }

    /// Says that a process ends as it was told to.
    pub async fn leaves(&self, process: Holder) -> Result<()> {
        let leave = sqlx::query("DELETE FROM processes WHERE holder = $1").bind(process.number());
        self.shared.write.execute(leave).await?;
        Ok(())
    }

    /// Takes note of other processes that ended without a word. One that tried no suspect was ended by
    /// something else, which may have ended those before as well: what is counted against a suspect
    /// begins anew.
    pub async fn note_ended_processes(&self, process: Holder) -> Result<()> {
        let (now, own) = (self.now(), process.number());
        let silent = "SELECT holder FROM processes WHERE until <= $1 AND holder <> $2";
        let silent = sqlx::query(silent).bind(now).bind(own);
        if self.shared.read.fetch_optional(silent).await?.is_none() {
            return Ok(());
        }
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let ended = "DELETE FROM processes WHERE until <= $1 AND holder <> $2 RETURNING suspect";
        let ended = sqlx::query(ended).bind(now).bind(own);
        let rows = ended.fetch_all(&mut *tx).await?;
        let tried = rows.iter().map(|row| row.try_get::<Option<i64>, _>("suspect"));
        if tried.collect::<std::result::Result<Vec<_>, _>>()?.contains(&None) {
            let anew = sqlx::query(
                "UPDATE steps SET interrupted = $1 WHERE interrupted > $1 AND settled_at IS NULL",
            );
            anew.bind(i64::from(SUSPECTED)).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether a process may try a suspect now: nobody tries another.
    pub async fn begin_trial(
        &self,
        process: Holder,
        suspect: &ClaimedStep,
        length: Duration,
    ) -> Result<bool> {
        let others = sqlx::query("SELECT holder FROM processes WHERE suspect IS NOT NULL");
        if self.shared.read.fetch_optional(others).await?.is_some() {
            return Ok(false);
        }
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        self.shared.dialect.lock_names(&mut tx, std::iter::once(TRIAL)).await?;
        let begin = sqlx::query(
            "INSERT INTO processes (holder, until, suspect)
             SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM processes WHERE suspect IS NOT NULL)
             ON CONFLICT (holder) DO UPDATE SET until = excluded.until, suspect = excluded.suspect",
        );
        let begin = begin.bind(process.number()).bind(self.in_time(length)).bind(suspect.id.0);
        let has_begun = begin.execute(&mut *tx).await?.rows_affected() > 0;
        tx.commit().await?;
        Ok(has_begun)
    }

    /// The trial has come to an end, and the process has not.
    pub async fn end_trial(&self, process: Holder) -> Result<()> {
        let end = sqlx::query("UPDATE processes SET suspect = NULL WHERE holder = $1");
        self.shared.write.execute(end.bind(process.number())).await?;
        Ok(())
    }

    /// A claim was lost although its process lives: the machine or the database stood still for too
    /// long. Whoever has taken the step up has counted an end that was none, or will; at least one is
    /// left, because whoever has it is to look before acting.
    pub async fn outlives_its_claim(&self, claimed: &ClaimedStep) -> Result<()> {
        let take_back = sqlx::query(
            "UPDATE steps SET interrupted = interrupted - 1
             WHERE id = $1 AND settled_at IS NULL
               AND (claims = $2 AND state = 'claimed' AND interrupted > 0
                    OR claims > $2 AND state <> 'parked' AND interrupted > 1)",
        );
        let take_back = take_back.bind(claimed.id.0).bind(claimed.claim());
        self.shared.write.execute(take_back).await?;
        Ok(())
    }

    /// How often in a row the program has ended while it did this step, as it is known now.
    pub async fn interruptions(&self, claimed: &ClaimedStep) -> Result<u32> {
        let ask = sqlx::query("SELECT interrupted FROM steps WHERE id = $1").bind(claimed.id.0);
        super::rows::number_from(&self.shared.read.fetch_one(ask).await?, "interrupted")
    }

    fn in_time(&self, length: Duration) -> i64 {
        self.now().saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
    }
}
