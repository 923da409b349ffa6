//! Where templates come from, as the settings name it.

use std::fmt;
use std::path::PathBuf;

use crate::domain::RepositoryName;
use crate::domain::observation::PullRequestSeen;

/// One of the places that templates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A folder of a repository.
    GitHub(Address),
}

/// `github:owner/repo[/path][@ref]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Which repository.
    pub repository: RepositoryName,
    /// The folder in it, without `/` at its ends; empty is all of it.
    pub path: String,
    /// A branch, a tag or a commit; the default branch where none is named.
    pub reference: Option<String>,
}

/// Reads `TOWPATH_TEMPLATES`: one or more places, with commas between them. The error is a sentence.
pub fn origins(setting: &str) -> Result<Vec<Origin>, String> {
    let mut origins = Vec::new();
    for place in setting.split(',').map(str::trim).filter(|place| !place.is_empty()) {
        let origin = match place.strip_prefix("github:") {
            Some(address) => Origin::GitHub(address_of(address).ok_or_else(|| {
                format!("`{place}` is no place for templates: github:owner/repo[/path][@ref]")
            })?),
            None => Origin::Folder(PathBuf::from(place)),
        };
        if origins.contains(&origin) {
            return Err(format!("`{place}` is named twice"));
        }
        origins.push(origin);
    }
    Ok(origins)
}

fn address_of(text: &str) -> Option<Address> {
    let (place, reference) = match text.split_once('@') {
        Some((place, reference)) => (place, Some(reference)),
        None => (text, None),
    };
    let mut parts = place.splitn(3, '/');
    let repository = RepositoryName::new(parts.next()?, parts.next()?).ok()?;
    let path = parts.next().unwrap_or_default().trim_matches('/');
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    let is_usable = (path.is_empty() || path.split('/').all(is_plain)) && reference != Some("");
    let reference = reference.map(str::to_owned);
    is_usable.then(|| Address { repository, path: path.to_owned(), reference })
}

impl Address {
    /// The path, from the repository's root, of what is called so in the folder.
    pub(super) fn path_of(&self, file: &str) -> String {
        if self.path.is_empty() { file.to_owned() } else { format!("{}/{file}", self.path) }
    }

    /// Whether a pull request may end up here. To which branch one without a name leads, GitHub
    /// knows: then any may.
    pub(super) fn is_base_of(&self, seen: &PullRequestSeen) -> bool {
        let base = self.reference.as_deref();
        seen.repository == self.repository && base.is_none_or(|base| base == seen.base.as_str())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "github:{}{slash}{}", self.repository, self.path)?;
        match &self.reference {
            Some(reference) => write!(f, "@{reference}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "github:acme/templates",
            "github:acme/platform/portal/templates@main",
            "github:acme/platform@feature/x",
        ] {
            let read = origins(text).unwrap();
            let [Origin::GitHub(address)] = &read[..] else { panic!("{read:?}") };
            assert_eq!(address.to_string(), text);
        }
        let Origin::GitHub(address) = &origins("github:acme/p/a/b@v1").unwrap()[0] else {
            panic!()
        };
        assert_eq!((&*address.path, address.reference.as_deref()), ("a/b", Some("v1")));
        assert_eq!(address.path_of("x/template.yml"), "a/b/x/template.yml");
    }

    #[test]
    fn several_places_stand_beside_each_other() {
        let read = origins("templates, github:acme/a,github:beta/b").unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0], Origin::Folder("templates".into()));
        assert!(origins("github:acme/a,github:acme/a").unwrap_err().contains("named twice"));
    }

    #[test]
    fn what_is_no_address_is_named() {
        for bad in
            ["github:", "github:acme", "github:acme/a/../b", "github:acme/a@", "github:a b/c"]
        {
            let error = origins(bad).unwrap_err();
            assert!(error.contains(bad), "{error}");
        }
    }
}
