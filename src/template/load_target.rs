//! Reads where a template's files go: a folder of a repository that stands, or a new repository.

use super::keys;
use super::load::Reader;
use super::located::{Content, Located};
use super::spec::{ActionKind, ActionSpec, NewRepository, Target};
use crate::domain::Operation;
use crate::domain::repository::Visibility;

impl Reader<'_> {
    pub(super) fn target(&mut self, root: &Located, actions: &[ActionSpec]) -> Option<Target> {
        let spec = root.get("target")?;
        self.known_keys(spec, "target", &keys::TARGET);
        let repository = spec.get("repository");
        if let Some(made) = repository.filter(|it| matches!(it.content, Content::Map(_))) {
            return Some(self.new_repository(root, spec, made, actions));
        }
        Some(Target {
            repository: self.required_text(spec, "repository", "target").unwrap_or_default(),
            base: self.text_at(spec, "base"),
            path: self.required_text(spec, "path", "target").unwrap_or_default(),
            new: None,
        })
    }

    fn new_repository(
        &mut self,
        root: &Located,
        spec: &Located,
        made: &Located,
        actions: &[ActionSpec],
    ) -> Target {
        self.known_keys(made, "repository", &keys::NEW_REPOSITORY);
        for key in ["base", "path"] {
            if let Some(at) = spec.get(key) {
                self.say(at.place, format!("a new repository is written whole: it has no `{key}`"));
            }
        }
        for key in ["plan", "pull_request"] {
            if let Some(at) = root.get(key) {
                let message = "a new repository gets its files without a pull request";
                self.say(at.place, format!("{message}: it has no `{key}`"));
            }
        }
        let later = |action: &&ActionSpec| {
            action.kind == ActionKind::Files && action.operation != Operation::Create
        };
        if let Some(action) = actions.iter().find(later) {
            let message = format!(
                "`{}` would change files of a repository that this template makes: only `create` \
                 does that; put it into a template of its own",
                action.id
            );
            self.say(made.place, message);
        }
        let from = self.text_at(made, "from");
        let visibility = self.visibility(made);
        if from.is_some() && visibility == Visibility::Internal {
            let message = "GitHub makes no internal repository `from` another one";
            self.say(made.place, message);
        }
        Target {
            repository: self.required_text(made, "create", "repository").unwrap_or_default(),
            base: None,
            path: String::new(),
            new: Some(NewRepository {
                description: self.text_at(made, "description"),
                visibility,
                from,
            }),
        }
    }

    fn visibility(&mut self, made: &Located) -> Visibility {
        let Some(given) = self.text_at(made, "visibility") else { return Visibility::Private };
        let known = [Visibility::Private, Visibility::Internal, Visibility::Public];
        let found = known.into_iter().find(|known| known.as_str() == given);
        found.unwrap_or_else(|| {
            let place = made.get("visibility").map_or(made.place, |at| at.place);
            self.say(place, "`visibility` must be private, internal or public");
            Visibility::Private
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::template::{SourceFile, Templates};

    /// What is wrong with a template that has this target, and this beside it.
    fn faults(target: &str, beside: &str) -> String {
        let text = format!(
            "title: Service\nactions:\n  add: {{operation: create}}\n{beside}target: {target}\n"
        );
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            contents: text.as_bytes().to_vec(),
            executable: false,
        };
        let files = [file("service/template.yml", &text), file("service/files/a.md", "Hello\n")];
        match Templates::load(&files) {
            Ok(_) => String::new(),
            Err(found) => found.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_repository_may_be_made() {
        assert_eq!(faults("{repository: {create: acme/orders}}", ""), "");
        assert_eq!(
            faults(
                "{repository: {create: acme/orders, visibility: public, from: acme/golden}}",
                ""
            ),
            ""
        );
    }

    #[test]
    fn what_makes_no_sense_for_a_new_repository_is_a_mistake() {
        let made = "{repository: {create: acme/orders}}";
        for (target, beside, said) in [
            ("{repository: {create: acme/orders}, path: x}", "", "has no `path`"),
            ("{repository: {create: acme/orders}, base: x}", "", "has no `base`"),
            ("{repository: {description: x}}", "", "needs `create`"),
            ("{repository: {create: acme/orders, privat: true}}", "", "unknown key `privat`"),
            ("{repository: {create: acme/orders, visibility: open}}", "", "must be private"),
            ("{repository: {create: a/b, visibility: internal, from: a/c}}", "", "no internal"),
            (made, "  change: {operation: day-2}\n", "only `create` does that"),
            (made, "plan: {workflow: plan.yml}\n", "has no `plan`"),
            (made, "pull_request: {labels: [x]}\n", "has no `pull_request`"),
        ] {
            let found = faults(target, beside);
            assert!(found.contains(said), "{target}: {found}");
        }
    }
}
