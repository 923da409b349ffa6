//! Connections, lent for a statement or for a transaction.
//!
//! sqlx's pool tests each connection that is given back, in a task of its own. A server is worth that.
//! SQLite's connections are threads of this process, which do not break while nobody uses them, and a
//! test costs as much as a short statement: they are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyConnectOptions, AnyQueryResult, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{Result, Tx};

/// How long a caller waits for a free connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to a database.
#[derive(Clone)]
pub(super) enum Connections {
    /// To a server.
    Pooled(AnyPool),
    /// To SQLite's file.
    Kept(Arc<Kept>),
}

/// So many connections at most, each opened when it is needed.
pub(super) struct Kept {
    options: AnyConnectOptions,
    /// What a connection is told first.
    pragmas: &'static [&'static str],
    seats: Vec<Seat>,
    /// As many as seats.
    places: Semaphore,
}

/// Where a connection is kept.
#[derive(Default)]
struct Seat {
    connection: Mutex<Option<AnyConnection>>,
    /// Something went wrong with it.
    is_suspect: AtomicBool,
}

/// A connection that nobody else has.
pub(super) enum Lent<'a> {
    Pooled(PoolConnection<Any>),
    Kept {
        connection: MutexGuard<'a, Option<AnyConnection>>,
        is_suspect: &'a AtomicBool,
        _place: SemaphorePermit<'a>,
    },
}

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Any, AnyArguments>;

impl Connections {
    /// To SQLite's file.
    pub(super) fn kept(
        options: AnyConnectOptions,
        pragmas: &'static [&'static str],
        most: usize,
    ) -> Self {
        let seats = (0..most).map(|_| Seat::default()).collect();
        let places = Semaphore::new(most);
        Self::Kept(Arc::new(Kept { options, pragmas, seats, places }))
    }

    /// Lends a connection.
    pub(super) async fn lend(&self) -> Result<Lent<'_>> {
        match self {
            Self::Pooled(pool) => Ok(Lent::Pooled(pool.acquire().await?)),
            Self::Kept(kept) => kept.lend().await,
        }
    }

    pub(super) async fn execute(&self, statement: Statement<'_>) -> Result<AnyQueryResult> {
        let mut lent = self.lend().await?;
        let done = statement.execute(lent.connection()?).await;
        lent.or_suspect(done)
    }

    pub(super) async fn fetch_all(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>> {
        let mut lent = self.lend().await?;
        let rows = statement.fetch_all(lent.connection()?).await;
        lent.or_suspect(rows)
    }

    pub(super) async fn fetch_one(&self, statement: Statement<'_>) -> Result<AnyRow> {
        let mut lent = self.lend().await?;
        let row = statement.fetch_one(lent.connection()?).await;
        lent.or_suspect(row)
    }

    pub(super) async fn fetch_optional(&self, statement: Statement<'_>) -> Result<Option<AnyRow>> {
        let mut lent = self.lend().await?;
        let row = statement.fetch_optional(lent.connection()?).await;
        lent.or_suspect(row)
    }

    /// Lets go of the database, once what is under way has ended.
    pub(super) async fn close(&self) {
        match self {
            Self::Pooled(pool) => pool.close().await,
            Self::Kept(kept) => kept.close().await,
        }
    }
}

impl Kept {
    async fn lend(&self) -> Result<Lent<'_>> {
        let place = self.place().await?;
        // Whoever has a place finds a seat that nobody has.
        let free = self.seats.iter().find_map(Seat::try_take);
        let (mut connection, is_suspect) = free.ok_or(sqlx::Error::PoolTimedOut)?;
        if let Some(kept) = &mut *connection
            && (is_suspect.swap(false, Ordering::Relaxed) || kept.is_in_transaction())
            && !is_usable(kept).await
        {
            *connection = None;
        }
        if connection.is_none() {
            *connection = Some(self.open().await?);
        }
        Ok(Lent::Kept { connection, is_suspect, _place: place })
    }

    async fn place(&self) -> sqlx::Result<SemaphorePermit<'_>> {
        if let Ok(free) = self.places.try_acquire() {
            return Ok(free);
        }
        let place = timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await;
        place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)
    }

    async fn open(&self) -> sqlx::Result<AnyConnection> {
        let mut connection = AnyConnection::connect_with(&self.options).await?;
        for pragma in self.pragmas {
            sqlx::query(*pragma).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    async fn close(&self) {
        self.places.close();
        for seat in &self.seats {
            if let Some(connection) = seat.connection.lock().await.take() {
                let _closed_all_the_same = connection.close().await;
            }
        }
    }
}

impl Lent<'_> {
    /// Begins to write. SQLite takes its one write lock at once, so that nothing read in the
    /// transaction can be out of date.
    pub(super) async fn begin(&mut self) -> Result<Tx<'_>> {
        match self {
            Self::Pooled(connection) => Ok(connection.begin_with("BEGIN").await?),
            Self::Kept { connection, is_suspect, .. } => {
                let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
                let begun = connection.begin_with("BEGIN IMMEDIATE").await;
                is_suspect.store(begun.is_err(), Ordering::Relaxed);
                Ok(begun?)
            }
        }
    }

    pub(super) fn connection(&mut self) -> sqlx::Result<&mut AnyConnection> {
        match self {
            Self::Pooled(connection) => Ok(connection),
            Self::Kept { connection, .. } => connection.as_mut().ok_or(sqlx::Error::PoolClosed),
        }
    }

    /// A connection with which something else is wrong than what was asked of it is looked at before
    /// it is used again.
    fn or_suspect<T>(self, answer: sqlx::Result<T>) -> Result<T> {
        use sqlx::Error as E;
        if let (Self::Kept { is_suspect, .. }, Err(error)) = (&self, &answer)
            && !matches!(error, E::Database(_) | E::RowNotFound)
        {
            is_suspect.store(true, Ordering::Relaxed);
        }
        Ok(answer?)
    }
}

impl Seat {
    fn try_take(&self) -> Option<(MutexGuard<'_, Option<AnyConnection>>, &AtomicBool)> {
        Some((self.connection.try_lock().ok()?, &self.is_suspect))
    }
}

/// A transaction that was dropped is rolled back before anything else is done. Where the disk was
/// full, it is over for SQLite and not for its connection, which can then begin no other.
async fn is_usable(connection: &mut AnyConnection) -> bool {
    connection.ping().await.is_ok() && !connection.is_in_transaction()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connections(folder: &tempfile::TempDir) -> Connections {
        sqlx::any::install_default_drivers();
        let file = folder.path().join("test.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let connections = Connections::kept(url.parse().unwrap(), &[], 1);
        connections.execute(sqlx::query("CREATE TABLE rows (n INTEGER)")).await.unwrap();
        connections
    }

    async fn rows(connections: &Connections) -> usize {
        connections.fetch_all(sqlx::query("SELECT n FROM rows")).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_has_never_been() {
        let folder = tempfile::tempdir().unwrap();
        let connections = connections(&folder).await;
        for _ in 0..20 {
            let mut writer = connections.lend().await.unwrap();
            let mut tx = writer.begin().await.unwrap();
            sqlx::query("INSERT INTO rows VALUES (1)").execute(&mut *tx).await.unwrap();
            drop(tx);
            drop(writer);
            assert_eq!(rows(&connections).await, 0);
        }
        let mut writer = connections.lend().await.unwrap();
        let mut tx = writer.begin().await.unwrap();
        sqlx::query("INSERT INTO rows VALUES (1)").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        drop(writer);
        assert_eq!(rows(&connections).await, 1);
    }

    #[tokio::test]
    async fn a_transaction_that_is_over_for_the_database_alone_ends_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let connections = connections(&folder).await;
        let mut writer = connections.lend().await.unwrap();
        let mut tx = writer.begin().await.unwrap();
        // As SQLite does by itself where the disk is full.
        sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
        drop(tx);
        drop(writer);
        let mut writer = connections.lend().await.unwrap();
        writer.begin().await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_is_next_and_after_the_end_nobody_is() {
        let folder = tempfile::tempdir().unwrap();
        let connections = connections(&folder).await;
        let lent = connections.lend().await.unwrap();
        let mut waiting = std::pin::pin!(rows(&connections));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(lent);
        assert_eq!(waiting.await, 0);
        connections.close().await;
        let Err(error) = connections.lend().await else { panic!("it is closed") };
        assert!(error.is_unavailable(), "{error}");
    }
}
