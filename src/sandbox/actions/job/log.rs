//! The log of a job.

use std::sync::Arc;

use crate::sandbox::actions::Report;
use crate::sandbox::actions::command_file::{self, Line};
use crate::sandbox::actions::run::Run;

/// The job's log, without what scripts asked to hide.
pub(super) struct Log {
    run: Arc<Run>,
    job: String,
    masks: Vec<String>,
}

impl Log {
    pub(super) fn of(run: Arc<Run>, job: String) -> Self {
        Self { run, job, masks: Vec::new() }
    }

    pub(super) fn say(&self, text: &str) {
        let mut text = text.to_owned();
        for mask in &self.masks {
            text = text.replace(mask, "***");
        }
        // An empty text is a line too.
        for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
            self.run.report(Report::Log { job: self.job.clone(), line: line.to_owned() });
        }
    }

    /// Passes on a line that a script wrote.
    pub(super) fn pass_on(&mut self, line: &str) {
        match command_file::line(line) {
            Line::Text(line) => self.say(&line),
            Line::Mask(mask) if mask.is_empty() => {}
            Line::Mask(mask) => self.masks.push(mask),
        }
    }
}
