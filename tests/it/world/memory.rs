//! Where a world's service remembers: SQLite, or with `TOWPATH_TEST_STORIES_ON=postgres` a database
//! of PostgreSQL.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::postgres;

/// The URL of a new, empty database.
pub(super) fn new_database(folder: &Path) -> String {
    static DATABASES: AtomicU32 = AtomicU32::new(1);
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, no setting")]
    let chosen = std::env::var("TOWPATH_TEST_STORIES_ON").ok();
    match chosen.as_deref() {
        None | Some("sqlite") => {
            let number = DATABASES.fetch_add(1, Ordering::Relaxed);
            format!("sqlite://{}", folder.join(format!("towpath-{number}.db")).display())
        }
        Some("postgres") => postgres::new_database().expect("stories on PostgreSQL need one"),
        Some(other) => panic!("TOWPATH_TEST_STORIES_ON is sqlite or postgres, not {other}"),
    }
}
