//! Keeps the templates of repositories in force, and fresh.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::judgement::is_of;
use super::look::Source;
use crate::domain::observation::PullRequestState;
use crate::domain::{CommitSha, Observation};
use crate::effects::TemplatesInForce;
use crate::github::GitHub;
use crate::store::{self, Holder, Store};
use crate::template::Templates;

/// How often the database is asked whether another process has read newer templates.
const GLANCE: Duration = Duration::from_secs(10);
/// How often GitHub is asked, in one process of all that share a database: a push is told by a
/// webhook, and webhooks get lost.
const LOOK: Duration = Duration::from_mins(10);
/// How long the turn to ask is one process': its next look finds it still its own.
const TURN: Duration = Duration::from_mins(11);
/// How long nothing is asked of GitHub after it could not answer.
const PAUSE: Duration = Duration::from_mins(1);

/// Why templates cannot be put in force at the start. A full sentence, with the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the repositories hands out no templates, and none are kept.
    #[error("{address}: {reason}")]
    Source {
        /// Which.
        address: Address,
        /// Why not.
        reason: String,
    },
    /// Two places do not go together.
    #[error("{0}")]
    Clash(String),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Templates that are there from the start, and what they are called in a message.
pub type Given = (String, Templates);

/// Keeps the templates of repositories in force. Clones are the same.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

pub(super) struct Inner {
    pub(super) github: GitHub,
    pub(super) store: Store,
    pub(super) in_force: TemplatesInForce,
    given: Vec<Given>,
    pub(super) sources: Vec<Source>,
    holder: Holder,
    due: Mutex<Instant>,
    news: Mutex<HashSet<News>>,
    told: Notify,
}

/// What was heard of a source: its number, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum News {
    Pushed(usize),
    Proposed(usize, CommitSha),
    /// Somebody asks for a commit to be judged again; the text tells one asking from another.
    AskedAgain(usize, CommitSha, String),
}

impl Keeper {
    /// Puts templates in force: those that are given, and those of the repositories, as they stand
    /// on GitHub, or else as they were last good.
    pub async fn start(
        github: GitHub,
        store: Store,
        given: Vec<Given>,
        addresses: Vec<Address>,
    ) -> Result<Self, Error> {
        let keeper = Self(Arc::new(Inner {
            github,
            store,
            in_force: TemplatesInForce::new(Templates::default()),
            given,
            sources: addresses.into_iter().map(Source::new).collect(),
            holder: Holder::new(),
            due: Mutex::new(Instant::now() + LOOK),
            news: Mutex::default(),
            told: Notify::new(),
        }));
        for source in &keeper.0.sources {
            keeper.0.recall(source).await?;
        }
        for source in &keeper.0.sources {
            keeper.0.begin(source).await?;
        }
        let joined = keeper.0.joined(None).map_err(Error::Clash)?;
        keeper.0.in_force.replace(joined);
        Ok(keeper)
    }

    /// The templates in force.
    pub fn in_force(&self) -> TemplatesInForce {
        self.0.in_force.clone()
    }

    /// Notes what was seen on GitHub, if it concerns one of the repositories.
    pub fn hear(&self, seen: &Observation) {
        let mut heard = Vec::new();
        for (number, source) in self.0.sources.iter().enumerate() {
            match seen {
                Observation::Push(push) if push.repository == source.address.repository => {
                    heard.push(News::Pushed(number));
                }
                Observation::PullRequest(seen)
                    if seen.state == PullRequestState::Open && source.address.is_base_of(seen) =>
                {
                    heard.push(News::Proposed(number, seen.head_sha.clone()));
                }
                Observation::CheckAgain(asked)
                    if asked.repository == source.address.repository
                        && asked.check.as_ref().is_none_or(|it| is_of(&source.address, it)) =>
                {
                    let (commit, asking) = (asked.commit.clone(), asked.asking.clone());
                    heard.push(News::AskedAgain(number, commit, asking));
                }
                _ => {}
            }
        }
        if !heard.is_empty() {
            guard(&self.0.news).extend(heard);
            self.0.told.notify_one();
        }
    }

    /// Looks at what was heard, and now and then at everything, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        if self.0.sources.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let wait = if self.once().await { GLANCE } else { PAUSE };
            let pause = tokio::time::sleep(wait);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.told.notified(), if wait == GLANCE => {}
                () = pause => {}
            }
        }
    }

    /// Looks at everything, as it is done now and then.
    pub async fn look(&self) -> bool {
        let looked = self.0.look_at_all().await;
        if let Err(trouble) = &looked {
            tracing::warn!(error = %trouble, "templates cannot be looked at; those in force stay");
        }
        looked.is_ok()
    }

    /// Looks at what was heard, at what other processes have read, and, when it is due, at
    /// everything. Whether all of it could be done.
    pub async fn once(&self) -> bool {
        let mut is_done = true;
        let heard: Vec<News> = guard(&self.0.news).drain().collect();
        for news in heard {
            let looked = match &news {
                News::Pushed(number) => self.0.look(&self.0.sources[*number]).await.map(drop),
                News::Proposed(number, commit) => {
                    self.0.look_at_proposal(&self.0.sources[*number], commit).await
                }
                News::AskedAgain(number, commit, asking) => {
                    self.0.look_again(&self.0.sources[*number], commit, asking).await
                }
            };
            if let Err(trouble) = looked {
                tracing::warn!(error = %trouble, "templates cannot be looked at; they are tried again");
                guard(&self.0.news).insert(news);
                is_done = false;
            }
        }
        match self.is_our_turn().await {
            Ok(true) => self.look().await && is_done,
            Ok(false) => is_done,
            Err(error) => {
                tracing::warn!(error = %error, "newer templates of other processes are not known");
                false
            }
        }
    }

    /// Takes over what other processes have read. Whether this one is to ask GitHub again.
    async fn is_our_turn(&self) -> Result<bool, store::Error> {
        self.0.adopt_all().await?;
        if *guard(&self.0.due) > Instant::now() {
            return Ok(false);
        }
        *guard(&self.0.due) = Instant::now() + LOOK;
        self.0.store.take_turn("templates", self.0.holder, TURN).await
    }
}

impl Inner {
    /// Everything that is in force, with this in the place of what a source has.
    pub(super) fn joined(&self, with: Option<(&Source, &Templates)>) -> Result<Templates, String> {
        let given = self.given.iter().cloned();
        let standing = self.sources.iter().filter_map(|source| {
            let other = with.filter(|(replaced, _)| replaced.address == source.address);
            let templates = other.map(|(_, templates)| templates.clone());
            Some((source.address.to_string(), templates.or_else(|| source.standing())?))
        });
        let sets: Vec<(String, Templates)> = given.chain(standing).collect();
        Templates::joined(sets.iter().map(|(name, set)| (name.as_str(), set.clone())))
    }
}

pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
