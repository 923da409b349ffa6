//! What a call to GitHub can end in, told apart by what a worker must do next.

use chrono::{DateTime, Utc};

/// Why a call to GitHub was of no use. Never holds a token or a body that was sent.
///
/// `Display` is for the log, [`Error::sentence`] for the person who pressed the button.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This service is no App.
    #[error("no GitHub App is set up")]
    NoApp,
    /// The App is not installed on the account: somebody has to install it.
    #[error("the app is not installed on {owner}")]
    NotInstalled {
        /// The account.
        owner: String,
        /// Where it can be installed, if the App's page is known.
        install_url: Option<String>,
    },
    /// The installation is suspended: somebody has to lift that.
    #[error("the app's installation on {owner} is suspended")]
    Suspended {
        /// The account.
        owner: String,
    },
    /// The thing is not there, or the App may not see it.
    #[error("{doing}: not found")]
    NotFound {
        /// What was being done.
        doing: String,
    },
    /// The repository has no commit yet.
    #[error("{repository} is empty")]
    Empty {
        /// Which.
        repository: String,
    },
    /// A permission is missing.
    #[error("{doing}: forbidden: {message}")]
    Forbidden {
        /// What was being done.
        doing: String,
        /// GitHub's words.
        message: String,
        /// The permissions that would do, as GitHub names them (`actions=write`).
        needs: Option<String>,
    },
    /// GitHub does not believe who we are: a wrong App id or key, or a clock that is off.
    #[error("{doing}: GitHub does not accept the app's id or key: {message}")]
    Unauthorized {
        /// What was being done.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// Something else stands there than was expected: look again, then decide anew.
    #[error("{doing}: {message}")]
    Conflict {
        /// What was being done.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// GitHub refuses the request as it is: a repetition will fare no better.
    #[error("{doing}: refused: {message}")]
    Invalid {
        /// What was being done.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// Too many requests. Nothing was done.
    #[error("{doing}: rate limited until {until}")]
    RateLimited {
        /// What was being done.
        doing: String,
        /// Not before this moment.
        until: DateTime<Utc>,
    },
    /// A read failed, or a write that surely did not arrive: may be repeated.
    #[error("{doing}: unavailable: {reason}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// What happened.
        reason: String,
    },
    /// A write whose answer was lost: it may have been done. Look before it is repeated.
    #[error("{doing}: no clear answer: {reason}")]
    Unclear {
        /// What was being done.
        doing: String,
        /// What happened.
        reason: String,
    },
    /// An answer that makes no sense.
    #[error("{doing}: unexpected answer: {reason}")]
    Unexpected {
        /// What was being done.
        doing: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The same for a person: a sentence, with the way out where one is known.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoApp => "No GitHub App is set up here: nothing can be done on GitHub. Set \
                 GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY where this service runs."
                .to_owned(),
            Self::NotInstalled { owner, install_url: Some(url) } => {
                format!("Towpath is not installed on {owner}. Install it at {url}")
            }
            Self::NotInstalled { owner, install_url: None } => {
                format!(
                    "Towpath is not installed on {owner}. Install the App there, and try again."
                )
            }
            Self::Suspended { owner } => format!(
                "Towpath's installation on {owner} is suspended. An owner of {owner} can lift that \
                 in the settings of the installed App."
            ),
            Self::NotFound { doing } => format!(
                "GitHub has not found what was asked for ({doing}). It does not exist, or the App \
                 may not see it: check the name, and whether the repository is among those that \
                 the App is installed on."
            ),
            Self::Empty { repository } => {
                format!("{repository} is empty. Make a first commit there, and try again.")
            }
            Self::Forbidden { doing, needs: Some(needs), .. } => format!(
                "GitHub does not let the App do that ({doing}): it needs the permission {needs}. \
                 Grant it in the App's settings, and accept it where the App is installed."
            ),
            Self::Forbidden { doing, message, needs: None } => {
                format!("GitHub does not let the App do that ({doing}): {message}")
            }
            Self::Unauthorized { doing, .. } => format!(
                "GitHub does not know the App ({doing}). Check its id, its private key and the \
                 server's clock."
            ),
            Self::Conflict { doing, message } | Self::Invalid { doing, message } => {
                format!("GitHub has refused that ({doing}): {message}")
            }
            Self::RateLimited { until, .. } => format!(
                "GitHub takes no more requests until {}.",
                until.format("%Y-%m-%d %H:%M:%S UTC")
            ),
            Self::Unavailable { doing, reason } => {
                format!("GitHub could not be reached ({doing}): {reason}")
            }
            Self::Unclear { doing, reason } => {
                format!("GitHub has not said whether it was done ({doing}): {reason}")
            }
            Self::Unexpected { doing, reason } => {
                format!("GitHub's answer makes no sense ({doing}): {reason}")
            }
        }
    }

    /// Whether the thing was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// Settings with which GitHub cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address of the API is no address.
    #[error("the address of GitHub's API, {0:?}, is not usable: https://host[/path]")]
    Address(String),
    /// The key is no RSA key.
    #[error("the App's private key is not usable: an RSA key in PEM, or that PEM in base64")]
    Key,
    /// No certificates to check GitHub's against.
    #[error("no root certificates")]
    Certificates(#[from] std::io::Error),
}
