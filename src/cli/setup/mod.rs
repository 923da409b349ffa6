//! `towpath setup`: registers the GitHub App in the browser and keeps what GitHub hands out.
//!
//! What people read goes to standard error, so that `--print` gives secrets, and nothing else, to
//! the program behind the pipe.

mod print;
pub(super) mod register;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cli::screen::Screen;
use crate::clock::Clock;
use crate::config::AppFile;
use crate::domain::RegisteredApp;
use crate::github::{GitHub, Installation, Registry, Settings, web_address};
use crate::http::dashboard::setup::{Asked, SetupState, router};
use crate::lifecycle::Lifecycle;
use print::Form;
use register::{Keep, register};

/// How often GitHub is asked whether the App is installed.
const LOOK: Duration = Duration::from_secs(2);
/// How long that is waited for. The App can be installed at any time later.
const PATIENCE: Duration = Duration::from_mins(10);

/// Registers the GitHub App in the browser, and keeps its id, key and secrets.
///
/// A service that waits for its App takes it up by itself.
#[derive(Args)]
#[command(after_help = "For Fly.io:      towpath setup --print env | fly secrets import\n\
                        For Kubernetes:  towpath setup --print kubernetes | kubectl apply -f -")]
pub struct SetupArguments {
    /// The organisation that is to own the App; without one, your own account.
    #[arg(long)]
    organization: Option<String>,

    /// The address at which GitHub reaches the service: `https://towpath.acme.example`. Asked in
    /// the browser where it is not given.
    #[arg(long, env = "TOWPATH_PUBLIC_URL")]
    public_url: Option<String>,

    /// GitHub cannot reach the service: no webhooks, runs are looked at instead.
    #[arg(long)]
    no_webhooks: bool,

    /// GitHub's REST API, as for `towpath serve`.
    #[arg(long, env = "GITHUB_API_URL", default_value = "https://api.github.com")]
    github_api_url: String,

    /// Where the App is kept, readable to you alone.
    #[arg(long, env = "TOWPATH_APP_FILE", default_value = "github-app.json")]
    app_file: PathBuf,

    /// Print the settings for somewhere else, instead of keeping them in a file.
    #[arg(long, value_enum)]
    print: Option<Form>,

    /// Do not open a browser, only print the address.
    #[arg(long)]
    no_browser: bool,
}

/// Registers, and waits until the App is installed.
pub fn run(arguments: &SetupArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("starting the runtime")?.block_on(set_up(arguments))
}

async fn set_up(arguments: &SetupArguments) -> anyhow::Result<ExitCode> {
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals().context("listening for signals")?;
    let api_url = arguments.github_api_url.trim_end_matches('/').to_owned();
    let (done, mut registered) = mpsc::channel(1);
    let keep = keep(arguments, &api_url, done);
    (keep.prepare)()?;
    let asked = Asked {
        github_url: web_address(&api_url),
        organization: arguments.organization.clone(),
        public_url: arguments.public_url.clone(),
        is_unreachable: arguments.no_webhooks,
    };
    let registry = Registry::new(&api_url, Clock::system()).context("GITHUB_API_URL")?;
    let page = SetupState::new(asked.clone(), register(registry, &asked, keep));
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listening on this machine")?;
    let address = page.address(&format!("http://{}", listener.local_addr()?));
    lifecycle.spawn(async move { axum::serve(listener, router(page)).await });

    say(&format!("Register the App in the browser:\n  {address}"));
    if !arguments.no_browser && open::that_detached(&address).is_err() {
        say("No browser could be opened here: open the address by hand.");
    }
    let app = tokio::select! {
        app = registered.recv() => app.context("the page has ended")?,
        () = lifecycle.stopping() => bail!("stopped before an App was registered"),
    };
    tell_kept(arguments, &app);
    let installed = tokio::select! {
        installed = installed(&app, &api_url) => installed?,
        () = lifecycle.stopping() => Vec::new(),
    };
    tell_installed(&app, &installed);
    Ok(ExitCode::SUCCESS)
}

/// Where the App goes: into the file, or to standard output.
fn keep(arguments: &SetupArguments, api_url: &str, done: mpsc::Sender<RegisteredApp>) -> Keep {
    let file = AppFile::at(&arguments.app_file);
    let (form, api_url) = (arguments.print, api_url.to_owned());
    let free = file.clone();
    Keep {
        prepare: Arc::new(move || if form.is_some() { Ok(()) } else { free.check_free() }),
        keep: Arc::new(move |app| {
            match form {
                Some(form) => Screen::plain().line(&form.text(app, &api_url)),
                None => file.write(&api_url, app)?,
            }
            // A second one finds the file taken, or nobody who listens.
            done.try_send(app.clone()).context("this page has registered an App already")
        }),
    }
}

/// Waits until the App is installed somewhere.
async fn installed(app: &RegisteredApp, api_url: &str) -> anyhow::Result<Vec<Installation>> {
    let settings = Settings {
        api_url: api_url.to_owned(),
        app: app.client_id.clone(),
        private_key: app.private_key.clone(),
    };
    let github = GitHub::new(&settings, Clock::system()).context("the App's key")?;
    let looking = async {
        loop {
            match github.installations().await {
                Ok(installed) if !installed.is_empty() => return installed,
                // GitHub may be away for a moment; the person sees the page meanwhile.
                Ok(_) | Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    };
    Ok(tokio::time::timeout(PATIENCE, looking).await.unwrap_or_default())
}

fn tell_kept(arguments: &SetupArguments, app: &RegisteredApp) {
    let slug = &app.slug;
    match arguments.print {
        Some(_) => say(&format!("The App {slug} is registered, and its settings are printed.")),
        None => say(&format!(
            "The App {slug} is registered, and kept in {}.",
            arguments.app_file.display()
        )),
    }
    say(&format!("Install it on the repositories it may work on:\n  {}", app.installation_page()));
}

fn tell_installed(app: &RegisteredApp, installed: &[Installation]) {
    for at in installed {
        let login = &at.account.login;
        say(&format!("Installed on {login}, {} repositories.", at.repository_selection));
    }
    if installed.is_empty() {
        say(&format!("Not installed yet: {}", app.installation_page()));
    }
    say("`towpath doctor` says what is still missing, `towpath serve` starts the service.");
}

#[expect(clippy::print_stderr, reason = "for the person at the terminal, beside what is piped on")]
fn say(text: &str) {
    eprintln!("{text}");
}
