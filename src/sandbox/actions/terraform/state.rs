//! What the stand-in remembers of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

const FILE: &str = "sandbox-terraform.json";

/// The state of one folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// One more with every apply: a plan that was made before another apply is stale.
    pub(super) serial: u64,
    pub(super) resources: BTreeMap<String, Instance>,
    pub(super) outputs: BTreeMap<String, Output>,
}

/// A `terraform_data`. While planning, `None` is what only the apply will know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Instance {
    #[serde(deserialize_with = "known")]
    pub(super) id: Option<Value>,
    #[serde(deserialize_with = "known")]
    pub(super) input: Option<Value>,
    #[serde(deserialize_with = "known")]
    pub(super) output: Option<Value>,
    #[serde(deserialize_with = "known")]
    pub(super) triggers_replace: Option<Value>,
}

/// What was written down is known: a `null` is the value null.
fn known<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// An output, in the form of `terraform output -json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) sensitive: bool,
    #[serde(rename = "type")]
    pub(super) kind: Value,
    pub(super) value: Option<Value>,
}

impl State {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).context("reading the state"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context("reading the state"),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).context("making the folder for the state")?;
        fs::write(folder.join(FILE), serde_json::to_vec_pretty(self)?).context("writing the state")
    }
}
