//! Whose links are.

use std::collections::HashMap;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::rows::{id_from, placeholders};
use super::{Result, Store};
use crate::domain::RunId;
use crate::domain::observation::Link;

/// The runs that each link belongs to; links of nobody are not in it.
pub(super) type Owners = HashMap<String, Vec<RunId>>;

impl Store {
    /// Whose these links are, as far as it is committed.
    pub(super) async fn look_up(&self, links: &[Link]) -> Result<Owners> {
        let mut reader = self.shared.read.lend().await?;
        owners_of(links, reader.connection()?).await
    }
}

/// Whose these links are.
pub(super) async fn owners_of<'a>(
    links: impl IntoIterator<Item = &'a Link>,
    connection: &mut AnyConnection,
) -> Result<Owners> {
    let mut links: Vec<&Link> = links.into_iter().collect();
    // So that there are few statements to be prepared.
    let count = links.len().next_power_of_two();
    if let Some(last) = links.last().copied() {
        links.resize(count, last);
    }
    let sql =
        format!("SELECT link, run_id FROM links WHERE link IN ({})", placeholders(1, links.len()));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for link in links {
        query = query.bind(link.as_str());
    }
    let mut owners = Owners::new();
    for row in query.fetch_all(connection).await? {
        owners.entry(row.try_get("link")?).or_default().push(id_from(&row, "run_id")?);
    }
    Ok(owners)
}
