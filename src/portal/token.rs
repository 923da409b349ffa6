//! The access token: one until it ends or is refused, fetched once however many wait for it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::error::Error;
use crate::clock::Clock;

/// A token and for how long it is taken.
pub(super) struct Fetched {
    /// The token itself.
    pub(super) token: SecretString,
    /// How long it lives, as the answer says.
    pub(super) expires_in: Duration,
}

/// The token that is in use.
pub(super) struct TokenCache {
    held: Mutex<Option<Held>>,
    clock: Clock,
}

#[derive(Clone)]
struct Held {
    token: SecretString,
    use_until: DateTime<Utc>,
}

impl TokenCache {
    pub(super) fn new(clock: Clock) -> Self {
        Self { held: Mutex::new(None), clock }
    }

    /// The token, fetched if there is none. The lock is held while fetching, so that everybody
    /// else waits for this one. `refused` is a token that the portal no longer takes.
    pub(super) async fn get(
        &self,
        refused: Option<&SecretString>,
        fetch: impl AsyncFnOnce() -> Result<Fetched, Error>,
    ) -> Result<SecretString, Error> {
        let mut held = self.held.lock().await;
        let asked_at = self.clock.now();
        if let Some(current) = held.as_ref()
            && asked_at < current.use_until
            && !refused.is_some_and(|refused| same(refused, &current.token))
        {
            return Ok(current.token.clone());
        }
        *held = None;
        let fetched = fetch().await?;
        let use_until = asked_at + usable(fetched.expires_in);
        Ok(held.insert(Held { token: fetched.token, use_until }).token.clone())
    }
}

/// How long a token is used: not in the last minute of its life, for a call takes time. Port hands
/// out the same token until it ends, so that one may be fetched that is nearly over: of a short
/// life, three quarters are used.
fn usable(life: Duration) -> Duration {
    life.saturating_sub((life / 4).min(Duration::from_mins(1)))
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Issuer {
        fetches: AtomicUsize,
    }

    impl Issuer {
        async fn fetch(&self) -> Result<Fetched, Error> {
            tokio::task::yield_now().await;
            let number = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
            let token = SecretString::from(format!("token {number}"));
            Ok(Fetched { token, expires_in: Duration::from_hours(3) })
        }

        async fn from(&self, cache: &TokenCache, refused: Option<&SecretString>) -> String {
            let token = cache.get(refused, async || self.fetch().await).await.unwrap();
            token.expose_secret().to_owned()
        }
    }

    #[tokio::test]
    async fn many_who_need_a_token_at_once_cause_one_fetch() {
        let (cache, issuer) = (TokenCache::new(Clock::system()), Issuer::default());
        let callers = (0..20).map(|_| issuer.from(&cache, None));
        let tokens = futures_util::future::join_all(callers).await;
        assert!(tokens.iter().all(|token| token == "token 1"), "{tokens:?}");
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once() {
        let (cache, issuer) = (TokenCache::new(Clock::system()), Issuer::default());
        issuer.from(&cache, None).await;
        let refused = SecretString::from("token 1");
        assert_eq!(issuer.from(&cache, Some(&refused)).await, "token 2");
        // A second caller whose call was refused with the old one.
        assert_eq!(issuer.from(&cache, Some(&refused)).await, "token 2");
    }

    #[tokio::test]
    async fn a_token_is_used_until_shortly_before_its_end() {
        let clock = Clock::system();
        let (cache, issuer) = (TokenCache::new(clock.clone()), Issuer::default());
        issuer.from(&cache, None).await;
        clock.advance(Duration::from_secs(10_700));
        assert_eq!(issuer.from(&cache, None).await, "token 1");
        clock.advance(Duration::from_secs(45));
        assert_eq!(issuer.from(&cache, None).await, "token 2");
    }

    #[tokio::test]
    async fn a_fetch_that_failed_leaves_the_next_one_free() {
        let (cache, issuer) = (TokenCache::new(Clock::system()), Issuer::default());
        let failed = cache.get(None, async || Err(Error::Unauthorized)).await;
        assert_eq!(failed.err(), Some(Error::Unauthorized));
        assert_eq!(issuer.from(&cache, None).await, "token 1");
    }

    #[test]
    fn a_nearly_ended_token_is_not_fetched_at_every_call() {
        assert_eq!(usable(Duration::from_hours(3)), Duration::from_mins(179));
        assert_eq!(usable(Duration::from_secs(20)), Duration::from_secs(15));
        assert_eq!(usable(Duration::ZERO), Duration::ZERO);
    }
}
