//! Actions, and what would come of one.

use serde::Serialize;
use serde_json::Value;

use super::super::actions::right_for;
use super::super::form::FormView;
use super::super::visitor::Visitor;
use super::diff::{PatchView, patches};
use super::text::Pair;
use super::{Badge, GitHub, Named, Tone, encoded};
use crate::domain::run::WorkflowWork;
use crate::domain::standing::Proposal;
use crate::domain::{ActionId, EntityRef, Operation, RepositoryName, Right, TemplateName};
use crate::plan::{PartPreview, Patch, Preview};
use crate::template::{ActionKind, ActionOf, Approval, Templates};

/// All actions, by template.
#[derive(Debug, Serialize)]
pub(in super::super) struct ListView {
    templates: Vec<TemplateView>,
    may_run: bool,
}

#[derive(Debug, Serialize)]
struct TemplateView {
    /// By which other pages lead to it.
    anchor: String,
    title: String,
    description: Option<String>,
    actions: Vec<ActionView>,
}

/// One action.
#[derive(Debug, Serialize)]
pub(in super::super) struct ActionView {
    pub(in super::super) title: String,
    identifier: String,
    href: String,
    badge: Badge,
    description: Option<String>,
    template: Named,
    /// What it does.
    does: &'static str,
    /// With what, and where, as far as that is said without an entity.
    with: Option<Named>,
    place: Option<Named>,
    runs_href: String,
    needs_approval: bool,
    /// Whether the visitor may start it.
    is_open: bool,
}

/// The page of an action.
#[derive(Debug, Serialize)]
pub(in super::super) struct ActionPage {
    pub(in super::super) action: ActionView,
    pub(in super::super) form: FormView,
    pub(in super::super) asks_for_email: bool,
    pub(in super::super) email: String,
    /// Tells one request from another, so that one that is sent twice is one run.
    pub(in super::super) request: String,
    pub(in super::super) preview: Vec<PreviewView>,
    /// Why there is no preview, or no run.
    pub(in super::super) trouble: Option<String>,
}

/// What would come of a request.
#[derive(Debug, Default, Serialize)]
pub(in super::super) struct PreviewView {
    /// In a sentence.
    sentence: String,
    tone: Tone,
    refusals: Vec<String>,
    place: Option<Named>,
    pairs: Vec<Pair>,
    title: Option<String>,
    body: Option<String>,
    notes: Vec<String>,
    patches: Vec<PatchView>,
}

/// The list.
pub(in super::super) fn list(
    templates: &Templates,
    visitor: &Visitor,
    github: GitHub<'_>,
) -> ListView {
    let view = |template: &std::sync::Arc<crate::template::Template>| TemplateView {
        anchor: anchor(&template.name),
        title: template.title.clone(),
        description: template.description.clone(),
        actions: template
            .actions
            .iter()
            .filter_map(|spec| templates.action(&spec.id))
            .map(|of| ActionView { is_open: visitor.may(right_for(of)), ..action(of, github) })
            .collect(),
    };
    ListView { may_run: visitor.may(Right::Run), templates: templates.iter().map(view).collect() }
}

/// One action.
pub(in super::super) fn action(of: &ActionOf, github: GitHub<'_>) -> ActionView {
    let spec = &of.action;
    let (does, with, place) = does(of, github);
    ActionView {
        title: title(of),
        identifier: spec.id.to_string(),
        href: action_href(&spec.id, None),
        badge: match spec.operation {
            Operation::Create => Badge::new(Tone::Goes, "Create"),
            Operation::Day2 => Badge::new(Tone::Goes, "Change"),
            Operation::Delete => Badge::new(Tone::Bad, "Delete"),
        },
        description: of.template.description.clone(),
        template: Named::new(of.template.title.as_str(), template_href(&of.template.name)),
        does,
        with,
        place,
        runs_href: format!("/?action={}", encoded(spec.id.as_str())),
        needs_approval: spec.approval != Approval::None,
        is_open: true,
    }
}

/// What people call an action.
pub(in super::super) fn title(of: &ActionOf) -> String {
    of.action.title.clone().unwrap_or_else(|| {
        let words = of.action.id.as_str().replace(['_', '-'], " ");
        let mut letters = words.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    })
}

/// The page of an action, perhaps for an entity.
pub(in super::super) fn action_href(action: &ActionId, entity: Option<&str>) -> String {
    let href = format!("/actions/{}", encoded(action.as_str()));
    match entity {
        Some(entity) => format!("{href}?entity={}", encoded(entity)),
        None => href,
    }
}

fn anchor(template: &TemplateName) -> String {
    format!("template-{template}")
}

/// A template among the actions.
pub(super) fn template_href(template: &TemplateName) -> String {
    format!("/actions#{}", anchor(template))
}

/// The actions that the visitor can do with an entity.
pub(in super::super) fn on_entity(
    templates: &Templates,
    entity: &EntityRef,
    visitor: &Visitor,
) -> Vec<Named> {
    let all = templates.iter().flat_map(|template| &template.actions);
    let all = all.filter_map(|spec| templates.action(&spec.id));
    let fits = |of: &&ActionOf| {
        let form = crate::template::form::form(&of.template, &of.action);
        form.runs_on_entity && form.blueprint.as_ref() == Some(&entity.blueprint)
    };
    let all = all.filter(fits).filter(|of| visitor.may(right_for(of)));
    let identifier = Some(entity.identifier.as_str());
    all.map(|of| Named::new(title(of), action_href(&of.action.id, identifier))).collect()
}

/// What an action does, with what, and where; without what only a run knows.
fn does(of: &ActionOf, github: GitHub<'_>) -> (&'static str, Option<Named>, Option<Named>) {
    let known = |name: &str| name.parse::<RepositoryName>().ok();
    let targets: Vec<_> = of.template.targets_of(of.action.operation).collect();
    match &of.action.kind {
        ActionKind::Files => match targets[..] {
            [] | [_] => {
                let place = targets.first().and_then(|target| known(&target.repository));
                ("opens a pull request", None, place.map(|name| github.repository(&name)))
            }
            ref several => {
                let count = Named::plain(format!("{} repositories", several.len()));
                ("writes to", Some(count), None)
            }
        },
        ActionKind::Workflow { repository, file, .. } => {
            let repository = known(repository);
            let file = Some(file).filter(|file| !file.contains("{{"));
            let with = file.map(|file| match &repository {
                Some(repository) => github.workflow(repository, None, file),
                None => Named::plain(file),
            });
            let does = if with.is_some() { "runs" } else { "runs a workflow" };
            (does, with, repository.map(|name| github.repository(&name)))
        }
        ActionKind::Secret { repository, .. } => {
            let place = known(repository).map(|name| github.repository(&name));
            let does =
                if place.is_some() { "stores a secret" } else { "stores a secret in GitHub" };
            (does, None, place)
        }
    }
}

/// What would come of a request; at each target, where there are several.
pub(in super::super) fn preview(preview: &Preview, github: GitHub<'_>) -> Vec<PreviewView> {
    match preview {
        Preview::Parts(parts) => parts.iter().map(|of| part(of, github)).collect(),
        preview => vec![one(preview, github)],
    }
}

fn one(preview: &Preview, github: GitHub<'_>) -> PreviewView {
    match preview {
        Preview::Refused(refusal) => PreviewView {
            sentence: "This would be refused.".to_owned(),
            tone: Tone::Bad,
            refusals: refusal.0.clone(),
            ..PreviewView::default()
        },
        Preview::Nothing { path } => PreviewView {
            sentence: format!("{path} stands already as it was asked for: nothing would be done."),
            ..PreviewView::default()
        },
        Preview::Secret(secret) => PreviewView {
            sentence: format!("The secret {} would be stored.", secret.name),
            tone: Tone::Goes,
            place: Some(github.repository(&secret.repository)),
            pairs: secret
                .environment
                .iter()
                .map(|name| Pair::of("Environment", &Value::from(name.as_str())))
                .collect(),
            ..PreviewView::default()
        },
        Preview::Workflow(work) => workflow(work, github),
        Preview::Change { proposal, patches, notes } => change(proposal, patches, notes, github),
        // Each of them is shown by itself.
        Preview::Parts(_) => PreviewView::default(),
    }
}

fn part(part: &PartPreview, github: GitHub<'_>) -> PreviewView {
    let shown = one(&part.preview, github);
    let sentence = match &part.preview {
        Preview::Refused(_) => "This would be refused, and nothing would be begun.".to_owned(),
        Preview::Change { patches, .. } if part.is_made => {
            format!("The repository would be made, with {}.", files(patches.len()))
        }
        _ => shown.sentence,
    };
    let is_pull_request = !part.is_made;
    PreviewView {
        sentence,
        place: Some(github.repository(&part.repository)),
        title: shown.title.filter(|_| is_pull_request),
        ..shown
    }
}

fn files(count: usize) -> String {
    match count {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

fn workflow(work: &WorkflowWork, github: GitHub<'_>) -> PreviewView {
    let reference = work.reference.as_deref().unwrap_or("the default branch");
    PreviewView {
        sentence: format!("The workflow {} would be run at {reference}.", work.workflow),
        tone: Tone::Goes,
        place: Some(github.repository(&work.repository)),
        pairs: work.inputs.iter().map(|(name, value)| Pair::of(name, value)).collect(),
        ..PreviewView::default()
    }
}

fn change(
    proposal: &Proposal,
    changed: &[Patch],
    notes: &[String],
    github: GitHub<'_>,
) -> PreviewView {
    let files = files(changed.len());
    PreviewView {
        sentence: format!("A pull request into {} would change {files}.", proposal.base),
        tone: Tone::Goes,
        place: Some(github.repository(&proposal.repository)),
        title: Some(proposal.title.clone()),
        body: Some(proposal.body.clone()),
        notes: notes.to_vec(),
        patches: patches(changed.iter().map(|patch| patch.text.as_str())),
        ..PreviewView::default()
    }
}
