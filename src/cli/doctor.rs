//! `towpath doctor`: what is granted, reachable and configured, beside what the templates need.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::screen::{Screen, ScreenArguments, count};
use super::serve;
use super::service::{github_of, portal_of};
use crate::clock::Clock;
use crate::config::{RawSettings, Settings};
use crate::doctor::{Patient, examine};
use crate::domain::{Finding, Verdict};
use crate::source::{self, Origin};
use crate::store::Store;

/// Compares what is granted, reachable and configured with what the templates need.
///
/// Needs no running service, and changes nothing.
#[derive(Args)]
#[command(after_help = "Ends with 1 if something will fail. Warnings do not count.")]
pub struct DoctorArguments {
    #[command(flatten)]
    settings: RawSettings,

    /// The form of the answer.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    screen: ScreenArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Looks, tells, and ends with 1 if something will fail.
pub fn run(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let settings = arguments.settings.clone().check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let mut found = runtime.context("starting the runtime")?.block_on(async {
        let patient = patient(&settings).await;
        examined(&patient).await
    });
    found.extend(not_read_here(&settings));
    let screen = Screen::new(&arguments.screen);
    match arguments.format {
        Format::Text => tell(screen, &found),
        Format::Json => screen.line(&serde_json::to_string_pretty(&found)?),
    }
    let is_ill = found.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_ill { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(screen: Screen, found: &[Finding]) {
    for finding in found {
        let line = format!("{}: {}", finding.about, finding.says);
        match finding.verdict {
            Verdict::Good => screen.good(&format!("good     {line}")),
            Verdict::Warning => screen.note(&format!("warning  {line}")),
            Verdict::Bad => screen.bad(&format!("bad      {line}")),
        }
        if let Some(remedy) = &finding.remedy {
            screen.line(&format!("         {remedy}"));
        }
    }
    let of = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, warnings) = (of(Verdict::Bad), of(Verdict::Warning));
    screen.heading(&format!("{bad} bad, {}", count(warnings, "warning")));
}

/// What the doctor finds; where Kafka's brokers are reached, also what a reader of the topic meets.
pub(super) async fn examined(patient: &Patient) -> Vec<Finding> {
    #[cfg_attr(not(feature = "kafka"), expect(unused_mut, reason = "without Kafka that is all"))]
    let mut found = examine(patient).await;
    #[cfg(feature = "kafka")]
    if let (Some(settings), Ok(Some(port))) = (&patient.kafka, &patient.portal) {
        let is_reached = |it: &Finding| it.about == "Kafka" && it.verdict == Verdict::Good;
        if let Some(place) = found.iter().position(is_reached) {
            found.insert(place + 1, super::kafka::look_at(port, settings).await);
        }
    }
    found
}

/// Everything that is looked at, as the settings say.
async fn patient(settings: &Settings) -> Patient {
    let clock = Clock::system();
    let github = match &settings.github_app {
        Some(_) => github_of(settings, &clock).map_err(|error| format!("{error:#}.")),
        None => Err("No App is configured: neither GITHUB_APP_ID nor TOWPATH_APP_FILE.".to_owned()),
    };
    let store = Store::open_existing(&settings.database_url, clock.clone()).await;
    Patient {
        github,
        has_webhook_secret: !settings.github_webhook_secrets.is_empty(),
        public_url: settings.public_url.clone(),
        portal: portal_of(settings, &clock).map_err(|error| format!("{error:#}.")),
        kafka: settings.intake.kafka.clone(),
        store: store.map_err(|error| format!("{error}.")),
        templates: serve::templates(settings).map_err(|error| format!("{error:#}")),
    }
}

/// Templates of repositories are in force in the service alone, which keeps what it has read.
fn not_read_here(settings: &Settings) -> Option<Finding> {
    let origins = source::origins(&settings.templates).ok()?;
    let is_elsewhere = origins.iter().any(|origin| matches!(origin, Origin::GitHub(_)));
    is_elsewhere.then(|| {
        let says = "Templates of repositories are not looked at by this command.";
        Finding::warning("Templates", says, "Open /doctor of the service, which has read them.")
    })
}
