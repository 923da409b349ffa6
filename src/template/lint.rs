//! Finds, before any run, what would go wrong at one: syntax, undefined names, secrets in texts.

use serde_json::Value;

use super::context::{ACTION, ROOTS, RUN, USER};
use super::diagnostic::{Diagnostic, Place, did_you_mean};
use super::engine::Compiled;
use super::expression::{Name, Scope, prepare};
use super::located::Located;
use super::shared::{Shared, SharedFile};
use super::spec::secret_inputs;

/// What a text is checked against.
pub(super) struct Lint<'a> {
    pub(super) file: &'a str,
    /// The file's whole text, for the line that is shown.
    pub(super) text: &'a str,
    pub(super) schema: &'a Value,
}

/// What may be named in a text.
#[derive(Clone, Copy, PartialEq)]
enum Allowed {
    Usual,
    /// The entity is rendered after the apply.
    Outputs,
    /// A secret is opened where it is stored, or sent to a workflow.
    Secrets,
}

impl Lint<'_> {
    /// Checks every expression of a `template.yml`.
    pub(super) fn template(&self, root: &Located, found: &mut Vec<Diagnostic>) {
        for part in ["target", "targets", "pull_request"] {
            if let Some(part) = root.get(part) {
                self.texts(part, Allowed::Usual, found);
            }
        }
        if let Some(entity) = root.get("entity") {
            self.texts(entity, Allowed::Outputs, found);
        }
        let actions = root.get("actions").map_or(&[][..], Located::entries);
        for (_, _, action) in actions {
            for (key, _, value) in action.get("workflow").map_or(&[][..], Located::entries) {
                let allowed = if key == "inputs" { Allowed::Secrets } else { Allowed::Usual };
                self.texts(value, allowed, found);
            }
            for (key, _, value) in action.get("secret").map_or(&[][..], Located::entries) {
                let allowed = if key == "value" { Allowed::Secrets } else { Allowed::Usual };
                self.texts(value, allowed, found);
            }
        }
    }

    /// Checks a whole file, and with it the names in what it includes: which there are, each
    /// template says. `None` where something is wrong.
    pub(super) fn file(&self, shared: &Shared, found: &mut Vec<Diagnostic>) -> Option<Compiled> {
        let before = found.len();
        let (prepared, faults) = prepare(self.text, Scope::File, 0);
        for fault in faults.into_iter().chain(shared.faults(&prepared)) {
            found.push(self.diagnostic(fault.place, fault.message, fault.help));
        }
        self.names(&prepared.names, None, Allowed::Usual, found);
        for file in shared.included(&prepared) {
            self.included(&file, found);
        }
        if found.len() > before || !shared.can_serve(&prepared) {
            return None;
        }
        let compiled = Compiled::file(self.text, shared);
        compiled.map_err(|it| found.push(self.diagnostic(it.place, it.message, it.help))).ok()
    }

    fn included(&self, file: &SharedFile, found: &mut Vec<Diagnostic>) {
        let lint = Lint { file: &file.path, text: &file.text, schema: self.schema };
        let before = found.len();
        lint.names(&file.prepared.names, None, Allowed::Usual, found);
        for wrong in &mut found[before..] {
            wrong.message = format!("{}, where `{}` includes this", wrong.message, self.file);
        }
    }

    /// Checks one expression that stands somewhere in the file.
    pub(super) fn expression(&self, text: &str, at: Place, found: &mut Vec<Diagnostic>) {
        self.checked(text, at, Allowed::Usual, found);
    }

    fn texts(&self, part: &Located, allowed: Allowed, found: &mut Vec<Diagnostic>) {
        part.each_text(&mut |text, place| self.checked(text, place, allowed, found));
    }

    fn checked(&self, text: &str, at: Place, allowed: Allowed, found: &mut Vec<Diagnostic>) {
        let (prepared, faults) = prepare(text, Scope::Expression, 0);
        let is_sound = faults.is_empty();
        for fault in faults {
            found.push(self.diagnostic(at, fault.message, fault.help));
        }
        self.names(&prepared.names, Some(at), allowed, found);
        if is_sound && let Err(fault) = Compiled::new(text) {
            found.push(self.diagnostic(at, fault.message, fault.help));
        }
    }

    fn names(
        &self,
        names: &[Name],
        at: Option<Place>,
        allowed: Allowed,
        found: &mut Vec<Diagnostic>,
    ) {
        for name in names {
            if let Some((message, help)) = self.name(name, allowed) {
                found.push(self.diagnostic(at.unwrap_or(name.place), message, help));
            }
        }
    }

    fn diagnostic(&self, place: Place, message: String, help: Option<String>) -> Diagnostic {
        Diagnostic::at(self.file, self.text, place, message).maybe_help(help)
    }

    /// What is wrong with a name, and the way out.
    fn name(&self, name: &Name, allowed: Allowed) -> Option<(String, Option<String>)> {
        let root = name.path[0].as_str();
        let shown = name.path.join(".");
        if !ROOTS.contains(&root) {
            return Some((format!("`{shown}` is not defined"), did_you_mean(root, ROOTS)));
        }
        if root == "outputs" && allowed != Allowed::Outputs {
            let help = "outputs are known after the apply; only `entity` can use them".to_owned();
            return Some((format!("`{shown}` is not defined here"), Some(help)));
        }
        let field = name.path.get(1)?.as_str();
        let unknown = |known: &[&str]| {
            let help = did_you_mean(field, known.iter().copied());
            (!known.contains(&field)).then(|| (format!("`{shown}` is not defined"), help))
        };
        match root {
            "run" => unknown(&RUN),
            "user" => unknown(&USER),
            "action" => unknown(&ACTION),
            "inputs" => self.input(field, &shown, allowed),
            _ => None,
        }
    }

    fn input(
        &self,
        field: &str,
        shown: &str,
        allowed: Allowed,
    ) -> Option<(String, Option<String>)> {
        if secret_inputs(self.schema).contains(&field) && allowed != Allowed::Secrets {
            let help =
                "a secret may be named in `secret: {value: …}` and in `workflow: {inputs: …}` \
                        of an action, nowhere else"
                    .to_owned();
            return Some((format!("`{shown}` is a secret and would be seen here"), Some(help)));
        }
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let is_known = properties.is_some_and(|known| known.contains_key(field));
        if is_known || self.schema.get("patternProperties").is_some() {
            return None;
        }
        let known = properties.into_iter().flatten().map(|(name, _)| name.as_str());
        Some((format!("there is no input `{field}`"), did_you_mean(field, known)))
    }
}
