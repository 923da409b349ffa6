//! The walls of the house: which room may use which, and which room may name a foreign crate. Read
//! from the source text, so that a wall that falls is named with its file and line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the source is, from where cargo runs tests: beside Cargo.toml.
const SOURCE: &str = "src";

/// What a room may use of the others. A room that is not named here may not exist.
const ROOMS: &[(&str, Uses)] = &[
    // The ground: plain files without a folder, used by everyone, using little.
    ("clock", Uses::Only(&[])),
    ("seal", Uses::Only(&["domain"])),
    ("lifecycle", Uses::Only(&["clock"])),
    ("telemetry", Uses::Only(&["config", "domain"])),
    ("config", Uses::Only(&["domain"])),
    // Pure.
    ("domain", Uses::Only(&[])),
    ("template", Uses::Only(&["domain"])),
    ("plan", Uses::Only(&["domain", "template"])),
    // Each knows one thing of the world, and not the others.
    ("intake", Uses::Only(&["domain", "store", "seal", "clock", "telemetry"])),
    ("github", Uses::Only(&["domain", "clock"])),
    ("portal", Uses::Only(&["domain", "clock"])),
    ("listener", Uses::Only(&["domain", "clock"])),
    ("agent", Uses::Only(&["domain", "seal", "clock"])),
    ("store", Uses::Only(&["domain", "plan", "clock"])),
    // They bring the others together.
    (
        "effects",
        Uses::Only(&[
            "domain", "template", "plan", "store", "github", "portal", "agent", "listener", "seal",
            "clock",
        ]),
    ),
    ("source", Uses::Only(&["domain", "template", "store", "github", "effects"])),
    (
        "worker",
        Uses::Only(&["domain", "plan", "effects", "store", "clock", "lifecycle", "telemetry"]),
    ),
    ("doctor", Uses::Only(&["domain", "template", "github", "portal", "store", "config"])),
    (
        "http",
        Uses::Only(&[
            "domain",
            "template",
            "plan",
            "intake",
            "store",
            "portal",
            "clock",
            "lifecycle",
        ]),
    ),
    ("sandbox", Uses::Only(&["domain", "clock"])),
    ("cli", Uses::All),
];

/// Crates that stay in the rooms named here. `cli` is not above this wall.
const CRATES: &[(&str, &[&str])] = &[
    ("octocrab", &["github"]),
    ("rdkafka", &["intake"]),
    ("sqlx", &["store"]),
    ("reqwest", &["agent", "portal", "listener", "sandbox", "config"]),
    ("jaq_core", &["agent"]),
    ("jaq_json", &["agent"]),
    ("jaq_std", &["agent"]),
    ("aws_lc_rs", &["seal", "sandbox"]),
    ("axum", &["http", "sandbox", "cli"]),
    ("async_graphql", &["sandbox"]),
    ("git2", &["sandbox"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
    ("tera", &["template", "http"]),
    ("hcl_edit", &["template", "sandbox"]),
];

/// The rooms whose functions only compute.
const PURE: &[&str] = &["domain", "template", "plan"];

/// What I/O, waiting and chance look like in a pure room.
const IMPURE: &[&str] =
    &["tokio::", "std::fs", "std::net", "std::process", "fastrand::", "async fn"];

/// So many lines of product code are too many for one file.
const TOO_MANY_LINES: usize = 400;

enum Uses {
    Only(&'static [&'static str]),
    All,
}

#[test]
fn a_room_uses_only_the_rooms_below_it() {
    let rooms = room_names();
    let mut breaches = Vec::new();
    for file in &source_files() {
        let Some(room) = room_of(file) else { continue };
        let uses = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, uses)| uses);
        let allowed = match uses {
            Some(Uses::All) => continue,
            Some(Uses::Only(allowed)) => *allowed,
            None => {
                breaches
                    .push(format!("{}: the room `{room}` has no line in ROOMS", file.display()));
                continue;
            }
        };
        for (line, text) in code_lines(file) {
            for used in rooms_used(&text, &rooms) {
                if used != room && !allowed.contains(&used.as_str()) {
                    breaches.push(at(file, line, &format!("`{room}` may not use `{used}`"), &text));
                }
            }
        }
    }
    assert_none("A wall has fallen (docs/ARCHITECTURE.md, the rooms)", &breaches);
}

#[test]
fn a_foreign_crate_stays_in_its_room() {
    let mut breaches = Vec::new();
    for file in &source_files() {
        let room = room_of(file).unwrap_or_default();
        for (line, text) in code_lines(file) {
            for (name, homes) in CRATES {
                if !homes.contains(&room.as_str()) && names_path(&text, name) {
                    let what = format!("only {} may name the crate `{name}`", homes.join(" and "));
                    breaches.push(at(file, line, &what, &text));
                }
            }
        }
    }
    assert_none("A crate is named outside its room", &breaches);
}

#[test]
fn a_pure_room_does_nothing_but_compute() {
    let mut breaches = Vec::new();
    for file in &source_files() {
        let room = room_of(file).unwrap_or_default();
        if !PURE.contains(&room.as_str()) || file.ends_with("tests.rs") {
            continue;
        }
        for (line, text) in code_lines(file) {
            for word in IMPURE.iter().filter(|word| text.contains(**word)) {
                breaches.push(at(file, line, &format!("`{room}` is pure: no `{word}`"), &text));
            }
        }
    }
    assert_none("A pure room reaches out", &breaches);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = source_files()
        .into_iter()
        .filter(|file| !read(file).starts_with("//! "))
        .map(|file| format!("{} does not start with `//!`", file.display()))
        .collect();
    assert_none("Files that do not say what they are for", &silent);
}

#[test]
fn no_file_is_too_long_to_be_read_in_one_go() {
    let long: Vec<_> = source_files()
        .into_iter()
        .filter(|file| !is_only_tests(file))
        .map(|file| (lines_before_tests(&read(&file)), file))
        .filter(|(lines, _)| *lines >= TOO_MANY_LINES)
        .map(|(lines, file)| format!("{} has {lines} lines before its tests", file.display()))
        .collect();
    assert_none(&format!("Files of {TOO_MANY_LINES} lines or more: split them by meaning"), &long);
}

#[test]
fn lines_are_counted_up_to_the_tests_and_not_up_to_a_helper_of_theirs() {
    assert_eq!(lines_before_tests("//! A.\nfn a() {}\n"), 2);
    assert_eq!(lines_before_tests("//! A.\n\n#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n"), 2);
    assert_eq!(
        lines_before_tests("//! A.\n#[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests;\n"),
        3
    );
    assert!(is_only_tests(Path::new("src/plan/tests.rs")));
    assert!(is_only_tests(Path::new("src/plan/tests/parts.rs")));
    assert!(!is_only_tests(Path::new("src/plan/begin/mod.rs")));
}

#[test]
fn the_walls_are_seen_in_every_way_to_write_a_path() {
    let rooms = BTreeSet::from(["store".to_owned(), "github".to_owned(), "domain".to_owned()]);
    let used = |text: &str| rooms_used(text, &rooms);

    assert_eq!(used("use crate::store::Store;"), ["store"]);
    assert_eq!(
        used("use crate::{domain::Run, store, github::Client};"),
        ["domain", "store", "github"]
    );
    assert_eq!(
        used("use crate::{\n    domain::ids::{A, B},\n    github,\n};"),
        ["domain", "github"]
    );
    assert_eq!(used("let a = crate::github::client();"), ["github"]);
    assert_eq!(used("let a = towpath::github::client();"), ["github"]);
    assert_eq!(used("let store = my_crate::github_store;"), Vec::<String>::new());

    assert!(names_path("use sqlx::Pool;", "sqlx"));
    assert!(names_path("fn a() -> sqlx::Result<()>", "sqlx"));
    assert!(names_path("use sqlx;", "sqlx"));
    assert!(!names_path("use my_sqlx::Pool;", "sqlx"));
    assert!(!names_path("let sqlx_pool = 1;", "sqlx"));
}

/// The rooms that a piece of code names, by way of `crate::room` or `crate::{room, …}`.
fn rooms_used(text: &str, rooms: &BTreeSet<String>) -> Vec<String> {
    let mut used = Vec::new();
    for root in ["crate::", "towpath::"] {
        for (start, _) in text.match_indices(root) {
            if text[..start].ends_with(is_word) {
                continue;
            }
            let path = &text[start + root.len()..];
            used.extend(first_segments(path).into_iter().filter(|name| rooms.contains(name)));
        }
    }
    used
}

/// `a::b` names `a`; `{a::{b, c}, d}` names `a` and `d`.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![leading_word(path)];
    };
    let mut depth = 0_usize;
    let mut segments = vec![leading_word(group)];
    for (index, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => segments.push(leading_word(&group[index + 1..])),
            _ => {}
        }
    }
    segments
}

fn leading_word(text: &str) -> String {
    text.trim_start().chars().take_while(|letter| is_word(*letter)).collect()
}

/// Whether code names a crate: as the head of a path, or as the whole of a `use`.
fn names_path(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(start, _)| {
        let before = &text[..start];
        let after = &text[start + name.len()..];
        let whole_use = before.trim_end().ends_with("use") && after.starts_with(';');
        !before.ends_with(|letter| is_word(letter) || letter == ':')
            && (after.starts_with("::") || whole_use)
    })
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The code of a file with the line that it stands on, without lines of comment. A `use` over
/// several lines is one piece, at its first line.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut open_use = false;
    for (index, line) in read(file).lines().enumerate() {
        let code = line.trim();
        if code.is_empty() || code.starts_with("//") {
            continue;
        }
        if open_use && let Some((_, statement)) = statements.last_mut() {
            statement.push(' ');
            statement.push_str(code);
        } else {
            statements.push((index + 1, code.to_owned()));
            open_use = code.starts_with("use ") || code.starts_with("pub use ");
        }
        open_use &= !code.ends_with(';');
    }
    statements
}

/// The room of a file: its folder, or its own name where it lies in `src` itself. The crate's root
/// and the entry are in none.
fn room_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(SOURCE).expect("only files of this folder are listed");
    let first = inside.components().next()?.as_os_str().to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(room, "lib" | "main")).then(|| room.to_owned())
}

/// How many lines a file has before its module of tests, or in all.
fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_start = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests");
    lines.windows(2).position(is_start).unwrap_or(lines.len())
}

/// Whether a file is nothing but tests: `tests.rs`, or below a folder `tests`.
fn is_only_tests(file: &Path) -> bool {
    file.with_extension("").iter().any(|part| part == "tests")
}

fn room_names() -> BTreeSet<String> {
    let files = source_files();
    files.iter().filter_map(|file| room_of(file)).collect()
}

fn source_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(SOURCE)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the source folder is readable") {
            let path = entry.expect("the source folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no source was found in `{SOURCE}`");
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a source file is text")
}

fn at(file: &Path, line: usize, what: &str, text: &str) -> String {
    format!("{}:{line}: {what}: {}", file.display(), text.trim())
}

fn assert_none(title: &str, breaches: &[String]) {
    let mut message = format!("{title}:\n");
    for breach in breaches {
        let _ = writeln!(message, "  {breach}");
    }
    assert!(breaches.is_empty(), "{message}");
}
