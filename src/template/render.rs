//! Renders the expressions and the files of a template.

use serde_json::{Map, Value};

use super::engine::{Compiled, Fault, Piece};
use super::expression::Form;
use super::language::{self, FileKind};
use super::spec::{FileContents, Target, TemplateFile};

/// Files of one change. GitHub's own limit for one commit through GraphQL is 100 MB in all; a
/// reviewer's is far below both.
const MOST_FILES: usize = 300;
/// Bytes of one rendered file.
const MOST_FILE: usize = 1024 * 1024;
/// Bytes of all files.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one part of a path: what most file systems take.
const MOST_SEGMENT: usize = 255;
/// Bytes of a path.
const MOST_PATH: usize = 1024;

/// A file, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// From the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub contents: Vec<u8>,
    /// Mode 100755.
    pub executable: bool,
}

/// Why something could not be rendered, for the person who pressed the button and for the author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", self.shown_place(), self.message)]
pub struct RenderError {
    /// The template's file, from the folder of all templates; `None` for an expression of
    /// `template.yml`.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<usize>,
    /// The `{{ … }}` concerned, as it was written.
    pub expression: Option<String>,
    /// A sentence.
    pub message: String,
}

impl RenderError {
    fn shown_place(&self) -> String {
        let expression = self.expression.as_ref().map(|text| format!("`{{{{ {text} }}}}`: "));
        let expression = expression.unwrap_or_default();
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}, line {line}: {expression}"),
            (Some(file), None) => format!("{file}: {expression}"),
            _ => expression,
        }
    }

    fn new(message: impl Into<String>) -> Self {
        Self { file: None, line: None, expression: None, message: message.into() }
    }

    fn of(fault: Fault) -> Self {
        let help = fault.help.map(|help| format!("; {help}")).unwrap_or_default();
        let line = Some(fault.place.line);
        Self { file: fault.file, line, ..Self::new(fault.message + &help) }
    }

    fn of_expression(compiled: &Compiled, output: usize, message: String) -> Self {
        let Some((output, file)) = compiled.output(output) else {
            return Self::new(message);
        };
        Self {
            file: file.map(str::to_owned),
            line: Some(output.place.line),
            expression: Some(output.text.clone()),
            ..Self::new(message)
        }
    }

    /// In this file, unless it is in one that is shared.
    fn in_file(self, file: &str) -> Self {
        Self { file: Some(self.file.unwrap_or_else(|| file.to_owned())), ..self }
    }
}

fn pieces(text: &str, context: &Value) -> Result<(Compiled, Vec<Piece>), RenderError> {
    let compiled = Compiled::new(text).map_err(RenderError::of)?;
    let pieces = compiled.render(context).map_err(|fault| RenderError {
        expression: Some(text.trim_start_matches("{{").trim_end_matches("}}").trim().to_owned()),
        ..RenderError::of(fault)
    })?;
    Ok((compiled, pieces))
}

/// Renders a text: a title, a reviewer, a repository. Values stand in it as they are.
pub fn text(expression: &str, context: &Value) -> Result<String, RenderError> {
    joined(expression, context, |text, _| Ok(text))
}

/// Renders Markdown: values stand in it as the text that they are, without mentions, links or HTML,
/// and exactly in code.
pub fn markdown(expression: &str, context: &Value) -> Result<String, RenderError> {
    let (compiled, pieces) = pieces(expression, context)?;
    written(FileKind::Markdown, &compiled, &pieces)
}

/// Renders a title: one line, without control characters.
pub fn line(expression: &str, context: &Value) -> Result<String, RenderError> {
    let text = text(expression, context)?;
    let text: String = text.chars().map(|c| if language::is_hidden(c) { ' ' } else { c }).collect();
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Renders a value: every text in it is an expression. One that is a single `{{ … }}` keeps the
/// type of what it gives.
pub fn value(value: &Value, context: &Value) -> Result<Value, RenderError> {
    match value {
        Value::String(text) => {
            let (compiled, mut pieces) = pieces(text, context)?;
            if compiled.prepared.is_whole
                && let [Piece::Value { value, .. }] = &mut pieces[..]
            {
                return Ok(value.take());
            }
            self::text(text, context).map(Value::String)
        }
        Value::Array(items) => items.iter().map(|item| self::value(item, context)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, inner)| Ok((key.clone(), self::value(inner, context)?)));
            entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

/// Renders a path. A value is a part of one segment: it cannot hold `/`, nor make a segment `..`.
pub fn path(expression: &str, context: &Value) -> Result<String, RenderError> {
    let path = joined(expression, context, |text, _| match segment_fault(&text) {
        Some(fault) => Err(format!("the value cannot be a part of a path: {fault}")),
        None => Ok(text),
    })?;
    match path_fault(&path) {
        Some(fault) => Err(RenderError::new(format!("the path `{path}` cannot be used: {fault}"))),
        None => Ok(path),
    }
}

fn joined(
    expression: &str,
    context: &Value,
    write: impl Fn(String, Form) -> Result<String, String>,
) -> Result<String, RenderError> {
    let (compiled, pieces) = pieces(expression, context)?;
    let mut out = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value { output, value, form } => {
                let text = language::plain_text(value, *form).and_then(|text| write(text, *form));
                let text = text
                    .map_err(|message| RenderError::of_expression(&compiled, *output, message))?;
                out.push_str(&text);
            }
        }
    }
    Ok(out)
}

/// Why a value cannot be a part of one segment of a path.
fn segment_fault(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("it is empty"),
        _ if text.contains(['/', '\\']) => Some("it has a `/` or `\\`"),
        _ if text.starts_with(['.', '-', '~']) => Some("it starts with `.`, `-` or `~`"),
        _ if text.ends_with(['.', ' ']) || text.starts_with(' ') => {
            Some("it ends with `.` or a space")
        }
        _ if text.chars().any(|c| language::is_hidden(c) || "<>:\"|?*".contains(c)) => {
            Some("it has a control character or one of `<>:\"|?*`")
        }
        _ if text.len() > MOST_SEGMENT => Some("it is longer than 255 bytes"),
        _ => None,
    }
}

/// Why a path cannot be used in a repository.
pub(super) fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > MOST_PATH {
        return Some("it is empty or longer than 1024 bytes");
    }
    path.split('/').find_map(|segment| match segment {
        "" => Some("it starts or ends with `/`, or has `//`"),
        "." | ".." => Some("it has `.` or `..`"),
        _ if segment.eq_ignore_ascii_case(".git") => Some("it goes into `.git`"),
        _ if segment.starts_with('-') => Some("a part of it starts with `-`"),
        _ if segment.len() > MOST_SEGMENT => Some("a part of it is longer than 255 bytes"),
        _ if segment.chars().any(|c| language::is_hidden(c) || c == '\\') => {
            Some("it has a control character or `\\`")
        }
        _ => None,
    })
}

/// Renders all files of a target below a folder.
pub fn files(
    target: &Target,
    context: &Value,
    target_path: &str,
) -> Result<Vec<RenderedFile>, RenderError> {
    // Nothing stands for all of a new repository.
    if let Some(fault) = path_fault(target_path).filter(|_| !target_path.is_empty()) {
        return Err(RenderError::new(format!("the path `{target_path}` cannot be used: {fault}")));
    }
    if target.files.len() > MOST_FILES {
        return Err(RenderError::new(format!("the template has more than {MOST_FILES} files")));
    }
    let mut rendered: Vec<RenderedFile> = Vec::with_capacity(target.files.len());
    let mut bytes = 0;
    for file in target.files.iter() {
        let done = one(file, context, target_path).map_err(|error| error.in_file(&file.source))?;
        bytes += done.contents.len();
        let fault = match () {
            () if done.contents.len() > MOST_FILE => Some("the file is larger than 1 MiB"),
            () if bytes > MOST_BYTES => Some("all files together are larger than 8 MiB"),
            () if rendered.iter().any(|other| other.path.eq_ignore_ascii_case(&done.path)) => {
                Some("another file has this name too")
            }
            () => None,
        };
        if let Some(fault) = fault {
            return Err(RenderError::new(format!("`{}`: {fault}", done.path)).in_file(&file.source));
        }
        rendered.push(done);
    }
    rendered.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rendered)
}

/// A file of a folder, from the repository's root; the folder is empty where it is the root.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn one(file: &TemplateFile, context: &Value, target: &str) -> Result<RenderedFile, RenderError> {
    let name = path(&file.path, context)?;
    if name.eq_ignore_ascii_case(super::manifest::FILE_NAME) {
        return Err(RenderError::new(format!("`{name}` is written by the program itself")));
    }
    let path = below(target, &name);
    let contents = match &file.contents {
        FileContents::Copied(bytes) => bytes.clone(),
        FileContents::Rendered(compiled) => contents(compiled, &path, context)?.into_bytes(),
    };
    Ok(RenderedFile { path, contents, executable: file.executable })
}

fn contents(compiled: &Compiled, path: &str, context: &Value) -> Result<String, RenderError> {
    let pieces = compiled.render(context).map_err(RenderError::of)?;
    let written = written(FileKind::of(path), compiled, &pieces)?;
    let is_workflow = path.contains(".github/");
    if is_workflow && let Some(output) = expression_of_actions(&pieces) {
        let message = "`${{` in a value would be run by GitHub Actions".to_owned();
        return Err(RenderError::of_expression(compiled, output, message));
    }
    Ok(written)
}

/// The pieces as a file of this kind.
fn written(kind: FileKind, compiled: &Compiled, pieces: &[Piece]) -> Result<String, RenderError> {
    language::write(kind, pieces).map_err(|fault| match (fault.output, fault.line) {
        (Some(output), _) => RenderError::of_expression(compiled, output, fault.message),
        (None, Some(line)) => {
            RenderError::new(format!("{} (line {line} of what was rendered)", fault.message))
        }
        (None, None) => RenderError::new(fault.message),
    })
}

/// The first value that has, or with its neighbours makes, an expression of GitHub Actions.
fn expression_of_actions(pieces: &[Piece]) -> Option<usize> {
    const OPENING: &str = "${{";
    let mut text = String::new();
    let mut ends = Vec::with_capacity(pieces.len());
    for piece in pieces {
        text.push_str(&piece.shown());
        ends.push(text.len());
    }
    text.match_indices(OPENING).find_map(|(start, _)| {
        let first = ends.partition_point(|end| *end <= start);
        let last = ends.partition_point(|end| *end < start + OPENING.len());
        pieces[first..=last].iter().find_map(|piece| match piece {
            Piece::Value { output, .. } => Some(*output),
            Piece::Text(_) => None,
        })
    })
}
