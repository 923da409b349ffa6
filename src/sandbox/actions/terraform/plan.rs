//! The stand-in's plan: what an apply would change, and that change itself.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::configuration::Configuration;
use super::evaluate::{Evaluator, Phase, kind};
use super::state::{Instance, Output, State};

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Create,
    Update,
    Replace,
    Delete,
    NoOp,
}

/// One resource of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) action: Action,
    before: Option<Instance>,
    after: Option<Instance>,
}

/// A plan, as it is saved by `-out`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The state that it was made from.
    pub(super) serial: u64,
    pub(super) is_destroy: bool,
    pub(super) variables: BTreeMap<String, Value>,
    pub(super) changes: Vec<Change>,
    outputs: BTreeMap<String, Output>,
    outputs_before: BTreeMap<String, Output>,
}

impl Plan {
    /// Compares a folder with its state; a destroy compares nothing with it.
    pub(super) fn make(
        configuration: &Configuration,
        variables: BTreeMap<String, Value>,
        state: &State,
        is_destroy: bool,
    ) -> Result<Self> {
        let nothing = Configuration::default();
        let configuration = if is_destroy { &nothing } else { configuration };
        let after = future(configuration, &variables, state, Phase::Plan)?;
        let names = after
            .resources
            .keys()
            .chain(state.resources.keys().filter(|name| !after.resources.contains_key(*name)));
        let changes = names.map(|name| {
            let (before, after) = (state.resources.get(name), after.resources.get(name));
            Change {
                name: name.clone(),
                action: action(before, after),
                before: before.cloned(),
                after: after.cloned(),
            }
        });
        let changes = changes.collect();
        let (outputs, outputs_before) = (after.outputs, state.outputs.clone());
        Ok(Self { serial: state.serial, is_destroy, variables, changes, outputs, outputs_before })
    }

    pub(super) fn has_changes(&self) -> bool {
        self.changes.iter().any(|change| change.action != Action::NoOp)
            || self.outputs != self.outputs_before
    }

    /// How many resources are added, changed and destroyed.
    pub(super) fn counts(&self) -> [usize; 3] {
        let count = |wanted: &[Action]| {
            self.changes.iter().filter(|change| wanted.contains(&change.action)).count()
        };
        [
            count(&[Action::Create, Action::Replace]),
            count(&[Action::Update]),
            count(&[Action::Delete, Action::Replace]),
        ]
    }

    /// The plan as Terraform prints it.
    pub(super) fn print(&self, out: &mut dyn Write) -> Result<()> {
        if !self.has_changes() {
            writeln!(out, "\nNo changes. Your infrastructure matches the configuration.\n")?;
            return Ok(());
        }
        writeln!(out, "\nTerraform will perform the following actions:\n")?;
        for change in &self.changes {
            change.print(out)?;
        }
        let [add, update, destroy] = self.counts();
        writeln!(out, "Plan: {add} to add, {update} to change, {destroy} to destroy.")?;
        for (name, output) in self
            .outputs
            .iter()
            .filter(|(name, output)| self.outputs_before.get(*name) != Some(*output))
        {
            writeln!(out, "  output {name} = {}", shown(output))?;
        }
        Ok(())
    }

    /// The plan in the form of `terraform show -json`.
    pub(super) fn to_json(&self) -> Value {
        let outputs: Map<String, Value> = self.outputs.iter().map(|(name, output)| {
            let action = if self.outputs_before.contains_key(name) { "update" } else { "create" };
            let change = json!({"actions": [action], "after": output.value, "after_unknown": output.value.is_none(), "after_sensitive": output.sensitive});
            (name.clone(), change)
        }).collect();
        json!({
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "applyable": self.has_changes(),
            "complete": true,
            "errored": false,
            "resource_changes": self.changes.iter().map(Change::to_json).collect::<Vec<_>>(),
            "output_changes": outputs,
        })
    }
}

impl Change {
    fn print(&self, out: &mut dyn Write) -> Result<()> {
        let (word, sign) = match self.action {
            Action::Create => ("will be created", "+"),
            Action::Update => ("will be updated in-place", "~"),
            Action::Replace => ("must be replaced", "-/+"),
            Action::Delete => ("will be destroyed", "-"),
            Action::NoOp => return Ok(()),
        };
        writeln!(out, "  # terraform_data.{} {word}", self.name)?;
        writeln!(out, "{sign} resource \"terraform_data\" \"{}\" {{", self.name)?;
        for (side, instance) in [("-", &self.before), ("+", &self.after)] {
            let input = instance.as_ref().and_then(|instance| instance.input.as_ref());
            if let Some(input) = input.filter(|input| !input.is_null()) {
                writeln!(out, "    {side} input = {input}")?;
            }
        }
        writeln!(out, "  }}\n")?;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let actions: &[&str] = match self.action {
            Action::Create => &["create"],
            Action::Update => &["update"],
            Action::Replace => &["delete", "create"],
            Action::Delete => &["delete"],
            Action::NoOp => &["no-op"],
        };
        json!({
            "address": format!("terraform_data.{}", self.name),
            "mode": "managed",
            "type": "terraform_data",
            "name": self.name,
            "provider_name": "terraform.io/builtin/terraform",
            "change": {"actions": actions, "before": self.before, "after": self.after},
        })
    }
}

/// The state of a folder after an apply; while planning, with gaps.
pub(super) fn future(
    configuration: &Configuration,
    variables: &BTreeMap<String, Value>,
    state: &State,
    phase: Phase,
) -> Result<State> {
    let evaluator = Evaluator::new(configuration, variables, state, phase);
    let resources =
        configuration.resources.keys().map(|name| Ok((name.clone(), evaluator.instance(name)?)));
    let outputs = configuration.outputs.iter().map(|(name, output)| {
        let value = evaluator.value(&output.value)?;
        let output = Output { sensitive: output.is_sensitive, kind: kind(value.as_ref()), value };
        Ok((name.clone(), output))
    });
    Ok(State {
        serial: state.serial + 1,
        resources: resources.collect::<Result<_>>()?,
        outputs: outputs.collect::<Result<_>>()?,
    })
}

/// An output's value for people.
pub(super) fn shown(output: &Output) -> String {
    match &output.value {
        _ if output.sensitive => "<sensitive>".to_owned(),
        Some(value) => value.to_string(),
        None => "(known after apply)".to_owned(),
    }
}

fn action(before: Option<&Instance>, after: Option<&Instance>) -> Action {
    match (before, after) {
        (None, Some(_)) => Action::Create,
        (Some(_), None) => Action::Delete,
        (Some(before), Some(after)) if before.triggers_replace != after.triggers_replace => {
            Action::Replace
        }
        (Some(before), Some(after)) if before.input != after.input => Action::Update,
        _ => Action::NoOp,
    }
}
