//! Whoever has an account, the App among them, and where it is installed.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{Id, Time};
use crate::sandbox::github::limits::Used;

pub(crate) struct App {
    pub(crate) id: Id,
    pub(crate) client_id: String,
    pub(crate) slug: String,
    pub(crate) bot: Id,
    pub(crate) owner: Id,
    pub(crate) permissions: BTreeMap<String, String>,
    /// Where a person goes who has installed it.
    pub(crate) setup_url: Option<String>,
    pub(crate) created_at: Time,
}

/// An App that is not made yet.
pub(crate) struct Pending {
    pub(crate) manifest: Value,
    pub(crate) owner: Id,
    pub(crate) until: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccountKind {
    User,
    Organization,
    Bot,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: Id,
    pub(crate) login: String,
    pub(crate) kind: AccountKind,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Team {
    pub(crate) id: Id,
    pub(crate) organization: Id,
    pub(crate) slug: String,
    pub(crate) repositories: HashSet<Id>,
}

pub(crate) struct Installation {
    pub(crate) id: Id,
    pub(crate) account: Id,
    /// `None`: all repositories of the account.
    pub(crate) selected: Option<HashSet<Id>>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) suspended_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) used: Used,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) installation: Id,
    pub(crate) expires_at: Time,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) repositories: Option<HashSet<Id>>,
}

impl Installation {
    pub(crate) fn covers(&self, repository: Id) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected.contains(&repository))
    }
}
