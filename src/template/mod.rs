//! A template folder as typed data, the guardrails of its inputs, and rendering in which no input
//! can become code.
//!
//! Pure: no I/O, no async, no clock. Does not know about: GitHub, the portal, the store, the plan.

pub mod adopt;
pub mod change;
pub mod check;
pub mod context;
mod diagnostic;
mod engine;
mod expression;
pub mod form;
pub mod golden;
mod golden_update;
mod hints;
pub mod inputs;
pub mod keys;
mod language;
mod lint;
mod load;
mod load_deadlines;
mod load_files;
mod load_schema;
mod load_target;
mod located;
pub mod manifest;
mod merge;
pub mod render;
mod shared;
mod spec;

pub use change::{Change, Refusal};
pub use diagnostic::{Diagnostic, Place};
pub use expression::FILTERS;
pub use golden_update::updated;
pub use inputs::InputFault;
pub use language::FileKind;
pub use load::{SourceFile, Templates};
pub use manifest::Manifest;
pub use render::{RenderError, RenderedFile};
pub use spec::{
    ActionKind, ActionOf, ActionSpec, Approval, NewRepository, PullRequestSpec, Target, Template,
};

#[cfg(test)]
mod tests;
