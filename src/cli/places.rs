//! The places that templates come from, for the commands of their authors: folders of this machine,
//! and repositories that are read as the App that the environment names.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use tokio::runtime::Runtime;

use super::folder;
use super::service::github_of;
use crate::clock::Clock;
use crate::config::RawSettings;
use crate::github::GitHub;
use crate::source::{self, Address, Origin};
use crate::template::{SourceFile, Templates};

/// One of the places, read.
pub(super) struct Place {
    /// As messages name it: what stands before the names of its files.
    pub(super) name: String,
    /// Where its files can be written; nowhere, in a repository.
    pub(super) folder: Option<PathBuf>,
    /// All of its files.
    pub(super) files: Vec<SourceFile>,
}

impl Place {
    fn of(origin: Origin) -> anyhow::Result<Self> {
        match origin {
            Origin::Folder(path) => {
                let name = path.display().to_string();
                let name = name.trim_end_matches('/').to_owned();
                let files = folder::read(&path)?;
                Ok(Self { name, folder: Some(path), files })
            }
            Origin::GitHub(address) => {
                let app = AsApp::new(&address.to_string(), "or name the folder of a checkout")?;
                let files = app.templates(&address)?;
                // Which branch it is stands in the command.
                let name = Address { reference: None, ..address }.to_string();
                Ok(Self { name, folder: None, files })
            }
        }
    }

    /// Its templates, or everything that is wrong with them.
    pub(super) fn load(&self) -> anyhow::Result<Templates> {
        folder::load(&self.files).with_context(|| self.name.clone())
    }
}

/// Reads places as `TOWPATH_TEMPLATES` names them.
pub(super) fn read(setting: &str) -> anyhow::Result<Vec<Place>> {
    let origins = source::origins(setting).map_err(anyhow::Error::msg)?;
    ensure!(!origins.is_empty(), "no place for templates is named");
    origins.into_iter().map(Place::of).collect()
}

/// The templates of all places, or why they do not go together.
pub(super) fn joined<'a>(
    sets: impl IntoIterator<Item = (&'a Place, Templates)>,
) -> anyhow::Result<Templates> {
    let sets = sets.into_iter().map(|(place, templates)| (place.name.as_str(), templates));
    Templates::joined(sets).map_err(anyhow::Error::msg)
}

/// Reads places, and loads what is there.
pub(super) fn load(setting: &str) -> anyhow::Result<Templates> {
    let places = read(setting)?;
    let sets = places.iter().map(|place| Ok((place, place.load()?)));
    joined(sets.collect::<anyhow::Result<Vec<_>>>()?)
}

/// The settings of the service, as far as the environment has them.
#[derive(Parser)]
struct Environment {
    #[command(flatten)]
    settings: RawSettings,
}

/// GitHub, for a command that runs to its end.
pub(super) struct AsApp {
    pub(super) github: GitHub,
    pub(super) runtime: Runtime,
}

impl AsApp {
    /// `what` is read as the App; `instead` is the way out for who has none.
    pub(super) fn new(what: &str, instead: &str) -> anyhow::Result<Self> {
        let settings = Environment::try_parse_from(["towpath"])?.settings.check()?;
        if settings.github_app.is_none() {
            bail!(
                "{what} is read as the App: set GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY, {instead}"
            );
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("starting the runtime")?;
        let github = {
            let _inside = runtime.enter();
            github_of(&settings, &Clock::system())?
        };
        Ok(Self { github, runtime })
    }

    fn templates(&self, address: &Address) -> anyhow::Result<Vec<SourceFile>> {
        let read = self.runtime.block_on(source::read(&self.github, address));
        read.map_err(anyhow::Error::msg).with_context(|| address.to_string())
    }
}
