//! Whose links are: the one look-up that decides whether a delivery concerns a run. Most concern none,
//! so that this is most of what deliveries cost.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::dialect::Dialect;
use super::rows::{id_from, placeholders};
use super::together::{Asked, Queue, Turn};
use super::{Result, Store};
use crate::domain::RunId;
use crate::domain::observation::Link;

/// The runs that each link belongs to; links of nobody are not in it.
pub(super) type Owners = HashMap<String, Vec<RunId>>;

type Question = Asked<Arc<[Link]>, Result<Arc<Owners>>>;

/// Where those wait who want to know whose links are.
#[derive(Default)]
pub(super) struct LookUps {
    turn: Turn,
    waiting: Queue<Arc<[Link]>, Result<Arc<Owners>>>,
}

impl Store {
    /// Whose these links are, as far as it is committed; of some others too, where many ask.
    pub(super) async fn look_up(&self, links: &[Link]) -> Result<Arc<Owners>> {
        if self.shared.dialect == Dialect::Postgres {
            return Ok(Arc::new(self.owners_now(links).await?));
        }
        let LookUps { turn, waiting } = &self.shared.look_ups;
        waiting.ask(links.into(), turn, || self.look_up_together(waiting.take())).await
    }

    /// One statement for all; if it fails, one for each.
    async fn look_up_together(&self, asked: Vec<Question>) {
        let all: BTreeSet<&Link> = asked.iter().flat_map(|asked| asked.question.iter()).collect();
        if let Ok(owners) = self.owners_now(all).await {
            let owners = Arc::new(owners);
            for asked in asked {
                asked.answer(Ok(Arc::clone(&owners)));
            }
            return;
        }
        for asked in asked {
            let owners = self.owners_now(asked.question.iter()).await;
            asked.answer(owners.map(Arc::new));
        }
    }

    async fn owners_now(&self, links: impl IntoIterator<Item = &Link>) -> Result<Owners> {
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
