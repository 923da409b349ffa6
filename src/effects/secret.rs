//! Secret inputs, opened where they are used: stored in a repository or an environment, or sent as
//! inputs of a workflow. They are in clear only here, in memory.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::domain::Run;
use crate::plan;
use crate::plan::step::StoreSecret;
use crate::seal::Secrets;
use crate::template::render;

use super::{Done, Effects, Result, StepError};

impl Effects {
    pub(super) async fn store_secret(&self, run: Run, step: &StoreSecret) -> Result<Done> {
        let value = self.open(&run, &step.value)?;
        let environment = step.environment.as_deref();
        self.github.store_secret(&step.repository, environment, &step.name, &value).await?;
        Ok(plan::stored(run, step, self.clock.now()).into())
    }

    fn open(&self, run: &Run, expression: &str) -> Result<SecretString> {
        let mut inputs = run.request.inputs.clone();
        for (name, opened) in self.opened(run)? {
            inputs.insert(name, Value::from(opened.expose_secret()));
        }
        // The error of a template may show what stood around it: here that is the secret.
        let value = render::text(expression, &json!({ "inputs": inputs })).map_err(|_| {
            StepError::Fail("The secret's `value` in the template cannot be rendered.".to_owned())
        })?;
        Ok(SecretString::from(value))
    }

    /// The run's secret inputs in clear, by name.
    pub(super) fn opened(&self, run: &Run) -> Result<Vec<(String, SecretString)>> {
        self.sealing_key.opened(run).map_err(|name| {
            StepError::Fail(format!(
                "The input {name} is encrypted, and cannot be opened with the portal's client \
                 secret, nor with a private key. Set PORT_CLIENT_SECRET to the secret of the \
                 organisation that the action is in, and PORT_INPUTS_PRIVATE_KEY where the input \
                 is encrypted on the client's side."
            ))
        })
    }

    /// What others say of a run may repeat what they were told for it.
    pub(super) fn secrets_of(&self, run: &Run) -> Secrets {
        let opened = self.sealing_key.opened(run).unwrap_or_default();
        let opened: Vec<_> = opened.into_iter().map(|(_, secret)| secret).collect();
        Secrets::new(&opened)
    }

    /// The inputs of a workflow, with its secrets in clear: they stand there as ciphertext.
    pub(super) fn with_secrets(
        &self,
        run: &Run,
        inputs: &Map<String, Value>,
    ) -> Result<Map<String, Value>> {
        let sealed = |name: &str| run.request.inputs.get(name)?.as_str();
        let mut clear = inputs.clone();
        for (name, opened) in self.opened(run)? {
            let Some(sealed) = sealed(&name) else { continue };
            for value in clear.values_mut() {
                if let Some(text) = value.as_str().filter(|text| text.contains(sealed)) {
                    *value = text.replace(sealed, opened.expose_secret()).into();
                }
            }
        }
        Ok(clear)
    }
}
