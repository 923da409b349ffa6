//! `.towpath.yml`: what the files beside it were made from. Day-2 and delete start from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use super::diagnostic::Diagnostic;
use super::located::Located;
use crate::domain::{BlueprintId, EntityId, RunId, TargetName, TemplateName};

/// Its name, in the target folder.
pub const FILE_NAME: &str = ".towpath.yml";

const HEAD: &str = "# Written by Towpath. It says what the files beside it were made from; change them, not this.\n";

/// What it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The template's folder.
    pub template: TemplateName,
    /// The template's digest when the files were last rendered.
    pub digest: String,
    /// The run that last wrote it.
    pub run: RunId,
    /// The inputs, all but the secret ones.
    pub inputs: Map<String, Value>,
    /// What the create ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Value>,
    /// The catalog entity that stands for this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogEntity>,
    /// Which of the template's targets this folder is, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// By path from the target folder.
    pub files: BTreeMap<String, FileRecord>,
}

/// The catalog entity that stands for a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogEntity {
    /// Its blueprint.
    pub blueprint: BlueprintId,
    /// Its identifier.
    pub identifier: EntityId,
}

/// A file as it was rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Git's id of it.
    pub blob: String,
    /// The rendered text, where the file kept a person's edit and the blob may be nowhere in git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
}

impl Manifest {
    /// Reads it. The error is a sentence with the place.
    pub fn parse(path: &str, text: &str) -> Result<Self, Diagnostic> {
        let located = Located::parse(path, text)?;
        let manifest: Self = serde_json::from_value(located.to_json()).map_err(|error| {
            let message = format!("this is no `{FILE_NAME}` of this program: {error}");
            Diagnostic::at(path, text, located.place, message)
                .help("restore it from the history of the repository")
        })?;
        let is_below = |path: &String| super::render::path_fault(path).is_none();
        if let Some(outside) = manifest.files.keys().find(|path| !is_below(path)) {
            let message = format!("`{outside}` is no path below this folder");
            return Err(Diagnostic::at(path, text, located.place, message)
                .help("restore the file from the history of the repository"));
        }
        Ok(manifest)
    }

    /// Writes it, the same always the same.
    pub fn to_text(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut out = HEAD.to_owned();
        block(&mut out, &value, 0);
        out
    }
}

/// YAML in blocks, each text in double quotes where it needs them: readable, and read back exactly.
pub(super) fn block(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    // Writing to a text cannot fail.
    let line = |out: &mut String, head: String, value: &Value| match value {
        Value::Object(entries) if !entries.is_empty() => {
            let _ = writeln!(out, "{indent}{head}");
            block(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            let _ = writeln!(out, "{indent}{head}");
            block(out, value, depth + 1);
        }
        scalar => {
            let _ = writeln!(out, "{indent}{head} {}", super::language::yaml_literal(scalar));
        }
    };
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = super::language::yaml_literal(&Value::String(key.clone()));
                line(out, format!("{key}:"), value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| line(out, "-".to_owned(), item)),
        _ => {}
    }
}

/// Git's id of a file's content: SHA-1 over `blob <length>\0` and the bytes.
pub fn blob_id(contents: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", contents.len()).as_bytes());
    hash.update(contents);
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn manifest(inputs: &Value) -> Manifest {
        serde_json::from_value(json!({
            "template": "documentdb", "digest": "sha256:00", "run": "r_1",
            "inputs": {"a": inputs}, "entity": {"identifier": "orders"},
            "catalog": {"blueprint": "database", "identifier": "orders-db"},
            "files": {"main.tf": {"blob": blob_id(b"x"), "rendered": "a\n  \"b\": ${c}\n"}},
        }))
        .unwrap()
    }

    #[test]
    fn a_blob_has_the_id_that_git_gives_it() {
        assert_eq!(blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn it_reads_like_a_file_that_a_person_wrote() {
        let text = manifest(&json!({"size": 3, "tags": ["x", "no"]})).to_text();
        assert!(text.starts_with("# Written by Towpath."));
        assert!(text.contains("\ntemplate: documentdb\n"), "{text}");
        assert!(
            text.contains("  a:\n    size: 3\n    tags:\n      - x\n      - \"no\"\n"),
            "{text}"
        );
    }

    #[test]
    fn a_manifest_that_points_elsewhere_is_refused() {
        let text = manifest(&json!(1)).to_text().replace("main.tf", "../main.tf");
        assert!(Manifest::parse(".towpath.yml", &text).is_err());
        assert!(Manifest::parse(".towpath.yml", "template: x\n").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(text in any::<String>(), list in prop::collection::vec(any::<String>(), 0..3)) {
            let manifest = manifest(&json!({"t": text, "l": list, "m": {text.clone(): {}}}));
            prop_assert_eq!(Manifest::parse("m", &manifest.to_text()).unwrap(), manifest);
        }
    }
}
