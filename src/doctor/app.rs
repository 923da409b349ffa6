//! The App: who it is, what it hears, what it may do where.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::Patient;
use super::needs::Needs;
use crate::domain::Finding;
use crate::github::permissions::{Level, Use, events_for, permissions_for};
use crate::github::{AppInfo, Error, GitHub, Installation};

/// How far clocks may differ. A token that begins in GitHub's future is refused, and ours are dated
/// back by a minute.
const DRIFT: TimeDelta = TimeDelta::seconds(30);

/// This machine's clock beside GitHub's.
pub(super) async fn clock(github: &GitHub) -> Finding {
    match github.clock_ahead().await {
        Ok(ahead) if ahead.abs() <= DRIFT => Finding::good("Clock", "It goes with GitHub's."),
        Ok(ahead) => {
            let way = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
            let says = format!("It is {} s {way} GitHub's.", ahead.num_seconds().abs());
            let remedy = "Set it by NTP: GitHub and Port refuse what is signed at another time.";
            Finding::bad("Clock", says, remedy)
        }
        Err(error) => {
            let remedy = "Check GITHUB_API_URL, and whether this machine may call it.";
            Finding::bad("GitHub", error.sentence(), remedy)
        }
    }
}

/// Why GitHub does not know the App.
pub(super) fn unknown(error: &Error) -> Finding {
    match error {
        Error::NotFound { .. } => Finding::bad(
            "App",
            "GitHub knows no App with this id.",
            "Compare GITHUB_APP_ID with the id or client id in the App's settings, and \
             GITHUB_API_URL with the host where it is registered.",
        ),
        Error::Unauthorized { message, .. } => Finding::bad(
            "App",
            format!("GitHub does not accept the App's key: {message}."),
            "Make a new private key in the App's settings, if the clock is right and the key \
             belongs to this App.",
        ),
        error => Finding::bad("App", error.sentence(), "Try again when GitHub answers."),
    }
}

/// Where GitHub sends its deliveries, and whether they arrive.
pub(super) async fn webhook(github: &GitHub, patient: &Patient) -> Vec<Finding> {
    let mut found = Vec::new();
    if !patient.has_webhook_secret {
        found.push(Finding::bad(
            "Webhook",
            "There is no secret to prove webhooks with: all of them are refused.",
            "Set GITHUB_WEBHOOK_SECRET to the secret in the App's settings.",
        ));
    }
    let config = match github.hook_config().await {
        Ok(config) => config,
        Err(error) => {
            found.push(Finding::warning("Webhook", error.sentence(), "Try again later."));
            return found;
        }
    };
    if config.url.is_empty() {
        found.push(Finding::warning(
            "Webhook",
            "The App has none: what happens on GitHub is seen by looking, and late.",
            "Set the webhook's address in the App's settings, if GitHub can reach this service.",
        ));
        return found;
    }
    let wanted = patient.public_url.as_ref().map(|url| format!("{url}/hooks/github"));
    let is_ours = match &wanted {
        Some(wanted) => config.url == *wanted,
        None => config.url.ends_with("/hooks/github"),
    };
    if !is_ours {
        let wanted = wanted.unwrap_or_else(|| "https://YOUR-HOST/hooks/github".to_owned());
        found.push(Finding::bad(
            "Webhook",
            format!("GitHub sends deliveries to {}.", config.url),
            format!("Set the webhook's address in the App's settings to {wanted}."),
        ));
    }
    if config.secret.is_none() {
        found.push(Finding::bad(
            "Webhook",
            "The App's webhook has no secret: every delivery is refused.",
            "Set it in the App's settings, and the same as GITHUB_WEBHOOK_SECRET.",
        ));
    }
    found.extend(last_delivery(github).await);
    if found.is_empty() {
        found.push(Finding::good("Webhook", format!("Deliveries go to {}.", config.url)));
    }
    found
}

/// The last delivery tells what no setting does: whether the secrets are the same.
async fn last_delivery(github: &GitHub) -> Option<Finding> {
    let (status, at) = github.last_delivery().await.ok()??;
    let remedy = match status {
        200..=399 => return None,
        401 => {
            "The secrets differ: set GITHUB_WEBHOOK_SECRET to the one in the App's settings, or \
             that one anew."
        }
        _ => "Look at the App's settings, Advanced, recent deliveries: the answer stands there.",
    };
    let says =
        format!("The last delivery ({}) was answered with {status}.", at.format("%F %T UTC"));
    Some(Finding::bad("Webhook", says, remedy))
}

/// Where the App is installed, and what was granted there.
pub(super) async fn installations(github: &GitHub, app: &AppInfo, needs: &Needs) -> Vec<Finding> {
    let page = format!("{}/installations/new", app.html_url.trim_end_matches('/'));
    let installed = match github.installations().await {
        Ok(installed) => installed,
        Err(error) => {
            let remedy = "Try again when GitHub answers.";
            return vec![Finding::bad("Installation", error.sentence(), remedy)];
        }
    };
    let mut found = events(app, needs);
    let owners: BTreeSet<String> =
        needs.targets.values().map(|it| it.repository.owner().to_ascii_lowercase()).collect();
    let is_on =
        |owner: &String| installed.iter().any(|it| it.account.login.eq_ignore_ascii_case(owner));
    for owner in owners.iter().filter(|owner| !is_on(owner)) {
        let says = format!("The App is not installed on {owner}, which templates name.");
        found.push(Finding::bad("Installation", says, format!("Install it: {page}")));
    }
    if installed.is_empty() && owners.is_empty() {
        let says = "The App is installed nowhere.";
        found.push(Finding::bad("Installation", says, format!("Install it: {page}")));
    }
    for installation in &installed {
        found.extend(installation_of(installation, app, needs));
    }
    found
}

fn events(app: &AppInfo, needs: &Needs) -> Vec<Finding> {
    let unheard = events_for(&needs.uses)
        .into_iter()
        .filter(|event| !app.events.iter().any(|it| it == event));
    let finding = |event: &str| {
        let says = format!("The App does not hear {event}: what it tells is seen late.");
        let remedy = "Subscribe to it in the App's settings, Permissions & events.";
        Finding::warning("Events", says, remedy)
    };
    unheard.map(finding).collect()
}

fn installation_of(at: &Installation, app: &AppInfo, needs: &Needs) -> Vec<Finding> {
    let about = format!("Installation on {}", at.account.login);
    if at.suspended_at.is_some() {
        let remedy = format!("Lift that: {}", at.html_url);
        return vec![Finding::bad(about, "It is suspended.", remedy)];
    }
    let mut found = Vec::new();
    for (permission, level) in permissions_for(&needs.uses) {
        if grants(&at.permissions, permission, level) {
            continue;
        }
        let remedy = if grants(&app.permissions, permission, level) {
            format!(
                "An owner of {} accepts the App's new permissions: {}",
                at.account.login, at.html_url
            )
        } else {
            "Grant it in the App's settings, Permissions; then an owner of each account accepts it."
                .to_owned()
        };
        let says = format!("The permission {permission}: {} is missing.", level.as_str());
        found.push(if is_good_to_have(needs, permission, level) {
            let says = format!("{says} Pull requests do without Towpath's own check.");
            Finding::warning(&about, says, remedy)
        } else {
            Finding::bad(&about, says, remedy)
        });
    }
    if found.is_empty() {
        let says = format!("{} repositories, with all that is needed.", at.repository_selection);
        found.push(Finding::good(about, says));
    }
    found
}

fn grants(granted: &std::collections::BTreeMap<String, String>, name: &str, level: Level) -> bool {
    granted.get(name).and_then(|text| Level::parse(text)).is_some_and(|given| given >= level)
}

/// Whether only the App's own check wants it: a run goes on without.
fn is_good_to_have(needs: &Needs, permission: &str, level: Level) -> bool {
    let mut others = needs.uses.clone();
    others.remove(&Use::OwnCheck);
    permissions_for(&others).get(permission).is_none_or(|needed| *needed < level)
}
