//! What can go wrong with the store.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The setting or the database cannot be used. A full sentence for the person who set it.
    #[error("{0}")]
    Unusable(String),
    /// The database does not answer, or not now. Later may be better.
    #[error("asking the database")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused a statement, or answered what this program does not understand.
    #[error("using the database")]
    Refused(#[source] sqlx::Error),
    /// A row holds what this version cannot read.
    #[error("reading {what} from the database")]
    Unreadable {
        /// What kind of row or column.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The step was given to somebody else, or settled, in the meantime: nothing was written.
    #[error("settling a step whose lease was lost")]
    LeaseLost,
}

impl Error {
    /// Whether the same call may go well later, without anybody changing anything.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// That the database does not answer, for another who waited for the same.
    pub(super) fn unavailable_too(&self) -> Self {
        let said = std::error::Error::source(self).unwrap_or(self).to_string();
        Self::Unavailable(sqlx::Error::Io(std::io::Error::other(said)))
    }

    pub(super) fn unreadable(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { what, source: source.into() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let lasting = match &error {
            E::Database(refusal) => is_lasting(refusal.code().as_deref()),
            other => !matches!(
                other,
                E::Io(_)
                    | E::Tls(_)
                    | E::Protocol(_)
                    | E::PoolTimedOut
                    | E::PoolClosed
                    | E::WorkerCrashed
                    | E::BeginFailed
            ),
        };
        if lasting { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

/// Whether a database's error code says that the same statement will fail again: by class for
/// PostgreSQL (five characters: 22 data, 23 constraint, 42 syntax or rights), by number for SQLite
/// (1 error, 18 too big, 19 constraint, 20 mismatch, 25 range, each in the lowest byte).
fn is_lasting(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    if code.len() == 5 {
        return ["22", "23", "42"].iter().any(|class| code.starts_with(class));
    }
    let primary = code.parse::<u32>().map(|number| number & 0xff);
    matches!(primary, Ok(1 | 18 | 19 | 20 | 25))
}

#[cfg(test)]
mod tests {
    use super::is_lasting;

    #[test]
    fn a_busy_database_is_not_a_broken_one() {
        // SQLITE_BUSY, SQLITE_IOERR_FSYNC, SQLITE_FULL; admin shutdown, deadlock, too many clients.
        for passing in ["5", "1034", "13", "57P01", "40P01", "53300"] {
            assert!(!is_lasting(Some(passing)), "{passing}");
        }
        // SQLITE_ERROR, SQLITE_CONSTRAINT_UNIQUE; undefined table, unique violation.
        for lasting in ["1", "2067", "42P01", "23505"] {
            assert!(is_lasting(Some(lasting)), "{lasting}");
        }
    }
}
