//! The labels of a repository, and those of its pull requests.

use serde_json::json;

use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Id, Label, World};

impl World {
    /// Adds labels that the repository already has.
    pub(crate) fn add_labels(
        &mut self,
        repository: usize,
        number: u64,
        labels: &[Id],
        actor: Id,
    ) -> Answered<()> {
        for id in labels {
            let found = &mut self.repositories[repository];
            let pull = found.pull_mut(number)?;
            if pull.labels.contains(id) {
                continue;
            }
            pull.labels.push(*id);
            let found = &self.repositories[repository];
            let label = found.labels.iter().find(|label| label.id == *id);
            let label = label.ok_or_else(Refusal::not_found)?;
            let fields = json!({"action": "labeled", "label": self.label_body(found, label)});
            self.emit_pull(repository, number, actor, fields)?;
            self.start_workflows_of_pull(repository, number, "labeled", actor)?;
        }
        Ok(())
    }

    pub(crate) fn create_label(
        &mut self,
        repository: usize,
        name: &str,
        color: &str,
        description: Option<&str>,
    ) -> Answered<Label> {
        if self.repositories[repository].label(name).is_some() {
            let mut refusal = Refusal::unprocessable("Name has already been taken");
            refusal.errors =
                vec![json!({"resource": "Label", "code": "already_exists", "field": "name"})];
            return Err(refusal);
        }
        let label = Label {
            id: self.fresh_id(),
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.map(str::to_owned),
        };
        self.repositories[repository].labels.push(label.clone());
        Ok(label)
    }
}
