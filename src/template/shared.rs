//! What the templates of a set share: the files of `_shared/`, which are included or make
//! components.
//!
//! Nothing in it leads back to itself, and it is nested a few levels deep at most, so that a
//! rendering ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::SourceFile;
use super::diagnostic::{Diagnostic, Place, did_you_mean};
use super::engine::Compiled;
use super::expression::{Component, Prepared, Scope, SyntaxFault, prepare};

/// Where it lies, in the folder of all templates.
pub(super) const FOLDER: &str = "_shared";
/// How deep includes, or components, may be nested.
const DEEPEST: usize = 8;

/// A file that is shared.
#[derive(Debug)]
pub(super) struct SharedFile {
    /// Below the folder: how an include calls it.
    pub(super) name: String,
    /// From the folder of all templates.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) prepared: Prepared,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Shared {
    files: BTreeMap<String, Arc<SharedFile>>,
    /// Each component, and the file that makes it.
    components: BTreeMap<String, (Component, Arc<SharedFile>)>,
    /// How many `{{ … }}` they have.
    pub(super) outputs: usize,
    is_sound: bool,
}

impl Shared {
    /// Reads them, and tells everything that is wrong with them.
    pub(super) fn load(all: &[SourceFile]) -> (Self, Vec<Diagnostic>) {
        let mut shared = Self::default();
        let mut found = Vec::new();
        for file in all {
            let name = file.path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
            match name {
                Some("template.yml") => {
                    let message = "`_shared` holds what templates share, and is none itself";
                    found.push(Diagnostic::at(&file.path, "", Place::START, message));
                }
                Some(name) if is_template(name) => shared.add(name, file, &mut found),
                _ => {}
            }
        }
        let files: Vec<_> = shared.files.values().cloned().collect();
        for file in &files {
            let faults = shared.faults(&file.prepared);
            found.extend(faults.into_iter().map(|fault| file.diagnostic(fault)));
        }
        if found.is_empty() {
            found.extend(files.iter().filter_map(|file| shared.nesting(file)));
        }
        shared.is_sound = found.is_empty();
        if shared.is_sound {
            found.extend(files.iter().filter_map(|file| shared.unreadable(file)));
        }
        (shared, found)
    }

    fn add(&mut self, name: &str, file: &SourceFile, found: &mut Vec<Diagnostic>) {
        let Ok(text) = std::str::from_utf8(&file.contents) else {
            let message = "a `.tera` file must be UTF-8";
            found.push(Diagnostic::at(&file.path, "", Place::START, message));
            return;
        };
        let (prepared, faults) = prepare(text, Scope::Shared, self.outputs);
        self.outputs += prepared.outputs.len();
        let (path, text) = (file.path.clone(), text.to_owned());
        let file = Arc::new(SharedFile { name: name.to_owned(), path, text, prepared });
        found.extend(faults.into_iter().map(|fault| file.diagnostic(fault)));
        for component in &file.prepared.components {
            let made = (component.clone(), Arc::clone(&file));
            if let Some((_, other)) = self.components.insert(component.name.clone(), made) {
                let message =
                    format!("the component `{}` is made in `{}` too", component.name, other.path);
                found.push(Diagnostic::at(&file.path, &file.text, component.place, message));
            }
        }
        self.files.insert(name.to_owned(), file);
    }

    /// Whether a text that makes use of it can be read by Tera.
    pub(super) fn can_serve(&self, prepared: &Prepared) -> bool {
        self.is_sound || (prepared.includes.is_empty() && prepared.calls.is_empty())
    }

    /// What a text asks for that is not there.
    pub(super) fn faults(&self, prepared: &Prepared) -> Vec<SyntaxFault> {
        let unknown = prepared.includes.iter().filter(|it| !self.files.contains_key(&it.file));
        let unknown = unknown.map(|include| SyntaxFault {
            place: include.place,
            message: format!("there is no file `{}` in `{FOLDER}`", include.file),
            help: did_you_mean(&include.file, self.files.keys().map(String::as_str)),
        });
        let mut faults: Vec<_> = unknown.collect();
        for call in &prepared.calls {
            let Some((component, _)) = self.components.get(&call.name) else {
                let known = self.components.keys().map(String::as_str);
                faults.push(SyntaxFault {
                    place: call.place,
                    message: format!("there is no component `{}` in `{FOLDER}`", call.name),
                    help: did_you_mean(&call.name, known),
                });
                continue;
            };
            let known = || component.parameters.iter().map(|it| it.name.as_str());
            let strange = call.arguments.iter().filter(|(name, _)| known().all(|it| it != name));
            faults.extend(strange.map(|(name, place)| SyntaxFault {
                place: *place,
                message: format!("the component `{}` has no argument `{name}`", call.name),
                help: did_you_mean(name, known()),
            }));
            let is_given = |wanted: &str| call.arguments.iter().any(|(name, _)| name == wanted);
            let missing =
                component.parameters.iter().filter(|it| it.is_required && !is_given(&it.name));
            faults.extend(missing.map(|parameter| SyntaxFault {
                place: call.place,
                message: format!("the component `{}` needs `{}`", call.name, parameter.name),
                help: Some(format!("{{{{ <{} {}={{…}} /> }}}}", call.name, parameter.name)),
            }));
        }
        faults
    }

    /// The files that a text includes, directly or not.
    pub(super) fn included(&self, prepared: &Prepared) -> Vec<Arc<SharedFile>> {
        self.reached(prepared, |prepared| {
            prepared.includes.iter().map(|it| it.file.as_str()).collect()
        })
    }

    /// The files that Tera needs for a text: what is included and what makes its components.
    pub(super) fn needed(&self, prepared: &Prepared) -> Vec<Arc<SharedFile>> {
        self.reached(prepared, |prepared| {
            let made = prepared.calls.iter().filter_map(|call| self.components.get(&call.name));
            let made = made.map(|(_, file)| file.name.as_str());
            prepared.includes.iter().map(|it| it.file.as_str()).chain(made).collect()
        })
    }

    fn reached<'a>(
        &'a self,
        from: &'a Prepared,
        next: impl Fn(&'a Prepared) -> Vec<&'a str>,
    ) -> Vec<Arc<SharedFile>> {
        let mut reached = BTreeMap::new();
        let mut waiting = next(from);
        while let Some(name) = waiting.pop() {
            if let Some(file) = self.files.get(name)
                && reached.insert(name, Arc::clone(file)).is_none()
            {
                waiting.extend(next(&file.prepared));
            }
        }
        reached.into_values().collect()
    }

    /// A file that leads back to itself, or that is nested too deep.
    fn nesting(&self, file: &SharedFile) -> Option<Diagnostic> {
        let includes = |name: &str| {
            let file = self.files.get(name);
            file.map_or_else(BTreeSet::new, |file| {
                file.prepared.includes.iter().map(|it| it.file.clone()).collect()
            })
        };
        let calls = |name: &str| {
            let file = self.components.get(name);
            file.map_or_else(BTreeSet::new, |(_, file)| {
                let within = file.prepared.calls.iter();
                let within = within.filter(|call| call.within.as_deref() == Some(name));
                within.map(|call| call.name.clone()).collect()
            })
        };
        let own = file.prepared.components.iter();
        let place = file.prepared.includes.first().map_or(Place::START, |it| it.place);
        let message = own
            .filter_map(|made| Some((made.place, too_deep(&made.name, calls)?)))
            .chain(too_deep(&file.name, includes).map(|message| (place, message)))
            .next();
        let (place, message) = message?;
        Some(Diagnostic::at(&file.path, &file.text, place, message))
    }

    /// What Tera itself finds wrong with a file.
    fn unreadable(&self, file: &SharedFile) -> Option<Diagnostic> {
        let fault = Compiled::shared(file, self).err()?;
        let is_own = fault.file.as_deref() == Some(&*file.path);
        is_own.then(|| {
            Diagnostic::at(&file.path, &file.text, fault.place, fault.message)
                .maybe_help(fault.help)
        })
    }
}

impl SharedFile {
    fn diagnostic(&self, fault: SyntaxFault) -> Diagnostic {
        Diagnostic::at(&self.path, &self.text, fault.place, fault.message).maybe_help(fault.help)
    }
}

fn is_template(path: &str) -> bool {
    path.strip_suffix(".tera").is_some()
}

/// Goes down from `start`, and says what is wrong if that does not end soon.
fn too_deep(start: &str, below: impl Fn(&str) -> BTreeSet<String>) -> Option<String> {
    let mut level = BTreeSet::from([start.to_owned()]);
    for _ in 0..DEEPEST {
        level = level.iter().flat_map(|name| below(name)).collect();
        if level.contains(start) {
            return Some(format!("`{start}` leads back to itself"));
        }
    }
    (!level.is_empty()).then(|| format!("`{start}` is nested more than {DEEPEST} levels deep"))
}

#[cfg(test)]
mod tests;
