//! Reads the files of a template folder.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::diagnostic::{Diagnostic, Place};
use super::lint::Lint;
use super::load::{Reader, SourceFile};
use super::located::Located;
use super::spec::{FileContents, TemplateFile};

impl Reader<'_> {
    /// The files of the folder that `spec` names, or of the one that is meant where it names none.
    pub(super) fn files(
        &mut self,
        root: &Located,
        spec: &Located,
        meant: &str,
        is_needed: bool,
    ) -> Vec<TemplateFile> {
        let folder = self.text_at(spec, "files").unwrap_or_else(|| meant.to_owned());
        let folder = folder.trim_matches('/').to_owned();
        let place = spec.get("files").map_or(spec.place, |at| at.place);
        if matches!(folder.as_str(), "tests" | "workflows" | "" | "." | "..")
            || folder.contains("..")
        {
            self.say(
                place,
                "`files` names a folder beside `template.yml`, not `tests` or `workflows`",
            );
            return Vec::new();
        }
        let prefix = format!("{}/{folder}/", self.folder);
        let all = self.all;
        let files: Vec<TemplateFile> = all
            .iter()
            .filter_map(|file| Some((file, file.path.strip_prefix(&prefix)?)))
            .filter_map(|(file, path)| self.template_file(file, path, root))
            .collect();
        let is_missing = !all.iter().any(|file| file.path.starts_with(&prefix));
        if is_missing && (is_needed || spec.get("files").is_some()) {
            self.say(place, format!("there is no file in the folder `{folder}`"));
        }
        files
    }

    fn template_file(
        &mut self,
        file: &SourceFile,
        path: &str,
        root: &Located,
    ) -> Option<TemplateFile> {
        let inputs = root.get("inputs").map_or(Value::Null, Located::to_json);
        Lint { file: &file.path, text: path, schema: &inputs }.expression(
            path,
            Place::START,
            &mut self.found,
        );
        let (path, contents) = match path.strip_suffix(".tera") {
            None => (path, FileContents::Copied(file.contents.clone())),
            Some(path) => {
                let Ok(text) = std::str::from_utf8(&file.contents) else {
                    self.found.push(Diagnostic::at(
                        &file.path,
                        "",
                        Place::START,
                        "a `.tera` file must be UTF-8",
                    ));
                    return None;
                };
                let lint = Lint { file: &file.path, text, schema: &inputs };
                let compiled = lint.file(self.shared, &mut self.found)?;
                (path, FileContents::Rendered(compiled))
            }
        };
        let source = file.path.clone();
        Some(TemplateFile { source, path: path.to_owned(), contents, executable: file.executable })
    }

    /// Over `template.yml`, the files and what they share with others: names, modes and contents,
    /// in order.
    pub(super) fn digest<'f>(&self, files: impl IntoIterator<Item = &'f TemplateFile>) -> String {
        let prefix = format!("{}/", self.folder);
        let shapes = |path: &str| !path.starts_with("tests/") && !path.starts_with("workflows/");
        let own = self.all.iter().filter_map(|file| {
            let path = file.path.strip_prefix(&prefix).filter(|path| shapes(path))?;
            Some((path, (file.executable, file.contents.as_slice())))
        });
        let rendered = files.into_iter().filter_map(|file| match &file.contents {
            FileContents::Rendered(compiled) => Some(compiled),
            FileContents::Copied(_) => None,
        });
        let shared = rendered.flat_map(|compiled| compiled.needed.iter());
        let shared = shared.map(|file| (file.path.as_str(), (false, file.text.as_bytes())));
        let mut all: Vec<_> = own.chain(shared).collect();
        all.sort_unstable();
        all.dedup();
        let mut hash = Sha256::new();
        for (path, (executable, contents)) in all {
            let header = format!("{path}\0{executable}\0{}\0", contents.len());
            hash.update(header.as_bytes());
            hash.update(contents);
        }
        format!("sha256:{}", hex::encode(hash.finalize()))
    }
}
