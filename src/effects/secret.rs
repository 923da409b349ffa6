//! Storing a secret in a repository or an environment. Its value is in clear only here, in memory.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::domain::Run;
use crate::plan;
use crate::plan::step::StoreSecret;
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
        for name in &run.request.encrypted {
            let Some(Value::String(sealed)) = inputs.get(name) else { continue };
            let Ok(opened) = self.sealing_key.open(sealed) else {
                return Err(StepError::Fail(format!(
                    "The input {name} is encrypted, and cannot be opened with the portal's client \
                     secret. Set PORT_CLIENT_SECRET to the secret of the organisation that the \
                     action is in."
                )));
            };
            inputs.insert(name.clone(), Value::String(opened.expose_secret().to_owned()));
        }
        // The error of a template may show what stood around it: here that is the secret.
        let value = render::text(expression, &json!({ "inputs": inputs })).map_err(|_| {
            StepError::Fail("The secret's `value` in the template cannot be rendered.".to_owned())
        })?;
        Ok(SecretString::from(value))
    }
}
