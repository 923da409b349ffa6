//! The `terraform` of this machine, where there is one: is what was rendered formatted, and valid?

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// What Terraform says.
pub(super) enum Verdict {
    /// It is not on this machine.
    Absent,
    /// All is well.
    Good,
    /// What it finds.
    Bad(String),
}

/// Checks rendered files, each set in a folder of its own. Only what needs no provider is
/// validated: nothing is downloaded.
pub(super) fn check(sets: &[(String, BTreeMap<String, String>)]) -> anyhow::Result<Verdict> {
    let folder = tempfile::tempdir().context("making a folder for Terraform")?;
    let settings = folder.path().join("terraform.rc");
    fs::write(&settings, "").context("writing settings for Terraform")?;
    let root = folder.path().join("rendered");
    fs::create_dir(&root)?;
    let mut roots = Vec::new();
    for (name, files) in sets {
        for (path, text) in files.iter().filter(|(path, _)| is_terraform(path)) {
            let file = root.join(name).join(path);
            let parent = file.parent().context("a file is in a folder")?;
            fs::create_dir_all(parent)?;
            fs::write(&file, text)?;
            if !roots.contains(&parent.to_owned()) {
                roots.push(parent.to_owned());
            }
        }
    }
    let terraform = |folder: &Path| {
        let mut command = Command::new("terraform");
        command.current_dir(folder).env("TF_CLI_CONFIG_FILE", &settings);
        command.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
        command
    };
    let formatted = terraform(&root).args(["fmt", "-check", "-diff", "-recursive"]).output();
    let formatted = match formatted {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Verdict::Absent),
        other => other.context("running terraform fmt")?,
    };
    let mut words = Vec::new();
    if !formatted.status.success() {
        words.push(both(&formatted));
    }
    for folder in roots.iter().filter(|folder| needs_no_provider(folder)) {
        let init = terraform(folder).args(["init", "-backend=false", "-no-color"]).output()?;
        let said = if init.status.success() {
            terraform(folder).args(["validate", "-no-color"]).output()?
        } else {
            init
        };
        if !said.status.success() {
            let name = folder.strip_prefix(&root).unwrap_or(folder);
            words.push(format!("{}\n{}", name.display(), both(&said)));
        }
    }
    Ok(if words.is_empty() { Verdict::Good } else { Verdict::Bad(words.join("\n")) })
}

fn is_terraform(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == "tf" || it == "tfvars")
}

/// Whether nothing but Terraform itself is used. What is in doubt needs one.
fn needs_no_provider(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let needs = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["resource", kind, ..] => *kind != "\"terraform_data\"",
            ["data" | "module" | "provider" | "ephemeral" | "required_providers", ..] => true,
            _ => false,
        }
    };
    !texts.any(|text| text.lines().any(needs))
}

fn both(output: &std::process::Output) -> String {
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{said}{complained}").trim_end().to_owned()
}
