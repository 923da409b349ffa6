//! Everything that is remembered: runs, their steps and their history, what they are found by, and
//! the entities they made. The only room that names sqlx.
//!
//! One set of statements for SQLite and PostgreSQL; what differs is in `dialect`. Whatever belongs
//! together is written in one transaction. Three rules make the queue safe:
//!
//! - A step is settled only by who holds its latest claim.
//! - Steps are added to a run only while its row is locked: ids rise in the order of commits, and a
//!   lane is worked off in the order of ids.
//! - The work lane alone changes a run. The report lane settles its steps and nothing else of it.
//!
//! Does not know about: GitHub's or the portal's API, what a step does.

mod accept;
mod append;
mod backup;
mod catalog;
mod checkpoint;
mod connections;
mod dialect;
mod error;
mod folder_queue;
mod hold;
mod house;
mod known;
mod limits;
mod look;
mod others;
mod owners;
mod pace;
mod parked;
mod parts;
mod process;
mod put_aside;
mod queue;
mod read;
mod rows;
mod run_rows;
mod seen;
mod settle;
mod together;
mod turn;
mod writing;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::migrate::MigrateError;
use sqlx::{Any, Transaction};
use tokio::sync::{broadcast, watch};

pub use accept::{Accepted, Recorded};
pub use backup::back_up;
pub use catalog::{EntityChange, EntityRecord, Place};
pub use error::Error;
pub use hold::HeldRun;
pub use pace::{Rate, Turn};
pub use parked::ParkedMessage;
pub(crate) use process::SUSPECTED;
pub use put_aside::ParkedStep;
pub use queue::{ClaimedStep, StepId};
pub use read::{Counts, Heard, RecordedEvent, RecordedStep, RunFilter, StepState};
pub use turn::Holder;

use crate::clock::Clock;
use crate::domain::RunId;
use connections::Connections;
use dialect::Dialect;

/// How many changes a slow listener may fall behind before it is told that it missed some.
const CHANGES_KEPT: usize = 1024;

type Result<T> = std::result::Result<T, Error>;
type Tx<'a> = Transaction<'a, Any>;

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    dialect: Dialect,
    write: Connections,
    read: Connections,
    clock: Clock,
    waiting: writing::Waiting,
    known: OnceLock<known::Known>,
    /// Something was written since the last checkpoint.
    log_grows: AtomicBool,
    changes: broadcast::Sender<RunId>,
    /// Of this process alone.
    own_changes: broadcast::Sender<RunId>,
    /// What other processes know this one by.
    name: String,
    url: SecretString,
    wake: watch::Sender<()>,
    limits_of_others: watch::Sender<()>,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(url: &str, clock: Clock) -> Result<Self> {
        let store = Self::connect(url, clock).await?;
        let shared = &store.shared;
        let mut writer = shared.write.lend().await?;
        let migrator = shared.dialect.migrator();
        let migrated = migrator.run_direct(None, writer.connection()?, false).await;
        migrated.map_err(migration_error)?;
        drop(writer);
        Ok(store)
    }

    /// Opens the database of a service, which may run and may be of another version: its schema is
    /// left as it is, and none is made.
    pub async fn open_existing(url: &SecretString, clock: Clock) -> Result<Self> {
        let url = url.expose_secret();
        Dialect::of(url)?.expect_database(url)?;
        Self::connect(url, clock).await
    }

    async fn connect(url: &str, clock: Clock) -> Result<Self> {
        let dialect = Dialect::of(url)?;
        let pools = dialect.connect(url).await?;
        let shared = Shared {
            dialect,
            write: pools.write,
            read: pools.read,
            clock,
            waiting: writing::Waiting::default(),
            known: OnceLock::new(),
            log_grows: AtomicBool::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            own_changes: broadcast::Sender::new(CHANGES_KEPT),
            name: format!("{:016x}", fastrand::u64(..)),
            url: url.into(),
            wake: watch::Sender::new(()),
            limits_of_others: watch::Sender::new(()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Lets go of the database, once what is under way has ended.
    pub async fn close(&self) {
        self.shared.read.close().await;
        self.shared.write.close().await;
        self.shared.known.get().iter().for_each(|known| known.close());
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.shared.read.execute(sqlx::query("SELECT 1")).await?;
        Ok(())
    }

    /// Names each run after a commit that changed it: of this process, and, while
    /// [`Store::share_changes`] runs, of any.
    pub fn changes(&self) -> broadcast::Receiver<RunId> {
        self.shared.changes.subscribe()
    }

    /// Changes whenever steps were committed that may be due. What is missed of other processes is
    /// found by asking now and then.
    pub fn wake(&self) -> watch::Receiver<()> {
        self.shared.wake.subscribe()
    }

    fn now(&self) -> i64 {
        self.shared.clock.now().timestamp_millis()
    }

    /// To be called after a commit. That nobody listens is no error.
    fn tell(&self, run: &RunId) {
        let _nobody_listens = self.shared.changes.send(run.clone());
        let _nobody_listens = self.shared.own_changes.send(run.clone());
        self.shared.wake.send_replace(());
    }

    fn tell_all(&self, runs: &[RunId]) {
        for run in runs {
            self.tell(run);
        }
    }
}

fn migration_error(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Unusable(format!(
            "The database has been used by a newer version of Towpath (its schema has step \
             {version}, which this version does not know). Run that version, or a newer one."
        )),
        MigrateError::VersionMismatch(version) => Error::Unusable(format!(
            "Step {version} of the database's schema is not the one of this version of Towpath. \
             The database was made by a build that was never released; use another database."
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => {
            Error::Unusable(format!("The database's schema cannot be brought up to date: {other}."))
        }
    }
}
