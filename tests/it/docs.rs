//! The reference for authors, tried: its examples are a folder of templates, and its commands run.

use std::fs;
use std::process::Command;

use serde_json::Value;
use towpath::template::{FILTERS, keys};

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let body: Vec<&str> = body.chain([""]).collect();
        blocks.push((info.to_owned(), body.join("\n")));
    }
    blocks
}

fn page() -> String {
    fs::read_to_string("docs/templates.md").unwrap()
}

/// The name of the file that a block shows: ```` ```yaml queue/template.yml ````.
fn file_of(info: &str) -> Option<&str> {
    info.split_once(' ').map(|(_, file)| file)
}

#[test]
fn the_examples_of_the_reference_are_templates_and_its_commands_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Vec::new();
    for (info, text) in blocks(&page()) {
        if let Some(file) = file_of(&info) {
            let path = folder.path().join("templates").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        } else if info == "sh" {
            commands.extend(text.lines().map(str::to_owned));
        }
    }
    assert!(commands.len() >= 5, "{commands:?}");
    for line in commands.iter().chain([&"towpath check".to_owned(), &"towpath test".to_owned()]) {
        let words = line.strip_prefix("towpath ").unwrap_or_else(|| panic!("{line}"));
        let output = Command::new(env!("CARGO_BIN_EXE_towpath"))
            .current_dir(folder.path())
            .env_remove("TOWPATH_TEMPLATES")
            .args(words.split_whitespace())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{said}{complained}");
    }
}

/// What the examples have at each place of a template. A place is a list of keys, in which `*` is any.
fn values_at<'a>(templates: &'a [Value], place: &[&str]) -> Vec<&'a Value> {
    let start: Vec<&Value> = templates.iter().collect();
    place.iter().fold(start, |found, key| {
        let maps = found.into_iter().filter_map(Value::as_object);
        let inner = maps.flatten().filter(|(name, _)| *key == "*" || name == key);
        inner.map(|(_, value)| value).collect()
    })
}

#[test]
fn the_examples_of_the_reference_use_every_key() {
    let blocks = blocks(&page());
    let templates = blocks.iter().filter(|(info, _)| info.ends_with("/template.yml"));
    let templates: Vec<Value> =
        templates.map(|(_, text)| serde_saphyr::from_str(text).unwrap()).collect();
    let places: [(&[&str], &[&str]); 12] = [
        (&[], &keys::TEMPLATE),
        (&["actions", "*"], &keys::ACTION),
        (&["actions", "*", "workflow"], &keys::WORKFLOW),
        (&["actions", "*", "secret"], &keys::SECRET),
        (&["target"], &keys::TARGET),
        (&["target", "repository"], &keys::NEW_REPOSITORY),
        (&["pull_request"], &keys::PULL_REQUEST),
        (&["plan"], &keys::PLAN),
        (&["apply"], &keys::APPLY),
        (&["deadlines"], &keys::DEADLINES),
        (&["deadlines", "*"], &keys::DEADLINE),
        (&["entity"], &keys::ENTITY),
    ];
    for (place, known) in places {
        let found = values_at(&templates, place);
        for key in known {
            let is_used = found.iter().any(|value| value.get(key).is_some());
            assert!(is_used, "no example of docs/templates.md has `{key}` in {place:?}");
        }
    }
}

#[test]
fn the_reference_names_every_key_and_every_filter() {
    let page = page();
    let lists: [&[&str]; 15] = [
        &keys::TEMPLATE,
        &keys::ACTION,
        &keys::WORKFLOW,
        &keys::SECRET,
        &keys::TARGET,
        &keys::TARGETS,
        &keys::NEW_REPOSITORY,
        &keys::PULL_REQUEST,
        &keys::PLAN,
        &keys::APPLY,
        &keys::DEADLINES,
        &keys::DEADLINE,
        &keys::ENTITY,
        &keys::CONCLUSIONS,
        &FILTERS,
    ];
    for word in lists.into_iter().flatten() {
        assert!(page.contains(&format!("`{word}`")), "docs/templates.md does not name `{word}`");
    }
}
