//! The links that there are, in mind: most deliveries concern nobody, and asking SQLite, on threads of
//! its own, costs more than all else that is done for them.
//!
//! It may be trusted where nobody else can add a link: a service has SQLite's file for itself, by a
//! lock that ends with its process. What other processes of a PostgreSQL add is not known, and the
//! server is asked each time.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::RandomState;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastbloom::AtomicBloomFilter;
use sqlx::Row as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::dialect::{Dialect, lock_file};
use super::{Error, Result, Store};
use crate::domain::observation::Link;

/// How long a service waits for another that is about to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether the other has stopped.
const INTERVAL: Duration = Duration::from_millis(20);
/// Room for so many links that come, beside those that are there; with more of them, more deliveries
/// that concern nobody are looked up.
const ROOM: usize = 500_000;
/// So one of 2,000 links that nobody has is taken for one that somebody may have.
const BITS_OF_A_LINK: usize = 16;
/// How many are read at once.
const AT_ONCE: i64 = 10_000;
/// How long to wait before they are read again.
const AGAIN: Duration = Duration::from_secs(5);

/// The links of a file that nobody else writes to.
pub(super) struct Known {
    lock: File,
    /// Has every link that was ever added, and answers yes for a few others.
    links: AtomicBloomFilter<RandomState>,
    /// Those that were there at the start are in it.
    is_whole: AtomicBool,
}

impl Store {
    /// Takes SQLite's file for this service alone, once another that is about to stop has let go of it.
    /// PostgreSQL is for many.
    pub async fn take(&self) -> Result<()> {
        if self.shared.dialect == Dialect::Postgres {
            return Ok(());
        }
        let Some(lock) = locked(&lock_file(&self.shared.url)?, PATIENCE).await? else {
            return Ok(());
        };
        let query = sqlx::query("SELECT COALESCE(MAX(rowid), 0) AS most FROM links");
        let most: i64 = self.shared.read.fetch_one(query).await?.try_get("most")?;
        let room = usize::try_from(most).unwrap_or_default() + ROOM;
        let links = AtomicBloomFilter::with_num_bits(room * BITS_OF_A_LINK);
        let links = links.hasher(RandomState::new()).expected_items(room);
        let _was_taken_already =
            self.shared.known.set(Known { lock, links, is_whole: AtomicBool::new(false) });
        Ok(())
    }

    /// Reads the links that are there, where the file is this service's alone.
    pub async fn learn_links(self, stop: CancellationToken) {
        let Some(known) = self.shared.known.get() else { return };
        loop {
            let learned = tokio::select! {
                () = stop.cancelled() => return,
                learned = self.read_links(known) => learned,
            };
            match learned {
                Ok(()) => return known.is_whole.store(true, Ordering::Release),
                Err(error) => tracing::warn!(%error, "the links of runs cannot be read"),
            }
            sleep(AGAIN).await;
        }
    }

    async fn read_links(&self, known: &Known) -> Result<()> {
        let mut last = 0;
        loop {
            let query = sqlx::query(
                "SELECT rowid AS row, link FROM links WHERE rowid > $1 ORDER BY rowid LIMIT $2",
            );
            let rows = self.shared.read.fetch_all(query.bind(last).bind(AT_ONCE)).await?;
            for row in &rows {
                known.links.insert(row.try_get::<&str, _>("link")?);
            }
            let Some(row) = rows.last() else { return Ok(()) };
            last = row.try_get("row")?;
        }
    }

    /// Before somebody can be found by them.
    pub(super) fn remember<'a>(&self, links: impl Iterator<Item = &'a Link>) {
        let Some(known) = self.shared.known.get() else { return };
        for link in links {
            known.links.insert(link.as_str());
        }
    }

    /// Whether somebody may have one of these links, without asking the database. Nothing where that
    /// is not in mind.
    pub(super) fn may_be_somebodys(&self, links: &[Link]) -> Option<bool> {
        let known = self.shared.known.get()?;
        let is_whole = known.is_whole.load(Ordering::Acquire);
        is_whole.then(|| links.iter().any(|link| known.links.contains(link.as_str())))
    }
}

impl Known {
    /// Lets go of the file.
    pub(super) fn close(&self) {
        self.is_whole.store(false, Ordering::Release);
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the lock of the database ends with the process");
        }
    }
}

/// The file that says whose the database is, locked; nothing where the disk knows no locks.
async fn locked(path: &Path, patience: Duration) -> Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| {
        Error::Unusable(format!("The file {} cannot be opened: {error}.", path.display()))
    })?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                sleep(INTERVAL).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Unusable(format!(
                    "Another service uses the database, and holds {}. SQLite belongs to one: stop \
                     the other, or set TOWPATH_DATABASE_URL to a PostgreSQL for several.",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the database cannot be locked; each delivery is looked up");
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_service_waits_for_a_while_and_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("towpath.db-lock");
        let patience = Duration::from_millis(50);
        let first = locked(&path, patience).await.unwrap();
        let begun = Instant::now();
        let refused = locked(&path, patience).await.unwrap_err().to_string();
        assert!(begun.elapsed() >= patience, "{:?}", begun.elapsed());
        assert!(refused.contains("stop the other") && refused.contains("PostgreSQL"), "{refused}");
        drop(first);
        assert!(locked(&path, patience).await.unwrap().is_some());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_lock_is_readable_by_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("towpath.db-lock");
        let _lock = locked(&path, Duration::ZERO).await.unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
