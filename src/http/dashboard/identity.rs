//! What the dashboard has others do to know who somebody is: it does not know GitHub.

use super::backstage::Awaited;
use crate::domain::{Group, Person};

/// What a browser came back with, and what it had been sent with.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The code that it came back with.
    pub code: String,
    /// PKCE's verifier, which stays here until then.
    pub verifier: String,
}

/// Who people are, and to which groups they belong.
pub trait Identity: Send + Sync {
    /// Where a browser is sent. `state` comes back with it; `challenge` is the digest of the
    /// verifier (PKCE, S256).
    fn address(&self, state: &str, challenge: &str) -> String;

    /// Who has come back.
    fn person(&self, proof: Proof) -> Awaited<Person>;

    /// Whether they belong to a group, as of now.
    fn belongs(&self, person: &Person, group: &Group) -> Awaited<bool>;
}
