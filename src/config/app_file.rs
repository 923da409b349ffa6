//! The file that keeps the GitHub App's id, key and secrets after `towpath setup`: written once and
//! whole, readable to its owner alone.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::domain::RegisteredApp;

/// `TOWPATH_APP_FILE`.
#[derive(Debug, Clone)]
pub struct AppFile(PathBuf);

/// What is in it.
#[derive(Debug)]
pub(super) struct Stored {
    /// GitHub's REST API on the host where the App is registered.
    pub(super) api_url: String,
    pub(super) app: RegisteredApp,
}

#[derive(Deserialize)]
struct Contents {
    api_url: String,
    id: u64,
    slug: String,
    html_url: String,
    client_id: String,
    client_secret: SecretString,
    webhook_secret: Option<SecretString>,
    private_key: SecretString,
}

impl AppFile {
    /// The file at a path, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether an App is kept there.
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// What is kept; `None` where there is no file.
    pub(super) fn read(&self) -> anyhow::Result<Option<Stored>> {
        let text = match std::fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.context("it cannot be read")?,
        };
        // Without the parser's words: they may quote what stands there.
        let found: Contents = serde_json::from_str(&text)
            .map_err(|error| anyhow::anyhow!("line {} is not as it was written", error.line()))?;
        let app = RegisteredApp {
            id: found.id,
            slug: found.slug,
            html_url: found.html_url,
            client_id: found.client_id,
            client_secret: found.client_secret,
            webhook_secret: found.webhook_secret,
            private_key: found.private_key,
        };
        Ok(Some(Stored { api_url: found.api_url, app }))
    }

    /// Whether it could be written now. To be asked before GitHub is: what it hands out, it hands
    /// out once.
    pub fn check_free(&self) -> anyhow::Result<()> {
        self.begin().map(drop)
    }

    /// Keeps an App: all of it or nothing, on disk when this returns. One that is kept already is
    /// left alone.
    pub fn write(&self, api_url: &str, app: &RegisteredApp) -> anyhow::Result<()> {
        let contents = json!({
            "api_url": api_url,
            "id": app.id,
            "slug": app.slug,
            "html_url": app.html_url,
            "client_id": app.client_id,
            "client_secret": app.client_secret.expose_secret(),
            "webhook_secret": app.webhook_secret.as_ref().map(SecretString::expose_secret),
            "private_key": app.private_key.expose_secret(),
        });
        let mut file = self.begin()?;
        let wrong = || format!("writing {}", self.0.display());
        file.write_all(format!("{contents:#}\n").as_bytes()).with_context(wrong)?;
        file.as_file().sync_all().with_context(wrong)?;
        file.persist_noclobber(&self.0).with_context(wrong)?;
        std::fs::File::open(self.folder()).and_then(|folder| folder.sync_all()).with_context(wrong)
    }

    /// An empty file beside it, for its owner alone (0600).
    fn begin(&self) -> anyhow::Result<NamedTempFile> {
        if self.exists() {
            bail!(
                "{} keeps an App already; move it away to register another one",
                self.0.display()
            );
        }
        let folder = self.folder();
        NamedTempFile::new_in(folder)
            .with_context(|| format!("{} cannot be written to", folder.display()))
    }

    fn folder(&self) -> &Path {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(slug: &str) -> RegisteredApp {
        RegisteredApp {
            id: 7,
            slug: slug.to_owned(),
            html_url: "https://github.com/apps/towpath".to_owned(),
            client_id: "Iv1.a".to_owned(),
            client_secret: "hush-client".into(),
            webhook_secret: Some("hush-hook".into()),
            private_key: "-----BEGIN RSA PRIVATE KEY-----\nhush\n".into(),
        }
    }

    #[test]
    fn what_was_kept_is_read_again_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = AppFile::at(folder.path().join("github-app.json"));
        assert!(file.read().unwrap().is_none());
        file.check_free().unwrap();
        file.write("https://api.github.com", &app("first")).unwrap();
        let stored = file.read().unwrap().unwrap();
        assert_eq!((stored.app.slug.as_str(), stored.app.id), ("first", 7));
        assert_eq!(
            stored.app.private_key.expose_secret(),
            app("first").private_key.expose_secret()
        );
        assert!(file.check_free().is_err());
        assert!(file.write("https://api.github.com", &app("second")).is_err());
        assert_eq!(file.read().unwrap().unwrap().app.slug, "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_but_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = AppFile::at(folder.path().join("github-app.json"));
        file.write("https://api.github.com", &app("towpath")).unwrap();
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_file_is_refused_without_a_word_of_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let file = AppFile::at(folder.path().join("github-app.json"));
        std::fs::write(file.path(), "{\"private_key\": \"hush\", \"id\": \"hush\"}").unwrap();
        let error = format!("{:#}", file.read().unwrap_err());
        assert!(!error.contains("hush"), "{error}");
        let missing = AppFile::at(folder.path().join("nowhere/github-app.json"));
        assert!(missing.check_free().unwrap_err().to_string().contains("nowhere"));
    }
}
