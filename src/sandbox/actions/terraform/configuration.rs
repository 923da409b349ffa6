//! The Terraform folder that the stand-in understands: `terraform_data`, variables, locals, outputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, BlockLabel, Body};

/// The blocks of all `.tf` files of a folder.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    pub(super) variables: BTreeMap<String, Option<Expression>>,
    pub(super) locals: BTreeMap<String, Expression>,
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) outputs: BTreeMap<String, Output>,
}

/// A `terraform_data`.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) input: Option<Expression>,
    pub(super) triggers_replace: Option<Expression>,
}

/// An `output`.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) value: Expression,
    pub(super) is_sensitive: bool,
}

impl Configuration {
    /// Reads a folder. What the stand-in does not know is an error that names file and block.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let entries = fs::read_dir(folder).context("reading the folder")?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "tf"));
        paths.sort();
        if paths.is_empty() {
            bail!("No configuration files: the folder has no .tf file");
        }
        let mut configuration = Self::default();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let body: Body =
                fs::read_to_string(&path)?.parse().with_context(|| format!("reading {name}"))?;
            if let Some(attribute) = body.attributes().next() {
                bail!("{name}: `{}` is not expected here", attribute.key.as_str());
            }
            for block in body.blocks() {
                configuration.add(block).with_context(|| format!("on {name}"))?;
            }
        }
        Ok(configuration)
    }

    fn add(&mut self, block: &Block) -> Result<()> {
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        let is_new = match (block.ident.as_str(), labels.as_slice()) {
            ("terraform", []) => true,
            ("variable", [name]) => {
                let default = attribute(&block.body, "default");
                self.variables.insert((*name).to_owned(), default).is_none()
            }
            ("locals", []) => {
                let locals = block.body.attributes();
                let locals =
                    locals.map(|local| (local.key.as_str().to_owned(), local.value.clone()));
                self.locals.extend(locals);
                true
            }
            ("output", [name]) => {
                let value = attribute(&block.body, "value").context("an output needs a `value`")?;
                let sensitive = attribute(&block.body, "sensitive");
                let is_sensitive = sensitive.and_then(|value| value.as_bool()).unwrap_or(false);
                self.outputs.insert((*name).to_owned(), Output { value, is_sensitive }).is_none()
            }
            ("resource", ["terraform_data", name]) => {
                self.resources.insert((*name).to_owned(), Resource::read(&block.body)?).is_none()
            }
            (kind, labels) => bail!(
                "the sandbox's own evaluator knows no `{kind} {}`, only terraform_data, variables, \
                 locals and outputs; install Terraform for the rest",
                labels.join(" ")
            ),
        };
        match is_new {
            true => Ok(()),
            false => bail!("`{} {}` stands here twice", block.ident.as_str(), labels.join(" ")),
        }
    }
}

impl Resource {
    fn read(body: &Body) -> Result<Self> {
        let known = |name: &str| matches!(name, "input" | "triggers_replace" | "depends_on");
        if let Some(other) = body.attributes().find(|attribute| !known(attribute.key.as_str())) {
            bail!(
                "the sandbox's own evaluator knows no `{}` of terraform_data",
                other.key.as_str()
            );
        }
        if let Some(other) = body.blocks().find(|block| block.ident.as_str() != "lifecycle") {
            bail!(
                "the sandbox's own evaluator knows no `{}` in terraform_data",
                other.ident.as_str()
            );
        }
        let [input, triggers_replace] =
            ["input", "triggers_replace"].map(|name| attribute(body, name));
        Ok(Self { input, triggers_replace })
    }
}

fn attribute(body: &Body, name: &str) -> Option<Expression> {
    body.get_attribute(name).map(|attribute| attribute.value.clone())
}
