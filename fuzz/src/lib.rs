//! What the fuzz targets have in common: the two pure rooms of the program, by themselves, and
//! readers that are not the program's own.

#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/template/mod.rs"]
pub mod template;

pub mod document;
pub mod reader;
pub mod value;

use serde_json::Value;
use template::{RenderError, SourceFile, Templates, render};

/// A template around one file. Anything may be filled in.
const TEMPLATE: &str = "title: T\ninputs: {type: object, properties: {v: {}, v0: {}, v1: {}, v2: {}}}\n\
                        actions: {a: {operation: create}}\ntarget: {repository: a/b, path: x}\n";

/// Renders one file of a template; the inner error is a refusal, the outer one a text that is no
/// template.
pub fn rendered(
    name: &str,
    text: &str,
    context: &Value,
) -> Result<Result<String, RenderError>, String> {
    let files = [source("t/template.yml", TEMPLATE), source(&format!("t/files/{name}.tera"), text)];
    let templates = Templates::load(&files)
        .map_err(|found| found.iter().map(ToString::to_string).collect::<String>())?;
    let template = templates.iter().next().expect("a template was loaded");
    let files = render::files(&template.targets[0], context, "services/target");
    Ok(files.map(|mut files| {
        assert_eq!(files.len(), 1);
        let file = files.remove(0);
        assert_eq!(file.path, format!("services/target/{name}"));
        String::from_utf8(file.contents).expect("what is rendered is text")
    }))
}

/// A file of a template.
pub fn source(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), contents: text.as_bytes().to_vec(), executable: false }
}
