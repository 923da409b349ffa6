//! Where the App is installed, and the tokens of its installations.
//!
//! One slot an account, behind a lock of its own: whoever comes while the first one asks GitHub
//! waits for that answer instead of asking too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OnceCell, watch};

use super::answer::Answer;
use super::call::Call;
use super::identity::Identity;
use super::limits::Closed;
use super::pace::Pace;
use super::remembered::Remembered;
use super::transport::Transport;
use crate::clock::Clock;
use crate::domain::github_view::{Budget, Limits};
use crate::github::Error;

/// A token is renewed when less than this is left of its hour.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// The App, and what it may do where.
pub(in crate::github) struct Installations {
    transport: Transport,
    identity: Identity,
    clock: Clock,
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
    /// By account, in lower case. The App itself is the one without a name.
    paces: Mutex<HashMap<String, Pace>>,
    closed: Closed,
    app_page: OnceCell<String>,
    remembered: Remembered,
    /// What was heard last, by account and resource.
    budgets: Mutex<BTreeMap<(String, String), Budget>>,
}

#[derive(Default)]
struct Slot {
    installation: Option<u64>,
    token: Option<Token>,
}

#[derive(Clone)]
struct Token {
    secret: SecretString,
    until: DateTime<Utc>,
    /// Counts the tokens of a slot, so that a refused one is told from its successor.
    number: u64,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct Minted {
    token: String,
    expires_at: DateTime<Utc>,
}

impl Installations {
    pub(in crate::github) fn new(transport: Transport, identity: Identity, clock: Clock) -> Self {
        Self {
            transport,
            identity,
            clock,
            slots: Mutex::default(),
            paces: Mutex::default(),
            closed: Closed::default(),
            app_page: OnceCell::new(),
            remembered: Remembered::default(),
            budgets: Mutex::default(),
        }
    }

    /// A call as the App itself.
    pub(in crate::github) async fn call_as_app(&self, call: &Call) -> Result<Answer, Error> {
        let token = self.identity.token(self.clock.now())?;
        self.transport.send(call, Some(&token), &self.pace("")).await
    }

    /// Whether something new may be begun on an account. `Ok(false)`: GitHub sets no limits there.
    pub(in crate::github) fn has_room(&self, owner: &str) -> Result<bool, Error> {
        let doing = || format!("beginning something new for {owner}");
        let room = self.pace(owner).has_room(self.clock.now());
        room.map_err(|until| Error::RateLimited { doing: doing(), until })
    }

    /// Takes a limit to heart that was said in the body of an answer.
    pub(in crate::github) fn heed(&self, owner: &str, refusal: &Error, answer: &Answer) {
        self.pace(owner).heed(refusal, answer);
    }

    /// What this process was told of limits, as it comes.
    pub(in crate::github) fn limits(&self) -> watch::Receiver<Limits> {
        self.closed.watched()
    }

    /// Keeps to limits that others were told.
    pub(in crate::github) fn keep_to(&self, limits: &Limits) {
        self.closed.keep_to(limits);
    }

    /// A call without proof of identity.
    pub(in crate::github) async fn call_as_nobody(&self, call: &Call) -> Result<Answer, Error> {
        self.transport.send_as_nobody(call).await
    }

    /// A call as somebody else: with their token, or with what its body proves.
    pub(in crate::github) async fn call_with(
        &self,
        call: &Call,
        token: Option<&SecretString>,
    ) -> Result<Answer, Error> {
        self.transport.send(call, token, &Pace::default()).await
    }

    /// A call as the installation on `owner`. A token that is refused is replaced and the call
    /// repeated, once: a call that was refused has done nothing. Where the new one is refused, too,
    /// GitHub knows the App, which it has just given it to: that passes.
    pub(in crate::github) async fn call(&self, owner: &str, call: &Call) -> Result<Answer, Error> {
        let (token, pace) = (self.token(owner, None).await?, self.pace(owner));
        let answer = match self.transport.send(call, Some(&token.secret), &pace).await {
            Err(Error::Unauthorized { .. }) => {
                let token = self.token(owner, Some(token.number)).await?;
                let answer = self.transport.send(call, Some(&token.secret), &pace).await;
                answer.map_err(|error| match error {
                    Error::Unauthorized { doing, message } => Error::Unavailable {
                        doing,
                        reason: format!("a token that it has just given is refused: {message}"),
                    },
                    error => error,
                })
            }
            answer => answer,
        };
        answer
            .inspect(|answer| self.show_budget(owner, answer))
            .map_err(|error| suspended(owner, error))
    }

    /// A read of the REST API that is made again and again: what has not changed since the last time
    /// costs nothing.
    pub(in crate::github) async fn call_again(
        &self,
        owner: &str,
        mut call: Call,
    ) -> Result<Answer, Error> {
        call.tag = self.remembered.tag(owner, call.path_and_query());
        let answer = self.call(owner, &call).await?;
        if let Some(known) = self.remembered.complete(owner, call.path_and_query(), answer) {
            return Ok(known);
        }
        call.tag = None;
        self.call(owner, &call).await
    }

    #[expect(clippy::cast_precision_loss, reason = "a budget has at most five digits")]
    fn show_budget(&self, owner: &str, answer: &Answer) {
        let Some(told) = answer.budget() else { return };
        let budget = Budget {
            owner: owner.to_ascii_lowercase(),
            resource: told.resource.to_owned(),
            left: told.left,
            of: told.limit,
            resets_at: told.resets_at,
        };
        let labels =
            [("installation", budget.owner.clone()), ("resource", budget.resource.clone())];
        metrics::gauge!("towpath_github_budget_remaining", &labels).set(budget.left as f64);
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.insert((budget.owner.clone(), budget.resource.clone()), budget);
    }

    /// What each account's installation may still ask, as far as this process has heard.
    pub(in crate::github) fn budgets(&self) -> Vec<Budget> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.values().cloned().collect()
    }

    /// Forgets what is known of an account: the App was installed, removed, suspended there.
    pub(in crate::github) fn forget(&self, owner: &str) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&owner.to_ascii_lowercase());
    }

    /// The same for every account.
    pub(in crate::github) fn forget_all(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The account's token, other than the one numbered `refused`.
    async fn token(&self, owner: &str, refused: Option<u64>) -> Result<Token, Error> {
        let slot = self.slot(owner);
        let mut slot = slot.lock().await;
        let last = slot.token.take_if(|token| {
            Some(token.number) == refused || token.until - self.clock.now() < MARGIN
        });
        if let Some(token) = &slot.token {
            return Ok(token.clone());
        }
        let minted = self.mint(owner, &mut slot).await?;
        let number = refused.max(last.map(|token| token.number)).map_or(0, |number| number + 1);
        let token = Token { secret: minted.token.into(), until: minted.expires_at, number };
        slot.token = Some(token.clone());
        Ok(token)
    }

    fn slot(&self, owner: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(owner.to_ascii_lowercase()).or_default().clone()
    }

    fn pace(&self, owner: &str) -> Pace {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = owner.to_ascii_lowercase();
        let pace = Pace::new(&owner, self.closed.clone());
        paces.entry(owner).or_insert(pace).clone()
    }

    /// A new token. An installation that is gone is looked up anew: the App may have been removed
    /// and installed again while no webhook reached us.
    async fn mint(&self, owner: &str, slot: &mut Slot) -> Result<Minted, Error> {
        if let Some(known) = slot.installation {
            match self.mint_for(owner, known).await {
                Err(Error::NotFound { .. }) => slot.installation = None,
                minted => return minted,
            }
        }
        let found = self.find(owner).await?;
        let minted = self.mint_for(owner, found).await?;
        slot.installation = Some(found);
        Ok(minted)
    }

    async fn mint_for(&self, owner: &str, installation: u64) -> Result<Minted, Error> {
        let doing = format!("getting a token for {owner}");
        let path = format!("/app/installations/{installation}/access_tokens");
        // A token that nobody has seen does no harm.
        let call = Call::write(Method::POST, doing, path, json!({})).harmless();
        let answer = self.call_as_app(&call).await.map_err(|error| suspended(owner, error))?;
        answer.json(&call.doing)
    }

    async fn find(&self, owner: &str) -> Result<u64, Error> {
        for kind in ["orgs", "users"] {
            let doing = format!("looking for the installation on {owner}");
            let call = Call::get(doing, format!("/{kind}/{owner}/installation"));
            let answer = match self.call_as_app(&call).await {
                Err(Error::NotFound { .. }) => continue,
                answer => answer?,
            };
            let installation: Installation = answer.json(&call.doing)?;
            return match installation.suspended_at {
                Some(_) => Err(Error::Suspended { owner: owner.to_owned() }),
                None => Ok(installation.id),
            };
        }
        let install_url = self.app_page().await.map(|page| format!("{page}/installations/new"));
        Err(Error::NotInstalled { owner: owner.to_owned(), install_url })
    }

    /// The App's public page. `None` while GitHub does not tell.
    async fn app_page(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct App {
            html_url: String,
        }
        let page = self.app_page.get_or_try_init(async || {
            let call = Call::get("looking at the app", "/app");
            let app: App = self.call_as_app(&call).await?.json(&call.doing)?;
            Ok::<_, Error>(app.html_url.trim_end_matches('/').to_owned())
        });
        page.await.ok().cloned()
    }
}

fn suspended(owner: &str, error: Error) -> Error {
    match error {
        Error::Forbidden { message, .. } if message.contains("suspended") => {
            Error::Suspended { owner: owner.to_owned() }
        }
        error => error,
    }
}
