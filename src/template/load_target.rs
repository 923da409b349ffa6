//! Reads where a template's files go: folders of repositories that stand, or new repositories, and
//! the pull requests that bring them.

use std::sync::Arc;

use serde_json::Value;

use super::keys;
use super::load::Reader;
use super::located::{Content, Located};
use super::spec::{ActionKind, ActionSpec, NewRepository, PullRequestSpec, Target};
use crate::domain::repository::Visibility;
use crate::domain::run::ApplySignal;
use crate::domain::{Operation, TargetName};

/// Most targets of one template: a pull request each is more than most people follow already.
const MOST_TARGETS: usize = 10;

/// How the change of a target is proposed and applied.
#[derive(Clone)]
struct Way {
    pull_request: PullRequestSpec,
    plan: Option<String>,
    apply: ApplySignal,
}

impl Reader<'_> {
    pub(super) fn targets(&mut self, root: &Located, actions: &[ActionSpec]) -> Vec<Target> {
        let writes_files = actions.iter().any(|action| action.kind == ActionKind::Files);
        let way = self.way(root);
        match (root.get("target"), root.get("targets")) {
            (Some(_), Some(at)) => {
                self.say(at.place, "a template has either a `target` or `targets`");
                Vec::new()
            }
            (None, Some(list)) => self.several(root, list, &way, actions),
            (Some(spec), None) => {
                self.known_keys(spec, "target", &keys::TARGET);
                let target = self.target(spec, root, "target", None, way);
                if target.new.is_some() {
                    self.only_create(actions, spec);
                }
                let files = Arc::new(self.files(root, root, "files", writes_files));
                vec![Target { files, ..target }]
            }
            (None, None) => {
                self.files(root, root, "files", writes_files);
                if writes_files {
                    let missing = "a template that writes files needs a `target`, or `targets`";
                    self.found.push(self.at(root.place, missing).help(
                        "target: {repository: acme/infrastructure, path: \"services/{{ inputs.name }}\"}",
                    ));
                }
                Vec::new()
            }
        }
    }

    fn several(
        &mut self,
        root: &Located,
        list: &Located,
        way: &Way,
        actions: &[ActionSpec],
    ) -> Vec<Target> {
        let Content::List(items) = &list.content else {
            self.say(list.place, "`targets` must be a list of targets, each with a `name`");
            return Vec::new();
        };
        if !(2..=MOST_TARGETS).contains(&items.len()) {
            let message =
                format!("`targets` has 2 to {MOST_TARGETS} of them; one alone is a `target`");
            self.say(list.place, message);
        }
        if let Some(at) = root.get("files") {
            let message =
                "each of `targets` has `files` of its own: `files/NAME`, if it does not say";
            self.say(at.place, message);
        }
        let mut targets: Vec<Target> = Vec::with_capacity(items.len());
        for spec in items {
            self.known_keys(spec, "targets", &keys::TARGETS);
            let name = self.required_text(spec, "name", "targets");
            let Some(name) = name.and_then(|name| self.target_name(spec, name)) else { continue };
            if targets.iter().any(|other| other.name.as_ref() == Some(&name)) {
                self.say(spec.place, format!("two targets are called `{name}`"));
            }
            let own = self.way(spec);
            let is_made = spec.get("repository").is_some_and(is_map);
            let said = |key: &str| spec.get(key).is_some();
            // What a new repository does not say, it does not have: its workflows are its own.
            let way = Way {
                pull_request: if said("pull_request") {
                    own.pull_request
                } else {
                    way.pull_request.clone()
                },
                plan: own.plan.or_else(|| way.plan.clone().filter(|_| !is_made)),
                apply: if said("apply") || is_made { own.apply } else { way.apply.clone() },
            };
            let files = self.files(root, spec, &format!("files/{name}"), true);
            let target = self.target(spec, spec, "targets", Some(name), way);
            targets.push(Target { files: Arc::new(files), ..target });
        }
        if targets.iter().all(|target| target.new.is_some()) {
            self.only_create(actions, list);
        }
        targets
    }

    fn target_name(&mut self, spec: &Located, name: String) -> Option<TargetName> {
        let place = spec.get("name").map_or(spec.place, |at| at.place);
        TargetName::new(name).map_err(|error| self.say(place, error.to_string())).ok()
    }

    fn way(&mut self, spec: &Located) -> Way {
        Way {
            pull_request: spec
                .get("pull_request")
                .map(|it| self.pull_request(it))
                .unwrap_or_default(),
            plan: spec.get("plan").and_then(|plan| {
                self.known_keys(plan, "plan", &keys::PLAN);
                self.required_text(plan, "workflow", "plan")
            }),
            apply: spec.get("apply").map_or(ApplySignal::Merge, |apply| self.apply(apply)),
        }
    }

    /// `beside` is where its plan and its pull request would stand.
    fn target(
        &mut self,
        spec: &Located,
        beside: &Located,
        what: &str,
        name: Option<TargetName>,
        way: Way,
    ) -> Target {
        let Way { pull_request, plan, apply } = way;
        let files = Arc::default();
        if let Some(made) = spec.get("repository").filter(|it| is_map(it)) {
            let new = Some(self.new_repository(spec, made, beside));
            let repository = self.required_text(made, "create", "repository").unwrap_or_default();
            let (base, path) = (None, String::new());
            return Target { name, repository, base, path, new, pull_request, plan, apply, files };
        }
        Target {
            name,
            repository: self.required_text(spec, "repository", what).unwrap_or_default(),
            base: self.text_at(spec, "base"),
            path: self.required_text(spec, "path", what).unwrap_or_default(),
            new: None,
            pull_request,
            plan,
            apply,
            files,
        }
    }

    fn new_repository(
        &mut self,
        spec: &Located,
        made: &Located,
        beside: &Located,
    ) -> NewRepository {
        self.known_keys(made, "repository", &keys::NEW_REPOSITORY);
        for key in ["base", "path"] {
            if let Some(at) = spec.get(key) {
                self.say(at.place, format!("a new repository is written whole: it has no `{key}`"));
            }
        }
        for key in ["plan", "pull_request"] {
            if let Some(at) = beside.get(key) {
                let message = "a new repository gets its files without a pull request";
                self.say(at.place, format!("{message}: it has no `{key}`"));
            }
        }
        let from = self.text_at(made, "from");
        let visibility = self.visibility(made);
        if from.is_some() && visibility == Visibility::Internal {
            let message = "GitHub makes no internal repository `from` another one";
            self.say(made.place, message);
        }
        NewRepository { description: self.text_at(made, "description"), visibility, from }
    }

    /// Where nothing but new repositories is written to.
    fn only_create(&mut self, actions: &[ActionSpec], at: &Located) {
        let later = |action: &&ActionSpec| {
            action.kind == ActionKind::Files && action.operation != Operation::Create
        };
        if let Some(action) = actions.iter().find(later) {
            let message = format!(
                "`{}` would change files of a repository that this template makes: only `create` \
                 does that; put it into a template of its own",
                action.id
            );
            self.say(at.place, message);
        }
    }

    fn pull_request(&mut self, spec: &Located) -> PullRequestSpec {
        self.known_keys(spec, "pull_request", &keys::PULL_REQUEST);
        let draft = spec.get("draft").map_or(Value::Bool(false), Located::to_json);
        if !draft.is_boolean() {
            self.say(spec.place, "`draft` must be true or false");
        }
        PullRequestSpec {
            title: self.text_at(spec, "title"),
            body: self.text_at(spec, "body"),
            reviewers: self.texts_at(spec, "reviewers"),
            labels: self.texts_at(spec, "labels"),
            draft: draft == Value::Bool(true),
        }
    }

    fn apply(&mut self, spec: &Located) -> ApplySignal {
        let known = keys::APPLY;
        self.known_keys(spec, "apply", &known);
        let given: Vec<&str> = known.into_iter().filter(|key| spec.get(key).is_some()).collect();
        let [key] = given[..] else {
            self.say(spec.place, format!("`apply` needs exactly one of {}", known.join(", ")));
            return ApplySignal::Merge;
        };
        let value = self.text_at(spec, key).unwrap_or_default();
        match key {
            "workflow" => ApplySignal::Workflow(value),
            "status" => ApplySignal::Status(value),
            "check" => ApplySignal::Check(value),
            _ => ApplySignal::Deployment(value),
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

fn is_map(located: &Located) -> bool {
    matches!(located.content, Content::Map(_))
}

#[cfg(test)]
mod tests {
    use crate::domain::run::ApplySignal;
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

    /// What is wrong with a template that has these targets, and this beside them.
    fn faults_of_several(targets: &str, beside: &str) -> String {
        let text = format!(
            "title: Service\nactions:\n  add: {{operation: create}}\n{beside}targets: {targets}\n"
        );
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            contents: text.as_bytes().to_vec(),
            executable: false,
        };
        let files = [
            file("service/template.yml", &text),
            file("service/files/code/a.md", "Hello\n"),
            file("service/files/gitops/b.yml", "a: 1\n"),
        ];
        match Templates::load(&files) {
            Ok(_) => String::new(),
            Err(found) => found.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn files_may_go_to_several_repositories() {
        let second = "{name: gitops, repository: acme/gitops, path: x}";
        let made = "{name: code, repository: {create: acme/orders}}";
        let stands = "{name: code, repository: acme/code, path: z, plan: {workflow: p.yml}}";
        for first in [made, stands] {
            let both = format!("[{first}, {second}]");
            assert_eq!(faults_of_several(&both, ""), "", "{first}");
            // What holds for all says nothing of a repository that is made.
            let shared = "plan: {workflow: p.yml}\npull_request: {labels: [x]}\n";
            assert_eq!(faults_of_several(&both, shared), "", "{first}");
            assert_eq!(faults_of_several(&both, "  change: {operation: day-2}\n"), "", "{first}");
        }
    }

    #[test]
    fn what_a_target_does_not_say_the_template_says() {
        let text = "title: T\nactions: {add: {operation: create}}\npull_request: {labels: [x]}\n\
                    apply: {workflow: all.yml}\ntargets:\n  \
                    - {name: a, repository: o/a, path: p, apply: {status: own}}\n  \
                    - {name: b, repository: o/b, path: p, pull_request: {draft: true}}\n  \
                    - {name: c, repository: {create: o/c}}\n";
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            contents: text.as_bytes().to_vec(),
            executable: false,
        };
        let names = ["a", "b", "c"].map(|name| file(&format!("t/files/{name}/x.md"), "x\n"));
        let files: Vec<_> = [file("t/template.yml", text)].into_iter().chain(names).collect();
        let templates = Templates::load(&files).unwrap();
        let targets = &templates.iter().next().unwrap().targets;
        let applies: Vec<_> = targets.iter().map(|target| target.apply.clone()).collect();
        let workflow = ApplySignal::Workflow("all.yml".to_owned());
        assert_eq!(applies, [ApplySignal::Status("own".to_owned()), workflow, ApplySignal::Merge]);
        let labels: Vec<_> = targets.iter().map(|it| it.pull_request.labels.len()).collect();
        assert_eq!(labels, [1, 0, 1]);
        assert!(targets[1].pull_request.draft);
    }

    #[test]
    fn what_makes_no_sense_for_several_targets_is_a_mistake() {
        let code = "{name: code, repository: acme/code, path: z}";
        let gitops = "{name: gitops, repository: acme/gitops, path: x}";
        for (targets, beside, said) in [
            (format!("[{code}]"), "", "2 to 10"),
            ("{}".to_owned(), "", "must be a list"),
            (format!("[{code}, {gitops}]"), "target: {}\n", "either a `target` or `targets`"),
            (format!("[{code}, {gitops}]"), "files: x\n", "`files` of its own"),
            (format!("[{code}, {code}]"), "", "two targets are called `code`"),
            (format!("[{code}, {{repository: a/b, path: x}}]"), "", "needs `name`"),
            (format!("[{code}, {{name: Git, repository: a/b, path: x}}]"), "", "lower case"),
            (format!("[{code}, {{name: gitops, repository: a/b}}]"), "", "needs `path`"),
            (format!("[{code}, {{name: none, repository: a/b, path: x}}]"), "", "no file in the folder `files/none`"),
            (format!("[{code}, {{name: gitops, repository: {{create: a/b}}, plan: {{workflow: p.yml}}}}]"), "", "has no `plan`"),
            ("[{name: code, repository: {create: a/b}}, {name: gitops, repository: {create: a/c}}]".to_owned(), "  change: {operation: day-2}\n", "only `create` does that"),
            (format!("[{code}, {{name: gitops, repository: a/b, path: \"{{{{ inputs.no }}}}\"}}]"), "", "there is no input `no`"),
        ] {
            let found = faults_of_several(&targets, beside);
            assert!(found.contains(said), "{targets}: {found}");
        }
    }
}
