//! The stand-in's commands: the part of Terraform's command line that workflows use.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::configuration::Configuration;
use super::evaluate::Phase;
use super::plan::{Plan, future, shown};
use super::state::State;

/// Where a command runs.
pub(super) struct Call<'a> {
    /// The current folder.
    pub(super) folder: &'a Path,
    /// The folder of the state.
    pub(super) state: &'a Path,
    /// What `TF_VAR_…` sets.
    pub(super) variables: BTreeMap<String, String>,
}

/// The options and names of a command line.
#[derive(Debug, Default)]
struct Arguments {
    command: String,
    chdir: Option<String>,
    flags: Vec<String>,
    options: Vec<(String, String)>,
    names: Vec<String>,
}

impl Arguments {
    fn read(args: &[String]) -> Self {
        let mut read = Self::default();
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let Some(option) = arg.strip_prefix('-') else {
                match read.command.is_empty() {
                    true => read.command.clone_from(arg),
                    false => read.names.push(arg.clone()),
                }
                continue;
            };
            let option = option.strip_prefix('-').unwrap_or(option);
            match option.split_once('=') {
                Some(("chdir", folder)) => read.chdir = Some(folder.to_owned()),
                Some((name, value)) => read.options.push((name.to_owned(), value.to_owned())),
                None if matches!(option, "out" | "var" | "var-file") => {
                    let value = args.next().cloned().unwrap_or_default();
                    read.options.push((option.to_owned(), value));
                }
                None => read.flags.push(option.to_owned()),
            }
        }
        read
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl Call<'_> {
    /// Executes a command and answers with Terraform's exit code.
    pub(super) fn execute(&self, args: &[String], out: &mut dyn Write) -> Result<u8> {
        let arguments = Arguments::read(args);
        let folder = self.folder.join(arguments.chdir.as_deref().unwrap_or("."));
        match arguments.command.as_str() {
            "init" => self.say(
                out,
                "Terraform has been successfully initialized! (by the sandbox's stand-in)",
            ),
            "version" => self.say(out, "Terraform: the sandbox's stand-in for terraform_data"),
            "" if arguments.has("version") => {
                self.say(out, "Terraform: the sandbox's stand-in for terraform_data")
            }
            "fmt" => Ok(0),
            "validate" => {
                Configuration::read(&folder)?;
                self.say(out, "Success! The configuration is valid.")
            }
            "plan" => self.plan(&folder, &arguments, out),
            "apply" => self.apply(&folder, &arguments, out, arguments.has("destroy")),
            "destroy" => self.apply(&folder, &arguments, out, true),
            "show" => self.show(&folder, &arguments, out),
            "output" => self.output(&arguments, out),
            other => bail!(
                "the sandbox's stand-in knows no `terraform {other}`; install Terraform for it"
            ),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as one sentence with the other commands")]
    fn say(&self, out: &mut dyn Write, line: &str) -> Result<u8> {
        writeln!(out, "{line}")?;
        Ok(0)
    }

    fn make_plan(&self, folder: &Path, arguments: &Arguments, is_destroy: bool) -> Result<Plan> {
        let configuration = Configuration::read(folder)?;
        let variables = self.given_variables(folder, &configuration, arguments)?;
        Plan::make(&configuration, variables, &State::read(self.state)?, is_destroy)
    }

    fn plan(&self, folder: &Path, arguments: &Arguments, out: &mut dyn Write) -> Result<u8> {
        let plan = self.make_plan(folder, arguments, arguments.has("destroy"))?;
        plan.print(out)?;
        if let Some(file) = arguments.option("out") {
            fs::write(folder.join(file), serde_json::to_vec_pretty(&plan)?)
                .context("saving the plan")?;
            writeln!(out, "\nSaved the plan to: {file}")?;
        }
        Ok(if arguments.has("detailed-exitcode") && plan.has_changes() { 2 } else { 0 })
    }

    fn apply(
        &self,
        folder: &Path,
        arguments: &Arguments,
        out: &mut dyn Write,
        is_destroy: bool,
    ) -> Result<u8> {
        let plan = match arguments.names.first() {
            Some(file) => read_plan(&folder.join(file))?,
            None if !arguments.has("auto-approve") => {
                bail!("nobody is here to approve: give -auto-approve or a saved plan")
            }
            None => {
                let plan = self.make_plan(folder, arguments, is_destroy)?;
                plan.print(out)?;
                plan
            }
        };
        let state = State::read(self.state)?;
        if state.serial != plan.serial {
            bail!(
                "Saved plan is stale: the state was changed by another operation after the plan was created"
            );
        }
        let configuration = match plan.is_destroy {
            true => Configuration::default(),
            false => Configuration::read(folder)?,
        };
        let applied = future(&configuration, &plan.variables, &state, Phase::Apply)?;
        applied.write(self.state)?;
        let [add, update, destroy] = plan.counts();
        match plan.is_destroy {
            true => writeln!(out, "\nDestroy complete! Resources: {destroy} destroyed.")?,
            false => writeln!(
                out,
                "\nApply complete! Resources: {add} added, {update} changed, {destroy} destroyed."
            )?,
        }
        if !applied.outputs.is_empty() {
            writeln!(out, "\nOutputs:\n")?;
        }
        for (name, output) in &applied.outputs {
            writeln!(out, "{name} = {}", shown(output))?;
        }
        Ok(0)
    }

    fn show(&self, folder: &Path, arguments: &Arguments, out: &mut dyn Write) -> Result<u8> {
        match arguments.names.first() {
            Some(file) => {
                let plan = read_plan(&folder.join(file))?;
                match arguments.has("json") {
                    true => writeln!(out, "{}", plan.to_json())?,
                    false => plan.print(out)?,
                }
            }
            None => writeln!(out, "{}", serde_json::to_string_pretty(&State::read(self.state)?)?)?,
        }
        Ok(0)
    }

    fn output(&self, arguments: &Arguments, out: &mut dyn Write) -> Result<u8> {
        let outputs = State::read(self.state)?.outputs;
        let Some(name) = arguments.names.first() else {
            match arguments.has("json") {
                true => writeln!(out, "{}", serde_json::to_string_pretty(&outputs)?)?,
                false => outputs
                    .iter()
                    .try_for_each(|(name, output)| writeln!(out, "{name} = {}", shown(output)))?,
            }
            return Ok(0);
        };
        let output = outputs.get(name).with_context(|| format!("Output \"{name}\" not found"))?;
        match output.value.as_ref() {
            Some(Value::String(text)) if arguments.has("raw") => write!(out, "{text}")?,
            Some(value) => writeln!(out, "{value}")?,
            None => writeln!(out, "null")?,
        }
        Ok(0)
    }

    /// Variables by rising weight: `TF_VAR_…`, `terraform.tfvars`, `*.auto.tfvars`, then the
    /// command line in its order.
    fn given_variables(
        &self,
        folder: &Path,
        configuration: &Configuration,
        arguments: &Arguments,
    ) -> Result<BTreeMap<String, Value>> {
        let declared = |name: &str| configuration.variables.contains_key(name);
        let mut given: BTreeMap<String, Value> = BTreeMap::new();
        let environment = self.variables.iter().filter(|(name, _)| declared(name));
        given.extend(environment.map(|(name, text)| (name.clone(), typed(text))));
        for file in variable_files(folder)? {
            given.extend(read_variables(&file)?);
        }
        for (option, value) in &arguments.options {
            match option.as_str() {
                "var" => {
                    let (name, text) = value.split_once('=').context("-var needs NAME=VALUE")?;
                    if !declared(name) {
                        bail!("Value for undeclared variable \"{name}\" on the command line");
                    }
                    given.insert(name.to_owned(), typed(text));
                }
                "var-file" => given.extend(read_variables(&folder.join(value))?),
                _ => {}
            }
        }
        Ok(given)
    }
}

fn read_plan(file: &Path) -> Result<Plan> {
    let bytes = fs::read(file).with_context(|| format!("reading the plan {}", file.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no plan of the sandbox", file.display()))
}

fn variable_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut automatic = entries.collect::<Result<Vec<_>, _>>()?;
    automatic.retain(|path| path.to_string_lossy().ends_with(".auto.tfvars"));
    automatic.sort();
    let plain = Some(folder.join("terraform.tfvars")).filter(|file| file.is_file());
    Ok(plain.into_iter().chain(automatic).collect())
}

fn read_variables(file: &Path) -> Result<BTreeMap<String, Value>> {
    use super::evaluate::Evaluator;
    let name = || format!("reading {}", file.display());
    let body: hcl_edit::structure::Body =
        fs::read_to_string(file).with_context(name)?.parse().with_context(name)?;
    let (nothing, none, empty) = (Configuration::default(), BTreeMap::new(), State::default());
    let evaluator = Evaluator::new(&nothing, &none, &empty, Phase::Apply);
    let values = body.attributes().map(|attribute| {
        let value = evaluator.value(&attribute.value).with_context(name)?;
        Ok((attribute.key.as_str().to_owned(), value.unwrap_or_default()))
    });
    values.collect()
}

/// A value that came as text: a number, a truth value, a list or an object where it reads as one.
fn typed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    const MAIN: &str = r#"
variable "size" { default = 2 }
locals { name = "db-${var.size}" }
resource "terraform_data" "cluster" { input = { name = local.name, size = var.size } }
resource "terraform_data" "user" { triggers_replace = terraform_data.cluster.input.name }
output "endpoint" { value = "${terraform_data.cluster.output.name}.example.com" }
"#;

    struct Folder(TempDir);

    impl Folder {
        fn new(main: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("main.tf"), main).unwrap();
            Self(folder)
        }

        fn terraform(&self, line: &str) -> Result<(u8, String)> {
            let state = self.0.path().join("state");
            let call = Call { folder: self.0.path(), state: &state, variables: BTreeMap::new() };
            let args: Vec<String> = line.split(' ').map(String::from).collect();
            let mut out = Vec::new();
            let code = call.execute(&args, &mut out)?;
            Ok((code, String::from_utf8(out)?))
        }

        fn says(&self, line: &str) -> String {
            self.terraform(line).unwrap().1
        }
    }

    #[test]
    fn a_folder_is_planned_applied_changed_and_destroyed() {
        let folder = Folder::new(MAIN);
        let (code, text) =
            folder.terraform("plan -no-color -detailed-exitcode -out=plan.bin").unwrap();
        assert_eq!(code, 2);
        assert!(text.contains("Plan: 2 to add, 0 to change, 0 to destroy."), "{text}");
        assert!(text.contains("endpoint = (known after apply)"), "{text}");
        let plan: Value = serde_json::from_str(&folder.says("show -json plan.bin")).unwrap();
        assert_eq!(plan["resource_changes"][0]["change"]["actions"], json!(["create"]));
        assert!(
            folder
                .says("apply plan.bin")
                .contains("Apply complete! Resources: 2 added, 0 changed, 0 destroyed.")
        );
        let outputs: Value = serde_json::from_str(&folder.says("output -json")).unwrap();
        assert_eq!(
            outputs["endpoint"],
            json!({"sensitive": false, "type": "string", "value": "db-2.example.com"})
        );
        assert_eq!(folder.terraform("plan -detailed-exitcode").unwrap().0, 0);
        let changed = folder.says("plan -var size=3");
        assert!(changed.contains("Plan: 1 to add, 1 to change, 1 to destroy."), "{changed}");
        assert!(
            folder
                .says("destroy -auto-approve")
                .contains("Destroy complete! Resources: 2 destroyed.")
        );
        assert_eq!(folder.says("output -json").trim(), "{}");
    }

    #[test]
    fn a_stale_plan_is_refused() {
        let folder = Folder::new(MAIN);
        folder.says("plan -out plan.bin");
        folder.says("apply -auto-approve");
        assert!(folder.terraform("apply plan.bin").unwrap_err().to_string().contains("stale"));
    }

    #[test]
    fn what_it_does_not_know_is_named() {
        let table = [
            ("resource \"aws_db\" \"x\" {}", "aws_db"),
            ("data \"http\" \"x\" {}", "data http"),
            ("output \"x\" { value = var.y }", "\"y\""),
            ("output \"x\" { value = sha1(\"y\") }", "sha1"),
            (
                "locals {\n  a = local.b\n  b = local.a\n}\noutput \"x\" { value = local.a }",
                "circle",
            ),
            ("output \"x\" {", "main.tf"),
        ];
        for (main, expected) in table {
            let error = format!("{:#}", Folder::new(main).terraform("plan").unwrap_err());
            assert!(error.contains(expected), "{main}: {error}");
        }
    }
}
