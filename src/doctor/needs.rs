//! What templates need of GitHub: uses of the App, repositories, workflows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::run::ApplySignal;
use crate::domain::{BranchName, RepositoryName};
use crate::github::permissions::Use;
use crate::template::{ActionKind, Target, Template, Templates};

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// What the App is used for.
    pub(super) uses: BTreeSet<Use>,
    /// Repositories that are named, by their comparable name.
    pub(super) targets: BTreeMap<String, TargetNeeds>,
    /// Repositories whose names depend on a run: `template: expression`.
    pub(super) unknown: Vec<String>,
}

/// What is needed of one repository.
#[derive(Debug)]
pub(super) struct TargetNeeds {
    pub(super) repository: RepositoryName,
    /// Pull requests are opened there, into these branches; `None` is the default branch.
    pub(super) bases: BTreeSet<Option<String>>,
    /// A branch as it will be called.
    pub(super) own_branch: Option<BranchName>,
    pub(super) workflows: Vec<WorkflowNeeds>,
}

/// A workflow that is named.
#[derive(Debug)]
pub(super) struct WorkflowNeeds {
    /// Its file name.
    pub(super) file: String,
    /// By whom: `template database`.
    pub(super) by: String,
    /// What is dispatched; `None` where the workflow is only followed.
    pub(super) dispatch: Option<Dispatch>,
}

/// What is sent with a dispatch, and the schema that what people type is held to.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) inputs: Map<String, Value>,
    pub(super) schema: Value,
}

impl Needs {
    /// Of these templates. Messages that name a workflow themselves are always to be done.
    pub(super) fn of(templates: &Templates) -> Self {
        let mut needs = Self { uses: BTreeSet::from([Use::Dispatch]), ..Self::default() };
        for template in templates.iter() {
            needs.add(template);
        }
        needs
    }

    fn add(&mut self, template: &Template) {
        let by = format!("template {}", template.name);
        for action in &template.actions {
            match &action.kind {
                ActionKind::Files => {
                    for target in template.targets_of(action.operation) {
                        self.add_files(target, &by, action.id.as_str());
                    }
                }
                ActionKind::Workflow { repository, file, inputs, .. } => {
                    let Some(target) = self.target(&by, repository) else { continue };
                    if is_fixed(file) {
                        let inputs = inputs.as_object().cloned().unwrap_or_default();
                        let dispatch = Dispatch { inputs, schema: template.inputs.clone() };
                        let by = format!("action {}", action.id);
                        let (file, dispatch) = (file.clone(), Some(dispatch));
                        target.workflows.push(WorkflowNeeds { file, by, dispatch });
                    }
                }
                ActionKind::Secret { repository, environment, .. } => {
                    self.target(&by, repository);
                    self.uses.insert(match environment {
                        Some(_) => Use::EnvironmentSecrets,
                        None => Use::Secrets,
                    });
                }
            }
        }
    }

    fn add_files(&mut self, target: &Target, by: &str, action: &str) {
        self.uses.extend([Use::Files, Use::OwnCheck]);
        if target.writes_workflows() {
            self.uses.insert(Use::WorkflowFiles);
        }
        if target.pull_request.reviewers.iter().any(|name| name.contains('/')) {
            self.uses.insert(Use::Teams);
        }
        let apply = match &target.apply {
            ApplySignal::Workflow(file) => Some(file.clone()),
            ApplySignal::Status(_) => {
                self.uses.insert(Use::Statuses);
                None
            }
            ApplySignal::Check(_) => {
                self.uses.insert(Use::Checks);
                None
            }
            ApplySignal::Deployment(_) => {
                self.uses.insert(Use::Deployments);
                None
            }
            ApplySignal::Merge => None,
        };
        let followed: Vec<String> = target.plan.iter().cloned().chain(apply).collect();
        if !followed.is_empty() {
            self.uses.insert(Use::Workflows);
        }
        if target.new.is_some() {
            // It is not there before the run.
            self.uses.insert(Use::Repositories);
            return;
        }
        let Some(known) = self.target(by, &target.repository) else { return };
        known.bases.insert(target.base.clone().filter(|base| is_fixed(base)));
        known.own_branch = BranchName::new(format!("towpath/{action}/run")).ok();
        for file in followed {
            if known.workflows.iter().all(|it| it.dispatch.is_some() || it.file != file) {
                known.workflows.push(WorkflowNeeds { file, by: by.to_owned(), dispatch: None });
            }
        }
    }

    /// The needs of a repository, unless its name depends on a run.
    fn target(&mut self, by: &str, repository: &str) -> Option<&mut TargetNeeds> {
        let Some(name) = repository.parse::<RepositoryName>().ok().filter(|_| is_fixed(repository))
        else {
            let unknown = format!("{by}: {repository}");
            if !self.unknown.contains(&unknown) {
                self.unknown.push(unknown);
            }
            return None;
        };
        Some(self.targets.entry(name.key()).or_insert_with(|| TargetNeeds {
            repository: name,
            bases: BTreeSet::new(),
            own_branch: None,
            workflows: Vec::new(),
        }))
    }
}

/// Whether a text of a template is the same in every run.
fn is_fixed(text: &str) -> bool {
    !text.contains("{{") && !text.contains("{%")
}
