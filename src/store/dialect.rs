//! The differences between SQLite and PostgreSQL: how to connect, how to lock. How connections are kept
//! and transactions begun is in `connections`; every other statement is the same on both.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::connections::{ACQUIRE_TIMEOUT, Connections};
use super::{Error, Tx};

/// Enough for a dashboard and a few workers; a machine of two cores gains nothing from more.
const SQLITE_READERS: usize = 4;
/// What the connection that writes is told first. sqlx's own defaults are right for the rest:
/// `foreign_keys` on, `busy_timeout` 5 s.
const WRITER: [&str; 6] = [
    // Of a new file only, and before anything is written to it: what is removed can be given back to
    // the disk bit by bit.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    // A commit that has returned survives a power cut.
    "PRAGMA synchronous = FULL",
    // Else a statement that writes many rows makes a file, to be able to undo itself.
    "PRAGMA temp_store = MEMORY",
    // What is written again and again moves from the log of 32 MB into the database once, and not
    // with every thousandth page.
    "PRAGMA wal_autocheckpoint = 8000",
    // KiB, where the pages that are written again and again are many.
    "PRAGMA cache_size = -16000",
];
const READER: [&str; 1] = ["PRAGMA query_only = ON"];
/// How many pages of 4 KiB SQLite gives back at once: more than one sweep of the house leaves.
const PAGES_AT_ONCE: u32 = 5_000;
/// PostgreSQL allows 100 connections by default, which several replicas share.
const POSTGRES_CONNECTIONS: u32 = 16;

/// A step of the schema: its number, its name, and its text for each database.
macro_rules! migration {
    ($version:literal, $name:literal) => {
        (
            $version,
            $name,
            include_str!(concat!("migrations/sqlite/000", $version, "_", $name, ".sql")),
            include_str!(concat!("migrations/postgres/000", $version, "_", $name, ".sql")),
        )
    };
}

/// A step that has been released is never changed: databases have been through it.
const SCHEMA: [(i64, &str, &str, &str); 8] = [
    migration!(1, "begin"),
    migration!(2, "turns"),
    migration!(3, "folder_queues"),
    migration!(4, "writes"),
    migration!(5, "seen"),
    migration!(6, "parts"),
    migration!(7, "deadlines"),
    migration!(8, "limits"),
];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server that several replicas share.
    Postgres,
}

/// Where to write and where to read. On PostgreSQL both are the same pool.
pub(super) struct Pools {
    pub(super) write: Connections,
    pub(super) read: Connections,
}

impl Pools {
    /// Lets go of the database, once what is under way has ended.
    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Dialect {
    /// By the URL's scheme.
    pub(super) fn of(url: &str) -> Result<Self, Error> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(Error::Unusable(
                "The database URL must begin with `sqlite://` or `postgres://`.".to_owned(),
            )),
        }
    }

    /// Connects, and makes SQLite's file if there is none.
    pub(super) async fn connect(self, url: &str) -> Result<Pools, Error> {
        sqlx::any::install_default_drivers();
        match self {
            Self::Sqlite => connect_sqlite(url),
            Self::Postgres => connect_postgres(url).await,
        }
    }

    /// Refuses a file of SQLite that is not there. A server says itself what it does not have.
    pub(super) fn expect_database(self, url: &str) -> Result<(), Error> {
        if self == Self::Postgres || sqlite_path(url)?.is_file() {
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "There is no database {}. Name the service's in TOWPATH_DATABASE_URL or with \
             `--database-url`.",
            sqlite_path(url)?.display()
        )))
    }

    /// The schema, step by step.
    pub(super) fn migrator(self) -> Migrator {
        let migrations = SCHEMA.map(|(version, name, sqlite, postgres)| {
            let sql = if self == Self::Sqlite { sqlite } else { postgres };
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.into())
    }

    /// What to select from to read the rows that a JSON array holds, the parameter: `it` is a row,
    /// and `n` says which. So as many rows as there are cost one statement.
    pub(super) fn rows(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("(SELECT value AS it, key AS n FROM json_each({parameter})) AS rows")
            }
            Self::Postgres => format!(
                "json_array_elements(CAST({parameter} AS json)) WITH ORDINALITY AS rows (it, n)"
            ),
        }
    }

    /// Gives the room of what was removed back to the disk, some of it at a time. PostgreSQL does it
    /// by itself.
    pub(super) async fn give_back_room(self, write: &Connections) -> Result<(), Error> {
        if self == Self::Sqlite {
            let vacuum = format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})");
            write.fetch_all(sqlx::query(AssertSqlSafe(vacuum))).await?;
        }
        Ok(())
    }

    /// The end of a query whose rows, named `step` in it, are locked unless somebody else has them.
    pub(super) fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE OF step SKIP LOCKED",
        }
    }

    /// Until the end of the transaction, nobody else passes here with one of these names: names of
    /// rows that may not be there yet, which a row lock cannot hold. Locks are taken in one order
    /// everywhere, and before any lock on a row, so that nobody waits in a circle.
    pub(super) async fn lock_names(
        self,
        tx: &mut Tx<'_>,
        names: impl Iterator<Item = &str>,
    ) -> Result<(), Error> {
        if self == Self::Sqlite {
            return Ok(());
        }
        let mut keys: Vec<i64> = names.map(lock_key).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(key);
            lock.execute(&mut **tx).await?;
        }
        Ok(())
    }
}

/// The number under which PostgreSQL locks a name.
fn lock_key(name: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

async fn connect_postgres(url: &str) -> Result<Pools, Error> {
    let options: AnyConnectOptions = url.parse()?;
    let pool = AnyPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    let pool = Connections::Pooled(pool);
    Ok(Pools { write: pool.clone(), read: pool })
}

fn connect_sqlite(url: &str) -> Result<Pools, Error> {
    let path = sqlite_path(url)?;
    make_file(&path)?;
    // sqlx takes the file's name out of the URL and decodes it.
    let name: String =
        path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let options: AnyConnectOptions = format!("sqlite://{name}?mode=rw").parse()?;

    let write = Connections::kept(options.clone(), &WRITER, 1);
    let read = Connections::kept(options, &READER, SQLITE_READERS);
    Ok(Pools { write, read })
}

/// The file that a URL names: `sqlite://relative`, `sqlite:///absolute`, or `sqlite:path`.
fn sqlite_path(url: &str) -> Result<PathBuf, Error> {
    let rest = url.trim_start_matches("sqlite:");
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let name = rest.split('?').next().unwrap_or_default();
    if name.is_empty() || name == ":memory:" || rest.contains("mode=memory") {
        return Err(Error::Unusable(format!(
            "The database URL {url:?} names no file. Runs must survive a restart: name one, such as \
             `sqlite://towpath.db`."
        )));
    }
    std::path::absolute(name).map_err(|error| {
        Error::Unusable(format!("The path of the database {name:?} cannot be resolved: {error}."))
    })
}

/// The file beside SQLite's by which a service has it for itself.
pub(super) fn lock_file(url: &SecretString) -> Result<PathBuf, Error> {
    let mut name = sqlite_path(url.expose_secret())?.into_os_string();
    name.push("-lock");
    Ok(name.into())
}

/// Makes the file readable by nobody else, before SQLite would make it readable by all. Its
/// companions (`-wal`, `-shm`) get the same mode from SQLite.
fn make_file(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        return Err(Error::Unusable(format!(
            "The database {} cannot be made, because the folder {} does not exist. Make the folder, \
             or name another place in TOWPATH_DATABASE_URL.",
            path.display(),
            folder.display()
        )));
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        Error::Unusable(format!("The database {} cannot be opened: {error}.", path.display()))
    })
}
