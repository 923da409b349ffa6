//! Connections, lent for a statement or for a transaction.
//!
//! sqlx's pool tests each connection that is given back, in a task of its own. A server is worth that.
//! SQLite's connections are threads of this process, which do not break while nobody uses them, and a
//! test costs as much as a short statement: they are kept.

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
    Kept(std::sync::Arc<Kept>),
}

/// So many connections at most, each opened when it is needed.
pub(super) struct Kept {
    options: AnyConnectOptions,
    /// What a connection is told first.
    pragmas: &'static [&'static str],
    connections: Vec<Mutex<Option<AnyConnection>>>,
    places: Semaphore,
}

/// A connection that nobody else has.
pub(super) enum Lent<'a> {
    Pooled(PoolConnection<Any>),
    Kept { connection: MutexGuard<'a, Option<AnyConnection>>, _place: SemaphorePermit<'a> },
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
        let connections = (0..most).map(|_| Mutex::default()).collect();
        let places = Semaphore::new(most);
        Self::Kept(std::sync::Arc::new(Kept { options, pragmas, connections, places }))
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
        lent.unless_broken(done)
    }

    pub(super) async fn fetch_all(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>> {
        let mut lent = self.lend().await?;
        let rows = statement.fetch_all(lent.connection()?).await;
        lent.unless_broken(rows)
    }

    pub(super) async fn fetch_one(&self, statement: Statement<'_>) -> Result<AnyRow> {
        let mut lent = self.lend().await?;
        let row = statement.fetch_one(lent.connection()?).await;
        lent.unless_broken(row)
    }

    pub(super) async fn fetch_optional(&self, statement: Statement<'_>) -> Result<Option<AnyRow>> {
        let mut lent = self.lend().await?;
        let row = statement.fetch_optional(lent.connection()?).await;
        lent.unless_broken(row)
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
        let place = timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        // Whoever has a place finds a connection that nobody has.
        let free = self.connections.iter().find_map(|connection| connection.try_lock().ok());
        let mut connection = free.ok_or(sqlx::Error::PoolTimedOut)?;
        if let Some(kept) = &mut *connection
            && kept.is_in_transaction()
            && !has_rolled_back(kept).await
        {
            *connection = None;
        }
        if connection.is_none() {
            *connection = Some(self.open().await?);
        }
        Ok(Lent::Kept { connection, _place: place })
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
        for connection in &self.connections {
            if let Some(connection) = connection.lock().await.take() {
                let _closed_all_the_same = connection.close().await;
            }
        }
    }
}

impl Lent<'_> {
    /// Begins to write. SQLite takes its one write lock at once, so that nothing read in the
    /// transaction can be out of date.
    pub(super) async fn begin(&mut self) -> Result<Tx<'_>> {
        let statement = match self {
            Self::Pooled(_) => "BEGIN",
            Self::Kept { .. } => "BEGIN IMMEDIATE",
        };
        Ok(self.connection()?.begin_with(statement).await?)
    }

    pub(super) fn connection(&mut self) -> sqlx::Result<&mut AnyConnection> {
        match self {
            Self::Pooled(connection) => Ok(connection),
            Self::Kept { connection, .. } => connection.as_mut().ok_or(sqlx::Error::PoolClosed),
        }
    }

    /// A connection with which something else is wrong than what was asked of it is not used again.
    fn unless_broken<T>(mut self, answer: sqlx::Result<T>) -> Result<T> {
        use sqlx::Error as E;
        if let (Self::Kept { connection, .. }, Err(error)) = (&mut self, &answer)
            && !matches!(error, E::Database(_) | E::RowNotFound)
        {
            **connection = None;
        }
        Ok(answer?)
    }
}

/// A transaction that was dropped is rolled back before anything else is done. Where the disk was
/// full, it is over for SQLite and not for its connection, which can then begin no other.
async fn has_rolled_back(connection: &mut AnyConnection) -> bool {
    connection.ping().await.is_ok() && !connection.is_in_transaction()
}
