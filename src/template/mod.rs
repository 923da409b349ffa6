//! TEMPORARY
#![allow(missing_docs, clippy::all, clippy::pedantic)]
use crate::domain::*;
use crate::domain::run::*;
use crate::domain::observation::Conclusion;
use serde_json::{Map, Value};
pub struct Templates;
impl Templates { pub fn action(&self, _: &ActionId) -> Option<ActionOf<'_>> { None } pub fn action_ids(&self) -> std::vec::IntoIter<&ActionId> { vec![].into_iter() } }
pub struct ActionOf<'a> { pub template: &'a Template, pub spec: &'a ActionSpec }
pub struct Template { pub name: TemplateName, pub target: Option<Target>, pub entity: Option<Value>, pub plan: Option<String>, pub apply: ApplySignal }
pub struct Target { pub repository: String }
pub struct ActionSpec { pub operation: Operation, pub kind: ActionKind, pub conclusions: Vec<(Conclusion, bool)>, pub writes_entity: bool }
pub enum ActionKind { Files, Workflow(WorkflowSpec), Secret(SecretSpec) }
pub struct WorkflowSpec { pub repository: String, pub file: String, pub reference: Option<String>, pub inputs: Map<String, Value> }
pub struct SecretSpec { pub repository: String, pub environment: Option<String>, pub name: String, pub value: String }
pub mod render { use serde_json::Value; pub fn value(v: &Value, c: &Value) -> Result<Value, String> { let _ = c; Ok(v.clone()) } pub fn text(v: &str, _c: &Value) -> Result<String, String> { Ok(v.to_owned()) } }
pub mod inputs { use serde_json::*; pub struct InputFault { pub field: String, pub message: String } pub fn check(_t: &super::Template, _a: &super::ActionSpec, g: &Map<String, Value>, _b: Option<&Map<String, Value>>) -> std::result::Result<Map<String, Value>, Vec<InputFault>> { Ok(g.clone()) } }
pub mod context { use serde_json::*; pub fn context(_r: &crate::domain::ActionRun, _a: &super::ActionOf<'_>, i: &Map<String, Value>, _p: &str) -> Value { json!({"inputs": i}) } }
