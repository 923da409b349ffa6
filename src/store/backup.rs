//! A copy of the database while it is in use.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;

use super::dialect::Dialect;
use super::{Error, Result};

/// Copies SQLite's database into a new file, as it stood at one moment, and answers the copy's size
/// in bytes. The service may run meanwhile, and is held up by nothing. The file appears when it is
/// complete and on disk, readable by nobody else; one that is there already is left alone.
pub async fn back_up(database_url: &SecretString, copy: &Path) -> Result<u64> {
    let url = database_url.expose_secret();
    let dialect = Dialect::of(url)?;
    if dialect == Dialect::Postgres {
        return Err(Error::Unusable(
            "The database is a PostgreSQL, which has its own tool: \
             `pg_dump --format=custom --file=towpath.dump \"$TOWPATH_DATABASE_URL\"`."
                .to_owned(),
        ));
    }
    dialect.expect_database(url)?;
    let unusable = |error: std::io::Error| {
        Error::Unusable(format!("The copy {} cannot be written: {error}.", copy.display()))
    };
    if copy.exists() {
        return Err(Error::Unusable(format!(
            "{} is there already. Name a file that is not.",
            copy.display()
        )));
    }
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let partial = NamedTempFile::new_in(folder).map_err(unusable)?;

    let pools = dialect.connect(url).await?;
    let vacuum = sqlx::query("VACUUM INTO $1").bind(partial.path().to_string_lossy().into_owned());
    let copied = pools.write.execute(vacuum).await;
    pools.close().await;
    copied?;

    partial.as_file().sync_all().map_err(unusable)?;
    let file = partial.persist_noclobber(copy).map_err(|error| unusable(error.error))?;
    // The name, too, is to survive a power cut.
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)?;
    Ok(file.metadata().map_err(unusable)?.len())
}
