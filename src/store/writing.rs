//! Writing: whatever waits to be written on SQLite, of whatever kind, is written in one transaction
//! with one wait for the disk. So the more there is to do, the less each costs, and what follows from
//! a settled step can be claimed in the transaction that settles it.
//!
//! On PostgreSQL, whose writers do not wait for each other, each has a transaction of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;

use super::accept::Fact;
use super::dialect::Dialect;
use super::folder_queue::PlaceInLine;
use super::pace::Creation;
use super::queue::Claim;
use super::seen::Patches;
use super::settle::Settlement;
use super::together::{Asked, Queue, Turn};
use super::{Error, Result, Store, Tx};
use crate::domain::RunId;

/// Something to be written.
pub(super) trait Entry: Send + Sync + Sized + 'static {
    /// What becomes of it.
    type Outcome: Send + 'static;

    /// Where those of its kind wait.
    fn queue(waiting: &Waiting) -> &Entries<Self>;

    /// Writes these.
    fn write(
        store: &Store,
        tx: &mut Tx<'_>,
        all: &[&Self],
    ) -> impl Future<Output = Result<Written<Self::Outcome>>> + Send;
}

/// Entries of one kind that wait to be written.
pub(super) type Entries<E> = Queue<Arc<E>, Result<<E as Entry>::Outcome>>;

/// What was written, once it is committed.
pub(super) struct Written<T> {
    /// What became of each, in their order.
    pub(super) outcomes: Vec<T>,
    /// The runs that are not what they were.
    pub(super) changed: Vec<RunId>,
}

impl<T> From<Vec<T>> for Written<T> {
    /// No run is another than it was.
    fn from(outcomes: Vec<T>) -> Self {
        Self { outcomes, changed: Vec::new() }
    }
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Waiting {
    turn: Turn,
    pub(super) facts: Entries<Fact>,
    pub(super) settlements: Entries<Settlement>,
    pub(super) places: Entries<PlaceInLine>,
    pub(super) creations: Entries<Creation>,
    pub(super) patches: Entries<Patches>,
    pub(super) claims: Entries<Claim>,
}

impl Waiting {
    /// Claims come last: what the others have added can be claimed.
    fn take(&self) -> Vec<Box<dyn Group>> {
        let groups = [
            group(&self.facts),
            group(&self.settlements),
            group(&self.places),
            group(&self.creations),
            group(&self.patches),
            group(&self.claims),
        ];
        groups.into_iter().flatten().collect()
    }
}

impl Store {
    /// Writes something down. Answers what became of it, once it is committed.
    pub(super) async fn write_down<E: Entry>(&self, entry: E) -> Result<E::Outcome> {
        if self.shared.dialect == Dialect::Postgres {
            return self.write_alone(&entry).await;
        }
        let waiting = &self.shared.waiting;
        let write_those = || self.write_those(waiting.take());
        E::queue(waiting).ask(Arc::new(entry), &waiting.turn, write_those).await
    }

    /// One transaction for all; if it is refused, one for each, so that nobody suffers for another.
    async fn write_those(&self, mut groups: Vec<Box<dyn Group>>) {
        let written = self.write_groups(&mut groups).await;
        for group in groups {
            match &written {
                Ok(()) => group.answer(self),
                // Each would wait for it by itself, one after another.
                Err(error) if error.is_unavailable() => group.put_off(error),
                Err(_) => group.write_each_alone(self).await,
            }
        }
    }

    async fn write_groups(&self, groups: &mut [Box<dyn Group>]) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        for group in groups {
            group.write(self, &mut tx).await?;
        }
        tx.commit().await?;
        self.shared.log_grows.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn write_alone<E: Entry>(&self, entry: &E) -> Result<E::Outcome> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let mut written = E::write(self, &mut tx, &[entry]).await?;
        tx.commit().await?;
        self.tell_all(&written.changed);
        written
            .outcomes
            .pop()
            .ok_or_else(|| Error::unreadable("what was written", "it is not there"))
    }
}

/// Entries of one kind that are written together.
trait Group: Send {
    fn write<'a>(&'a mut self, store: &'a Store, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<()>>;

    /// After the commit.
    fn answer(self: Box<Self>, store: &Store);

    /// The database does not answer: later may be better.
    fn put_off(self: Box<Self>, error: &Error);

    fn write_each_alone(self: Box<Self>, store: &Store) -> BoxFuture<'_, ()>;
}

struct GroupOf<E: Entry> {
    asked: Vec<Asked<Arc<E>, Result<E::Outcome>>>,
    written: Written<E::Outcome>,
}

fn group<E: Entry>(queue: &Entries<E>) -> Option<Box<dyn Group>> {
    let asked = queue.take();
    if asked.is_empty() {
        return None;
    }
    Some(Box::new(GroupOf { asked, written: Vec::new().into() }))
}

impl<E: Entry> Group for GroupOf<E> {
    fn write<'a>(&'a mut self, store: &'a Store, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let all: Vec<&E> = self.asked.iter().map(|asked| &*asked.question).collect();
            self.written = E::write(store, tx, &all).await?;
            Ok(())
        })
    }

    fn answer(self: Box<Self>, store: &Store) {
        store.tell_all(&self.written.changed);
        for (asked, outcome) in self.asked.into_iter().zip(self.written.outcomes) {
            asked.answer(Ok(outcome));
        }
    }

    fn put_off(self: Box<Self>, error: &Error) {
        for asked in self.asked {
            asked.answer(Err(error.unavailable_too()));
        }
    }

    fn write_each_alone(self: Box<Self>, store: &Store) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for asked in self.asked {
                let outcome = store.write_alone(&*asked.question).await;
                asked.answer(outcome);
            }
        })
    }
}
